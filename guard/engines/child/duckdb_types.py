"""DuckDB types that Arrow cannot carry exactly, and what they travel as instead.

128-bit integers come as int64 where all of a column fit, else as decimals, else as text. Bits,
intervals, unions, variants, geometries, times with a zone, numbers of any length, and dates and
times outside the years 1 to 9999 come as the engine's own text. Measured with DuckDB 2.0: left
alone, the largest unsigned 128-bit integer arrives as -1 and a time with a zone loses its offset.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from duckdb.sqltypes import DuckDBPyType

_INEXACT = frozenset(
    {"uhugeint", "bignum", "bit", "union", "variant", "geometry", "time with time zone"}
)
_SHAPES = frozenset({"list", "array", "struct", "map"})

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31 in days since 1970-01-01."""
_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def travels_as_text(kind: DuckDBPyType) -> bool:
    """True when the engine must turn values of this type into text."""
    return kind.id == "interval" or _inexact(kind)


def _inexact(kind: DuckDBPyType) -> bool:
    if kind.id in _INEXACT:
        return True
    if kind.id not in _SHAPES:
        return False
    return any(_inexact(c) for _, c in kind.children if isinstance(c, DuckDBPyType))


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Returns the column as it crosses, or None when its values need the engine's own text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    if pa.types.is_decimal128(kind) and kind.precision == 38 and kind.scale == 0:
        return _integer(column)
    leaves = (leaf for chunk in column.chunks for leaf in _leaves(chunk))
    return column if all(_carries(leaf) for leaf in leaves) else None


def _integer(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:  # some value needs more than 64 bits
        return column if _carries_all(column) else None


def _carries_all(column: pa.ChunkedArray) -> bool:
    return all(_carries(chunk) for chunk in column.chunks)


def _carries(leaf: pa.Array) -> bool:
    kind = leaf.type
    if pa.types.is_decimal(kind):
        return _valid(leaf)
    if pa.types.is_date32(kind):
        return _within(leaf.cast(pa.int32()), _FIRST_DAY, _LAST_DAY)
    if pa.types.is_timestamp(kind):
        per_day = _PER_DAY[kind.unit]
        return _within(leaf.cast(pa.int64()), _FIRST_DAY * per_day, (_LAST_DAY + 1) * per_day - 1)
    if pa.types.is_time(kind):
        return _within(leaf.cast(pa.int64()), 0, _PER_DAY[kind.unit] - 1)
    return True


def _valid(leaf: pa.Array) -> bool:
    try:
        leaf.validate(full=True)
    except pa.ArrowInvalid:  # more digits than the type has
        return False
    return True


def _within(numbers: pa.Array, least: int, most: int) -> bool:
    bounds = pc.min_max(numbers).as_py()
    return bounds["min"] is None or (bounds["min"] >= least and bounds["max"] <= most)


def _leaves(array: pa.Array) -> Iterator[pa.Array]:
    kind = array.type
    if pa.types.is_map(kind):
        children = [array.keys, array.items]
    elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        children = [array.flatten()]
    elif pa.types.is_struct(kind):
        children = array.flatten()
    else:
        yield array
        return
    for child in children:
        yield from _leaves(child)
