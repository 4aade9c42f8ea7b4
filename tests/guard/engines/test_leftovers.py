"""Copies of a DuckDB file: nobody else reads them, no writer comes between, none is left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from guard.address import FileAddress
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps, ChangeEngine, Reached
from guard.engines.changing import EmbeddedChanges
from guard.engines.child import duckdb_copy
from guard.engines.child.duckdb_folder import Folder
from guard.engines.child.duckdb_writer import DuckdbWriter
from guard.engines.child.reader import Stop
from guard.engines.child.writing import Order
from guard.errors import SourceUnavailable

CAPS = ChangeCaps(max_rows=90_000, shown_rows=5, timeout_ms=60_000, lock_timeout_ms=500)
FEW = Change(source="s", sql="UPDATE t SET a = a + 1 WHERE id < 9", targets=("t",))
MANY = Change(source="s", sql="UPDATE t SET a = a + 1", targets=("t",))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "t.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER)")
        connection.execute("INSERT INTO t SELECT i, i FROM range(30000) r(i)")
    return path


@pytest.fixture
def engine(file: Path) -> Iterator[ChangeEngine]:
    with_reader = open_engine("duckdb", FileAddress(path=file), source="s")
    engine = open_change_engine("duckdb", FileAddress(path=file), source="s", reader=with_reader)
    yield engine
    engine.close()
    with_reader.close()


def _beside(file: Path) -> list[Path]:
    return [p for p in file.parent.iterdir() if p != file]


@pytest.mark.parametrize(("change", "step"), [(FEW, "run"), (MANY, "rows"), (MANY, "back")])
def test_promise_08_a_killed_preview_leaves_no_copy_of_the_data(
    file: Path, engine: ChangeEngine, change: Change, step: str
) -> None:
    seen: list[int] = []

    def kill(reached: Reached) -> None:
        if reached.step == step and not seen:
            seen.extend(stat.S_IMODE(p.stat().st_mode) for p in _beside(file))
            assert isinstance(engine, EmbeddedChanges)
            assert engine._worker is not None
            os.kill(engine._worker.pid, signal.SIGKILL)

    with pytest.raises(SourceUnavailable):
        engine.preview(change, CAPS, Cancel(), kill)
    assert seen == [0o700]
    assert _beside(file) == []
    assert engine.preview(change, CAPS, Cancel()).total


def test_promise_08_what_a_killed_console_left_is_removed_and_nothing_else(file: Path) -> None:
    left = Folder(file.parent)
    (left.path / "copy.duckdb").write_bytes(b"values")
    os.close(left._held)  # as the end of its process does
    used = Folder.__new__(Folder)
    used.path = file.parent / ".gatehouse-copy-abcdefgh"
    used.path.mkdir()
    used._held = os.open(used.path, os.O_RDONLY)
    fcntl.flock(used._held, fcntl.LOCK_EX)
    own = file.parent / ".gatehouse-copy-of-last-week"
    own.mkdir()
    link = file.parent / ".gatehouse-copy-linklink"
    link.symlink_to(own)
    (own / "kept").touch()
    reader = open_engine("duckdb", FileAddress(path=file), source="s")
    open_change_engine("duckdb", FileAddress(path=file), source="s", reader=reader).close()
    reader.close()
    assert sorted(_beside(file)) == sorted([used.path, own, link])
    assert (own / "kept").exists()
    used.remove()
    assert not used.path.exists()


def test_no_other_process_writes_between_the_copies_of_file_and_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed stands in both together, so they must be of one moment."""
    path, tries = tmp_path / "t.duckdb", []
    with duckdb.connect(str(path)) as connection:
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER)")
        connection.execute("INSERT INTO t VALUES (1, 1)")
    assert path.with_name("t.duckdb.wal").is_file()
    lock = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    copy = shutil.copyfile

    def tried(source: Path, target: Path) -> None:
        if source.suffix == ".wal":
            asked = [sys.executable, "-c", lock, str(path)]
            tries.append(subprocess.run(asked, capture_output=True, check=False).returncode)
        copy(source, target)

    monkeypatch.setattr(duckdb_copy.shutil, "copyfile", tried)
    order = Order(
        sql="UPDATE t SET a = 2", image=None, targets=("t",), max_rows=9, timeout_ms=60_000,
        lock_timeout_ms=100, shown_rows=9,
    )  # fmt: skip
    writer = DuckdbWriter(path, memory=1 << 29, threads=1)
    assert writer.preview(order, Stop(writer.interrupt)).total == 1
    assert tries == [1]
