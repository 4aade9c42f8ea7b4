"""The write role alone: the preview is exact and leaves nothing, undo gives every byte back."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from guard.address import FileAddress
from guard.diff import Diff
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Captured, Change, ChangeCaps
from guard.engines.changing import EmbeddedChanges
from guard.errors import Refused, SourceUnavailable

CAPS = ChangeCaps(max_rows=100, shown_rows=50, timeout_ms=20_000, lock_timeout_ms=500)

SQLITE = """
CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, n REAL, b BLOB);
CREATE TABLE k(id INTEGER PRIMARY KEY, t_id INTEGER REFERENCES t(id) ON DELETE CASCADE, v);
CREATE TABLE log(x, at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')));
CREATE TABLE w(a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE free(a, b);
CREATE TRIGGER tr AFTER UPDATE ON t BEGIN INSERT INTO log(x) VALUES (old.a || '>' || new.a); END;
INSERT INTO t VALUES (1, 'x', 1.5, x'00ff'), (2, 'y', 2.0, NULL), (3, 'z''q', NULL, NULL);
INSERT INTO k VALUES (1, 1, 'p'), (2, 1, 'q');
INSERT INTO w VALUES ('a', 1), ('b', 2);
INSERT INTO free VALUES (1, 1), (1, 1), ('1', 1.0);
"""
DUCKDB = """
CREATE TABLE t(id INTEGER PRIMARY KEY, a VARCHAR, d DECIMAL(10, 2), ts TIMESTAMP, l INTEGER[]);
CREATE TABLE free(a VARCHAR, b DOUBLE);
INSERT INTO t VALUES (1, 'x', 1.5, '2026-01-01 10:00:00', [1, 2]), (2, 'y', 2, NULL, NULL),
    (3, NULL, 3, NULL, []);
INSERT INTO free VALUES ('q', 1.1), ('q', 1.1), ('r', NULL);
"""

SQLITE_CASES = [
    ("UPDATE t SET a = 'w' WHERE id < 3", "t", {"t": (0, 2, 0), "log": (2, 0, 0)}),
    ("DELETE FROM t WHERE id = 1", "t", {"t": (0, 0, 1), "k": (0, 0, 2)}),
    ("INSERT INTO t(a, b) VALUES ('new', x'01')", "t", {"t": (1, 0, 0)}),
    ("REPLACE INTO t(id, a) VALUES (2, 'rep')", "t", {"t": (0, 1, 0)}),
    (
        "INSERT INTO t(id, a) VALUES (2, 'u') ON CONFLICT(id) DO UPDATE SET a = excluded.a",
        "t",
        {"t": (0, 1, 0), "log": (1, 0, 0)},
    ),
    ("UPDATE t SET id = 9 WHERE id = 3", "t", {"t": (1, 0, 1), "log": (1, 0, 0)}),
    ("UPDATE w SET b = 3 WHERE a = 'b'", "w", {"w": (1, 0, 1)}),
    ("DELETE FROM free WHERE typeof(a) = 'integer'", "free", {"free": (0, 0, 2)}),
    ("INSERT INTO k SELECT id + 10, id, a FROM t WHERE id > 1", "k", {"k": (2, 0, 0)}),
]
DUCKDB_CASES = [
    ("UPDATE t SET a = 'w' WHERE id < 3", "t", {"t": (0, 2, 0)}),
    ("DELETE FROM t WHERE id = 1", "t", {"t": (0, 0, 1)}),
    ("INSERT INTO t VALUES (9, 'n', 1, now(), [3])", "t", {"t": (1, 0, 0)}),
    (
        "INSERT INTO t(id, a) VALUES (2, 'u') ON CONFLICT(id) DO UPDATE SET a = excluded.a",
        "t",
        {"t": (0, 1, 0)},
    ),
    ("UPDATE t SET id = id + 10 WHERE id = 3", "t", {"t": (1, 0, 1)}),
    ("DELETE FROM free WHERE b > 1", "free", {"free": (0, 0, 2)}),
    ("UPDATE free SET b = random()", "free", {"free": (0, 3, 0)}),
    ("INSERT INTO free VALUES ('s', 2) RETURNING b", "free", {"free": (1, 0, 0)}),
]


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[tuple[Path, EmbeddedChanges]]:
    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(SQLITE)
    connection.close()
    reader = open_engine("sqlite", FileAddress(path=path), source="s")
    engine = open_change_engine("sqlite", FileAddress(path=path), source="s", reader=reader)
    yield path, engine
    engine.close()
    reader.close()


@pytest.fixture
def duck(tmp_path: Path) -> Iterator[tuple[Path, EmbeddedChanges]]:
    path = tmp_path / "a.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(DUCKDB)
    reader = open_engine("duckdb", FileAddress(path=path), source="s")
    reader.reflect()
    engine = open_change_engine("duckdb", FileAddress(path=path), source="s", reader=reader)
    yield path, engine
    engine.close()
    reader.close()


def lite_content(path: Path) -> str:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    dump = "\n".join(connection.iterdump())
    rowids = connection.execute("SELECT rowid FROM free UNION ALL SELECT rowid FROM log").fetchall()
    connection.close()
    return f"{dump}{rowids}"


def duck_content(path: Path) -> str:
    with duckdb.connect(str(path), read_only=True) as connection:
        return str(
            [
                connection.execute(f"SELECT * FROM {t} ORDER BY ALL").fetchall()
                for t in ("t", "free")
            ]
        )


def counts(diff: Diff) -> dict[str, tuple[int, int, int]]:
    return {t.table: (t.inserted, t.updated, t.deleted) for t in diff.tables}


def statement(sql: str, table: str, diff: Diff | None = None) -> Change:
    decided = tuple((t.table, t.decided) for t in diff.tables) if diff else ()
    return Change(source="s", sql=sql, targets=(table,), decided=decided)


def nothing(_: Captured) -> None:
    """Accepts whatever was captured."""


@pytest.mark.parametrize(("sql", "table", "expected"), SQLITE_CASES)
def test_sqlite_preview_apply_and_undo_agree(
    lite: tuple[Path, EmbeddedChanges],
    sql: str,
    table: str,
    expected: dict[str, tuple[int, int, int]],
) -> None:
    path, engine = lite
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    content = lite_content(path)
    diff = engine.preview(statement(sql, table), CAPS, Cancel())
    assert counts(diff) == expected
    assert (diff.undo, diff.undo_verified) == ("exact", True)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    applied = engine.apply(statement(sql, table, diff), CAPS, nothing, Cancel())
    assert applied.diff.fingerprint("x") == diff.fingerprint("x")
    assert lite_content(path) != content
    assert engine.find(applied.undo_image) == "after"
    back = Change(source="s", sql=None, undo_image=applied.undo_image)
    assert engine.preview(back, CAPS, Cancel()).undo_verified
    engine.apply(back, CAPS, nothing, Cancel())
    assert lite_content(path) == content
    assert engine.find(applied.undo_image) == "before"


@pytest.mark.parametrize(("sql", "table", "expected"), DUCKDB_CASES)
def test_duckdb_preview_apply_and_undo_agree(
    duck: tuple[Path, EmbeddedChanges],
    sql: str,
    table: str,
    expected: dict[str, tuple[int, int, int]],
) -> None:
    path, engine = duck
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    content = duck_content(path)
    diff = engine.preview(statement(sql, table), CAPS, Cancel())
    assert counts(diff) == expected
    assert (diff.undo, diff.undo_verified) == ("exact", True)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    applied = engine.apply(statement(sql, table, diff), CAPS, nothing, Cancel())
    assert applied.diff.fingerprint("x") == diff.fingerprint("x")
    assert duck_content(path) != content
    assert engine.find(applied.undo_image) == "after"
    back = Change(source="s", sql=None, undo_image=applied.undo_image)
    engine.apply(back, CAPS, nothing, Cancel())
    assert duck_content(path) == content
    assert engine.find(applied.undo_image) == "before"


def test_columns_decided_at_execution_are_named(lite: tuple[Path, EmbeddedChanges]) -> None:
    _, engine = lite
    diff = engine.preview(statement("UPDATE t SET a = 'w'", "t"), CAPS, Cancel())
    assert {t.table: t.decided for t in diff.tables} == {"t": (), "log": ("at",)}


@pytest.mark.parametrize("kind", ["lite", "duck"])
def test_what_raises_before_the_commit_leaves_nothing(
    kind: str, request: pytest.FixtureRequest
) -> None:
    path, engine = request.getfixturevalue(kind)
    content = lite_content if kind == "lite" else duck_content
    before = content(path)

    def stop(_: Captured) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        engine.apply(statement("DELETE FROM t", "t"), CAPS, stop, Cancel())
    assert content(path) == before


@pytest.mark.parametrize("kind", ["lite", "duck"])
def test_undo_is_refused_when_a_row_changed_since(
    kind: str, request: pytest.FixtureRequest
) -> None:
    path, engine = request.getfixturevalue(kind)
    applied = engine.apply(
        statement("UPDATE t SET a = 'w' WHERE id = 2", "t"), CAPS, nothing, Cancel()
    )
    engine.apply(statement("UPDATE t SET a = 'v' WHERE id = 2", "t"), CAPS, nothing, Cancel())
    back = Change(source="s", sql=None, undo_image=applied.undo_image)
    with pytest.raises(Refused) as caught:
        engine.preview(back, CAPS, Cancel())
    assert caught.value.refusal.rule == "engine.changed_since"
    assert engine.find(applied.undo_image) == "neither"
    assert path.exists()


@pytest.mark.parametrize("kind", ["lite", "duck"])
def test_too_many_rows_are_refused(kind: str, request: pytest.FixtureRequest) -> None:
    _, engine = request.getfixturevalue(kind)
    caps = ChangeCaps(max_rows=1, shown_rows=1, timeout_ms=20_000, lock_timeout_ms=500)
    with pytest.raises(Refused) as caught:
        engine.preview(statement("DELETE FROM t", "t"), caps, Cancel())
    assert caught.value.refusal.rule == "engine.too_many_rows"


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH 'x.db' AS x",
        "PRAGMA writable_schema = 1",
        "DELETE FROM sqlite_master",
        "DROP TABLE t",
        "CREATE TABLE u(a)",
        "UPDATE t SET a = load_extension('x')",
        "VACUUM INTO 'copy.db'",
        "DELETE FROM gatehouse_log",
    ],
)
def test_the_sqlite_write_role_changes_rows_and_nothing_else(
    lite: tuple[Path, EmbeddedChanges], sql: str
) -> None:
    path, engine = lite
    before = sorted(p.name for p in path.parent.iterdir())
    content = lite_content(path)
    with pytest.raises((Refused, SourceUnavailable)):
        engine.apply(statement(sql, "t"), CAPS, nothing, Cancel())
    assert lite_content(path) == content
    assert sorted(p.name for p in path.parent.iterdir()) == before


def test_a_locked_file_is_said_to_be_busy(lite: tuple[Path, EmbeddedChanges]) -> None:
    path, engine = lite
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SourceUnavailable, match="being changed right now"):
        engine.apply(statement("DELETE FROM t", "t"), CAPS, nothing, Cancel())
    other.execute("ROLLBACK")
    other.close()
    engine.apply(statement("DELETE FROM t WHERE id = 2", "t"), CAPS, nothing, Cancel())


SQLITE_LINKS = """
CREATE TABLE up(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE down(id INTEGER PRIMARY KEY, up INT REFERENCES up(id), n TEXT REFERENCES up(name));
CREATE TABLE pair(a TEXT, n TEXT REFERENCES up(name), PRIMARY KEY (a, n)) WITHOUT ROWID;
INSERT INTO up VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO down VALUES (1, 1, 'b'), (2, 2, NULL);
INSERT INTO pair VALUES ('x', 'b'), ('y', 'b');
INSERT INTO down VALUES (9, 77, NULL);
"""
"""The last row hangs from the start: `foreign_keys` is off when the script runs."""
HANGING = [
    ("DELETE FROM down WHERE id = 1", "down", "DELETE FROM up WHERE id = 1"),
    ("DELETE FROM pair WHERE a = 'x'", "pair", "UPDATE up SET name = 'q' WHERE id = 2"),
    ("UPDATE down SET up = NULL WHERE id = 1", "down", "DELETE FROM up WHERE id = 1"),
    ("INSERT INTO up VALUES (50, 'z')", "up", "INSERT INTO down VALUES (60, 50, NULL)"),
    ("UPDATE up SET name = 'w' WHERE id = 3", "up", "INSERT INTO pair VALUES ('k', 'w')"),
]


@pytest.mark.parametrize(("sql", "table", "meanwhile"), HANGING)
def test_an_undo_that_would_leave_a_reference_hanging_is_refused(
    lite: tuple[Path, EmbeddedChanges], sql: str, table: str, meanwhile: str
) -> None:
    path, engine = lite
    with sqlite3.connect(path) as connection:
        connection.executescript(SQLITE_LINKS)
    done = engine.apply(statement(sql, table), CAPS, nothing, Cancel())
    connection.execute(meanwhile)
    connection.commit()
    connection.close()
    before = lite_content(path)
    undo = Change(source="s", sql=None, undo_image=done.undo_image)
    for attempt in (
        lambda: engine.preview(undo, CAPS, Cancel()),
        lambda: engine.apply(undo, CAPS, nothing, Cancel()),
    ):
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.refusal.rule == "engine.constraint"
    assert lite_content(path) == before


def test_a_reference_that_hung_before_does_not_stop_an_undo(
    lite: tuple[Path, EmbeddedChanges],
) -> None:
    path, engine = lite
    with sqlite3.connect(path) as connection:
        connection.executescript(SQLITE_LINKS)
    connection.close()
    before = lite_content(path)
    change = statement("UPDATE down SET n = 'c' WHERE id < 3", "down")
    done = engine.apply(change, CAPS, nothing, Cancel())
    undo = Change(source="s", sql=None, undo_image=done.undo_image)
    engine.apply(undo, CAPS, nothing, Cancel())
    assert lite_content(path) == before
