"""The whole gate against the bare driver, on the small company of the tests, in one run."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from guard import Caller
from tests.company import POLICY, Company, make_company

Row = tuple[str, float, str]

ROWS, COLUMNS = 10_000, 20
_SMALL = "SELECT status, count(*) AS orders FROM orders GROUP BY status"
_PERSONAL = "SELECT id, last_name, email FROM customers"
_WIDE = "SELECT " + ", ".join(f"c{i}" for i in range(COLUMNS)) + " FROM wide"
_KINDS = ("INTEGER", "TEXT", "REAL", "TEXT")
_POLICY = (
    POLICY.replace('tables = ["customers", "orders", "tickets"]', 'tables = ["*"]', 1)
    + f"""
[limits]
display_rows = {ROWS}
rows_per_day = 1000000000
calls_per_minute = 1000000
"""
)


def run() -> list[Row]:
    """Returns gate time over bare driver time: parse to redacted rows, every event durable."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        company = make_company(Path(folder) / "home", _POLICY)
        try:
            _widen(company.database)
            return _measured(company)
        finally:
            company.close()


def _measured(company: Company) -> list[Row]:
    caller = company.caller("ana", channel="sql")
    results = []
    for label, sql, count in (
        ("a small query", _SMALL, 60),
        ("a small query with masked columns", _PERSONAL, 60),
        (f"{ROWS:,} x {COLUMNS}", _WIDE, 7),
    ):
        gate, bare = _both(
            lambda s=sql: _through(company, s, caller), lambda s=sql: _bare(company, s), count
        )
        note = f"{gate * 1e3:.2f} ms against {bare * 1e3:.2f} ms, medians of {count}"
        results.append((f"{label}, gate / driver", gate / bare, note))
    return results


def _through(company: Company, sql: str, caller: Caller) -> None:
    company.parts.gate.query(sql, source="shop", caller=caller)


def _bare(company: Company, sql: str) -> None:
    connection = sqlite3.connect(company.database)
    try:
        connection.execute(sql).fetchall()
    finally:
        connection.close()


def _widen(database: Path) -> None:
    columns = ", ".join(f"c{i} {_KINDS[i % 4]}" for i in range(COLUMNS))
    rows = (
        tuple((n + i, f"value {n} of {i}", n / 7, "abc")[i % 4] for i in range(COLUMNS))
        for n in range(ROWS)
    )
    connection = sqlite3.connect(database)
    connection.execute(f"CREATE TABLE wide ({columns})")
    connection.executemany(f"INSERT INTO wide VALUES ({', '.join('?' * COLUMNS)})", rows)
    connection.commit()
    connection.close()


def _both(
    ours: Callable[[], object], theirs: Callable[[], object], count: int
) -> tuple[float, float]:
    """Median seconds of each, run in turns so that both see the same machine."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(count + 2):
        for function, into in zip((ours, theirs), times, strict=True):
            started = time.perf_counter()
            function()
            into.append(time.perf_counter() - started)
    return median(times[0][2:]), median(times[1][2:])
