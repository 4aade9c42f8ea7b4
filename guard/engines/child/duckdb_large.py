"""A change of very many rows of a DuckDB table: compared and hashed by the engine, then taken back.

The file is open a second time as it was (`duckdb_copy.py`). Nothing is committed, and no more rows
are held than come at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from guard.engines.child.duckdb_compared import (
    Seen,
    compared,
    differ,
    is_aligned,
    is_as_before,
    is_ordered,
    keys,
    pairs,
    rows_in,
    sampled,
)
from guard.engines.child.duckdb_copy import OLD
from guard.engines.child.duckdb_summed import ColumnSum, arrow_type, names_of
from guard.engines.child.duckdb_tables import WHOLE, Table, hash_of, typed
from guard.engines.child.faults import Fault
from guard.engines.child.images import TableChange, Touched
from guard.engines.child.names import quoted
from guard.engines.child.reader import Stop
from guard.engines.child.summed import KINDS, LARGE, Kind
from guard.engines.child.writing import Capture, Order, with_second

_BATCH = 16_384
_STRETCH = 250_000
"""About how many rows are put back by one statement: between two of them it can be stopped."""


class Large(Exception):
    """More rows of the `table` than are looked at one by one. Nothing was committed."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.name)
        self.table = table


def fits(table: Table) -> bool:
    """True for a table whose rows have keys of whole numbers: everybody orders those alike."""
    types = dict(zip(table.columns, table.types, strict=True))
    return bool(table.primary_key) and all(types[c] in WHOLE for c in table.primary_key)


def large(
    connection: duckdb.DuckDBPyConnection, table: Table, order: Order, stop: Stop
) -> Capture | None:
    """Returns what a plain change of one table does, `OLD` being the file as it was.

    None where it is looked at row by row. Raises `Fault`, and what the engine says.
    """
    stop.reached("run")
    connection.execute("BEGIN TRANSACTION")
    connection.execute(order.sql or "").fetchall()
    its = _Large(connection=connection, table=table, order=order, stop=stop)
    done = its.capture()
    connection.execute("ROLLBACK")
    return done


@dataclass(frozen=True, kw_only=True)
class _Large:
    """One such change that has run in an open transaction."""

    connection: duckdb.DuckDBPyConnection
    table: Table
    order: Order
    stop: Stop

    def capture(self) -> Capture | None:
        """Returns what was done, put back in the same transaction; None as `large`."""
        self.stop.reached("rows")
        seen, change = self._at_once() or self._after_a_look()
        if change is None:
            return None
        if not _Back(connection=self.connection, table=self.table, seen=seen, stop=self.stop).is_():
            return None  # what one transaction cannot do, two may
        done = Capture(tables=[change], image={}, schema_hash=hash_of([self.table.definition]))
        return with_second(done, done, verified=True, notes=())

    def _at_once(self) -> tuple[Seen, TableChange | None] | None:
        """Reads the rows while they are compared, where the first ones tell what differs.

        None where that is not so, or not in the same order on both sides.
        """
        table = self.table
        if not is_aligned(self.connection, table) or not is_ordered(self.connection, table):
            return None
        guess = sampled(self.connection, table)
        if not guess:
            return None
        seen = Seen(aligned=True, ordered=True, counts=dict.fromkeys(KINDS, 0), differ=guess)
        change = self._read(seen, checked=True)
        if change is None:
            return None
        seen = replace(
            seen,
            counts={**seen.counts, "updated": change.total},
            all=change.total == rows_in(self.connection, table),
        )
        return seen, change if self._is_large(change.total) else None

    def _after_a_look(self) -> tuple[Seen, TableChange | None]:
        seen = compared(self.connection, self.table)
        return seen, self._read(seen, checked=False) if self._is_large(seen.total) else None

    def _is_large(self, rows: int) -> bool:
        if rows > self.order.max_rows:
            raise Fault("too_many_rows")
        if self.stop.asked():
            raise Fault("interrupted")
        return rows > LARGE

    def _read(self, seen: Seen, *, checked: bool) -> TableChange | None:
        """Returns the change; None where, `checked`, a column differs that was not expected to."""
        whole, first, rows = ColumnSum(), list[Touched](), 0
        for kind in KINDS:
            places = seen.differ if kind == "updated" else ()
            whole.begin(kind, names_of(self.table.columns, places))
            if not (seen.counts[kind] or (checked and kind == "updated")):
                continue
            text = _select(self.table, seen, kind, checked=checked)
            with ThreadPoolExecutor(1) as beside:
                hashed = beside.submit(whole.add, kind, (), 0)
                wanted = self.order.shown_rows
                for batch in self.connection.sql(text).to_arrow_reader(_BATCH):
                    cells = batch.columns
                    if checked:
                        *cells, others = cells
                        if pc.any(others).as_py():
                            return None
                    hashed.result()
                    hashed = beside.submit(whole.add, kind, cells, batch.num_rows)
                    part = [column.slice(0, wanted) for column in cells] if wanted else []
                    first += _touched(self.table, kind, places, part)
                    wanted = max(0, wanted - batch.num_rows)
                    rows += batch.num_rows
                    self._reached(rows, seen.total or None)
                hashed.result()
        if not checked and whole.result.total != seen.total:
            raise Fault("not_exact")
        return self._change(whole, first)

    def _reached(self, rows: int, of: int | None) -> None:
        self.stop.reached("rows", rows, of)
        if self.stop.asked():
            raise Fault("interrupted")
        if rows > self.order.max_rows:
            raise Fault("too_many_rows")

    def _change(self, whole: ColumnSum, first: Sequence[Touched]) -> TableChange:
        table = self.table
        places = [table.columns.index(c) for c in table.primary_key]

        def key(row: Touched) -> tuple[Any, ...]:
            cells = row.before or row.after or ()
            return tuple(cells[n] for n in places)

        return TableChange(
            table=table.name,
            columns=table.columns,
            primary_key=table.primary_key,
            rows=tuple(sorted(first, key=key)[: self.order.shown_rows]),
            summed=whole.result,
        )


def _cells(table: Table, letter: str, places: Sequence[int]) -> list[str]:
    """Returns the columns as they are hashed: as they are, or as texts."""
    names = [f"{letter}.{quoted(table.columns[n])}" for n in places]
    return [
        f"CAST({name} AS VARCHAR)" if arrow_type(table.types[n]) is None else name
        for n, name in zip(places, names, strict=True)
    ]


def _select(table: Table, seen: Seen, kind: Kind, *, checked: bool) -> str:
    """Returns the rows of a kind in key order, updated ones before and after.

    `checked` adds whether a column differs that was not expected to.
    """
    every = range(len(table.columns))
    if kind == "updated":
        cells = _cells(table, "o", every) + _cells(table, "n", seen.differ)
        rows = f"{pairs(table, seen.aligned)}{'' if seen.all else f' WHERE {differ(table)}'}"
        if checked:
            cells.append(differ(table, [n for n in every if n not in seen.differ]))
    else:
        letter, there = ("n", "o") if kind == "inserted" else ("o", "n")
        cells = _cells(table, letter, every)
        missing = f"{there}.{quoted(table.primary_key[0])} IS NULL"
        rows = f"{pairs(table, False, 'FULL')} WHERE {missing}"
    letter = "n" if kind == "inserted" else "o"
    order = ", ".join(f"{letter}.{c}" for c in map(quoted, table.primary_key))
    return f"SELECT {', '.join(cells)} FROM {rows}{'' if seen.ordered else f' ORDER BY {order}'}"


def _touched(
    table: Table, kind: Kind, places: Sequence[int], columns: Sequence[pa.Array]
) -> Iterator[Touched]:
    width = len(table.columns)
    texts = ([_text(v) for v in column.to_pylist()] for column in columns)
    for cells in zip(*texts, strict=True):
        row = typed(cells[:width], table)
        if kind != "updated":
            yield Touched(
                before=None if kind == "inserted" else row, after=None if kind == "deleted" else row
            )
            continue
        new = list(cells[:width])
        for n, value in zip(places, cells[width:], strict=True):
            new[n] = value
        yield Touched(before=row, after=typed(new, table))


def _text(value: object) -> str | None:
    """Returns a value as the engine tells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return format(value, "f")
    return None if value is None else str(value)


@dataclass(frozen=True, kw_only=True)
class _Back:
    """Puts the rows back as they were."""

    connection: duckdb.DuckDBPyConnection
    table: Table
    seen: Seen
    stop: Stop

    def is_(self) -> bool:
        """True when the rows that differ were put back, and none is different then."""
        self.stop.reached("back", 0, self.seen.total)
        try:
            for kind in KINDS:
                if self.seen.counts[kind] and self._put(kind) != self.seen.counts[kind]:
                    return False
            return is_as_before(self.connection, self.table, aligned=self.seen.aligned)
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            return False

    def _put(self, kind: Kind) -> int:
        """Puts the rows of a kind back; returns how many."""
        table = self.table
        name, old = f"main.{table.quoted}", f"{OLD}.main.{table.quoted}"
        on = keys(table, " AND ", "=")
        there = f"SELECT 1 FROM {{}} WHERE {on}"
        if kind == "inserted":
            return self._hit(
                f"DELETE FROM {name} AS n WHERE NOT EXISTS ({there.format(old + ' o')})"
            )
        if kind == "deleted":
            return self._hit(
                f"INSERT INTO {name} SELECT o.* FROM {old} o "
                f"WHERE NOT EXISTS ({there.format(name + ' n')})"
            )
        sets = (quoted(table.columns[n]) for n in self.seen.differ)
        update = f"UPDATE {name} AS n SET {', '.join(f'{c} = o.{c}' for c in sets)} FROM {old} o "
        update += f"WHERE {on}{'' if self.seen.all else f' AND {differ(table, self.seen.differ)}'}"
        done = 0
        for stretch in self._stretches():
            done += self._hit(f"{update} AND {stretch}")
            self.stop.reached("back", min(done, self.seen.total), self.seen.total)
            if self.stop.asked():
                raise Fault("interrupted")
        return done

    def _stretches(self) -> Iterator[str]:
        """Yields conditions that part the keys of both sides into ranges."""
        key = quoted(self.table.primary_key[0])
        low, high = self.connection.execute(
            f"SELECT min({key}), max({key}) FROM {OLD}.main.{self.table.quoted}"
        ).fetchall()[0]
        parts = max(1, min(self.seen.total // _STRETCH, 64))
        step = (high - low) // parts + 1
        for start in range(low, high + 1, step):
            end = min(start + step - 1, high)
            yield " AND ".join(f"{letter}.{key} BETWEEN {start} AND {end}" for letter in "on")

    def _hit(self, statement: str) -> int:
        return int(self.connection.execute(statement).fetchall()[0][0])
