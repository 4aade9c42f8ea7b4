"""A change of the schema on each engine: previewed, bound, applied, taken back where it can be."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from guard.address import FileAddress
from guard.diff import Diff, SchemaDiff
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Captured, Change, ChangeCaps, ChangeEngine
from guard.engines.postgres_changes import PostgresChanges
from guard.engines.postgres_session import Login
from guard.errors import Refused
from tests.servers import fresh_database

CAPS = ChangeCaps(max_rows=100, shown_rows=50, timeout_ms=20_000, lock_timeout_ms=1_000)
TABLES = """
CREATE TABLE t(id INTEGER PRIMARY KEY, a VARCHAR(20));
CREATE TABLE u(k INTEGER, w INTEGER);
CREATE INDEX u_w ON u(w);
INSERT INTO t VALUES (1, 'x'), (2, 'y');
INSERT INTO u VALUES (1, 1);
"""


@dataclass
class Place:
    """A database and its write role; `run` is the owner."""

    name: str
    engine: ChangeEngine
    run: Callable[[str], object]

    def preview(self, sql: str, *targets: str) -> Diff:
        change = Change(source="s", sql=sql, targets=targets, schema=True)
        return self.engine.preview(change, CAPS, Cancel())

    def apply(self, sql: str, *targets: str) -> Captured:
        change = Change(source="s", sql=sql, targets=targets, schema=True)
        return self.engine.apply(change, CAPS, lambda _: None, Cancel())

    def undo(self, image: bytes) -> Captured:
        change = Change(source="s", sql=None, undo_image=image)
        self.engine.preview(change, CAPS, Cancel())
        return self.engine.apply(change, CAPS, lambda _: None, Cancel())


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    path = tmp_path / "a.db"
    if request.param == "postgres":
        with fresh_database("postgres") as database:
            owner = f"o_{database.name}"
            database.execute(
                f"CREATE ROLE {owner} LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO {owner};"
                f"SET ROLE {owner}; {TABLES}"
            )
            login = Login(url=database.url(owner), ddl=True)
            yield Place("postgres", PostgresChanges(login, "s"), database.execute)
            database.execute(f"DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}")
        return
    if request.param == "sqlite":

        def run(script: str) -> None:
            connection = sqlite3.connect(path)
            connection.executescript(script)
            connection.close()
    else:

        def run(script: str) -> None:
            with duckdb.connect(str(path)) as connection:
                connection.execute(script)

    run(TABLES)
    reader = open_engine(request.param, FileAddress(path=path), source="s")
    engine = open_change_engine(request.param, FileAddress(path=path), source="s", reader=reader)
    yield Place(request.param, engine, run)
    engine.close()
    reader.close()


def only(diff: Diff) -> SchemaDiff:
    assert diff.tables == ()
    (found,) = diff.schema
    return found


ADDS = [
    ("CREATE TABLE n(x INTEGER, y VARCHAR(9) DEFAULT 'q')", "n"),
    ("ALTER TABLE t ADD COLUMN z INTEGER DEFAULT 3", "t"),
    ("ALTER TABLE t ADD COLUMN z INTEGER", "t"),
    ("CREATE UNIQUE INDEX t_a ON t(a)", "t"),
]


@pytest.mark.parametrize(("sql", "table"), ADDS)
def test_what_adds_can_be_taken_back_and_that_is_proven(place: Place, sql: str, table: str) -> None:
    diff = place.preview(sql, table)
    change = only(diff)
    assert (change.table, diff.undo, diff.undo_verified) == (table, "exact", True)
    assert place.preview(sql, table).fingerprint("x") == diff.fingerprint("x")
    done = place.apply(sql, table)
    assert done.diff.fingerprint("x") == diff.fingerprint("x")
    assert place.engine.find(done.undo_image) == "after"
    back = only(place.undo(done.undo_image).diff)
    assert (back.before, back.after) == (change.after, change.before)
    assert only(place.preview(sql, table)) == change


REMOVES = [
    ("ALTER TABLE t DROP COLUMN a", "t", 0),
    ("ALTER TABLE t RENAME COLUMN a TO b", "t", 0),
    ("DROP TABLE t", "t", 2),
    ("DROP INDEX u_w", "u", 0),
]


@pytest.mark.parametrize(("sql", "table", "lost"), REMOVES)
def test_what_removes_says_so_and_cannot_be_taken_back(
    place: Place, sql: str, table: str, lost: int
) -> None:
    diff = place.preview(sql, table)
    change = only(diff)
    assert (diff.undo, diff.undo_verified, change.rows_lost) == ("none", False, lost)
    assert diff.total == lost
    assert any("Undo will not bring back" in note for note in diff.undo_notes)
    done = place.apply(sql, table)
    assert done.diff.fingerprint("x") == diff.fingerprint("x")
    assert place.engine.find(done.undo_image) == "after"
    with pytest.raises(Refused) as caught:
        place.undo(done.undo_image)
    assert caught.value.refusal.rule == "engine.no_way_back"


def test_rows_that_came_since_refuse_the_way_back(place: Place) -> None:
    made = place.apply("CREATE TABLE n(x INTEGER)", "n").undo_image
    added = place.apply("ALTER TABLE t ADD COLUMN z INTEGER", "t").undo_image
    place.run("INSERT INTO n VALUES (1); UPDATE t SET z = 7 WHERE id = 1")
    for image in (made, added):
        with pytest.raises(Refused) as caught:
            place.undo(image)
        assert caught.value.refusal.rule == "engine.changed_since"


def test_a_definition_changed_since_is_drift(place: Place) -> None:
    sql = "DROP TABLE t"
    diff = place.preview(sql, "t")
    place.run("INSERT INTO t VALUES (3, 'late')")
    later = place.preview(sql, "t")
    assert later.fingerprint("x") != diff.fingerprint("x")
    place.run("ALTER TABLE t ADD COLUMN z INTEGER")
    assert place.preview(sql, "t").fingerprint("x") != later.fingerprint("x")


def test_a_table_that_was_not_judged_is_not_changed(place: Place) -> None:
    with pytest.raises(Refused) as caught:
        place.preview("DROP INDEX u_w", "t")
    assert caught.value.refusal.rule == "engine.not_allowed"


@pytest.mark.parametrize(
    "sql", ["CREATE VIEW v AS SELECT * FROM t", "DELETE FROM t", "CREATE TABLE n AS SELECT 1 AS x"]
)
def test_a_preview_of_something_else_leaves_nothing(place: Place, sql: str) -> None:
    """The guard lets none of these come here; whatever the engine says, nothing stays."""
    before = only(place.preview("DROP TABLE t", "t"))
    with contextlib.suppress(Refused):
        place.preview(sql, "t")
    assert only(place.preview("DROP TABLE t", "t")) == before


def test_postgres_says_what_is_locked_and_rewritten() -> None:
    with fresh_database("postgres") as database:
        owner = f"o_{database.name}"
        database.execute(
            f"CREATE ROLE {owner} LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO {owner};"
            f"SET ROLE {owner}; {TABLES}"
        )
        engine = PostgresChanges(Login(url=database.url(owner), ddl=True), "s")

        def told(sql: str, *tables: str) -> dict[str, tuple[bool, str]]:
            change = Change(source="s", sql=sql, targets=tables, schema=True)
            diff = engine.preview(change, CAPS, Cancel())
            return {s.table: (s.rewritten, s.lock) for s in diff.schema}

        assert told("ALTER TABLE t ALTER COLUMN a TYPE text", "t") == {"t": (False, "all")}
        assert told("ALTER TABLE t ALTER COLUMN id TYPE bigint", "t") == {"t": (True, "all")}
        assert told("ALTER TABLE t ADD COLUMN z int DEFAULT 3", "t") == {"t": (False, "all")}
        assert told("CREATE INDEX i ON t(a)", "t") == {"t": (False, "writes")}
        reference = "ALTER TABLE u ADD CONSTRAINT r FOREIGN KEY (k) REFERENCES t (id)"
        assert told(reference, "u", "t") == {"t": (False, "writes"), "u": (False, "writes")}
        emptied = engine.preview(
            Change(source="s", sql="TRUNCATE t", targets=("t",), schema=True), CAPS, Cancel()
        )
        assert [(s.rows_lost, s.lock) for s in emptied.schema] == [(2, "all")]
        with pytest.raises(Refused):
            told("CREATE INDEX CONCURRENTLY i ON t(a)", "t")
        database.execute(f"DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}")
