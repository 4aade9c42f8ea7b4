"""A preview of very many rows of a DuckDB file is stopped at once, wherever it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from guard.address import FileAddress
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps, ChangeEngine, Reached
from guard.errors import Interrupted

ROWS = 1_000_000
CAPS = ChangeCaps(max_rows=9 * ROWS, shown_rows=5, timeout_ms=300_000, lock_timeout_ms=500)
SECONDS = 1.0
ALL = "UPDATE t SET a = a + 1"
KEYS = 60_000
"""Fewer: the engine itself takes a minute to move a million keys."""
MOVED = f"UPDATE moved SET id = id + {KEYS}"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stopping") / "t.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b VARCHAR)")
        connection.execute(f"INSERT INTO t SELECT i, i, 'name ' || i FROM range({ROWS}) r(i)")
        connection.execute("CREATE TABLE moved(id INTEGER PRIMARY KEY, a INTEGER)")
        connection.execute(f"INSERT INTO moved SELECT i, i FROM range({KEYS}) r(i)")
    return path


@pytest.fixture(scope="module")
def engine(file: Path) -> Iterator[ChangeEngine]:
    reader = open_engine("duckdb", FileAddress(path=file), source="s")
    engine = open_change_engine("duckdb", FileAddress(path=file), source="s", reader=reader)
    yield engine
    engine.close()
    reader.close()


def test_every_step_of_very_many_rows_is_told_with_its_rows(engine: ChangeEngine) -> None:
    heard: list[Reached] = []
    change = Change(source="s", sql=ALL, targets=("t",))
    engine.preview(change, CAPS, Cancel(), heard.append)
    steps = list(dict.fromkeys(r.step for r in heard))
    assert steps == ["run", "rows", "back"]
    assert all(r.rows <= (r.of or ROWS) == ROWS for r in heard if r.step != "run")


@pytest.mark.parametrize(
    ("sql", "after"), [(ALL, 0.0), (ALL, 0.1), (MOVED, 0.0)], ids=["all", "later", "moved keys"]
)
@pytest.mark.parametrize("step", ["run", "rows", "back"])
def test_a_stop_is_answered_within_a_second_at_every_step(
    engine: ChangeEngine, file: Path, step: str, after: float, sql: str
) -> None:
    content, stop, asked = file.read_bytes(), Cancel(), list[float]()

    def press() -> None:
        asked.append(time.monotonic())
        stop.set()

    def heard(reached: Reached) -> None:
        if reached.step == step and not waiting.is_alive() and not asked:
            waiting.start()

    waiting = threading.Timer(after, press)
    waiting.daemon = True
    change = Change(source="s", sql=sql, targets=(sql.split()[1],))
    try:
        engine.preview(change, CAPS, stop, heard)
    except Interrupted:
        assert time.monotonic() - asked[0] < SECONDS
    else:
        assert after, "it went on although it was stopped"  # it was done before
    finally:
        waiting.cancel()
    assert file.read_bytes() == content
    assert [p.name for p in file.parent.iterdir()] == [file.name]
