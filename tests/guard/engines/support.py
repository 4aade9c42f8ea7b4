"""Databases to read and attack, and guarded queries that no guard has judged."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import duckdb

from guard.engines import Cancel, Rows
from guard.engines.duckdb import SETTINGS as DUCKDB_SETTINGS
from guard.engines.embedded import EmbeddedEngine
from guard.engines.sqlite import SETTINGS as SQLITE_SETTINGS
from guard.lineage import Lineage
from guard.rewrite import GuardedQuery

EngineName = Literal["sqlite", "duckdb"]
ENGINES: tuple[EngineName, ...] = ("sqlite", "duckdb")
CANARY = "canary-7f3a91"
READABLE: Mapping[str, tuple[str, ...]] = {
    "people": ("id", "name", "city"),
    "orders": ("id", "person_id", "amount", "placed"),
    "cities": ("city", "people"),
}
"""What a person may read here: neither `people.ssn` nor `secrets`."""

_TABLES = """
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, ssn TEXT);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people (id),
  amount DECIMAL(10, 2), placed DATE
);
CREATE TABLE secrets (id INTEGER PRIMARY KEY, word TEXT);
CREATE VIEW cities AS SELECT city, count(*) AS people FROM people GROUP BY city;
CREATE VIEW numbers AS SELECT id, ssn FROM people;
"""
_ROWS = f"""
INSERT INTO people VALUES (1, 'Ann', 'Bern', '{CANARY}'), (2, 'Bob', 'Oslo', '{CANARY}'),
  (3, 'Cid', NULL, NULL);
INSERT INTO orders VALUES
  (10, 1, 12.50, '2026-01-02'), (11, 1, 3, '2026-02-03'), (12, 2, 7.25, NULL);
INSERT INTO secrets VALUES (1, '{CANARY}');
"""
ENDLESS: Mapping[EngineName, str] = {
    "sqlite": "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) "
    "SELECT max(i) FROM r",
    "duckdb": "SELECT count(*) FROM range(9999999) a, range(9999999) b WHERE a.range + b.range < 0",
}


def make(engine: EngineName, path: Path, extra: str = "") -> Path:
    """Creates a small company at `path`, plus whatever `extra` says."""
    script = _TABLES + _ROWS + extra
    if engine == "sqlite":
        connection = sqlite3.connect(path)
        connection.executescript(script)
        connection.commit()
        connection.close()
    else:
        with duckdb.connect(str(path)) as database:
            database.execute(script)
    return path


@contextmanager
def opened(
    engine: EngineName, path: Path, *, workers: int = 1, **changes: int
) -> Iterator[EmbeddedEngine]:
    """An adapter with the real settings, or with some changed, closed at the end."""
    settings = SQLITE_SETTINGS if engine == "sqlite" else DUCKDB_SETTINGS
    adapter = EmbeddedEngine(
        path, source="shop", settings=replace(settings, **changes), workers=workers
    )
    try:
        yield adapter
    finally:
        adapter.close()


def unjudged(
    sql: str,
    engine: EngineName = "sqlite",
    *,
    readable: Mapping[str, tuple[str, ...]] = READABLE,
    max_rows: int = 1_000,
    max_bytes: int = 50_000_000,
    timeout_ms: int = 10_000,
    source: str = "shop",
) -> GuardedQuery:
    """A guarded query that no guard has seen: what an adapter must withstand on its own."""
    query = object.__new__(GuardedQuery)
    fields = {
        "source": source,
        "dialect": engine,
        "sql": sql,
        "max_rows": max_rows,
        "max_bytes": max_bytes,
        "timeout_ms": timeout_ms,
        "readable": tuple(readable.items()),
        "lineage": Lineage(columns=(), tagged_predicate=False),
    }
    for name, value in fields.items():
        object.__setattr__(query, name, value)
    return query


def read(adapter: EmbeddedEngine, sql: str, **changes: object) -> Rows:
    """Runs one unjudged statement."""
    return adapter.run(unjudged(sql, adapter.dialect, **changes), Cancel())  # type: ignore[arg-type]


def rows(adapter: EmbeddedEngine, sql: str, **changes: object) -> list[tuple[object, ...]]:
    """The rows of one unjudged statement, as tuples."""
    table = read(adapter, sql, **changes).table
    columns = [column.to_pylist() for column in table.columns]
    return list(zip(*columns, strict=True)) if columns else []


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file of a folder with the digest of its bytes."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
