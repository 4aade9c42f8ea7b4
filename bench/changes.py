"""A preview against the bare statement: what an exact diff and a proven way back cost."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Literal

import duckdb
import psycopg

from guard.address import FileAddress
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps, ChangeEngine
from guard.engines.postgres_changes import PostgresChanges
from guard.engines.postgres_session import Login

Row = tuple[str, float, str]
EngineName = Literal["sqlite", "duckdb", "postgres"]
Bare = Callable[[str], object]

ROWS = 1_000_000
_FEW = "UPDATE big SET amount = amount + 1 WHERE region = 7"
_ALL = "UPDATE big SET amount = amount + 1"
_CAPS = ChangeCaps(max_rows=2 * ROWS, shown_rows=200, timeout_ms=600_000, lock_timeout_ms=5_000)
_REST = 0.3
_GOALS = {"sqlite": 2, "duckdb": 2, "postgres": 4}


def run() -> list[Row]:
    """Returns preview time over the time of the statement alone, committed.

    The statement alone opens the same file or connects, runs, commits durably and closes: a preview
    does all of that but the commit, in a process that runs already. Each pair is measured one after
    the other. A thousand rows of a million are changed, found without an index. With
    `BENCH_ALL_ROWS` set, all of them are changed as well, which takes many minutes on PostgreSQL.
    """
    results = []
    for name in ("sqlite", "duckdb", "postgres"):
        with (
            tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder,
            _place(name, Path(folder)) as (engine, bare),  # type: ignore[arg-type]
        ):
            results.append(_measured(name, engine, bare, _FEW, 1_000, 5, _GOALS[name]))
            if os.environ.get("BENCH_ALL_ROWS"):
                results.append(_measured(name, engine, bare, _ALL, ROWS, 3, 3))
    return results


def _measured(
    name: str, engine: ChangeEngine, bare: Bare, sql: str, changed: int, times: int, goal: int
) -> Row:
    change = Change(source="bench", sql=sql, targets=("big",))
    ours, theirs = [], []
    for _ in range(times):
        time.sleep(_REST)  # a process that clears up after its reply takes nothing from the other
        started = time.perf_counter()
        bare(sql)
        theirs.append(time.perf_counter() - started)
        started = time.perf_counter()
        diff = engine.preview(change, _CAPS, Cancel())
        ours.append(time.perf_counter() - started)
        if diff.total != changed or not diff.undo_verified:
            raise RuntimeError(f"{name}: the preview is not what is measured")
    one, other = median(ours), median(theirs)
    note = f"{one:.3f} s against {other:.3f} s, medians of {times}; goal {goal}"
    return f"{name}: preview of {changed:,} rows of {ROWS:,} / bare", one / other, note


@contextmanager
def _place(name: EngineName, folder: Path) -> Iterator[tuple[ChangeEngine, Bare]]:
    if name == "postgres":
        with _postgres() as found:
            yield found
        return
    path = folder / f"big.{name}"
    bare = _sqlite(path) if name == "sqlite" else _duckdb(path)
    reader = open_engine(name, FileAddress(path=path), source="bench")
    engine = open_change_engine(name, FileAddress(path=path), source="bench", reader=reader)
    engine.preview(
        Change(source="bench", sql="DELETE FROM big WHERE id = 1", targets=("big",)),
        _CAPS,
        Cancel(),
    )
    yield engine, bare
    engine.close()
    reader.close()


def _sqlite(path: Path) -> Bare:
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE big(id INTEGER PRIMARY KEY, name TEXT, region INT, amount REAL)"
    )
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        "INSERT INTO big SELECT i, 'name ' || i, i % 1000, i * 1.5 FROM n",
        (ROWS - 1,),
    )
    connection.commit()
    connection.close()

    def bare(sql: str) -> None:
        connection = sqlite3.connect(path)
        connection.execute(sql)
        connection.commit()
        connection.close()

    return bare


def _duckdb(path: Path) -> Bare:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE big(id INTEGER PRIMARY KEY, name VARCHAR, region INTEGER, "
            "amount DECIMAL(14, 2))"
        )
        connection.execute(
            f"INSERT INTO big SELECT i, 'name ' || i, i % 1000, i * 1.5 FROM range({ROWS}) t(i)"
        )

    def bare(sql: str) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute(sql)

    return bare


@contextmanager
def _postgres() -> Iterator[tuple[ChangeEngine, Bare]]:
    from tests.servers import fresh_database

    with fresh_database("postgres") as database:
        writer = f"w_{database.name}"
        database.execute(
            "CREATE TABLE big(id int PRIMARY KEY, name text, region int, amount numeric(14, 2));"
            f"INSERT INTO big SELECT i, 'name ' || i, i % 1000, i * 1.5 "
            f"FROM generate_series(0, {ROWS - 1}) i;"
            f"CREATE ROLE {writer} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON big TO {writer};"
            f"GRANT SET ON PARAMETER session_replication_role TO {writer}"
        )
        database.execute("VACUUM ANALYZE big")

        def bare(sql: str) -> None:
            with psycopg.connect(database.url(writer), autocommit=True) as connection:
                connection.execute(sql)  # type: ignore[call-overload]

        yield PostgresChanges(Login(url=database.url(writer)), "bench"), bare
        database.execute(
            f"DROP OWNED BY {writer}; "
            f"REVOKE SET ON PARAMETER session_replication_role FROM {writer}; DROP ROLE {writer}"
        )
