"""Changing MariaDB: previews are exact or refused, undo gives every byte back, nothing is left."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator

import pymysql
import pytest

from guard.engines.base import Cancel, Captured, ChangeCaps
from guard.engines.mysql_changes import MysqlChanges
from guard.errors import GuardError, Interrupted, OutcomeUnknown, Refused, SourceUnavailable
from tests.guard.engines.mysqlwrites import (
    CAPS,
    TABLES,
    back,
    content,
    counts,
    nothing,
    statement,
    writing,
)
from tests.servers import ServerDatabase, fresh_database


@pytest.fixture(scope="module")
def kept() -> Iterator[tuple[ServerDatabase, MysqlChanges]]:
    """A database that every test leaves as it found it."""
    with fresh_database("mysql") as database:
        database.execute(EXTRA)
        names = ("t", "auto", "pair", "tree", *EXTRA_NAMES)
        with writing(database, names=names) as engine:
            yield database, engine


@pytest.fixture
def changes(mariadb: ServerDatabase) -> Iterator[MysqlChanges]:
    with writing(mariadb) as engine:
        yield engine


CASES = [
    ("UPDATE t SET a = 'w' WHERE id < 3", {"t": (0, 2, 0)}),
    ("UPDATE t SET a = 'ANN' WHERE a = 'ann'", {"t": (0, 2, 0)}),
    ("UPDATE t SET a = a", {}),
    ("UPDATE t SET f = f / 3, g = g / 3 WHERE g IS NOT NULL", {"t": (0, 3, 0)}),
    (
        "UPDATE t x SET x.u = 5, x.d = d + 0.0001 WHERE x.id IN (SELECT id FROM tree)",
        {"t": (0, 3, 0)},
    ),
    ("UPDATE t SET b = NULL, l = 'ß', j = '{}' ORDER BY id DESC LIMIT 2", {"t": (0, 2, 0)}),
    ("UPDATE t SET dt = NOW(3) WHERE id = 1", {"t": (0, 1, 0)}),
    ("DELETE FROM t", {"t": (0, 0, 4)}),
    ("DELETE FROM t WHERE a LIKE 'a%' OR bits > 200", {"t": (0, 0, 3)}),
    ("DELETE FROM t ORDER BY id LIMIT 1", {"t": (0, 0, 1)}),
    ("DELETE FROM pair WHERE k1 = 'A'", {"pair": (0, 0, 2)}),
    ("UPDATE pair SET n = n + 1 WHERE k2 = '2026-01-01'", {"pair": (0, 2, 0)}),
    ("DELETE FROM tree WHERE id > 1 ORDER BY id DESC", {"tree": (0, 0, 2)}),
    ("INSERT INTO t (id, a, g) VALUES (10, 'new', 1e-7), (-11, DEFAULT, RAND())", {"t": (2, 0, 0)}),
    ("INSERT INTO auto (v) VALUES ('four'), ('five')", {"auto": (2, 0, 0)}),
    ("INSERT INTO auto VALUES (NULL, 'six', NOW(6))", {"auto": (1, 0, 0)}),
    ("INSERT INTO auto SET v = LEFT(UUID(), 8)", {"auto": (1, 0, 0)}),
    ("INSERT INTO auto (id, v) VALUES (70, 'x'), (80, 'y')", {"auto": (2, 0, 0)}),
    ("INSERT INTO pair VALUES ('c''d\\\\', '2026-03-04', 1)", {"pair": (1, 0, 0)}),
    ("INSERT INTO tree VALUES (4, 1, 1), (5, 4, 2)", {"tree": (2, 0, 0)}),
]


@pytest.mark.parametrize(("sql", "expected"), CASES)
def test_preview_apply_and_undo_agree(
    kept: tuple[ServerDatabase, MysqlChanges],
    sql: str,
    expected: dict[str, tuple[int, int, int]],
) -> None:
    mariadb, changes = kept
    before = content(mariadb)
    diff = changes.preview(statement(sql), CAPS, Cancel())
    assert counts(diff) == expected
    assert content(mariadb) == before
    assert (diff.undo, diff.undo_verified) == ("exact", True)
    applied = changes.apply(statement(sql, diff), CAPS, nothing, Cancel())
    assert applied.diff.fingerprint("x") == diff.fingerprint("x")
    if not expected:
        assert changes.find(applied.undo_image) == "before"
        return
    assert content(mariadb) != before
    assert changes.find(applied.undo_image) == "after"
    undo = changes.preview(back(applied.undo_image), CAPS, Cancel())
    assert undo.undo_verified
    changes.apply(back(applied.undo_image), CAPS, nothing, Cancel())
    assert content(mariadb) == before
    assert changes.find(applied.undo_image) == "before"


def test_columns_decided_at_execution_are_named(changes: MysqlChanges) -> None:
    diff = changes.preview(
        statement("INSERT INTO auto (v) VALUES (LEFT(UUID(), 8))"), CAPS, Cancel()
    )
    assert {t.table: t.decided for t in diff.tables} == {"auto": ("id", "v", "at")}
    diff = changes.preview(statement("UPDATE t SET a = 'w' WHERE id = 1"), CAPS, Cancel())
    assert {t.table: t.decided for t in diff.tables} == {"t": ("stamp",)}


EXTRA = """
CREATE TABLE log (x INT);
CREATE TABLE watched (id INT PRIMARY KEY, v INT);
CREATE TRIGGER tr AFTER UPDATE ON watched FOR EACH ROW INSERT INTO log VALUES (NEW.id);
CREATE TABLE parents (id INT PRIMARY KEY, v INT);
CREATE TABLE children (id INT PRIMARY KEY, p INT,
  FOREIGN KEY (p) REFERENCES parents (id) ON DELETE CASCADE);
CREATE TABLE renamed (id INT PRIMARY KEY, code INT UNIQUE);
CREATE TABLE renames (id INT PRIMARY KEY, c INT,
  FOREIGN KEY (c) REFERENCES renamed (code) ON UPDATE SET NULL);
CREATE TABLE old (id INT PRIMARY KEY, v INT) ENGINE = MyISAM;
CREATE TABLE keyless (v INT);
CREATE TABLE floating (id DOUBLE PRIMARY KEY, v INT);
CREATE TABLE places (id INT PRIMARY KEY, p POINT);
CREATE TABLE sjis (id INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET sjis);
CREATE TABLE kept (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING;
CREATE VIEW seen AS SELECT id, v FROM parents;
INSERT INTO watched VALUES (1, 1); INSERT INTO parents VALUES (1, 1);
INSERT INTO children VALUES (1, 1); INSERT INTO old VALUES (1, 1); INSERT INTO keyless VALUES (1);
INSERT INTO renamed VALUES (1, 1); INSERT INTO renames VALUES (1, 1);
INSERT INTO kept VALUES (1, 1);
"""
EXTRA_NAMES = tuple(re.findall(r"CREATE (?:TABLE|VIEW) (\w+)", EXTRA))


REFUSED = [
    ("UPDATE watched SET v = 2", "triggers"),
    ("DELETE FROM parents", "cascade"),
    ("INSERT INTO parents VALUES (9, 9)", "cascade"),
    ("UPDATE renamed SET code = 2", "cascade"),
    ("UPDATE old SET v = 2", "engine"),
    ("UPDATE keyless SET v = 2", "no_key"),
    ("UPDATE floating SET v = 2", "key_type"),
    ("UPDATE places SET id = 2", "column_type"),
    ("UPDATE sjis SET id = 2", "column_type"),
    ("UPDATE kept SET v = 2", "table_kind"),
    ("UPDATE seen SET v = 2", "table_kind"),
    ("UPDATE t SET id = id + 10", "key_changes"),
    ("UPDATE t, tree SET t.a = 'x'", "multi_table"),
    ("UPDATE t JOIN tree ON t.id = tree.id SET t.a = 'x'", "multi_table"),
    ("DELETE t FROM t JOIN tree ON t.id = tree.id", "multi_table"),
    ("DELETE FROM t USING t JOIN tree ON t.id = tree.id", "multi_table"),
    ("DELETE FROM t WHERE id = 1 RETURNING id", "form"),
    ("INSERT INTO tree (id) VALUES (9) RETURNING id", "form"),
    ("INSERT IGNORE INTO tree (id) VALUES (1)", "form"),
    ("INSERT INTO tree (id) VALUES (1) ON DUPLICATE KEY UPDATE v = 9", "upsert"),
    ("INSERT INTO tree SELECT id + 10, NULL, 1 FROM t", "insert_select"),
    ("INSERT INTO tree (id) VALUES (1 + 8)", "key_unknown"),
    ("INSERT INTO tree (v) VALUES (1)", "key_unknown"),
    ("INSERT INTO auto (id, v) VALUES (NULL, 'a'), (90, 'b')", "key_unknown"),
    ("UPDATE mysql.user SET User = 'x'", "form"),
    ("SELECT 1", "statement"),
    ("UPDATE t SET a = 'x' WHERE RAND() < 0.5 OR RAND() < 0.5", "mismatch"),
]


@pytest.mark.parametrize(("sql", "rule"), REFUSED)
def test_what_cannot_be_previewed_exactly_cannot_be_approved(
    kept: tuple[ServerDatabase, MysqlChanges], sql: str, rule: str
) -> None:
    database, engine = kept
    before = content(database, ("t", "tree", "auto", *EXTRA_NAMES))

    def preview() -> None:
        for _ in range(8):  # chance may pick the same rows twice
            engine.preview(statement(sql), CAPS, Cancel())

    with pytest.raises(Refused, match="cannot be previewed exactly, and cannot be") as caught:
        preview()
    assert caught.value.refusal.rule == f"preview.{rule}"
    assert content(database, ("t", "tree", "auto", *EXTRA_NAMES)) == before


def test_a_trigger_that_the_login_cannot_see_is_counted(
    mariadb: ServerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the look at the catalog gone, the server's own counter still refuses."""
    mariadb.execute(EXTRA)
    monkeypatch.setattr("guard.engines.mysql_tables._check_around", lambda *_: None)
    names = ("t", "auto", "pair", "tree", "watched")
    with writing(mariadb, names=names) as engine, pytest.raises(Refused) as caught:
        engine.preview(statement("UPDATE watched SET v = 2"), CAPS, Cancel())
    assert caught.value.refusal.rule == "preview.triggers"
    assert mariadb.execute("SELECT * FROM log") == []


@pytest.mark.parametrize("to", ["PUBLIC", "role", "login"])
def test_promise_06_a_login_that_may_call_stored_functions_previews_nothing(
    mariadb: ServerDatabase, to: str
) -> None:
    """A function of the owner's, under a name the guard knows, changes what no diff would show."""
    made = (
        "CREATE FUNCTION regexp_like(a TEXT, b TEXT) RETURNS INT MODIFIES SQL DATA "
        "BEGIN UPDATE auto SET v = 'changed'; RETURN 1; END;"
    )
    changed = "UPDATE tree SET v = regexp_like('a', 'b') WHERE id = 2"
    role = f"role_{mariadb.name}"
    with writing(mariadb, TABLES + made) as engine:
        ((login,),) = mariadb.execute(
            "SELECT DISTINCT GRANTEE FROM information_schema.TABLE_PRIVILEGES "
            "WHERE TABLE_SCHEMA = DATABASE()"
        )
        holder = {"PUBLIC": "PUBLIC", "role": role, "login": str(login)}[to]
        mariadb.execute(f"CREATE ROLE {role}; GRANT {role} TO {login}")
        mariadb.execute(f"SET DEFAULT ROLE {role} FOR {login}")
        mariadb.execute(f"GRANT EXECUTE ON {mariadb.name}.* TO {holder}")
        before = content(mariadb)
        try:
            with pytest.raises(Refused) as caught:
                engine.preview(statement(changed), CAPS, Cancel())
        finally:
            mariadb.execute(f"REVOKE EXECUTE ON {mariadb.name}.* FROM {holder}; DROP ROLE {role}")
        assert caught.value.refusal.rule == "preview.functions"
        assert content(mariadb) == before


def test_a_login_that_cannot_see_references_previews_nothing(
    changes: MysqlChanges, mariadb: ServerDatabase
) -> None:
    login = changes._login.user
    mariadb.execute(f"REVOKE REFERENCES ON *.* FROM {login}@localhost")
    with pytest.raises(Refused) as caught:
        changes.preview(statement("DELETE FROM t"), CAPS, Cancel())
    assert caught.value.refusal.rule == "preview.unseen"


@pytest.mark.parametrize(
    ("sql", "picked"),
    [
        ("UPDATE t SET a = 'x' WHERE id IN (1, 2)", "WHERE id IN (1, 3)"),
        ("UPDATE t SET a = 'x' WHERE id IN (1, 2)", "WHERE id IN (1, 2, 3)"),
        ("UPDATE t SET a = 'x' WHERE id IN (1, 2)", "WHERE id = 1"),
        ("DELETE FROM t WHERE id IN (1, 2)", "WHERE id IN (1, 3)"),
        ("DELETE FROM t WHERE id IN (1, 2)", "WHERE id IN (1, 2, 3)"),
        ("DELETE FROM t WHERE id IN (1, 2)", "WHERE id = 1"),
    ],
)
def test_rows_other_than_those_read_are_noticed(
    changes: MysqlChanges, sql: str, picked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the wrong rows read before it ran, the counts would not agree."""
    monkeypatch.setattr("guard.engines.mysql_shape._tail", lambda _: picked)
    with pytest.raises(Refused) as caught:
        changes.preview(statement(sql), CAPS, Cancel())
    assert caught.value.refusal.rule == "preview.mismatch"


def test_what_raises_before_the_commit_leaves_nothing(
    changes: MysqlChanges, mariadb: ServerDatabase
) -> None:
    before = content(mariadb)

    def stop(_: Captured) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        changes.apply(statement("DELETE FROM t"), CAPS, stop, Cancel())
    assert content(mariadb) == before
    changes.apply(statement("DELETE FROM t"), CAPS, nothing, Cancel())


@pytest.mark.parametrize(
    "since",
    [
        "UPDATE t SET a = 'v' WHERE id = 2",
        "UPDATE t SET a = 'W' WHERE id = 2",
        "DELETE FROM t WHERE id = 2",
        "ALTER TABLE t ADD COLUMN more INT",
    ],
)
def test_undo_is_refused_when_a_row_or_the_table_changed_since(
    changes: MysqlChanges, mariadb: ServerDatabase, since: str
) -> None:
    applied = changes.apply(statement("UPDATE t SET a = 'w' WHERE id = 2"), CAPS, nothing, Cancel())
    mariadb.execute(since)
    with pytest.raises(Refused) as caught:
        changes.preview(back(applied.undo_image), CAPS, Cancel())
    assert caught.value.refusal.rule == "engine.changed_since"
    assert changes.find(applied.undo_image) == "neither"


def test_undo_of_a_delete_is_refused_when_the_key_is_taken(
    changes: MysqlChanges, mariadb: ServerDatabase
) -> None:
    applied = changes.apply(statement("DELETE FROM tree WHERE id = 3"), CAPS, nothing, Cancel())
    mariadb.execute("INSERT INTO tree VALUES (3, NULL, 9)")
    with pytest.raises(Refused) as caught:
        changes.apply(back(applied.undo_image), CAPS, nothing, Cancel())
    assert caught.value.refusal.rule == "engine.changed_since"


def test_a_row_whose_key_is_zero_comes_back_as_zero(
    changes: MysqlChanges, mariadb: ServerDatabase
) -> None:
    mariadb.execute("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; INSERT INTO auto (id) VALUES (0)")
    before = content(mariadb)
    applied = changes.apply(statement("DELETE FROM auto WHERE id = 0"), CAPS, nothing, Cancel())
    changes.apply(back(applied.undo_image), CAPS, nothing, Cancel())
    assert content(mariadb) == before


@pytest.mark.parametrize("sql", ["DELETE FROM t", "UPDATE t SET a = 'x'", "UPDATE t SET a = a"])
def test_too_many_rows_are_refused(changes: MysqlChanges, sql: str) -> None:
    caps = ChangeCaps(max_rows=3, shown_rows=1, timeout_ms=20_000, lock_timeout_ms=1_000)
    with pytest.raises(Refused) as caught:
        changes.preview(statement(sql), caps, Cancel())
    assert caught.value.refusal.rule == "engine.too_many_rows"


def test_rows_that_somebody_else_holds_are_said_to_be_busy(
    changes: MysqlChanges, mariadb: ServerDatabase
) -> None:
    with contextlib.closing(
        pymysql.connect(unix_socket=mariadb.socket, user="root", database=mariadb.name)
    ) as other:
        other.begin()
        other.query("UPDATE t SET a = 'held' WHERE id = 1")
        with pytest.raises(SourceUnavailable, match="being changed right now"):
            changes.preview(statement("DELETE FROM t WHERE id = 1"), CAPS, Cancel())
        assert counts(changes.preview(statement("DELETE FROM tree WHERE id = 3"), CAPS, Cancel()))
        other.rollback()
    changes.apply(statement("DELETE FROM t WHERE id = 1"), CAPS, nothing, Cancel())


@pytest.mark.parametrize("cause", ["cancelled", "timeout"])
def test_a_change_that_is_stopped_leaves_nothing_and_nothing_running(
    changes: MysqlChanges, mariadb: ServerDatabase, cause: str
) -> None:
    before = content(mariadb)
    cancel = Cancel()
    timer = threading.Timer(0.4, cancel.set if cause == "cancelled" else lambda: None)
    timer.start()
    caps = ChangeCaps(max_rows=100, shown_rows=9, timeout_ms=500, lock_timeout_ms=1_000)
    if cause == "cancelled":
        caps = CAPS
    with pytest.raises(Interrupted) as caught:
        changes.preview(statement("UPDATE t SET a = SLEEP(30)"), caps, cancel)
    timer.join()
    assert caught.value.cause == cause
    assert content(mariadb) == before
    deadline = time.monotonic() + 10
    while mariadb.execute(
        "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'UPDATE t SET%'"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (id) VALUES (1)",
        "DELETE FROM tree WHERE id = 1",
        "INSERT INTO tree VALUES (9, 77, 1)",
        "UPDATE t SET stamp = NULL, a = REPEAT('x', 21)",
    ],
)
def test_errors_of_the_server_carry_none_of_its_words(changes: MysqlChanges, sql: str) -> None:
    with pytest.raises(GuardError) as caught:
        changes.preview(statement(sql), CAPS, Cancel())
    assert re.search(r"PRIMARY|CONSTRAINT|Duplicate|Data too long", str(caught.value)) is None
    assert caught.value.__cause__ is None


def test_a_commit_under_way_is_waited_for(changes: MysqlChanges, mariadb: ServerDatabase) -> None:
    """`find` locks the rows: it can never say `before` while the change may still be committed."""
    seen: list[str] = []
    started = threading.Event()

    def ready(captured: Captured) -> None:
        def ask() -> None:
            started.set()
            seen.append(changes.find(captured.undo_image))

        thread = threading.Thread(target=ask)
        threads.append(thread)
        thread.start()
        started.wait(10)
        time.sleep(0.5)

    threads: list[threading.Thread] = []
    changes.apply(statement("UPDATE t SET a = 'w' WHERE id = 1"), CAPS, ready, Cancel())
    threads[0].join()
    assert seen == ["after"]


def test_a_server_that_leaves_during_the_commit_leaves_the_outcome_unknown(
    changes: MysqlChanges, mariadb: ServerDatabase
) -> None:
    images: list[bytes] = []

    def ready(captured: Captured) -> None:
        images.append(captured.undo_image)
        (number,) = mariadb.execute(
            "SELECT MAX(ID) FROM information_schema.PROCESSLIST WHERE USER LIKE 'w\\_%'"
        )[0]
        mariadb.execute(f"KILL {number}")

    with pytest.raises(OutcomeUnknown):
        changes.apply(statement("DELETE FROM t WHERE id = 1"), CAPS, ready, Cancel())
    assert changes.find(images[0]) == "before"
