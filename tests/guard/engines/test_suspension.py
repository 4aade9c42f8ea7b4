"""A file can be opened for writing while reads are suspended, and is read afresh afterwards."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from guard.engines import Cancel
from guard.engines.embedded import EmbeddedEngine
from guard.errors import Interrupted, SourceUnavailable
from tests.guard.engines.support import EngineName, opened, rows
from tests.guard.engines.test_worker_life import (
    PATIENCE_SECONDS,
    busy,
    endless,
    until,
    worker_pids,
)


def test_a_write_sees_no_reader_and_the_next_read_sees_the_write(
    engine: EngineName, database: Path
) -> None:
    with opened(engine, database, workers=2) as adapter:
        assert rows(adapter, "SELECT count(*) FROM orders") == [(3,)]
        with adapter.suspend():
            assert worker_pids(adapter) == []
            _delete_orders(engine, database)
        assert rows(adapter, "SELECT count(*) FROM orders") == [(0,)]


def _delete_orders(engine: EngineName, database: Path) -> None:
    if engine == "duckdb":
        with duckdb.connect(str(database)) as writer:
            writer.execute("DELETE FROM orders")
        return
    import sqlite3

    writer = sqlite3.connect(database)
    writer.execute("DELETE FROM orders")
    writer.commit()
    writer.close()


def test_a_failed_write_resumes_reading_all_the_same(adapter: EmbeddedEngine) -> None:
    with pytest.raises(ZeroDivisionError), adapter.suspend():
        raise ZeroDivisionError
    assert rows(adapter, "SELECT 1") == [(1,)]


def test_suspensions_are_counted(adapter: EmbeddedEngine) -> None:
    with adapter.suspend():
        with adapter.suspend():
            pass
        with pytest.raises(SourceUnavailable, match="shop is being changed right now"):
            rows(adapter, "SELECT 1", timeout_ms=50)
    assert rows(adapter, "SELECT 1") == [(1,)]


def test_a_read_that_comes_during_a_write_waits_for_its_end(adapter: EmbeddedEngine) -> None:
    with ThreadPoolExecutor(1) as pool:
        with adapter.suspend():
            waiting = pool.submit(rows, adapter, "SELECT 7")
            until(lambda: bool(adapter._pool._changed._waiters))  # type: ignore[attr-defined]
            assert not waiting.done()
        assert waiting.result(PATIENCE_SECONDS) == [(7,)]


def test_a_read_that_ends_in_time_is_not_disturbed(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    cancel = Cancel()
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(endless, adapter, engine, cancel)
        until(lambda: busy(adapter))
        writing = pool.submit(adapter.suspend, drain_seconds=PATIENCE_SECONDS)
        until(lambda: adapter._pool._suspensions == 1)
        assert not writing.done()
        cancel.set()
        error = running.result(PATIENCE_SECONDS)
        assert isinstance(error, Interrupted)
        assert str(error).startswith("Stopped, because you asked")
        with writing.result(PATIENCE_SECONDS):
            assert worker_pids(adapter) == []
    assert rows(adapter, "SELECT 1") == [(1,)]


def test_a_read_that_takes_too_long_gives_way_and_is_told_why(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(endless, adapter, engine, Cancel())
        until(lambda: busy(adapter))
        with adapter.suspend(drain_seconds=0.05):
            error = running.result(PATIENCE_SECONDS)
    assert isinstance(error, Interrupted)
    assert str(error).startswith("Stopped, because an approved change to shop had to run.")
    assert rows(adapter, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("engine", ["duckdb"])
def test_an_idle_worker_lets_go_of_the_file_for_a_writer_in_another_process(
    engine: EngineName, database: Path
) -> None:
    with opened(engine, database, idle_ms=20) as adapter:
        assert rows(adapter, "SELECT count(*) FROM orders") == [(3,)]
        [pid] = worker_pids(adapter)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _deleted(database):
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)
        assert rows(adapter, "SELECT count(*) FROM orders") == [(0,)]
        assert worker_pids(adapter) == [pid]


def _deleted(database: Path) -> bool:
    try:
        _delete_orders("duckdb", database)
    except duckdb.IOException:  # the lock of the reader
        return False
    return True
