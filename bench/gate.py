"""The whole gate against the bare driver, on the small companies of the tests, in one run."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from math import nan
from pathlib import Path
from statistics import median

import psycopg
import pytest

from tests.company import POLICY, Company, make_company
from tests.promises.postgres_shop import POLICY as POSTGRES_POLICY
from tests.promises.postgres_shop import PostgresShop, logins
from tests.servers import fresh_database

Row = tuple[str, float, str]

ROWS, COLUMNS = 10_000, 20
_SMALL = "SELECT status, count(*) AS orders FROM orders GROUP BY status"
_PERSONAL = "SELECT id, last_name, email FROM customers"
_WIDE = "SELECT " + ", ".join(f"c{i}" for i in range(COLUMNS)) + " FROM wide"
_KINDS = ("INTEGER", "TEXT", "REAL", "TEXT")
_TOTALS = "SELECT total, count(*) AS orders FROM orders GROUP BY total"
_LIMITS = f"""
[limits]
display_rows = {ROWS}
rows_per_day = 1000000000
calls_per_minute = 1000000
"""
_POLICY = (
    POLICY.replace('tables = ["customers", "orders", "tickets"]', 'tables = ["*"]', 1) + _LIMITS
)


def run() -> list[Row]:
    """Returns gate time over bare driver time: look-ups to redacted rows, every event durable."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        company = make_company(Path(folder) / "home", _POLICY)
        try:
            _widen(company.database)
            rows = _on_sqlite(company)
        finally:
            company.close()
        return [*rows, *_on_postgres(Path(folder))]


def _on_sqlite(company: Company) -> list[Row]:
    caller = company.caller("ana", channel="sql")

    def through(sql: str) -> None:
        company.parts.gate.query(sql, source="shop", caller=caller)

    def bare(sql: str) -> None:
        connection = sqlite3.connect(company.database)
        try:
            connection.execute(sql).fetchall()
        finally:
            connection.close()

    return [
        _row("SQLite: a small query seen before", through, bare, repeat(_SMALL), 200),
        _row("SQLite: a small query never seen", through, bare, _unseen(_SMALL), 200),
        _row("SQLite: masked columns, seen before", through, bare, repeat(_PERSONAL), 100),
        _row(f"SQLite: {ROWS:,} x {COLUMNS}", through, bare, repeat(_WIDE), 7),
    ]


def _on_postgres(folder: Path) -> list[Row]:
    """The same on a server, the driver's connection open as the gate's are."""
    try:
        with fresh_database("postgres") as database, logins(database) as secrets:
            home = folder / "postgres"
            home.mkdir()
            shop = PostgresShop(home, secrets, POSTGRES_POLICY + _LIMITS)
            try:
                with psycopg.connect(secrets["SHOP_READ"], autocommit=True) as connection:
                    return _on_server(shop, connection)
            finally:
                shop.close()
    except pytest.skip.Exception as missing:
        return [("PostgreSQL: not measured", nan, str(missing))]


def _on_server(shop: PostgresShop, connection: psycopg.Connection) -> list[Row]:
    caller = shop.caller("ana")

    def through(sql: str) -> None:
        shop.parts.gate.query(sql, source="shop", caller=caller)

    def bare(sql: str) -> None:
        connection.execute(sql.encode()).fetchall()

    return [
        _row("PostgreSQL: a small query seen before", through, bare, repeat(_TOTALS), 200),
        _row("PostgreSQL: a small query never seen", through, bare, _unseen(_TOTALS), 200),
    ]


def _unseen(sql: str) -> Iterator[str]:
    """Yields the statement with another literal each time."""
    before, group, after = sql.partition(" GROUP BY ")
    return (f"{before} WHERE id <> {n}{group}{after}" for n in itertools.count(1_000_000))


def _row(
    label: str,
    ours: Callable[[str], None],
    theirs: Callable[[str], None],
    texts: Iterator[str],
    count: int,
) -> Row:
    gate, bare = _both(ours, theirs, texts, count)
    note = (
        f"{(gate.wall - bare.wall) * 1e3:.2f} ms over the driver: {gate.wall * 1e3:.2f} ms against "
        f"{bare.wall * 1e3:.2f} ms; {gate.cpu * 1e3:.2f} ms of CPU, medians of {count}"
    )
    return f"{label}, gate / driver", gate.wall / bare.wall, note


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


@dataclass(frozen=True, kw_only=True)
class _Taken:
    """Median seconds on the clock and of this process's CPU."""

    wall: float
    cpu: float


def _both(
    ours: Callable[[str], None], theirs: Callable[[str], None], texts: Iterator[str], count: int
) -> tuple[_Taken, _Taken]:
    """What each takes, run in turns so that both see the same machine."""
    times: tuple[list[_Taken], list[_Taken]] = ([], [])
    for sql in itertools.islice(texts, count + 2):
        for function, into in zip((ours, theirs), times, strict=True):
            started, worked = time.perf_counter(), time.process_time()
            function(sql)
            into.append(
                _Taken(wall=time.perf_counter() - started, cpu=time.process_time() - worked)
            )
    gate, bare = (
        _Taken(wall=median(t.wall for t in each[2:]), cpu=median(t.cpu for t in each[2:]))
        for each in times
    )
    return gate, bare
