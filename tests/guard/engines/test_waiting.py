"""The connection that waits for the next statement: of the right file, without a lock, unread."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from guard.engines.child.faults import Fault
from guard.engines.child.reader import Request, Stop
from guard.engines.child.sqlite_reader import SqliteReader

READABLE = {name: frozenset({"a"}) for name in ("t", "nested", "around")}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return made(tmp_path / "t.sqlite", "one")


@pytest.fixture
def reader(file: Path) -> Iterator[SqliteReader]:
    reader = SqliteReader(file)
    reader.ready()
    yield reader
    reader.release()


def made(path: Path, *values: str) -> Path:
    change(path, "CREATE TABLE t(a TEXT)", *(f"INSERT INTO t VALUES ('{v}')" for v in values))
    return path


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, timeout=0)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def read(reader: SqliteReader, sql: str = "SELECT a FROM t") -> list[object]:
    request = Request(sql=sql, readable=READABLE, max_rows=100, max_bytes=10_000, timeout_ms=5_000)
    table, _ = reader.run(request, Stop(reader.interrupt))
    return list(table.column(0).to_pylist())


def test_what_was_written_while_it_waited_is_read(file: Path, reader: SqliteReader) -> None:
    change(file, "INSERT INTO t VALUES ('two')")
    assert read(reader) == ["one", "two"]


def test_a_file_put_in_the_place_of_another_is_read(file: Path, reader: SqliteReader) -> None:
    other = made(file.with_name("other.sqlite"), "another")
    os.replace(other, file)
    assert read(reader) == ["another"]


def test_a_file_that_is_gone_is_missing_and_not_read_from_memory(
    file: Path, reader: SqliteReader
) -> None:
    file.unlink()
    with pytest.raises(Fault) as caught:
        read(reader)
    assert caught.value.code == "missing"
    made(file, "anew")
    assert read(reader) == ["anew"]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_it_holds_no_lock_while_it_waits(file: Path, reader: SqliteReader, mode: str) -> None:
    change(file, f"PRAGMA journal_mode={mode}")
    assert read(reader) == ["one"]
    reader.ready()
    other = "delete" if mode == "wal" else "wal"
    # Leaving write-ahead mode needs the file for oneself.
    with closing(sqlite3.connect(file, timeout=0)) as db:
        assert db.execute(f"PRAGMA journal_mode={other}").fetchone() == (other,)
        db.execute("BEGIN EXCLUSIVE")
        db.execute("INSERT INTO t VALUES ('two')")
        db.commit()
    assert read(reader) == ["one", "two"]


def test_promise_04_it_was_set_up_like_any_other(reader: SqliteReader) -> None:
    assert reader._waiting is not None
    waiting = reader._waiting.connection
    assert waiting.execute("PRAGMA query_only").fetchone() == (1,)
    assert waiting.execute("PRAGMA trusted_schema").fetchone() == (0,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        waiting.execute("INSERT INTO t VALUES ('two')")


def test_promise_04_each_statement_gets_a_connection_of_its_own(reader: SqliteReader) -> None:
    seen = set()
    for _ in range(3):
        assert reader._waiting is not None
        seen.add(id(waiting := reader._waiting.connection))
        assert read(reader) == ["one"]
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            waiting.execute("SELECT 1")
        reader.ready()


def test_promise_04_a_view_opens_nothing_behind_it_however_late_it_was_made(
    file: Path, reader: SqliteReader
) -> None:
    change(
        file,
        "CREATE TABLE hidden(b TEXT)",
        "CREATE VIEW plain AS SELECT a FROM t",
        "CREATE VIEW nested AS SELECT a FROM plain",
        "CREATE VIEW open AS SELECT b FROM hidden",
        "CREATE VIEW around AS SELECT b AS a FROM open",
    )
    assert read(reader, "SELECT a FROM nested") == ["one"]
    for sql in (
        "SELECT a FROM plain",
        "SELECT b FROM open",
        "SELECT a FROM around",
        "SELECT count(*) FROM around",
        "SELECT b FROM hidden",
    ):
        with pytest.raises(Fault) as caught:
            read(reader, sql)
        assert caught.value.code == "not_allowed"
