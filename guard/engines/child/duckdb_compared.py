"""A DuckDB table beside itself as it was, compared by the engine: what differs, where and how.

Rows are compared along their order where that is the same on both sides, else joined by the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from guard.engines.child.duckdb_tables import WHOLE, Table
from guard.engines.child.names import quoted
from guard.engines.child.summed import KINDS, Kind

_NATIVE = ("BOOLEAN", "DATE", "TIMESTAMP", "TIME", *WHOLE)
"""Types of which equal values are the same text; others are compared as the bytes of theirs."""
_SAMPLE = 2_048


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A table, and where its rows are as they were before: in a table of the same columns."""

    table: Table
    was: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How many rows differ, in which columns.

    `aligned` when they stand in the same order, `ordered` when that is the order of the key, `all`
    when every row was updated.
    """

    aligned: bool
    ordered: bool = False
    all: bool = False
    counts: dict[Kind, int]
    differ: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many rows differ."""
        return sum(self.counts.values())


def distinct(table: Table, column: str) -> str:
    """Returns the condition that a column is not the same in `o` and in `n`."""
    pair = [f"{letter}.{quoted(column)}" for letter in "on"]
    if not _is_native(table.types[table.columns.index(column)]):
        pair = [f"encode(CAST({place} AS VARCHAR))" for place in pair]
    return f"{pair[0]} IS DISTINCT FROM {pair[1]}"


def _is_native(kind: str) -> bool:
    return kind in _NATIVE or kind.startswith("DECIMAL")


def differ(table: Table, places: Sequence[int] | None = None) -> str:
    """Returns the condition that any of the columns is not the same, all of them by default."""
    chosen = table.columns if places is None else [table.columns[n] for n in places]
    return "(" + (" OR ".join(distinct(table, c) for c in chosen) or "false") + ")"


def keys(table: Table, join: str, sign: str) -> str:
    """Returns the comparison of the keys."""
    return join.join(f"o.{c} {sign} n.{c}" for c in map(quoted, table.primary_key))


def pairs(its: Beside, aligned: bool, kind: str = "") -> str:
    """Returns the FROM of old rows `o` beside new ones `n`, joined as `kind` where not aligned."""
    both = f"{its.was} o", f"main.{its.table.quoted} n"
    if aligned:
        return " POSITIONAL JOIN ".join(both)
    return f" {kind} JOIN ".join(both) + f" ON {keys(its.table, ' AND ', '=')}"


def rows_in(connection: duckdb.DuckDBPyConnection, its: Beside) -> int:
    """Returns how many rows there were."""
    found = connection.execute(f"SELECT count(*) FROM {its.was}").fetchall()
    return int(found[0][0])


def is_aligned(connection: duckdb.DuckDBPyConnection, its: Beside) -> bool:
    """True when the same keys stand at the same places."""
    moved = connection.execute(
        f"SELECT count(*) FROM {pairs(its, aligned=True)} "
        f"WHERE {keys(its.table, ' OR ', 'IS DISTINCT FROM')}"
    ).fetchall()
    return moved == [(0,)]


def is_ordered(connection: duckdb.DuckDBPyConnection, its: Beside) -> bool:
    """True when the rows stand in the order of a key of one column, as rows mostly do."""
    if len(its.table.primary_key) > 1:
        return False
    key = quoted(its.table.primary_key[0])
    wrong = connection.execute(
        f"SELECT count(*) FROM (SELECT {key} AS k, lag({key}) OVER () AS before "
        f"FROM {its.was}) WHERE before >= k"
    ).fetchall()
    return wrong == [(0,)]


def is_as_before(connection: duckdb.DuckDBPyConnection, its: Beside, *, aligned: bool) -> bool:
    """True when no row differs."""
    if aligned:
        # A look along the rows takes one thread: two of them run at once. No key is null, so where
        # rows are missing on one side the key tells.
        native, texts = list[int](), list[int]()
        for n, kind in enumerate(its.table.types):
            (native if _is_native(kind) else texts).append(n)
        looks = (
            f"SELECT 1 FROM {pairs(its, aligned=True)} WHERE {differ(its.table, part)}"
            for part in (native, texts)
            if part
        )
        found = connection.execute(f"SELECT count(*) FROM ({' UNION ALL '.join(looks)})").fetchall()
        if found == [(0,)]:
            return True
    return compared(connection, its).total == 0


def compared(connection: duckdb.DuckDBPyConnection, its: Beside) -> Seen:
    """Returns what differs, from a look at every row."""
    if is_aligned(connection, its):
        return _along(connection, its)
    key = quoted(its.table.primary_key[0])
    both = f"o.{key} IS NOT NULL AND n.{key} IS NOT NULL"
    apart = ", ".join(
        f"coalesce(bool_or({distinct(its.table, c)}) FILTER ({both}), false)"
        for c in its.table.columns
    )
    found = connection.execute(
        f"SELECT count(*) FILTER (o.{key} IS NULL), "
        f"count(*) FILTER ({both} AND {differ(its.table)}), "
        f"count(*) FILTER (n.{key} IS NULL), {apart} FROM {pairs(its, False, 'FULL')}"
    ).fetchall()[0]
    return Seen(
        aligned=False, counts=dict(zip(KINDS, found[:3], strict=True)), differ=_true(found[3:])
    )


def _along(connection: duckdb.DuckDBPyConnection, its: Beside) -> Seen:
    apart = ", ".join(
        f"coalesce(bool_or({distinct(its.table, c)}), false)" for c in its.table.columns
    )
    updated, rows, *flags = connection.execute(
        f"SELECT count(*) FILTER ({differ(its.table)}), count(*), {apart} "
        f"FROM {pairs(its, aligned=True)}"
    ).fetchall()[0]
    return Seen(
        aligned=True,
        ordered=is_ordered(connection, its),
        all=updated == rows,
        counts={"inserted": 0, "updated": updated, "deleted": 0},
        differ=_true(flags),
    )


def sampled(connection: duckdb.DuckDBPyConnection, its: Beside) -> tuple[int, ...]:
    """Returns the columns that differ in the first of the aligned rows."""
    places = range(len(its.table.columns))
    cells = ", ".join(f"{distinct(its.table, its.table.columns[n])} AS d{n}" for n in places)
    flags = ", ".join(f"coalesce(bool_or(d{n}), false)" for n in places)
    found = connection.execute(
        f"SELECT {flags} FROM (SELECT {cells} FROM {pairs(its, aligned=True)} LIMIT {_SAMPLE})"
    ).fetchall()
    return _true(found[0])


def _true(flags: Sequence[bool]) -> tuple[int, ...]:
    return tuple(n for n, flag in enumerate(flags) if flag)
