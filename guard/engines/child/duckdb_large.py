"""A change of very many rows of a DuckDB table: compared and hashed by the engine, then taken back.

Two copies of the file are open together, one changed and one as it was. They are compared row by
row along their order where that is the same, else joined by the key. Nothing is committed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from guard.engines.child.duckdb_summed import ColumnSum, names_of
from guard.engines.child.duckdb_tables import WHOLE, Table, hash_of, table_of, typed
from guard.engines.child.faults import Fault
from guard.engines.child.images import TableChange, Touched
from guard.engines.child.names import quoted
from guard.engines.child.reader import Stop
from guard.engines.child.summed import KINDS, LARGE, Kind
from guard.engines.child.writing import Capture, Order, with_second

OLD = "gatehouse_old"
_BATCH = 65_536
_NATIVE = ("BOOLEAN", "DATE", "TIMESTAMP", "TIME", *WHOLE)
"""Types of which equal values are the same text; others are compared as the bytes of theirs."""


class Large(Exception):
    """More rows than are looked at one by one. Nothing was committed."""


def fits(table: Table) -> bool:
    """True for a table whose rows have keys of whole numbers: everybody orders those alike."""
    types = dict(zip(table.columns, table.types, strict=True))
    return bool(table.primary_key) and all(types[c] in WHOLE for c in table.primary_key)


def large(connection: duckdb.DuckDBPyConnection, order: Order, stop: Stop) -> Capture | None:
    """Returns what a plain change of one table does, `OLD` being the file as it was.

    None where it is looked at row by row. Raises `Fault`, and what the engine says.
    """
    table = table_of(connection, order.targets[0])
    stop.reached("run")
    connection.execute("BEGIN TRANSACTION")
    connection.execute(order.sql or "").fetchall()
    seen = _compared(connection, table)
    if seen.total > order.max_rows:
        raise Fault("too_many_rows")
    if seen.total <= LARGE or stop.asked():
        return None
    change = _change(connection, table, seen, order, stop)
    stop.reached("back", 0, seen.total)
    if not _is_back(connection, table, seen):
        return None  # what one transaction cannot do, two may
    done = Capture(tables=[change], image={}, schema_hash=hash_of([table.definition]))
    return with_second(done, done, verified=True, notes=())


@dataclass(frozen=True, kw_only=True)
class _Seen:
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
        return sum(self.counts.values())


def _distinct(table: Table, column: str) -> str:
    kind = table.types[table.columns.index(column)]
    pair = [f"{letter}.{quoted(column)}" for letter in "on"]
    if kind not in _NATIVE and not kind.startswith("DECIMAL"):
        pair = [f"encode(CAST({place} AS VARCHAR))" for place in pair]
    return f"{pair[0]} IS DISTINCT FROM {pair[1]}"


def _differ(table: Table) -> str:
    return "(" + " OR ".join(_distinct(table, c) for c in table.columns) + ")"


def _keys(table: Table, join: str, sign: str) -> str:
    return join.join(f"o.{c} {sign} n.{c}" for c in map(quoted, table.primary_key))


def _pairs(table: Table, aligned: bool, kind: str = "") -> str:
    both = f"{OLD}.main.{table.quoted} o", f"main.{table.quoted} n"
    if aligned:
        return " POSITIONAL JOIN ".join(both)
    return f" {kind} JOIN ".join(both) + f" ON {_keys(table, ' AND ', '=')}"


def _compared(connection: duckdb.DuckDBPyConnection, table: Table) -> _Seen:
    key = quoted(table.primary_key[0])
    apart = ", ".join(f"coalesce(bool_or({_distinct(table, c)}), false)" for c in table.columns)
    moved = connection.execute(
        f"SELECT count(*) FILTER ({_keys(table, ' OR ', 'IS DISTINCT FROM')}), "
        f"count(*) FILTER ({_differ(table)}), count(*), {apart} "
        f"FROM {_pairs(table, aligned=True)}"
    ).fetchall()[0]
    if moved[0] == 0:
        counts: dict[Kind, int] = {"inserted": 0, "updated": moved[1], "deleted": 0}
        return _Seen(
            aligned=True,
            ordered=_ordered(connection, table),
            all=moved[1] == moved[2],
            counts=counts,
            differ=_true(moved[3:]),
        )
    apart = ", ".join(
        f"coalesce(bool_or({_distinct(table, c)}) FILTER ({_both(key)}), false)"
        for c in table.columns
    )
    found = connection.execute(
        f"SELECT count(*) FILTER (o.{key} IS NULL), "
        f"count(*) FILTER ({_both(key)} AND {_differ(table)}), "
        f"count(*) FILTER (n.{key} IS NULL), {apart} FROM {_pairs(table, False, 'FULL')}"
    ).fetchall()[0]
    return _Seen(
        aligned=False, counts=dict(zip(KINDS, found[:3], strict=True)), differ=_true(found[3:])
    )


def _ordered(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """True when the rows stand in the order of a key of one column, as rows mostly do."""
    if len(table.primary_key) > 1:
        return False
    key = quoted(table.primary_key[0])
    wrong = connection.execute(
        f"SELECT count(*) FROM (SELECT {key} AS k, lag({key}) OVER () AS before "
        f"FROM {OLD}.main.{table.quoted}) WHERE before >= k"
    ).fetchall()
    return wrong == [(0,)]


def _both(key: str) -> str:
    return f"o.{key} IS NOT NULL AND n.{key} IS NOT NULL"


def _true(flags: Sequence[bool]) -> tuple[int, ...]:
    return tuple(n for n, flag in enumerate(flags) if flag)


def _texts(table: Table, letter: str, places: Sequence[int]) -> list[str]:
    return [f"CAST({letter}.{quoted(table.columns[n])} AS VARCHAR)" for n in places]


def _select(table: Table, seen: _Seen, kind: Kind) -> str:
    """Returns the texts of the rows of a kind in key order, updated ones before and after."""
    every = range(len(table.columns))
    if kind == "updated":
        cells = _texts(table, "o", every) + _texts(table, "n", seen.differ)
        rows = f"{_pairs(table, seen.aligned)}{'' if seen.all else f' WHERE {_differ(table)}'}"
    else:
        letter, there = ("n", "o") if kind == "inserted" else ("o", "n")
        cells = _texts(table, letter, every)
        missing = f"{there}.{quoted(table.primary_key[0])} IS NULL"
        rows = f"{_pairs(table, False, 'FULL')} WHERE {missing}"
    letter = "n" if kind == "inserted" else "o"
    order = ", ".join(f"{letter}.{c}" for c in map(quoted, table.primary_key))
    return f"SELECT {', '.join(cells)} FROM {rows}{'' if seen.ordered else f' ORDER BY {order}'}"


def _change(
    connection: duckdb.DuckDBPyConnection, table: Table, seen: _Seen, order: Order, stop: Stop
) -> TableChange:
    whole, count = ColumnSum(), 0
    first: list[Touched] = []
    for kind in KINDS:
        differ = seen.differ if kind == "updated" else ()
        whole.begin(kind, names_of(table.columns, differ))
        shown = 0
        for batch in _batches(connection, _select(table, seen, kind)) if seen.counts[kind] else ():
            whole.add(kind, batch.columns, batch.num_rows)
            part = batch.slice(0, max(0, order.shown_rows - shown))
            shown += part.num_rows
            first += _touched(table, kind, differ, part)
            count += batch.num_rows
            stop.reached("rows", count, seen.total)
            if stop.asked():
                raise Fault("interrupted")
    if whole.result.total != seen.total:
        raise Fault("not_exact")
    places = [table.columns.index(c) for c in table.primary_key]

    def key(row: Touched) -> tuple[Any, ...]:
        cells = row.before or row.after or ()
        return tuple(cells[n] for n in places)

    return TableChange(
        table=table.name,
        columns=table.columns,
        primary_key=table.primary_key,
        rows=tuple(sorted(first, key=key)[: order.shown_rows]),
        summed=whole.result,
    )


def _batches(connection: duckdb.DuckDBPyConnection, text: str) -> Iterator[pa.RecordBatch]:
    yield from connection.sql(text).to_arrow_reader(_BATCH)


def _touched(
    table: Table, kind: Kind, differ: Sequence[int], batch: pa.RecordBatch
) -> Iterator[Touched]:
    width = len(table.columns)
    for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
        row = typed(cells[:width], table)
        if kind != "updated":
            yield Touched(
                before=None if kind == "inserted" else row, after=None if kind == "deleted" else row
            )
            continue
        new = list(cells[:width])
        for n, value in zip(differ, cells[width:], strict=True):
            new[n] = value
        yield Touched(before=row, after=typed(new, table))


def _is_back(connection: duckdb.DuckDBPyConnection, table: Table, seen: _Seen) -> bool:
    """Puts the rows back as they were; true when none is different then."""
    name, old = f"main.{table.quoted}", f"{OLD}.main.{table.quoted}"
    on = _keys(table, " AND ", "=")
    there = f"SELECT 1 FROM {{}} WHERE {on}"
    counts = {
        "inserted": f"DELETE FROM {name} AS n WHERE NOT EXISTS ({there.format(old + ' o')})",
        "updated": f"UPDATE {name} AS n SET "
        + ", ".join(f"{c} = o.{c}" for c in (quoted(table.columns[n]) for n in seen.differ))
        + f" FROM {old} o WHERE {on}{'' if seen.all else f' AND {_differ(table)}'}",
        "deleted": f"INSERT INTO {name} SELECT o.* FROM {old} o "
        f"WHERE NOT EXISTS ({there.format(name + ' n')})",
    }
    try:
        for kind in KINDS:
            if seen.counts[kind]:
                hit = connection.execute(counts[kind]).fetchall()
                if hit != [(seen.counts[kind],)]:
                    return False
        return _compared(connection, table).total == 0
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        return False
