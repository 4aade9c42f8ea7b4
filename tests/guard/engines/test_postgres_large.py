"""A change of very many PostgreSQL rows: what is shown is what runs, and no row is kept here."""

from __future__ import annotations

import resource
import secrets
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace

import psycopg
import pytest

from guard.diff import Diff
from guard.engines.base import Cancel, Captured, Change, ChangeCaps, Reached
from guard.engines.postgres_changes import PostgresChanges
from guard.engines.postgres_large import LARGE
from guard.engines.postgres_largeimage import is_copied
from guard.engines.postgres_session import Login
from guard.errors import Interrupted, Refused
from tests.servers import ServerDatabase, fresh_database

ROWS = LARGE + 5_000
CAPS = ChangeCaps(max_rows=12 * ROWS, shown_rows=5, timeout_ms=120_000, lock_timeout_ms=2_000)
SHA = "0" * 64
SECONDS = 3.0
"""How long stopping may take: it is about one, on a machine that does much else."""
SCRIPT = f"""
CREATE TABLE kinds(id int PRIMARY KEY, name text);
CREATE TABLE t(id int PRIMARY KEY, a text, n int, f float8, at timestamptz, j jsonb, b bytea,
  u int UNIQUE, kind int REFERENCES kinds, twice int GENERATED ALWAYS AS (n * 2) STORED);
CREATE TABLE log(id serial PRIMARY KEY, what int, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE watched(id int PRIMARY KEY, n int);
CREATE TABLE parts(id int, r int, n int, PRIMARY KEY (id, r)) PARTITION BY RANGE (r);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO log(what) VALUES (old.n); RETURN new; END$$;
CREATE TRIGGER told AFTER UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION told();
INSERT INTO kinds VALUES (1, 'one'), (2, 'two');
INSERT INTO t SELECT i, E'name\\t\\\\' || i || E'\\n', i,
  CASE i % 3 WHEN 0 THEN '-0'::float8 ELSE i / 7.0 END,
  '2026-01-01'::timestamptz + i * interval '1 s', jsonb_build_object('k', i),
  decode(to_hex(i % 256 + 256), 'escape'), i, i % 2 + 1 FROM generate_series(1, {ROWS}) i;
INSERT INTO watched SELECT i, i FROM generate_series(1, {ROWS}) i;
INSERT INTO parts SELECT i, i % 2, i FROM generate_series(1, {ROWS}) i;
ANALYZE;
"""


@dataclass
class Place:
    """A database with large tables, and its write role."""

    database: ServerDatabase
    role: str
    engine: PostgresChanges

    def preview(self, sql: str) -> Diff:
        return self.engine.preview(Change(source="s", sql=sql), CAPS, Cancel())

    def apply(self, sql: str, diff: Diff) -> Captured:
        decided = tuple((t.table, t.decided) for t in diff.tables)
        change = Change(source="s", sql=sql, decided=decided)
        return self.engine.apply(change, CAPS, lambda _: None, Cancel())

    def sums(self) -> dict[str, object]:
        return {
            table: self.database.execute(
                f"SELECT md5(string_agg(x::text, ',' ORDER BY x::text)) FROM {table} x"
            )[0][0]
            for table in ("t", "log", "watched", "parts", "kinds")
        }


@pytest.fixture
def place() -> Iterator[Place]:
    with fresh_database("postgres") as database:
        role = f"w_{secrets.token_hex(4)}"
        database.execute(SCRIPT)
        database.execute(
            f"CREATE ROLE {role} LOGIN; GRANT SET ON PARAMETER session_replication_role TO {role};"
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};"
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
        )
        yield Place(database, role, PostgresChanges(Login(url=database.url(role)), "s"))
        database.execute(
            f"DROP OWNED BY {role}; "
            f"REVOKE SET ON PARAMETER session_replication_role FROM {role}; DROP ROLE {role}"
        )


def _counts(diff: Diff) -> dict[str, tuple[int, int, int]]:
    return {t.table: (t.inserted, t.updated, t.deleted) for t in diff.tables}


@pytest.mark.parametrize(
    ("sql", "counts"),
    [
        ("UPDATE t SET n = n + 1, a = upper(a)", {"t": (0, ROWS, 0)}),
        ("UPDATE t SET f = 0 WHERE id > 9", {"t": (0, ROWS - 9, 0)}),  # from minus zero as well
        ("UPDATE t SET n = CASE WHEN id > 100 THEN 7 ELSE n END", {"t": (0, ROWS - 100, 0)}),
        ("UPDATE t SET u = u + 1", {"t": (0, ROWS, 0)}),
        ("UPDATE t SET id = -id", {"t": (ROWS, 0, ROWS)}),
        ("UPDATE t SET kind = 3 - kind", {"t": (0, ROWS, 0)}),
        ("DELETE FROM t WHERE id > 100", {"t": (0, 0, ROWS - 100)}),
        ("INSERT INTO t SELECT id + 100000, a, n, f, at, j, b FROM t", {"t": (ROWS, 0, 0)}),
        ("UPDATE watched SET n = n + 1", {"log": (ROWS, 0, 0), "watched": (0, ROWS, 0)}),
        ("UPDATE parts SET r = r + 10", {"parts": (ROWS, 0, ROWS)}),
        ("UPDATE parts SET n = -n", {"parts": (0, ROWS, 0)}),
    ],
)
def test_promise_6_what_was_shown_of_very_many_rows_is_what_runs_and_can_be_undone(
    place: Place, sql: str, counts: dict[str, tuple[int, int, int]]
) -> None:
    if sql == "UPDATE t SET u = u + 1":  # an index checks at once, row by row
        place.database.execute("UPDATE t SET u = -u")
    before = place.sums()
    shown = place.preview(sql)
    assert place.sums() == before
    assert _counts(shown) == counts
    assert (shown.undo, shown.undo_verified) == ("exact", True)
    assert all(len(t.rows) == CAPS.shown_rows for t in shown.tables)
    done = place.apply(sql, shown)
    assert is_copied(done.undo_image)
    assert done.diff.fingerprint(SHA) == shown.fingerprint(SHA)
    undo = Change(source="s", sql=None, undo_image=done.undo_image)
    back = place.engine.preview(undo, CAPS, Cancel())
    assert back.undo_verified
    undone = place.engine.apply(undo, CAPS, lambda _: None, Cancel())
    assert undone.diff.fingerprint(SHA) == back.fingerprint(SHA)
    assert place.sums() == before


def test_the_first_rows_are_shown_as_they_were_and_as_they_are(place: Place) -> None:
    (table,) = place.preview("UPDATE t SET n = -n, j = NULL WHERE id > 2").tables
    row = table.rows[0]
    assert row.before is not None
    assert row.after is not None
    assert row.before[:4] == (3, "name\t\\3\n", 3, "-0")
    assert row.after[2] == -3
    assert row.after[5] is None


@pytest.mark.parametrize(
    "drift",
    [
        "UPDATE t SET a = 'other' WHERE id = 12345",
        "UPDATE t SET f = 0 WHERE id = 24999",
        "DELETE FROM t WHERE id = 1",
        "INSERT INTO t(id) VALUES (0)",
    ],
)
def test_promise_6_one_row_of_very_many_that_differs_is_noticed(place: Place, drift: str) -> None:
    sql = "UPDATE t SET n = -id"
    shown = place.preview(sql)
    place.database.execute(drift)
    assert place.preview(sql).fingerprint(SHA) != shown.fingerprint(SHA)


def test_an_undo_of_very_many_rows_is_refused_once_one_of_them_has_changed(place: Place) -> None:
    sql = "UPDATE t SET n = n + 1"
    done = place.apply(sql, place.preview(sql))
    place.database.execute("UPDATE t SET a = 'other' WHERE id = 12345")
    before = place.sums()
    with pytest.raises(Refused) as refused:
        place.engine.preview(
            Change(source="s", sql=None, undo_image=done.undo_image), CAPS, Cancel()
        )
    assert refused.value.refusal.rule == "engine.changed_since"
    assert place.sums() == before


def test_an_undo_of_very_many_rows_is_refused_when_references_would_hang(place: Place) -> None:
    sql = "UPDATE t SET kind = NULL"
    done = place.apply(sql, place.preview(sql))
    place.database.execute("DELETE FROM kinds WHERE id = 2")
    with pytest.raises(Refused) as refused:
        place.engine.preview(
            Change(source="s", sql=None, undo_image=done.undo_image), CAPS, Cancel()
        )
    assert refused.value.refusal.rule == "engine.constraint"


@pytest.mark.parametrize(
    ("sql", "decided"),
    [
        ("UPDATE t SET n = (random() * 1e9)::int", {"t": ("n",)}),
        ("UPDATE t SET a = md5(id::text || random())", {"t": ("a",)}),
        ("UPDATE t SET at = now()", {"t": ("at",)}),
        ("UPDATE watched SET n = n + 1", {"log": ("id", "at"), "watched": ()}),
        ("INSERT INTO log(what) SELECT n FROM t", {"log": ("id", "at")}),
    ],
)
def test_columns_of_very_many_rows_that_are_decided_at_execution_are_named(
    place: Place, sql: str, decided: dict[str, tuple[str, ...]]
) -> None:
    shown = place.preview(sql)
    assert {t.table: t.decided for t in shown.tables} == decided
    done = place.apply(sql, shown)
    assert done.diff.fingerprint(SHA) == shown.fingerprint(SHA)


def test_rows_that_somebody_holds_a_lock_on_are_seen_among_very_many(place: Place) -> None:
    with psycopg.connect(place.database.url()) as other:
        other.execute("SELECT * FROM t WHERE id % 100 = 0 FOR KEY SHARE")
        shown = place.preview("UPDATE t SET n = n + 1")
        assert _counts(shown) == {"t": (0, ROWS, 0)}
        assert shown.undo_verified


def test_without_the_right_to_temporary_tables_rows_are_read_one_by_one(place: Place) -> None:
    name = place.database.name
    place.database.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    before = place.sums()
    sql = "UPDATE watched SET n = n + 1 WHERE id <= 20100"
    shown = place.preview(sql)
    assert _counts(shown)["watched"] == (0, 20_100, 0)
    done = place.apply(sql, shown)
    assert not is_copied(done.undo_image)
    undo = Change(source="s", sql=None, undo_image=done.undo_image)
    place.engine.apply(undo, CAPS, lambda _: None, Cancel())
    assert place.sums() == before


def test_triggers_that_stay_on_leave_rows_that_are_named(place: Place) -> None:
    place.database.execute(f"REVOKE SET ON PARAMETER session_replication_role FROM {place.role}")
    shown = place.preview("UPDATE watched SET n = n + 1")
    assert (shown.undo, shown.undo_verified) == ("partial", False)
    assert shown.undo_notes == (
        f"Undo will not remove {ROWS:,} rows in log: triggers run again, because the write login "
        "may not do without them.",
    )


def test_more_rows_than_may_be_counted_are_refused(place: Place) -> None:
    caps = replace(CAPS, max_rows=LARGE + 1)
    with pytest.raises(Refused) as refused:
        place.engine.preview(Change(source="s", sql="UPDATE t SET n = -id"), caps, Cancel())
    assert refused.value.refusal.rule == "engine.too_many_rows"


@pytest.mark.parametrize("step", ["run", "before", "after", "back"])
def test_a_preview_of_very_many_rows_stops_soon_at_every_step(place: Place, step: str) -> None:
    place.database.execute(
        "INSERT INTO t SELECT i, 'x' FROM generate_series(50000, 200000) i; ANALYZE t"
    )
    before, stop, at = place.sums(), Cancel(), [0.0]

    def heard(reached: Reached) -> None:
        if reached.step == step and not stop.is_set():
            at[0] = time.monotonic()
            stop.set()

    change = Change(source="s", sql="UPDATE t SET n = id + 1")
    with pytest.raises(Interrupted, match="you asked"):
        place.engine.preview(change, CAPS, stop, heard)
    assert time.monotonic() - at[0] < SECONDS
    assert place.sums() == before


def test_no_row_is_kept_here_however_many_there_are(place: Place) -> None:
    """Objects of 200,000 rows would take some hundred megabytes; a block takes one or two."""
    place.database.execute(
        "TRUNCATE t; INSERT INTO t(id, a, n) SELECT i, md5(i::text), i "
        "FROM generate_series(1, 200000) i; ANALYZE t"
    )
    sql = "UPDATE t SET n = n + 1"
    tracemalloc.start()
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shown = place.preview(sql)
    _, preview_peak = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    done = place.apply(sql, shown)
    undo = Change(source="s", sql=None, undo_image=done.undo_image)
    place.engine.preview(undo, CAPS, Cancel())
    place.engine.apply(undo, CAPS, lambda _: None, Cancel())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident
    assert shown.total == 200_000
    assert preview_peak < 16_000_000
    assert peak < 16_000_000 + 3 * len(done.undo_image)
    assert grown_kb < 150_000
