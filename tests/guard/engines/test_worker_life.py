"""Workers die, hang and are stopped; the console lives on and the next statement works."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guard.engines import Cancel
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Stop
from guard.engines.embedded import EmbeddedEngine
from guard.errors import GuardError, Interrupted, SourceUnavailable
from tests.guard.engines.support import ENDLESS, EngineName, opened, rows, unjudged

PATIENCE_SECONDS = 20.0
"""Long enough for the slowest machine; only a failure ever waits for it."""


def worker_pids(adapter: EmbeddedEngine) -> list[int]:
    """The processes the adapter holds now."""
    pool = adapter._pool
    return [w.pid for w in (*pool._idle, *pool._lent)]


def until(true: Callable[[], bool]) -> None:
    """Waits for something that must come true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        threading.Event().wait(0.005)


def busy(adapter: EmbeddedEngine) -> bool:
    """True when a worker burns processor time on a statement."""
    lent = list(adapter._pool._lent)
    return bool(lent) and all(_ticks(w.pid) > 5 for w in lent)


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def endless(adapter: EmbeddedEngine, engine: EngineName, cancel: Cancel) -> GuardError:
    """Runs a statement that never ends; returns the error it ended with all the same."""
    try:
        adapter.run(unjudged(ENDLESS[engine], engine, timeout_ms=60_000), cancel)
    except GuardError as error:
        return error
    raise AssertionError("an endless statement returned rows")


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
def test_a_worker_that_dies_ends_the_statement_and_the_next_one_works(
    adapter: EmbeddedEngine, engine: EngineName, kind: signal.Signals
) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(endless, adapter, engine, Cancel())
        until(lambda: busy(adapter))
        [before] = worker_pids(adapter)
        os.kill(before, kind)
        error = running.result(PATIENCE_SECONDS)
    assert isinstance(error, SourceUnavailable)
    assert str(error).startswith("The engine of shop ended while it ran this statement.")
    assert rows(adapter, "SELECT 1") == [(1,)]
    assert worker_pids(adapter) != [before]


def test_a_worker_that_died_while_idle_is_not_noticed(adapter: EmbeddedEngine) -> None:
    rows(adapter, "SELECT 1")
    [before] = worker_pids(adapter)
    os.kill(before, signal.SIGKILL)
    until(lambda: not adapter._pool._idle[0].alive)
    assert rows(adapter, "SELECT 2") == [(2,)]


def test_a_cancel_from_another_thread_stops_the_statement(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    cancel = Cancel()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(endless, adapter, engine, cancel)
        until(lambda: busy(adapter))
        started = time.monotonic()
        cancel.set()
        error = running.result(PATIENCE_SECONDS)
    took = time.monotonic() - started
    assert isinstance(error, Interrupted)
    assert error.cause == "cancelled"
    assert took < 2.0, took
    assert rows(adapter, "SELECT 1") == [(1,)]


def test_a_cancel_set_before_the_start_runs_nothing(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    cancel = Cancel()
    cancel.set()
    error = endless(adapter, engine, cancel)
    assert isinstance(error, Interrupted)
    assert error.cause == "cancelled"


def test_a_statement_past_its_time_limit_is_stopped(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    started = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        rows(adapter, ENDLESS[engine], timeout_ms=200)
    assert caught.value.cause == "timeout"
    assert time.monotonic() - started < 5.0
    assert rows(adapter, "SELECT 1") == [(1,)]


def test_an_interrupt_that_is_heeded_keeps_the_worker_warm(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    rows(adapter, "SELECT 1")
    before = worker_pids(adapter)
    with pytest.raises(Interrupted):
        rows(adapter, ENDLESS[engine], timeout_ms=200)
    assert worker_pids(adapter) == before


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_built_in_that_hears_no_interrupt_is_killed(adapter: EmbeddedEngine) -> None:
    # One call of printf fills a string character by character, without looking up.
    sql = "SELECT " + " || ".join(["printf('%.*c', 1900000000, 'x')"] * 40)
    rows(adapter, "SELECT 1")
    before = worker_pids(adapter)
    with pytest.raises(Interrupted) as caught:
        rows(adapter, sql, timeout_ms=200)
    assert caught.value.cause == "timeout"
    assert worker_pids(adapter) != before
    assert rows(adapter, "SELECT 1") == [(1,)]


def test_statements_of_several_people_run_at_the_same_time(
    engine: EngineName, database: Path
) -> None:
    cancel = Cancel()
    with opened(engine, database, workers=2) as adapter, ThreadPoolExecutor(1) as pool:
        running = pool.submit(endless, adapter, engine, cancel)
        until(lambda: busy(adapter))
        assert rows(adapter, "SELECT count(*) FROM people") == [(3,)]
        assert not running.done()
        cancel.set()
        assert isinstance(running.result(PATIENCE_SECONDS), Interrupted)


def test_many_threads_share_two_workers_and_each_gets_its_own_answer(
    engine: EngineName, database: Path
) -> None:
    with opened(engine, database, workers=2) as adapter, ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda i: rows(adapter, f"SELECT {i} AS x"), range(80)))
        assert len(worker_pids(adapter)) <= 2
    assert got == [[(i,)] for i in range(80)]


def test_a_statement_that_finds_all_workers_busy_waits_only_its_own_time(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    cancel = Cancel()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(endless, adapter, engine, cancel)
        until(lambda: busy(adapter))
        with pytest.raises(SourceUnavailable, match="shop is busy with other questions"):
            rows(adapter, "SELECT 1", timeout_ms=100)
        cancel.set()
        running.result(PATIENCE_SECONDS)


def test_a_cancel_also_ends_the_wait_for_a_worker(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    first, second = Cancel(), Cancel()
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(endless, adapter, engine, first)
        until(lambda: busy(adapter))
        waiting = pool.submit(endless, adapter, engine, second)
        second.set()
        error = waiting.result(PATIENCE_SECONDS)
        assert isinstance(error, Interrupted)
        assert error.cause == "cancelled"
        assert not running.done()
        first.set()
        running.result(PATIENCE_SECONDS)


def test_close_ends_every_process(adapter: EmbeddedEngine) -> None:
    rows(adapter, "SELECT 1")
    [pid] = worker_pids(adapter)
    adapter.close()
    assert not Path(f"/proc/{pid}").exists()


def test_a_worker_is_limited_and_inherits_nothing(
    adapter: EmbeddedEngine, engine: EngineName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEHOUSE_TEST_SECRET", "hunter2")
    rows(adapter, "SELECT 1")
    [pid] = worker_pids(adapter)
    process = Path(f"/proc/{pid}")
    assert b"hunter2" not in process.joinpath("environ").read_bytes()
    limits = process.joinpath("limits").read_text(encoding="ascii")
    by_name = {line[:25].strip(): line[25:].split() for line in limits.splitlines()[1:]}
    assert by_name["Max core file size"][:2] == ["0", "0"]
    assert int(by_name["Max address space"][1]) <= 3 * 1024**3
    assert int(by_name["Max file size"][1]) <= 16 * 1024**2
    assert os.getsid(pid) == pid
    open_files = {os.readlink(p) for p in process.joinpath("fd").iterdir()}
    assert not [f for f in open_files if f.startswith("/") and not _fine(f, engine)]


def _fine(name: str, engine: EngineName) -> bool:
    """Its own source may be open, for the statement that comes next."""
    return name == "/dev/null" or name.endswith(f"/shop.{engine}")


def test_a_worker_loads_neither_the_console_nor_its_main_module(tmp_path: Path) -> None:
    script = tmp_path / "console.py"
    script.write_text(
        textwrap.dedent("""
        import sys
        from pathlib import Path
        open(sys.argv[2], "a").write("loaded\\n")
        from guard.engines.sqlite import SETTINGS
        from guard.engines.worker import Worker
        Worker(Path(sys.argv[1]), SETTINGS).discard()
        """),
        encoding="utf-8",
    )
    log = tmp_path / "log"
    subprocess.run(
        [sys.executable, str(script), str(tmp_path / "none.sqlite"), str(log)],
        check=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert log.read_text(encoding="utf-8") == "loaded\n"


def test_a_worker_does_not_outlive_the_console(database: Path, engine: EngineName) -> None:
    script = textwrap.dedent(f"""
        import os, sys, threading
        from pathlib import Path
        from guard.engines import Cancel
        from tests.guard.engines.support import ENDLESS, opened, unjudged
        with opened({engine!r}, Path(sys.argv[1])) as adapter:
            query = unjudged(ENDLESS[{engine!r}], {engine!r}, timeout_ms=60_000)
            threading.Thread(target=adapter.run, args=(query, Cancel()), daemon=True).start()
            while not adapter._pool._lent:
                pass
            print(next(iter(adapter._pool._lent)).pid, flush=True)
            sys.stdin.read()
        """)
    console = subprocess.Popen(
        [sys.executable, "-c", script, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert console.stdout is not None
    pid = int(console.stdout.readline())
    console.kill()
    console.wait()
    for stream in (console.stdin, console.stdout):
        assert stream is not None
        stream.close()
    until(lambda: not Path(f"/proc/{pid}").exists() or _zombie(pid))


def _zombie(pid: int) -> bool:
    return "State:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="ascii")


def test_an_early_interrupt_is_not_lost_and_a_late_one_hits_nobody() -> None:
    interrupted: list[int] = []
    stop = Stop(lambda: interrupted.append(1))
    stop.ask(1)
    with pytest.raises(Fault):
        stop.begin(1)
    stop.end()
    stop.begin(2)
    stop.ask(1)
    assert not stop.asked()
    assert interrupted == []
    stop.ask(2)
    assert stop.asked()
    assert interrupted == [1]
    stop.end()
    assert not stop.asked()


def test_a_console_with_very_many_open_files_still_reads(
    engine: EngineName, database: Path
) -> None:
    """A descriptor from 1,024 on is one that select(2) does not know."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2_048 if hard == resource.RLIM_INFINITY else min(2_048, hard)
    if wanted < 1_200:
        pytest.skip("this machine lets no process have so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    try:
        with opened(engine, database) as adapter:
            assert rows(adapter, "SELECT 1") == [(1,)]
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
