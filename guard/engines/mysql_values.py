"""What the text protocol gives -> Arrow, every value as it is stored.

A column's type comes from what the server says of it. Where a value has no place in that type, the
whole column is text: zero dates (`0000-00-00`), times of a day and more, numbers past 76 digits.
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pymysql.constants import FIELD_TYPE as KIND
from pymysql.constants import FLAG

BINARY = 63
"""The collation number of byte strings."""
_WHOLE = frozenset({KIND.TINY, KIND.SHORT, KIND.INT24, KIND.LONG, KIND.LONGLONG, KIND.YEAR})
_REAL = frozenset({KIND.FLOAT, KIND.DOUBLE})
_EXACT = frozenset({KIND.DECIMAL, KIND.NEWDECIMAL})
_MOMENT = frozenset({KIND.DATETIME, KIND.TIMESTAMP})
_DAY = frozenset({KIND.DATE, KIND.NEWDATE})
_MOST_DIGITS, _WIDE_DIGITS = 38, 76
_DECIMALS_UNKNOWN = 31
"""Decimals a server gives for `not fixed`; exact numbers have at most 38."""


class Field(Protocol):
    """What the server says of one column."""

    name: str
    type_code: int
    charsetnr: int
    flags: int
    scale: int
    length: int


def table(fields: Sequence[Field], rows: Sequence[tuple[bytes | None, ...]]) -> pa.Table:
    """Returns the rows as a table; names as the server gave them, duplicates allowed."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(fields)
    arrays = [_array(field, column) for field, column in zip(fields, columns, strict=True)]
    return pa.Table.from_arrays(arrays, names=[field.name for field in fields])


def _array(field: Field, values: Sequence[bytes | None]) -> pa.Array:
    raw = pa.array(values, pa.binary())
    kind = field.type_code
    if kind == KIND.NULL:
        return pa.nulls(len(values))
    if kind == KIND.BIT:
        return _bits(field, values)
    text = _text(raw) if kind != KIND.GEOMETRY else None
    if text is None:
        return raw
    if kind in _WHOLE:
        unsigned = field.flags & FLAG.UNSIGNED and kind != KIND.YEAR
        return text.cast(pa.uint64() if unsigned else pa.int64())
    if kind in _REAL:
        return text.cast(pa.float64())
    if kind in _EXACT:
        return _decimal(text, field.scale)
    if kind in _MOMENT:
        return _or_text(text, pa.timestamp("us"))
    if kind in _DAY:
        return _or_text(text, pa.date32())
    if kind == KIND.TIME:
        return _times(text)
    return raw if field.charsetnr == BINARY and kind != KIND.JSON else text


def _text(raw: pa.Array) -> pa.Array | None:
    """Returns bytes as text, None where they are none."""
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:
        return None


def _or_text(text: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return text.cast(kind)
    except pa.ArrowInvalid:
        return text


def _times(text: pa.Array) -> pa.Array:
    """TIME also holds spans: with one of a day or more, or less than none, all stay text."""
    try:
        times = [None if v is None else dt.time.fromisoformat(v) for v in text.to_pylist()]
    except ValueError:
        return text
    return pa.array(times, pa.time64("us"))


def _decimal(text: pa.Array, scale: int) -> pa.Array:
    scale = scale if scale < _DECIMALS_UNKNOWN else _MOST_DIGITS
    for kind in (pa.decimal128(_MOST_DIGITS, scale), pa.decimal256(_WIDE_DIGITS, scale)):
        try:
            found = text.cast(kind)
        except pa.ArrowInvalid:
            continue
        if pc.all(pc.equal(found.is_null(), text.is_null())).as_py() is not False:
            return found
    return text


def _bits(field: Field, values: Sequence[bytes | None]) -> pa.Array:
    """BIT(1) is a truth value, a longer one the number its bits make."""
    numbers = [None if v is None else int.from_bytes(v, "big") for v in values]
    if field.length == 1:
        return pa.array([None if n is None else n == 1 for n in numbers], pa.bool_())
    return pa.array(numbers, pa.uint64())
