"""Which tables a statement has really touched: the server locks what it reads, until its end.

It does so whatever way the text named them. Numbers are the server's own (`pg_class.oid`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Row = tuple[str | None, ...]

LOCKED = (
    "SELECT DISTINCT relation FROM pg_catalog.pg_lock_status() "
    "WHERE locktype = 'relation' AND pid = pg_catalog.pg_backend_pid()"
)
_INDEXES = "SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY ({found}) AND relkind IN ('i', 'I')"
_UNKNOWN = """
WITH RECURSIVE up(leaf, oid) AS (
  SELECT c.oid, c.oid FROM pg_catalog.pg_class c WHERE c.oid = ANY ({found})
  UNION SELECT up.leaf, i.inhparent FROM up
    JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid)
SELECT 1 FROM pg_catalog.pg_class c
WHERE c.oid = ANY ({found}) AND NOT EXISTS (
  SELECT 1 FROM up WHERE up.leaf = c.oid AND up.oid = ANY ({known}))
LIMIT 1
"""


def _numbers(numbers: Iterable[int]) -> str:
    return f"ARRAY[{', '.join(map(str, sorted(numbers)))}]::oid[]"


def _plain(rows: Iterable[tuple[str | None, ...]]) -> set[int]:
    return {int(row[0]) for row in rows if row[0] is not None}


def touches_others(
    ask: Callable[[str], list[Row]], locked: Iterable[Row], allowed: frozenset[int], known: set[int]
) -> bool:
    """True when a table, view or catalog is among the `locked` that is not `allowed`.

    A partition counts as the table it belongs to. `ask` runs one of our statements in the same
    transaction. `known` are relations that were seen to be indexes, which they stay until they are
    dropped; more are added to it.
    """
    others = _plain(locked) - allowed - known
    if others:
        known |= _plain(ask(_INDEXES.format(found=_numbers(others))))
        others -= known
    if not others:
        return False
    return bool(ask(_UNKNOWN.format(found=_numbers(others), known=_numbers(allowed))))
