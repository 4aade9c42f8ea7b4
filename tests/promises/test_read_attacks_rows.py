"""Rows that a row filter leaves out are met by nothing that may fail, so no failure tells of them.

Both databases answer alike, though only one of them has the row that would make the statement fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.promises.read_worlds import Engine, Worlds, answer, worlds

ENGINES: tuple[Engine, ...] = ("sqlite", "duckdb", "postgres", "mysql")
# Each fails on order 14, visit 23 or person 4, which are in one of the two databases and in no
# row that the person may see.
_OVERFLOWS = "abs(-9223372036854775807 - (CASE WHEN {} THEN 1 ELSE 0 END))"
_MISREADS = "CAST(CASE WHEN {} THEN 'x' ELSE '1' END AS INTEGER)"
_DIVIDES = "1 / (id - 14)"
EVERYWHERE = [
    f"SELECT id FROM orders WHERE {_OVERFLOWS.format('id = 14')} > 0 ORDER BY id",
    f"SELECT id FROM visits WHERE {_OVERFLOWS.format('id = 23')} > 0",
    f"SELECT id FROM v_orders WHERE {_OVERFLOWS.format('id = 14')} > 0 ORDER BY id",
    f"SELECT id FROM people WHERE {_OVERFLOWS.format('id = 4')} > 0 ORDER BY id",
    f"SELECT id FROM (SELECT id, {_OVERFLOWS.format('id = 14')} AS z FROM orders) q WHERE z > 5 "
    "ORDER BY id",
    "SELECT id FROM orders o WHERE (SELECT c.id FROM countries c WHERE o.id = 14 OR c.id = 1) = 1 "
    "ORDER BY id",
]
# Where a number is divided by zero, or a text that is none is cast to a number, these fail.
STRICT = [
    f"SELECT id FROM orders WHERE {_DIVIDES} < 5 ORDER BY id",
    f"SELECT id FROM orders GROUP BY id HAVING {_DIVIDES} < 5 ORDER BY id",
    f"WITH q AS (SELECT id, {_DIVIDES} AS z FROM orders) SELECT id FROM q WHERE z < 5 ORDER BY id",
    f"SELECT id FROM orders WHERE {_MISREADS.format('id = 14')} = 1 ORDER BY id",
    f"SELECT id FROM visits WHERE {_MISREADS.format('id = 23')} = 1",
    "SELECT c.id, x.a FROM countries c LEFT JOIN (SELECT id, "
    f"{_MISREADS.format('id = 14')} AS a FROM orders) x ON x.id = c.id ORDER BY c.id",
    f"SELECT o.id FROM orders o JOIN countries c ON {_MISREADS.format('o.id = 14')} = c.id "
    "ORDER BY o.id",
    "SELECT id FROM countries c WHERE EXISTS (SELECT 1 FROM visits v "
    f"WHERE {_MISREADS.format('v.id = 23')} = c.id)",
]
MARIADB = [
    "SELECT id FROM orders WHERE exp(CASE WHEN id = 14 THEN 10000 ELSE 1 END) > 0 ORDER BY id",
    "SELECT id FROM orders WHERE 9223372036854775800 + (id - 6) > 0 ORDER BY id",
]
STATEMENTS = [
    *((engine, sql) for engine in ENGINES for sql in EVERYWHERE),
    *((engine, sql) for engine in ("duckdb", "postgres") for sql in STRICT),
    *(("mysql", sql) for sql in MARIADB),
]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Worlds]]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("rows")
        yield {e: stack.enter_context(worlds(e, folder)) for e in ENGINES}


@pytest.mark.parametrize(("engine", "sql"), STATEMENTS)
def test_promise_03_a_failure_tells_nothing_about_rows_that_are_filtered_out(
    opened: dict[str, Worlds], engine: str, sql: str
) -> None:
    one, other = opened[engine]
    told = answer(one, sql)
    assert isinstance(told, list), told
    assert answer(other, sql) == told
