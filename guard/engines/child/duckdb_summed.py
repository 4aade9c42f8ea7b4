"""The hash of a change of very many rows of a DuckDB table, column by column, as texts.

Each column of each kind of row is hashed over its texts in key order and over their lengths (-1
for null), so it does not matter in which batches they come. Of updated rows these are the columns
before, then those of the columns after that differ in any row, which are named.
The form never changes without a new format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from guard.engines.child.images import Row, Touched
from guard.engines.child.summed import KINDS, Kind, Summed, batches

_FORMAT = b"gatehouse columns 1\n"


@dataclass(kw_only=True)
class ColumnSum:
    """Takes rows of texts, one kind after the other; `names` are what each kind's columns are."""

    _parts: dict[Kind, list[tuple[Any, Any]]] = field(default_factory=dict)
    _names: dict[Kind, Sequence[str]] = field(default_factory=dict)
    _counts: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def begin(self, kind: Kind, names: Sequence[str]) -> None:
        """Says which columns the rows of a kind have."""
        self._names[kind] = names
        self._parts[kind] = [(hashlib.sha256(), hashlib.sha256()) for _ in names]

    def add(self, kind: Kind, columns: Sequence[pa.Array], rows: int) -> None:
        """Takes the next rows of a kind, their texts by column."""
        self._counts[kind] += rows
        for (lengths, texts), column in zip(self._parts[kind], columns, strict=True):
            sizes = pc.fill_null(pc.binary_length(column), -1)
            filled = pc.fill_null(column, "") if column.null_count else column
            lengths.update(_slice(sizes.buffers()[1], 4, sizes.offset, len(sizes)))
            places = memoryview(filled.buffers()[1]).cast("i")
            start, end = places[filled.offset], places[filled.offset + len(filled)]
            data = filled.buffers()[2]
            if data is not None:
                texts.update(memoryview(data)[start:end])

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


def _slice(buffer: pa.Buffer, width: int, start: int, count: int) -> memoryview:
    return memoryview(buffer)[width * start : width * (start + count)]


def summed_columns(rows: Sequence[Touched], columns: Sequence[str]) -> Summed:
    """Returns the same of rows that are all here, in key order, their cells as texts."""
    found = ColumnSum()
    for kind in KINDS:
        own = [row for row in rows if row.kind == kind]
        differ = differing(own) if kind == "updated" else ()
        found.begin(kind, names_of(columns, differ))
        cells = [(*_cells(row), *((row.after or ())[n] for n in differ)) for row in own]
        for part in batches(cells):
            arrays = [pa.array(texts, pa.string()) for texts in zip(*part, strict=True)]
            found.add(kind, arrays, len(part))
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
