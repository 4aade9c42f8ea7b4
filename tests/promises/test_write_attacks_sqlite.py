"""Attacks on changes of SQLite files: triggers under other spellings, journals and processes that
others left, tables of which no row can be shown."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from guard.address import FileAddress
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps, ChangeEngine
from guard.engines.child.summed import LARGE
from guard.errors import Refused

ROWS = LARGE + 1_000
CAPS = ChangeCaps(max_rows=9 * ROWS, shown_rows=5, timeout_ms=60_000, lock_timeout_ms=500)
SHA = "0" * 64
SCRIPT = f"""
CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, s TEXT); CREATE TABLE log(what);
WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {ROWS})
INSERT INTO t SELECT i, i, 'name ' || i FROM r;
"""
FEW, ALL = "UPDATE t SET n = n + 1 WHERE id < 9", "UPDATE t SET n = n + 1"


def run(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)


def content(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return "\n".join(connection.iterdump())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    run(path, SCRIPT)
    return path


@contextmanager
def opened(file: Path) -> Iterator[ChangeEngine]:
    reader = open_engine("sqlite", FileAddress(path=file), source="s")
    engine = open_change_engine("sqlite", FileAddress(path=file), source="s", reader=reader)
    yield engine
    engine.close()
    reader.close()


def change(sql: str | None, image: bytes | None = None) -> Change:
    return Change(source="s", sql=sql, undo_image=image, targets=("t",) if sql else ())


@pytest.mark.parametrize("sql", [FEW, ALL], ids=["few rows", "very many"])
def test_promise_06_a_trigger_by_another_spelling_is_silent_in_a_way_back(
    file: Path, sql: str
) -> None:
    run(file, "CREATE TRIGGER told AFTER UPDATE ON T BEGIN INSERT INTO log VALUES (old.n); END")
    before = content(file)
    with opened(file) as engine:
        shown = engine.preview(change(sql), CAPS, Cancel())
        assert shown.undo_verified
        done = engine.apply(change(sql), CAPS, lambda _: None, Cancel())
        assert done.diff.fingerprint(SHA) == shown.fingerprint(SHA)
        engine.apply(change(None, done.undo_image), CAPS, lambda _: None, Cancel())
    assert content(file) == before


@pytest.mark.parametrize("kind", ["fts5(s)", "rtree(id, low, high)"])
@pytest.mark.parametrize("sql", [FEW, ALL], ids=["few rows", "very many"])
def test_promise_06_what_goes_into_an_index_that_is_a_table_cannot_be_approved(
    file: Path, kind: str, sql: str
) -> None:
    values = "(rowid, s) VALUES (new.id, new.s)" if "fts" in kind else "VALUES (new.id, 1, 2)"
    run(
        file,
        f"CREATE VIRTUAL TABLE v USING {kind}; "
        f"CREATE TRIGGER told AFTER UPDATE ON t BEGIN INSERT INTO v {values}; END",
    )
    before = content(file)
    with opened(file) as engine, pytest.raises(Refused):
        engine.preview(change(sql), CAPS, Cancel())
    assert content(file) == before


def test_promise_06_a_preview_sees_no_row_that_a_killed_writer_left(file: Path) -> None:
    before = content(file)
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('PRAGMA cache_size=5'); c.execute('BEGIN IMMEDIATE'); "
        'c.execute("UPDATE t SET n = -1, s = s || hex(zeroblob(40))"); os._exit(9)'
    )
    subprocess.run([sys.executable, "-c", script, str(file)], check=False)
    assert file.with_name(file.name + "-journal").stat().st_size > 0
    with opened(file) as engine:
        shown = engine.preview(change(ALL), CAPS, Cancel())
    assert shown.tables[0].rows[0].before == (1, 1, "name 1")
    assert shown.undo_verified
    assert content(file) == before


CONSOLE = """
import sys, threading, time
from pathlib import Path
from tests.promises.test_write_attacks_sqlite import CAPS, Cancel, Change, opened
long = "UPDATE t SET n = (SELECT count(*) FROM t a, t b WHERE a.id < b.id)"
with opened(Path(sys.argv[1])) as engine:
    def told():
        while engine._worker is None:
            time.sleep(0.01)
        print(engine._worker.pid, flush=True)
    threading.Thread(target=told).start()
    order = Change(source="s", sql=long, targets=("t",))
    if sys.argv[2] == "preview":
        engine.preview(order, CAPS, Cancel())
    else:
        engine.apply(order, CAPS, lambda _: None, Cancel())
"""


@pytest.mark.parametrize("step", ["preview", "apply"])
def test_promise_12_no_writer_outlives_a_console_that_was_killed(file: Path, step: str) -> None:
    before = content(file)
    console = subprocess.Popen(
        [sys.executable, "-c", CONSOLE, str(file), step], stdout=subprocess.PIPE, text=True
    )
    assert console.stdout is not None
    with console.stdout:
        worker = int(console.stdout.readline())
        time.sleep(0.5)
        console.kill()
        console.wait()
    deadline = time.monotonic() + 10
    while _runs(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert content(file) == before


def _runs(process: int) -> bool:
    """False where it has ended, waited for or not."""
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state.split()[0] != "Z"
