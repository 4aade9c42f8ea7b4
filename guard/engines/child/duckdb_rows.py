"""The rows of a large change of a DuckDB table, read from the engine in key order as they differ.

They are hashed, and kept where the change runs for good, in the batches that they come in: no more
of them are held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from guard.engines.child.duckdb_change import Kept
from guard.engines.child.duckdb_compared import (
    Beside,
    Seen,
    compared,
    differ,
    is_aligned,
    is_ordered,
    pairs,
    rows_in,
    sampled,
)
from guard.engines.child.duckdb_summed import ColumnSum, arrow_type, names_of
from guard.engines.child.duckdb_tables import Table, typed
from guard.engines.child.faults import Fault
from guard.engines.child.images import TableChange, Touched
from guard.engines.child.names import quoted
from guard.engines.child.reader import Stop
from guard.engines.child.summed import KINDS, Kind, Summed
from guard.engines.child.writing import Order

_BATCH = 16_384


@dataclass(frozen=True, kw_only=True)
class Found:
    """What differs.

    `retold` says that every value is the same again when it is read from its text, `image` is what
    takes the change back, where it was kept.
    """

    seen: Seen
    change: TableChange
    retold: bool
    image: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A table after a change in the open transaction; no change of fewer than `least` is read."""

    connection: duckdb.DuckDBPyConnection
    its: Beside
    order: Order
    stop: Stop
    least: int
    keeps: bool

    def found(self) -> Found | None:
        """Returns what differs, None where that is less. Raises `Fault`."""
        self.stop.reached("rows")
        at_once = self._at_once()
        if at_once is not None:
            return at_once if self._is_large(at_once.seen.total) else None
        seen = compared(self.connection, self.its)
        return self._read(seen, checked=False) if self._is_large(seen.total) else None

    def _at_once(self) -> Found | None:
        """Reads the rows while they are compared, where the first ones tell what differs.

        None where that is not so, or not in the same order on both sides.
        """
        its = self.its
        if not is_aligned(self.connection, its) or not is_ordered(self.connection, its):
            return None
        guess = sampled(self.connection, its)
        if not guess:
            return None
        seen = Seen(aligned=True, ordered=True, counts=dict.fromkeys(KINDS, 0), differ=guess)
        found = self._read(seen, checked=True)
        if found is None:
            return None
        total = found.change.total
        seen = replace(
            seen,
            counts={**seen.counts, "updated": total},
            all=total == rows_in(self.connection, its),
        )
        return replace(found, seen=seen)

    def _is_large(self, rows: int) -> bool:
        if rows > self.order.max_rows:
            raise Fault("too_many_rows")
        if self.stop.asked():
            raise Fault("interrupted")
        return rows >= self.least

    def _read(self, seen: Seen, *, checked: bool) -> Found | None:
        """Returns the change; None where, `checked`, a column differs that was not expected to."""
        whole, kept, first, rows = ColumnSum(), Kept(), list[Touched](), 0
        retold, table = True, self.its.table

        def take(kind: Kind, cells: Sequence[pa.Array], count: int) -> None:
            whole.add(kind, cells, count)
            if self.keeps and count:
                kept.add(kind, cells)

        for kind in KINDS:
            places = seen.differ if kind == "updated" else ()
            whole.begin(kind, names_of(table.columns, places))
            if not (seen.counts[kind] or (checked and kind == "updated")):
                continue
            text, flags = _select(self.its, seen, kind, checked=checked)
            with ThreadPoolExecutor(1) as beside:
                taken = beside.submit(take, kind, (), 0)
                wanted = self.order.shown_rows
                for batch in self.connection.sql(text).to_arrow_reader(_BATCH):
                    cells = batch.columns[: batch.num_columns - len(flags)]
                    told = dict(zip(flags, batch.columns[len(cells) :], strict=True))
                    if "others" in told and pc.any(told["others"]).as_py():
                        return None
                    retold &= "lost" not in told or not pc.any(told["lost"]).as_py()
                    taken.result()
                    taken = beside.submit(take, kind, cells, batch.num_rows)
                    part = [column.slice(0, wanted) for column in cells] if wanted else []
                    first += _touched(table, kind, places, part)
                    wanted = max(0, wanted - batch.num_rows)
                    rows += batch.num_rows
                    self._reached(rows, seen.total or None)
                taken.result()
        summed = whole.result
        if not checked and summed.total != seen.total:
            raise Fault("not_exact")
        counts = {kind: getattr(summed, kind) for kind in KINDS}
        image = kept.image(table, seen.differ, counts) if self.keeps else {}
        return Found(seen=seen, change=self._change(summed, first), retold=retold, image=image)

    def _reached(self, rows: int, of: int | None) -> None:
        self.stop.reached("rows", rows, of)
        if self.stop.asked():
            raise Fault("interrupted")
        if rows > self.order.max_rows:
            raise Fault("too_many_rows")

    def _change(self, summed: Summed, first: Sequence[Touched]) -> TableChange:
        table = self.its.table
        places = [table.columns.index(c) for c in table.primary_key]

        def key(row: Touched) -> tuple[Any, ...]:
            cells = row.before or row.after or ()
            return tuple(cells[n] for n in places)

        return TableChange(
            table=table.name,
            columns=table.columns,
            primary_key=table.primary_key,
            rows=tuple(sorted(first, key=key)[: self.order.shown_rows]),
            summed=summed,
        )


def _cells(table: Table, letter: str, places: Sequence[int]) -> list[str]:
    """Returns the columns as they are hashed: as they are, or as texts."""
    return [
        f"CAST({name} AS VARCHAR)" if arrow_type(table.types[n]) is None else name
        for n, name in _places(table, letter, places)
    ]


def _places(table: Table, letter: str, places: Sequence[int]) -> list[tuple[int, str]]:
    return [(n, f"{letter}.{quoted(table.columns[n])}") for n in places]


def _lost(table: Table, values: Sequence[tuple[int, str]]) -> str | None:
    """Returns the condition that a value is another one when it is read from its text.

    None where there are no texts but those that are values themselves.
    """
    found = []
    for n, name in values:
        kind = table.types[n]
        if arrow_type(kind) is None and kind != "VARCHAR":
            text = f"CAST({name} AS VARCHAR)"
            again = f"CAST(TRY_CAST({text} AS {kind}) AS VARCHAR)"
            found.append(f"encode({text}) IS DISTINCT FROM encode({again})")
    return " OR ".join(found) or None


def _select(its: Beside, seen: Seen, kind: Kind, *, checked: bool) -> tuple[str, list[str]]:
    """Returns the rows of a kind in key order, updated ones before and after, and what is added.

    `lost` is whether a value cannot be read from its text, `others`, where `checked`, whether a
    column differs that was not expected to.
    """
    table = its.table
    every, flags = range(len(table.columns)), []
    letter = "n" if kind == "inserted" else "o"
    cells, values = _cells(table, letter, every), _places(table, letter, every)
    if kind == "updated":
        cells += _cells(table, "n", seen.differ)
        values += _places(table, "n", seen.differ)
        rows = f"{pairs(its, seen.aligned)}{'' if seen.all else f' WHERE {differ(table)}'}"
    else:
        there = "o" if kind == "inserted" else "n"
        missing = f"{there}.{quoted(table.primary_key[0])} IS NULL"
        rows = f"{pairs(its, False, 'FULL')} WHERE {missing}"
    lost = _lost(table, values)
    if lost is not None:
        cells.append(lost)
        flags.append("lost")
    if checked and kind == "updated":
        cells.append(differ(table, [n for n in every if n not in seen.differ]))
        flags.append("others")
    order = ", ".join(f"{letter}.{c}" for c in map(quoted, table.primary_key))
    ordered = "" if seen.ordered else f" ORDER BY {order}"
    return f"SELECT {', '.join(cells)} FROM {rows}{ordered}", flags


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
