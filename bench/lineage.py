"""Lineage and rewriting, each against the bare parse of the same text."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import sqlglot

from guard.catalog import Catalog
from guard.decision import Allow, Terms
from guard.limitpolicy import Limits
from guard.lineage import trace
from guard.rewrite import rewrite
from guard.schematext import read_schema
from guard.statement import Statement, parse

Row = tuple[str, float, str]

SCHEMA = """
CREATE TABLE customers(id INTEGER, name VARCHAR, email VARCHAR, country VARCHAR, since DATE);
CREATE TABLE orders(id INTEGER, customer_id INTEGER, placed DATE, status VARCHAR, total INTEGER);
CREATE TABLE lines(order_id INTEGER, product_id INTEGER, quantity INTEGER, price INTEGER);
CREATE TABLE products(id INTEGER, label VARCHAR, category VARCHAR, cost INTEGER);
CREATE VIEW contacts AS SELECT id, upper(email) AS email, country FROM customers;
"""
TAGS = {"customers.name": "PERSON", "customers.email": "EMAIL_ADDRESS"}
FILTERS = (
    ("customers", "country = 'NO'"),
    ("orders", "customer_id IN (SELECT id FROM customers WHERE country = 'NO')"),
)
QUERIES = {
    "a count": "SELECT count(*) FROM orders WHERE status = 'paid'",
    "a star": "SELECT * FROM customers",
    "a view": "SELECT email, country FROM contacts ORDER BY country LIMIT 20",
    "a join with groups": """
        SELECT c.country, p.category, sum(l.quantity * l.price) AS revenue
        FROM customers c JOIN orders o ON o.customer_id = c.id
        JOIN lines l ON l.order_id = o.id JOIN products p ON p.id = l.product_id
        WHERE o.placed >= '2026-01-01' GROUP BY 1, 2 ORDER BY revenue DESC LIMIT 10""",
    "CTEs, windows, a union": """
        WITH monthly AS (
          SELECT customer_id, strftime('%Y-%m', placed) AS month, sum(total) AS spent
          FROM orders GROUP BY 1, 2),
        ranked AS (
          SELECT m.*, rank() OVER (PARTITION BY month ORDER BY spent DESC) AS place FROM monthly m)
        SELECT c.name, r.month, r.spent FROM ranked r JOIN customers c ON c.id = r.customer_id
        WHERE r.place <= 3
        UNION ALL
        SELECT 'nobody', month, 0 FROM monthly WHERE spent = 0 ORDER BY 2, 3 DESC""",
    "correlated subqueries": """
        SELECT p.label, (SELECT max(o.placed) FROM orders o JOIN lines l ON l.order_id = o.id
                         WHERE l.product_id = p.id) AS latest
        FROM products p WHERE NOT EXISTS (SELECT 1 FROM lines l WHERE l.product_id = p.id
                                          AND l.price < p.cost)""",
}
ROUNDS = 300


def run() -> list[Row]:
    """Returns how many bare parses of the same text each step takes."""
    catalog = read_schema(SCHEMA, dialect="sqlite").tagged(TAGS)
    allow = _allow(catalog)
    rows: list[Row] = []
    for name, sql in QUERIES.items():
        statement = parse(sql, "sqlite")
        rows += _compared(name, statement, catalog, allow)
    return rows


def _allow(catalog: Catalog) -> Allow:
    readable = tuple((t.name, tuple(c.name for c in t.columns)) for t in catalog.tables)
    terms = Terms(limits=Limits(), row_filters=FILTERS, readable=readable)
    return Allow(rule="read.select", reason="a benchmark", terms=terms)


def _compared(name: str, statement: Statement, catalog: Catalog, allow: Allow) -> list[Row]:
    bare = _times(lambda: sqlglot.parse(statement.text, read="sqlite"))
    traced = _times(lambda: trace(statement, catalog))
    rewritten = _times(lambda: rewrite(statement, allow, catalog))
    return [
        (f"lineage of {name}, against its parse", _ratio(traced, bare), _note(traced)),
        (f"rewrite of {name}, against its parse", _ratio(rewritten, bare), _note(rewritten)),
    ]


def _times(step: Callable[[], object]) -> list[float]:
    """Returns the milliseconds of `ROUNDS` runs after some to warm up, sorted."""
    for _ in range(20):
        step()
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        step()
        found.append((time.perf_counter() - start) * 1000)
    return sorted(found)


def _ratio(step: list[float], bare: list[float]) -> float:
    return statistics.median(step) / statistics.median(bare)


def _note(times: list[float]) -> str:
    late = times[int(len(times) * 0.99)]
    return f"p50 {statistics.median(times):.2f} ms, p99 {late:.2f} ms"
