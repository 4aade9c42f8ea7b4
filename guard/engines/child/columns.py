"""Python rows -> Arrow columns without loss, for an engine whose columns hold any mix of types.

A column becomes the narrowest of these that carries every value exactly: int64, float64, string,
binary. Anything mixed becomes text: numbers in their shortest exact form, bytes as X'..', text as
it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import pyarrow as pa

Value: TypeAlias = int | float | str | bytes | None
Part: TypeAlias = "pa.Array | list[Value]"
"""A stretch of one column: an array when all its values have one type, else the values."""


def part(values: Sequence[Value]) -> Part:
    """Returns an array for values of one type, the values themselves for a mix."""
    try:
        array = pa.array(values, from_pandas=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return list(values)
    # Arrow widens int to float and text to bytes on its own: both would lose what was stored.
    strangers = {pa.float64(): int, pa.binary(): str}.get(array.type)
    if strangers is not None and strangers in set(map(type, values)):
        return list(values)
    return array


def size(stretch: Part) -> int:
    """Returns about how many bytes a stretch takes."""
    if isinstance(stretch, list):
        return sum(len(v) if isinstance(v, str | bytes) else 8 for v in stretch)
    return int(stretch.nbytes)


def column(parts: Sequence[Part]) -> pa.ChunkedArray:
    """Returns one column from its stretches, of one type that carries every value."""
    types = {p.type for p in parts if isinstance(p, pa.Array)} - {pa.null()}
    if len(types) <= 1 and all(isinstance(p, pa.Array) for p in parts):
        kind = next(iter(types), pa.null())
        return pa.chunked_array([_as(p, kind) for p in parts], type=kind)
    values = [v for p in parts for v in (p.to_pylist() if isinstance(p, pa.Array) else p)]
    return pa.chunked_array([_number(values) or _text(values)])


def _as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return pa.nulls(len(array), kind) if array.type != kind else array


def _number(values: Sequence[Value]) -> pa.Array | None:
    if any(isinstance(v, str | bytes) for v in values):
        return None
    try:
        return pa.array(values, pa.float64(), from_pandas=False)
    except pa.ArrowInvalid:  # an integer that no float carries exactly
        return None


def _text(values: Sequence[Value]) -> pa.Array:
    return pa.array([_word(v) for v in values], pa.string())


def _word(value: Value) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return f"X'{value.hex().upper()}'"
    return repr(value)
