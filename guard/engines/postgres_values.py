"""PostgreSQL's text values -> Arrow columns. Exact, or the server's own text; never an error.

Types: `pg_type` of the server, whose built-in numbers never change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

Cells = Sequence[bytes | None]
_MOST_DIGITS = 76
_HANDFUL = 64
"""Values up to which Python is quicker than a function over all of them."""


def column(cells: Cells, oid: int) -> pa.Array:
    """Returns one column from its values as the server wrote them.

    Integers, floats, exact numbers, dates, times and bytes become their Arrow type. Where a value
    does not fit it (infinity, dates before Christ, NaN among exact numbers), and for every other
    type, the whole column is the text the server wrote.
    """
    text = _text(cells)
    convert = _KINDS.get(oid)
    if convert is None or text.null_count == len(text):
        return text if convert is None else _empty(text, oid)
    try:
        return convert(text)
    except (pa.ArrowException, ValueError):
        return text


def _text(cells: Cells) -> pa.Array:
    try:
        if len(cells) <= _HANDFUL:
            return pa.array(cells, pa.string())
        return pa.array(cells, pa.binary()).cast(pa.string())
    except pa.ArrowException:  # a database whose encoding promises nothing
        return pa.array(
            [None if c is None else c.decode("utf-8", "backslashreplace") for c in cells],
            pa.string(),
        )


def _empty(text: pa.Array, oid: int) -> pa.Array:
    """Returns a column without a value, with the type it would have had."""
    return pa.nulls(len(text), _TYPES[oid])


def _bool(text: pa.Array) -> pa.Array:
    return pc.equal(text, "t")


def _integer(text: pa.Array) -> pa.Array:
    return text.cast(pa.int64())


def _float(text: pa.Array) -> pa.Array:
    return text.cast(pa.float64())


def _exact(text: pa.Array) -> pa.Array:
    """Exact numbers: int64 where nothing stands after the point, else decimals wide enough."""
    scale, whole = _places(text)
    digits = whole + scale
    if scale == 0 and digits <= 18:
        return text.cast(pa.int64())
    if digits > _MOST_DIGITS:
        return text
    width = pa.decimal128 if digits <= 38 else pa.decimal256
    return text.cast(width(38 if digits <= 38 else _MOST_DIGITS, scale))


def _places(text: pa.Array) -> tuple[int, int]:
    """Returns the most characters behind a point, and the most of all others."""
    if len(text) <= _HANDFUL:
        values = [v for v in text.to_pylist() if v is not None]
        behind = [len(v.partition(".")[2]) for v in values]
        return max(behind), max(len(v) - b for v, b in zip(values, behind, strict=True))
    after = pc.if_else(
        pc.match_substring(text, "."),
        pc.subtract(pc.utf8_length(text), pc.add(pc.find_substring(text, "."), 1)),
        0,
    )
    return pc.max(after).as_py() or 0, pc.max(pc.subtract(pc.utf8_length(text), after)).as_py()


def _date(text: pa.Array) -> pa.Array:
    return text.cast(pa.date32())


def _timestamp(text: pa.Array) -> pa.Array:
    return text.cast(pa.timestamp("us"))


def _instant(text: pa.Array) -> pa.Array:
    """The session's time zone is UTC, so every value ends in +00."""
    return text.cast(pa.timestamp("us", "UTC"))


def _time(text: pa.Array) -> pa.Array:
    day = pc.binary_join_element_wise("1970-01-01", text, " ")
    return day.cast(pa.timestamp("us")).cast(pa.time64("us"))


def _bytes(text: pa.Array) -> pa.Array:
    values = [None if v is None else bytes.fromhex(v.removeprefix("\\x")) for v in text.to_pylist()]
    return pa.array(values, pa.binary())


_KINDS: Mapping[int, Callable[[pa.Array], pa.Array]] = {
    16: _bool,
    17: _bytes,
    20: _integer,
    21: _integer,
    23: _integer,
    26: _integer,
    700: _float,
    701: _float,
    1082: _date,
    1083: _time,
    1114: _timestamp,
    1184: _instant,
    1700: _exact,
}
_TYPES: Mapping[int, pa.DataType] = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int64(),
    23: pa.int64(),
    26: pa.int64(),
    700: pa.float64(),
    701: pa.float64(),
    1082: pa.date32(),
    1083: pa.time64("us"),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
    1700: pa.decimal128(38, 2),
}
