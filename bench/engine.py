"""The engine adapters against the bare drivers: what a worker process and its checks cost."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Literal

import duckdb

from guard.address import FileAddress
from guard.catalog import Catalog
from guard.decision import Allow, Terms
from guard.engines import Cancel, open_engine
from guard.engines.embedded import EmbeddedEngine
from guard.limitpolicy import Limits
from guard.rewrite import GuardedQuery, rewrite
from guard.statement import parse

Row = tuple[str, float, str]
EngineName = Literal["sqlite", "duckdb"]

ROWS, COLUMNS = 10_000, 20
_SMALL = "SELECT 1 AS one"
_LOOKUP = "SELECT c0, c1 FROM wide WHERE c0 = 4321"
_WIDE = "SELECT " + ", ".join(f"c{i}" for i in range(COLUMNS)) + " FROM wide"
_KINDS = ("INTEGER", "TEXT", "DOUBLE", "TEXT")


def run() -> list[Row]:
    """Returns adapter time over bare driver time, for a small and for a large result."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        return [*_measure("sqlite", Path(folder)), *_measure("duckdb", Path(folder))]


def _measure(name: EngineName, folder: Path) -> list[Row]:
    path = folder / f"wide.{name}"
    bare = _create(name, path)
    adapter = open_engine(name, FileAddress(path=path), source="bench")
    try:
        catalog = adapter.reflect()
        results = []
        for label, sql, count in (
            ("select 1", _SMALL, 300),
            ("one row by key", _LOOKUP, 300),
            (f"{ROWS:,} x {COLUMNS}", _WIDE, 15),
        ):
            query = _guarded(sql, catalog)
            ours, theirs = _both(lambda q=query: _read(adapter, q), lambda s=sql: bare(s), count)
            note = f"{ours * 1e3:.2f} ms against {theirs * 1e3:.2f} ms, medians of {count}"
            results.append((f"{name}: {label}, adapter / driver", ours / theirs, note))
        return results
    finally:
        adapter.close()


def _read(adapter: EmbeddedEngine, query: GuardedQuery) -> None:
    adapter.run(query, Cancel())


def _create(name: EngineName, path: Path) -> Callable[[str], object]:
    """Makes the file; returns the bare driver's way to fetch all rows of a statement."""
    columns = ", ".join(f"c{i} {_KINDS[i % 4]}" for i in range(COLUMNS))
    rows = [
        tuple((n + i, f"value {n} of {i}", n / 7, "abc")[i % 4] for i in range(COLUMNS))
        for n in range(ROWS)
    ]
    marks = ", ".join("?" * COLUMNS)
    if name == "sqlite":
        writer = sqlite3.connect(path)
        writer.execute(f"CREATE TABLE wide ({columns})")
        writer.executemany(f"INSERT INTO wide VALUES ({marks})", rows)
        writer.commit()
        writer.close()
        return lambda sql: sqlite3.connect(path).execute(sql).fetchall()
    with duckdb.connect(str(path)) as database:
        database.execute(f"CREATE TABLE wide ({columns})")
        database.execute(
            "INSERT INTO wide SELECT "
            + ", ".join(
                (f"n + {i}", f"'value ' || n || ' of {i}'", "n / 7", "'abc'")[i % 4]
                for i in range(COLUMNS)
            )
            + f" FROM range({ROWS}) t(n)"
        )
    reader = duckdb.connect(str(path), read_only=True)
    return lambda sql: reader.execute(sql).fetchall()


def _guarded(sql: str, catalog: Catalog) -> GuardedQuery:
    readable = tuple((t.name, tuple(c.name for c in t.columns)) for t in catalog.tables)
    terms = Terms(limits=Limits(display_rows=ROWS), readable=readable)
    allow = Allow(rule="read.select", reason="benchmark", terms=terms)
    return rewrite(parse(sql, catalog.dialect), allow, catalog)


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
