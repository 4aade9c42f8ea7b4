"""How large a row of a query may be: asked of the server, before it makes the row."""

from __future__ import annotations

from collections.abc import Sequence

SMALL = frozenset(
    (16, 18, 19, 20, 21, 23, 26, 650, 700, 701, 774, 790, 829, 869, 1082, 1083, 1114, 1184)
) | frozenset((1186, 1266, 1700, 2950))
"""Types whose values are never large."""
_STRINGS = frozenset((17, 25, 1042, 1043))
TOO_LARGE = "2201G"
"""What `width_bucket` fails with: the query's own sign that a row is too large to be sent."""


def capped(text: str, columns: Sequence[tuple[str, int]], max_bytes: int) -> str:
    """Returns the query with a check, on the server, of how large each row will be.

    A row is sent and held in memory as a whole, up to a gigabyte, before a client can look at it.
    """
    large = [(n, t) for n, (_, t) in enumerate(columns) if t not in SMALL]
    if not large:
        return text
    names = ", ".join(f"c{n}" for n in range(len(columns)))
    sizes = " + ".join(f"COALESCE({_size(f'q.c{n}', t)}, 0)" for n, t in large)
    return (
        f"SELECT {names} FROM ({text}\n) AS q({names}) WHERE pg_catalog.width_bucket("  # noqa: S608
        "0::float8, 0::float8, 1::float8, "
        f"CASE WHEN ({sizes})::int8 > {max_bytes} THEN 0 ELSE 1 END) >= 0"
    )


def _size(name: str, oid: int) -> str:
    """An upper bound of the bytes of a value, without writing it out where it is short anyway."""
    if oid in _STRINGS:
        return f"pg_catalog.octet_length({name})::int8" + ("* 2" if oid == 17 else "")
    short = f"pg_catalog.pg_column_size({name})"
    return (
        f"CASE WHEN {short} > 4000 THEN "
        f"pg_catalog.octet_length({name}::pg_catalog.text)::int8 ELSE 4000 END"
    )
