"""Which queries an engine may plan across a row filter: those that fail on every row or none."""

from __future__ import annotations

import pytest
from sqlglot import exp

from guard.rewriting.fence import fenced, may_fail, without_fence
from guard.statement import parse

STEADY = [
    "SELECT id, 1 / (id - 14) FROM orders WHERE total > 3 ORDER BY 1 / id",
    "SELECT date_trunc('month', placed), sum(total * 1.19) FROM orders "
    "WHERE placed >= DATE '2026-01-01' AND placed < CURRENT_DATE GROUP BY 1",
    "SELECT p.name, sum(o.total) FROM orders o JOIN people p ON p.id = o.person "
    "WHERE o.total BETWEEN 1 AND 90 AND lower(p.name) LIKE 'p%' GROUP BY p.name "
    "HAVING sum(o.total) > 5 ORDER BY p.name LIMIT 5",
    "SELECT id FROM countries WHERE city IN (SELECT city FROM people WHERE city IS NOT NULL)",
    "SELECT id FROM countries c WHERE NOT EXISTS (SELECT 1 FROM people p WHERE p.city = c.city)",
    "WITH t AS (SELECT person, count(*) AS n FROM orders GROUP BY 1) SELECT * FROM t WHERE n > 1",
    "SELECT id / 0 FROM people UNION ALL SELECT id / 0 FROM orders ORDER BY 1",
    "SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY person ORDER BY id) AS n "
    "FROM orders) t WHERE n = 1",
]
FAILING = [
    "SELECT id FROM orders WHERE 1 / (id - 14) < 5",
    "SELECT id FROM orders WHERE CAST(note AS int) = 1",
    "SELECT id FROM orders WHERE note::int = 1",
    "SELECT id FROM orders WHERE id + 9223372036854775807 > 1",
    "SELECT id FROM orders WHERE sqrt(total) > 1",
    "SELECT id FROM orders WHERE note ~ note",
    "SELECT id FROM orders WHERE note LIKE city",
    "SELECT id FROM orders WHERE note LIKE 'a\\'",
    "SELECT id FROM orders WHERE total < 3 OR 1 = (SELECT id FROM countries)",
    "SELECT id FROM orders WHERE total = ANY (SELECT 1 / id FROM countries)",
    "SELECT id FROM orders GROUP BY id HAVING 1 / (id - 14) < 5",
    "SELECT o.id FROM orders o JOIN countries c ON 1 / (o.id - 14) = c.id",
    "SELECT id FROM (SELECT id, 1 / (id - 14) AS z FROM orders) q WHERE z < 5",
    "WITH q AS (SELECT id, 1 / (id - 14) AS z FROM orders) SELECT id FROM q WHERE z < 5",
    "SELECT id, (SELECT max(1 / (o.id - 14)) FROM orders o) FROM countries",
    "SELECT id FROM countries ORDER BY (SELECT count(*) FROM orders o WHERE 1 / (o.id - 14) < 5)",
    "SELECT c.id FROM countries c, LATERAL (SELECT 1 / (o.id - 14) FROM orders o) l",
    "SELECT DISTINCT ON (1 / (id - 14)) id FROM orders",
    "SELECT id FROM orders LIMIT (SELECT count(*) FROM orders WHERE 1 / id < 1)",
]


@pytest.mark.parametrize("sql", STEADY)
def test_what_cannot_fail_on_one_row_alone_is_left_to_the_planner(sql: str) -> None:
    assert not may_fail(parse(sql, "postgres").tree)


@pytest.mark.parametrize("sql", FAILING)
def test_what_may_fail_on_one_row_is_kept_from_rows_left_out(sql: str) -> None:
    assert may_fail(parse(sql, "postgres").tree)


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb", "postgres", "mysql"])
def test_a_fence_is_told_from_a_limit_of_somebodys_own(dialect: str) -> None:
    select = parse("SELECT id FROM orders WHERE id > 1", dialect).tree
    limited = parse("SELECT id FROM orders WHERE id > 1 LIMIT 5 OFFSET 2", dialect).tree
    assert isinstance(select, exp.Select)
    assert isinstance(limited, exp.Select)
    assert without_fence(fenced(select, dialect), dialect) == {"expressions", "from_", "where"}
    assert {"limit", "offset"} < without_fence(limited, dialect)
