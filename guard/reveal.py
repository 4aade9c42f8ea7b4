"""Masked values shown for a moment: to one person, who has the right and gives a reason.

The value is not kept anywhere between the source and the page: the statement is judged, limited and
run again, and only the cells that were asked for come back unmasked. Secrets never do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from guard.catalog import Catalog
from guard.errors import Refused, refuse
from guard.judging import Judgement
from guard.lexical import words
from guard.lineage import Lineage, Origin
from guard.result import Plain, plain_rows
from guard.rights import Scope
from redaction import (
    ENCODED,
    SECRET,
    ColumnVerdict,
    SessionKey,
    names_secret,
    redact_table,
)

SHORTEST_REASON = 10
LONGEST_REASON = 500
_WORD = re.compile(r"[^\W\d_]{3,}")
_SAYS_NOTHING = words(
    "and are asdf because bla blah check data for foo bar have just look looking need needed none "
    "nothing please purpose purposes qwerty reason reasons reveal see show some something test "
    "testing that the this value values view want with xxx yes"
)
_STAYS = (f"<{SECRET}>", f"<{ENCODED}>")
"""Masks that stay whatever the right: what stands behind the second may be a secret too."""


@dataclass(frozen=True, kw_only=True)
class RevealRequest:
    """What a person asks to see: columns by position or name, rows by position, and why.

    `rows` is None for the first rows that a reveal may show. `shown` is the redacted result as the
    person has it before them; the rows must still be the same ones.
    """

    columns: tuple[int | str, ...]
    reason: str
    rows: tuple[int, ...] | None = None
    shown: pa.Table | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Revealed:
    """Some rows of a result, with the columns asked for as they are. Show it once; keep it nowhere.

    `values` holds whole rows: columns that were not asked for are as redacted as ever. `positions`
    are the rows' places in the result, `columns` the revealed ones. `sources` are the columns of
    tables the values come from; `kept` counts the cells in them that stay masked, `more` is true
    when the result has rows that are not shown. `audit` is the number of the event that records it.
    """

    names: tuple[str, ...]
    values: list[list[Plain]] = field(repr=False)
    positions: tuple[int, ...]
    columns: tuple[int, ...]
    sources: tuple[str, ...]
    kept: int
    more: bool
    audit: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A reveal that the policy allows: what it will show, before anything has run."""

    columns: tuple[int, ...]
    sources: tuple[str, ...]
    entities: tuple[str, ...]
    reason: str
    rows: int


def reason_of(text: str) -> str:
    """Returns the reason on one line.

    Raises:
        Refused: `reveal.reason`: it is too short, too long or says nothing.
    """
    reason = " ".join(text.split())
    telling = {w.casefold() for w in _WORD.findall(reason)} - _SAYS_NOTHING
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON or len(telling) < 2:
        raise refuse(
            "reveal.reason",
            f"Say in {SHORTEST_REASON} to {LONGEST_REASON} characters why you need the values.",
            alternative="For example: call the customer back about ticket 4711.",
            fixable=True,
        )
    return reason


def plan(judged: Judgement, lineage: Lineage, asked: RevealRequest) -> Plan:
    """Returns what may be shown of a statement that was judged and is about to run.

    Raises:
        Refused: `reveal.*`: there is no reason, a column is not the person's to see, or the rows
            are too many.
    """
    scope, reason = judged.scope, reason_of(asked.reason)
    most = scope.limits.reveal_rows
    rows = most if asked.rows is None else len(set(asked.rows))
    if rows > most:
        raise refuse(
            "reveal.rows",
            f"You may reveal {most} rows at a time; these are {rows}.",
            alternative="Choose fewer rows.",
            fixable=True,
        )
    if not asked.columns or not rows:
        raise refuse("reveal.nothing", "Choose the columns and rows to reveal.", fixable=True)
    sources: dict[str, None] = {}
    entities: dict[str, None] = {}
    columns = sorted({p for column in asked.columns for p in _positions_of(column, lineage)})
    for position in columns:
        origin = lineage.columns[position]
        name = origin.name or f"column {position + 1}"
        for source, entity in _checked(origin, judged.catalog, scope, name):
            sources[source] = entities[entity or "untagged"] = None
    return Plan(
        columns=tuple(columns),
        sources=tuple(sources),
        entities=tuple(entities),
        reason=reason,
        rows=rows,
    )


def revealable(judged: Judgement, lineage: Lineage) -> tuple[int, ...]:
    """Returns the places of the result's columns that the person may ask to see."""
    return tuple(
        place for place in range(len(lineage.columns)) if _may(judged, lineage.columns[place])
    )


def _may(judged: Judgement, origin: Origin) -> bool:
    try:
        return bool(_checked(origin, judged.catalog, judged.scope, origin.name))
    except Refused:
        return False


def _positions_of(column: int | str, lineage: Lineage) -> list[int]:
    """Returns where a column of the result is; a name may stand for several."""
    if isinstance(column, int):
        found = [column] if 0 <= column < len(lineage.columns) else []
    else:
        wanted = column.casefold()
        found = [i for i, o in enumerate(lineage.columns) if o.name.casefold() == wanted]
    if not found:
        raise refuse(
            "reveal.nothing",
            f"The result has no column {column} that the guard can trace.",
            part=str(column),
            fixable=True,
        )
    return found


def _checked(
    origin: Origin, catalog: Catalog, scope: Scope, name: str
) -> list[tuple[str, str | None]]:
    """Returns the source of a column and its entity, once it is sure that it may be revealed."""
    if origin.flow == "unknown":
        raise refuse(
            "reveal.untraced",
            "The guard cannot tell where these values come from, so it shows them to nobody.",
            part=name,
            alternative="Select the column itself instead of computing with it.",
        )
    prose = {n.casefold() for n in scope.settings.free_text}
    found = []
    for table, column in sorted(origin.sources):
        known = catalog.table(table)
        place = known.column(column) if known else None
        is_prose = f"{table}.{column}".casefold() in prose
        found.append((table, column, place.tag if place else None, is_prose))
    if not found:
        raise refuse("reveal.nothing", f"Nothing stands behind {name} that could be revealed.")
    for table, column, tag, _ in found:
        if names_secret(table, column, tag):
            raise refuse(
                "reveal.secret",
                f"{table}.{column} holds secrets. They are never shown to anyone.",
                part=f"{table}.{column}",
            )
    if not origin.stored:
        # What was cut up or joined may hold a secret that is not recognised any more, or values of
        # columns that nobody asked for.
        raise refuse(
            "reveal.untraced",
            f"{name} is computed, so what stands behind it is not one column's value.",
            part=name,
            alternative="Select the column itself instead of computing with it.",
        )
    for table, column, tag, is_prose in found:
        if not scope.reveal.covers(table, column, tag, prose=is_prose):
            raise refuse(
                "reveal.not_allowed",
                f"Your roles may not reveal {table}.{column}.",
                part=f"{table}.{column}",
                alternative="Ask an admin for that right, or work with the masked values.",
            )
    return [(f"{t}.{c}", tag or ("FREE_TEXT" if p else None)) for t, c, tag, p in found]


def unmasked(
    raw: pa.Table,
    ordinary: pa.Table,
    found: Sequence[ColumnVerdict],
    asked: RevealRequest,
    columns: tuple[int, ...],
    key: SessionKey,
    most: int,
) -> tuple[Revealed, int]:
    """Returns the rows with the asked cells as they are, and how many cells that unmasked.

    `ordinary` is the result as it is always shown, `columns` those of the plan, `most` the rows of
    one reveal. `sources`, `more` and `audit` are still empty: the caller records the reveal before
    anybody sees the rows.

    Raises:
        Refused: `reveal.changed`: the rows are not the ones the person has before them.
        redaction.RedactionError: something could not be looked at; show nothing.
    """
    positions = _positions(asked, ordinary, most)
    taken = pa.array(positions, pa.int64())
    masked = ordinary.take(taken)
    _check_same(asked.shown, masked, positions)
    shown = redact_table(
        raw.take(taken).select(columns),
        [replace(found[i], basis="declared", reveal=True) for i in columns],
        sink="screen",
        key=key,
    ).table
    values, opened, kept = _merged(plain_rows(masked), plain_rows(shown), columns)
    revealed = Revealed(
        names=tuple(masked.column_names),
        values=values,
        positions=tuple(positions),
        columns=columns,
        sources=(),
        kept=kept,
        more=False,
        audit=0,
    )
    return revealed, opened


def _positions(asked: RevealRequest, table: pa.Table, most: int) -> list[int]:
    if asked.rows is None:
        return list(range(min(table.num_rows, most)))
    rows = sorted(set(asked.rows))
    if rows[0] < 0 or rows[-1] >= table.num_rows:
        raise _changed()
    return rows


def _check_same(before: pa.Table | None, now: pa.Table, positions: Sequence[int]) -> None:
    if before is None or not positions:
        return
    if before.column_names != now.column_names or positions[-1] >= before.num_rows:
        raise _changed()
    # Masks count too: another person's row may differ in nothing else.
    same = before.take(pa.array(positions, pa.int64()))
    if repr(plain_rows(same)) != repr(plain_rows(now)):
        raise _changed()


def _changed() -> Refused:
    return refuse(
        "reveal.changed",
        "These rows are not the same any more: the data changed, the statement names no order, or "
        "the masks are from before a restart.",
        alternative="Run it again, with ORDER BY, and reveal from the new result.",
    )


def _merged(
    masked: list[list[Plain]], shown: list[list[Plain]], columns: Sequence[int]
) -> tuple[list[list[Plain]], int, int]:
    """Returns the rows, how many cells were unmasked, and how many stay masked."""
    opened = kept = 0
    for row, real in zip(masked, shown, strict=True):
        for position, value in zip(columns, real, strict=True):
            if any(mask in str(row[position]) for mask in _STAYS):
                kept += 1
            elif row[position] != value:
                row[position] = value
                opened += 1
    return masked, opened, kept
