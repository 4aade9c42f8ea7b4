"""What an open transaction has changed so far, on every table, and the proof that nothing is left.

1 the server's own counts name the tables, triggers and cascades included
2 after: rows the writer sees that its transaction made  3 before: rows the witness sees that the
writer sees no more  4 both must agree with the counts  5 rows are paired by primary key
https://www.postgresql.org/docs/18/monitoring-stats.html, .../storage-page-layout.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg

from guard.engines.base import Reached, Step, Told, unheard
from guard.engines.child import images
from guard.engines.child.faults import Fault
from guard.engines.child.images import Row, TableChange
from guard.engines.postgres_session import Pair
from guard.engines.postgres_tables import (
    WHOLE,
    Connection,
    Leaf,
    Table,
    definitions_of,
    rows,
)
from guard.errors import Refused, refuse

_COUNTED = """
SELECT relid::int8, schemaname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_all_tables
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname <> 'pg_toast'
"""
NUMBERS = 1 << 32
"""Row headers hold a transaction's number modulo this."""
_NEAR = 1 << 20
"""Subtransactions have numbers a little above their transaction's; headers hold 32 bits."""
_CHUNK = 10_000
_TRUTH = 16
_BYTES = 17
_CATALOGS = ("pg_catalog", "information_schema")


@dataclass(frozen=True, kw_only=True)
class Counted:
    """How often the server inserted, updated and deleted a row of one relation."""

    inserted: int
    updated: int
    deleted: int

    def plus(self, other: Counted) -> Counted:
        """Returns both together."""
        return Counted(
            inserted=self.inserted + other.inserted,
            updated=self.updated + other.updated,
            deleted=self.deleted + other.deleted,
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """The net change: `tables` in name order, `roots` the same tables as the server knows them."""

    tables: tuple[TableChange, ...]
    roots: tuple[Table, ...]
    definitions: str

    @property
    def schema_hash(self) -> str:
        """SHA-256 of what defines the touched tables."""
        return sha256_of(self.definitions)


def sha256_of(definitions: str) -> str:
    """Returns the SHA-256 of a text."""
    return hashlib.sha256(definitions.encode("utf-8", "surrogatepass")).hexdigest()


def counted(writer: Connection) -> dict[int, Counted]:
    """Returns the server's counts by relation, those of the catalog left out."""
    return {
        oid: Counted(inserted=i, updated=u, deleted=d)
        for oid, schema, i, u, d in rows(writer, _COUNTED)
        if schema not in _CATALOGS
    }


def capped(counts: Mapping[int, Counted], max_rows: int) -> None:
    """Raises `Fault` where far more rows were touched than may be; what cancels out counts too."""
    if sum(c.inserted + c.updated + c.deleted for c in counts.values()) > 2 * max_rows:
        raise Fault("too_many_rows")


def hearing(counts: Mapping[int, Counted], told: Told) -> tuple[Heard, Heard]:
    """Returns what hears how many of the rows before, and of those after, were read."""
    gone = sum(c.updated + c.deleted for c in counts.values())
    new = sum(c.inserted + c.updated for c in counts.values())
    return Heard("before", gone, told), Heard("after", new, told)


def captured(
    pair: Pair,
    counts: Mapping[int, Counted],
    leaves: Sequence[Leaf],
    max_rows: int,
    told: Told = unheard,
) -> Found:
    """Returns what the transaction has changed up to now. `told` hears how many rows were read.

    Raises:
        Fault: more than `max_rows`, or rows that cannot all be seen.
        Refused: a table that the write role may not read.
    """
    heard = hearing(counts, told)
    olds: dict[int, list[Row]] = {}
    news: dict[int, list[Row]] = {}
    for leaf in leaves:
        if not leaf.plain:
            raise Fault("not_exact")
        before, after = _exactly(pair, leaf, counts[leaf.oid], heard)
        olds.setdefault(leaf.root.oid, []).extend(before)
        news.setdefault(leaf.root.oid, []).extend(after)
    roots = sorted({leaf.root.oid: leaf.root for leaf in leaves}.values(), key=lambda t: t.name)
    changes = [_change(t, olds[t.oid], news[t.oid]) for t in roots]
    if sum(len(c.rows) for c in changes) > max_rows:
        raise Fault("too_many_rows")
    touched = [(c, t) for c, t in zip(changes, roots, strict=True) if c.rows]
    return Found(
        tables=tuple(c for c, _ in touched),
        roots=tuple(t for _, t in touched),
        definitions=definitions_of(pair.writer, [t.oid for _, t in touched]),
    )


class Heard:
    """Tells how many rows of one step were read, of all that the server counted."""

    def __init__(self, step: Step, of: int, told: Told) -> None:
        self._step, self._of, self._told = step, of, told
        self._rows = 0

    def read(self, rows: int) -> None:
        """Takes in that as many more rows were read; some are read a second time."""
        self._rows = min(self._of, self._rows + rows)
        self._told(Reached(step=self._step, rows=self._rows, of=self._of))


def _exactly(
    pair: Pair, leaf: Leaf, counts: Counted, heard: tuple[Heard, Heard]
) -> tuple[list[Row], list[Row]]:
    """Returns the rows that are gone and the rows that are new, checked against the counts."""
    gone, new = counts.updated + counts.deleted, counts.inserted + counts.updated
    own = f"= '{pair.xid % NUMBERS}'::xid"
    olds, news = heard
    marked = _read(pair.witness, leaf, f"t.xmax {own}", olds) if gone else []
    before = _gone(pair.writer, leaf, marked)
    after: list[tuple[str, Row]] = []
    if new and not counts.inserted and leaf.root.primary_key:
        after = _by_key(pair.writer, leaf, [r for _, r in before], f"t.xmin {own}", news)
    if len(after) != new:
        after = _read(pair.writer, leaf, f"t.xmin {own}", news)
    if len(before) == gone and len(after) == new:
        return [r for _, r in before], [r for _, r in after]
    # A part of the transaction, a row touched twice, or one that somebody else holds a lock on:
    # every row with any mark is looked at, and the difference must still be the counted one.
    after = _read(pair.writer, leaf, within(pair.xid), news)
    before = _gone(pair.writer, leaf, _read(pair.witness, leaf, "t.xmax <> '0'::xid", olds))
    net = counts.inserted - counts.deleted
    fits = len(after) - len(before) == net and len(before) <= gone and len(after) <= new
    if not fits or leaf.root.row_security:
        raise Fault("not_exact")
    return [r for _, r in before], [r for _, r in after]


def within(xid: int) -> str:
    """Returns the condition that a row was made by this transaction or a part of it."""
    low, high = xid % NUMBERS, (xid + _NEAR) % NUMBERS
    number = "t.xmin::text::int8"
    if low <= high:
        return f"{number} BETWEEN {low} AND {high}"
    return f"({number} >= {low} OR {number} BETWEEN 3 AND {high})"


def _by_key(
    connection: Connection, leaf: Leaf, wanted: Sequence[Row], condition: str, heard: Heard
) -> list[tuple[str, Row]]:
    """Returns those matching rows that have the keys of the given ones: no scan is needed."""
    table, found = leaf.root, []
    keys = [table.columns[i] for i in table.key]
    names = ", ".join(f"k{n}" for n in range(len(keys)))
    marks = ", ".join(f"${n + 1}::text[]" for n in range(len(keys)))
    on = " AND ".join(f"t.{c.quoted} = k.k{n}::{c.type}" for n, c in enumerate(keys))
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        given = [[text_of(row[i]) for row in part] for i in table.key]
        source = f"JOIN unnest({marks}) AS k({names}) ON {on}"
        found += _read(connection, leaf, condition, heard, source, given)
    return found


def _read(
    connection: Connection,
    leaf: Leaf,
    condition: str,
    heard: Heard,
    joined: str = "",
    given: Sequence[object] = (),
) -> list[tuple[str, Row]]:
    """Returns the matching rows, each with its place (`ctid`)."""
    table = leaf.root
    cells = "".join(f", {c.text('t')}" for c in table.columns)
    makers = makers_of(table)
    heard.read(0)
    try:
        found = rows(
            connection,
            f"SELECT t.ctid::text{cells} FROM ONLY {leaf.quoted} t {joined} WHERE {condition}",
            *given,
        )
    except psycopg.errors.InsufficientPrivilege:
        raise unreadable(table) from None
    made: list[tuple[str, Row]] = []
    for start in range(0, len(found), _CHUNK):
        part = found[start : start + _CHUNK]
        made += [
            (place, tuple(None if v is None else m(v) for m, v in zip(makers, values, strict=True)))
            for place, *values in part
        ]
        heard.read(len(part))
    return made


def unreadable(table: Table) -> Refused:
    """Returns the refusal of a change that reaches a table the write role may not read."""
    return refuse(
        "preview.unreadable",
        f"This also changes {table.name}, which the write login may not read, so it cannot be "
        "shown in full.",
        alternative="An operator can grant SELECT on it to the write login.",
    )


def makers_of(table: Table) -> list[Callable[[str], object]]:
    """Returns what turns each column's text into the value that is compared and shown."""
    return [_maker(c.base) for c in table.columns]


def _maker(base: int) -> Callable[[str], object]:
    if base in WHOLE:
        return int
    if base == _TRUTH:
        return lambda text: text == "true"
    if base == _BYTES:
        return lambda text: bytes.fromhex(text[2:])
    return lambda text: text


def text_of(value: object) -> str | None:
    """Returns the text that a value was made from."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def _gone(
    writer: Connection, leaf: Leaf, marked: Sequence[tuple[str, Row]]
) -> list[tuple[str, Row]]:
    """Returns those rows that the writer sees no more at their place; locked ones are still there.

    A transaction never uses the place of a row again that it removed itself.
    """
    still: set[str] = set()
    for part in _parts([place for place, _ in marked]):
        still.update(
            r[0]
            for r in rows(
                writer,
                f"SELECT t.ctid::text FROM ONLY {leaf.quoted} t WHERE t.ctid = ANY ($1::tid[])",
                part,
            )
        )
    return [(place, row) for place, row in marked if place not in still]


def _parts(places: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(places), _CHUNK):
        yield list(places[start : start + _CHUNK])


def _change(table: Table, before: Sequence[Row], after: Sequence[Row]) -> TableChange:
    return TableChange(
        table=table.name,
        columns=table.names,
        primary_key=table.primary_key,
        rows=tuple(images.paired(before, after, table.key)),
    )
