"""Judging a statement against the bare parse of the same text."""

from __future__ import annotations

import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import sqlglot

from guard.catalog import Catalog, Column, Table
from guard.classify import classify
from guard.classifylines import judge
from guard.errors import Refused
from guard.statement import parse

Row = tuple[str, float, str]
Text = tuple[str, str]

DIALECTS = ("sqlite", "duckdb", "postgres", "mysql")
QUERIES = (
    "SELECT count(*) FROM orders",
    "SELECT id, status FROM orders WHERE placed >= '2026-01-01' ORDER BY placed DESC LIMIT 10",
    "SELECT c.country, sum(o.total) AS spent FROM orders o "
    "JOIN customers c ON c.id = o.customer_id "
    "GROUP BY c.country HAVING sum(o.total) > 100 ORDER BY spent DESC",
    "WITH big AS (SELECT customer_id, total FROM orders WHERE total > 100) "
    "SELECT c.name, count(*) FROM customers c JOIN big b ON b.customer_id = c.id GROUP BY c.name",
    "SELECT name, CASE WHEN since < '2025-01-01' THEN 'old' ELSE 'new' END FROM customers "
    "WHERE id IN (SELECT customer_id FROM orders WHERE status = 'paid')",
    "SELECT id, rank() OVER (PARTITION BY customer_id ORDER BY total DESC) FROM orders",
    "SELECT upper(name), coalesce(country, '-') FROM customers WHERE name LIKE 'A%' OR id = 3",
    "UPDATE orders SET status = 'cancelled' WHERE id = 118",
)
ROUNDS = 60


def run() -> list[Row]:
    """Returns how many bare parses of the same text a judgement takes."""
    gc.freeze()
    texts = [(dialect, sql) for dialect in DIALECTS for sql in QUERIES]
    rows = [_row("judging a question, against its parse", texts, _judge, ROUNDS)]
    catalogs = {dialect: _catalog(dialect) for dialect in DIALECTS}
    rows.append(
        _row(
            "judging it with a catalog, against its parse",
            texts,
            lambda dialect, sql: classify(parse(sql, dialect), catalogs[dialect]),
            ROUNDS,
        )
    )
    rows += [
        _row(f"judging the {dialect} cases, against their parse", cases, _judge, 3)
        for dialect in DIALECTS
        if (cases := _cases(dialect))
    ]
    return rows


def _judge(dialect: str, sql: str) -> object:
    try:
        return judge(classify(parse(sql, dialect), None))
    except Refused as refusal:
        return refusal


def _bare(dialect: str, sql: str) -> object:
    try:
        return sqlglot.parse(sql, dialect=dialect)
    except (sqlglot.errors.SqlglotError, TypeError) as error:
        return error


def _row(name: str, texts: Sequence[Text], step: Callable[[str, str], object], rounds: int) -> Row:
    bare, judged = _best(texts, _bare, rounds), _best(texts, step, rounds)
    ratio = statistics.median(judged) / statistics.median(bare)
    late = sorted(judged)[int(len(judged) * 0.99)]
    note = f"{len(texts)} texts, p50 {statistics.median(judged):.3f} ms, p99 {late:.2f} ms"
    return name, ratio, note


def _best(texts: Sequence[Text], step: Callable[[str, str], object], rounds: int) -> list[float]:
    """Returns the milliseconds of each text, the best of some rounds."""
    found = []
    for dialect, sql in texts:
        step(dialect, sql)
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            step(dialect, sql)
            times.append((time.perf_counter() - start) * 1000)
        found.append(min(times))
    return found


def _catalog(dialect: str) -> Catalog:
    tables = {
        "customers": "id name email country since",
        "orders": "id customer_id placed status total",
    }
    return Catalog(
        source="bench",
        dialect=dialect,
        tables=tuple(
            Table(name=n, columns=tuple(Column(name=c, type="TEXT") for c in columns.split()))
            for n, columns in tables.items()
        ),
    )


def _cases(dialect: str) -> list[Text]:
    """Returns the guard cases of a dialect; none where the folder is not there."""
    root = Path(__file__).parents[1]
    folder = root / os.environ.get("GATEHOUSE_CASES", "../shared/cases") / "guard"
    texts = []
    for path in sorted(folder.glob(f"*_{dialect}.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            texts.append((dialect, str(json.loads(line)["sql"])))
    return texts
