"""The hash of a change of very many rows of a DuckDB table, column by column.

Each column of each kind of row is hashed in key order: whole numbers, decimals and truth values as
the engine keeps them and over the places of those that are null, anything else over its texts and
over their lengths (-1 for null). So it does not matter in which batches they come. Of updated rows
these are the columns before, then those of the columns after that differ in any row, which are
named.
The form never changes without a new format.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from guard.engines.child.images import Row, Touched
from guard.engines.child.summed import KINDS, Kind, Summed, batches

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_TYPES = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
}
_FORMAT = b"gatehouse columns 2\n"


@dataclass(kw_only=True)
class ColumnSum:
    """Takes rows, one kind after the other, each column as `arrow_type` says.

    `names` are what each kind's columns are.
    """

    _parts: dict[Kind, list[tuple[Any, Any]]] = field(default_factory=dict)
    _names: dict[Kind, Sequence[str]] = field(default_factory=dict)
    _counts: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def begin(self, kind: Kind, names: Sequence[str]) -> None:
        """Says which columns the rows of a kind have."""
        self._names[kind] = names
        self._parts[kind] = [(hashlib.sha256(), hashlib.sha256()) for _ in names]

    def add(self, kind: Kind, columns: Sequence[pa.Array], rows: int) -> None:
        """Takes the next rows of a kind by column."""
        for hashes, column in zip(self._parts[kind] if rows else (), columns, strict=True):
            if pa.types.is_string(column.type):
                _add_texts(hashes, column)
            else:
                _add_values(hashes, column, self._counts[kind])
        self._counts[kind] += rows

    @property
    def result(self) -> Summed:
        """Returns what was taken so far."""
        whole = hashlib.sha256(_FORMAT)
        for kind in KINDS if any(self._counts.values()) else ():
            whole.update(f"{kind} {self._counts[kind]}\n".encode())
            if self._counts[kind]:
                for name, parts in zip(self._names[kind], self._parts[kind], strict=True):
                    whole.update(f"{len(name)} {name}\n".encode())
                    whole.update(b"".join(part.digest() for part in parts))
        return Summed(**self._counts, sha256=whole.hexdigest())


def arrow_type(kind: str) -> pa.DataType | None:
    """Returns what the values of a column of the engine's type are hashed as, None for texts."""
    number = _DECIMAL.fullmatch(kind)
    if number is None:
        return _TYPES.get(kind)
    width, scale = int(number[1]), int(number[2])
    make = pa.decimal32 if width <= 9 else pa.decimal64 if width <= 18 else pa.decimal128
    return make(width, scale)


def _add_texts(hashes: tuple[Any, Any], column: pa.Array) -> None:
    lengths, texts = hashes
    sizes = pc.fill_null(pc.binary_length(column), -1)
    filled = pc.fill_null(column, "") if column.null_count else column
    lengths.update(_slice(sizes.buffers()[1], 4, sizes.offset, len(sizes)))
    places = memoryview(filled.buffers()[1]).cast("i")
    start, end = places[filled.offset], places[filled.offset + len(filled)]
    data = filled.buffers()[2]
    if data is not None:
        texts.update(memoryview(data)[start:end])


def _add_values(hashes: tuple[Any, Any], column: pa.Array, first: int) -> None:
    missing, values = hashes
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    if column.null_count:
        places = pc.add(pc.indices_nonzero(pc.is_null(column)), pa.scalar(first, pa.uint64()))
        missing.update(_slice(places.buffers()[1], 8, places.offset, len(places)))
        # What the engine keeps where there is nothing may be anything.
        nothing = Decimal(0) if pa.types.is_decimal(column.type) else 0
        filled = pc.fill_null(column, pa.scalar(nothing, column.type))
        column = filled.cast(column.type)  # decimals come back wider
    values.update(
        _slice(column.buffers()[1], column.type.bit_width // 8, column.offset, len(column))
    )


def _slice(buffer: pa.Buffer, width: int, start: int, count: int) -> memoryview:
    return memoryview(buffer)[width * start : width * (start + count)]


def summed_columns(rows: Sequence[Touched], columns: Sequence[str], types: Sequence[str]) -> Summed:
    """Returns the same of rows that are all here, in key order, their cells as texts."""
    found, kinds = ColumnSum(), [arrow_type(t) for t in types]
    for kind in KINDS:
        own = [row for row in rows if row.kind == kind]
        differ = differing(own) if kind == "updated" else ()
        found.begin(kind, names_of(columns, differ))
        cells = [(*_cells(row), *((row.after or ())[n] for n in differ)) for row in own]
        wanted = [*kinds, *(kinds[n] for n in differ)]
        for part in batches(cells):
            arrays = [pa.array(texts, pa.string()) for texts in zip(*part, strict=True)]
            told = (a if t is None else a.cast(t) for a, t in zip(arrays, wanted, strict=True))
            found.add(kind, list(told), len(part))
    return found.result


def _cells(row: Touched) -> Row:
    return row.before or row.after or ()


def differing(rows: Sequence[Touched]) -> tuple[int, ...]:
    """Returns where any of the updated rows differs."""
    pairs = [(row.before or (), row.after or ()) for row in rows]
    width = len(pairs[0][0]) if pairs else 0
    return tuple(n for n in range(width) if any(b[n] != a[n] for b, a in pairs))


def names_of(columns: Sequence[str], differ: Sequence[int]) -> list[str]:
    """Returns what the columns of a kind are called: all of them, then those that differ."""
    return [*columns, *(columns[n] for n in differ)]
