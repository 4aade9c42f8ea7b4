"""Attacks on changes of PostgreSQL rows: references and rules that a way back could break, and runs
of a preview that did not see the same rows."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
import pytest

from guard.diff import Diff
from guard.engines.base import Cancel, Captured, Change, ChangeCaps, Reached, Told, unheard
from guard.engines.postgres_changes import PostgresChanges
from guard.engines.postgres_session import Login
from guard.errors import Refused, SourceUnavailable
from tests.servers import ServerDatabase, fresh_database

CAPS = ChangeCaps(max_rows=1_000, shown_rows=5, timeout_ms=60_000, lock_timeout_ms=2_000)
SHA = "0" * 64
FEW, MANY = 1_000, 3
"""What counts as many rows: none of these changes does, and all of them do."""
TWENTY = "FROM generate_series(1, 20) i"


@dataclass
class Place:
    """A database with a write role that may switch triggers off."""

    database: ServerDatabase
    engine: PostgresChanges

    def preview(self, sql: str | None, image: bytes | None = None, told: Told = unheard) -> Diff:
        change = Change(source="s", sql=sql, undo_image=image)
        return self.engine.preview(change, CAPS, Cancel(), told)

    def apply(self, sql: str | None, diff: Diff, image: bytes | None = None) -> Captured:
        decided = tuple((t.table, t.decided) for t in diff.tables)
        change = Change(source="s", sql=sql, undo_image=image, decided=decided)
        return self.engine.apply(change, CAPS, lambda _: None, Cancel())

    def applied(self, sql: str) -> bytes:
        """Applies what was shown; returns what takes it back."""
        shown = self.preview(sql)
        done = self.apply(sql, shown)
        assert done.diff.fingerprint(SHA) == shown.fingerprint(SHA)
        return done.undo_image

    def one(self, query: str) -> object:
        return self.database.execute(query)[0][0]


@contextmanager
def place(script: str, large: int) -> Iterator[Place]:
    with fresh_database("postgres") as database:
        role = f"w_{secrets.token_hex(4)}"
        database.execute(script)
        database.execute(
            f"CREATE ROLE {role} LOGIN; GRANT SET ON PARAMETER session_replication_role TO {role};"
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};"
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
        )
        login = Login(url=database.url(role))
        yield Place(database, PostgresChanges(login, "s", large=large))
        database.execute(
            f"DROP OWNED BY {role}; "
            f"REVOKE SET ON PARAMETER session_replication_role FROM {role}; DROP ROLE {role}"
        )


# The way back -------------------------------------------------------------------------------------


PARTS = """
CREATE TABLE p(id int, r int, PRIMARY KEY (id, r)) PARTITION BY RANGE (r);
CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE c(id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES p_1(id, r));
"""
HIDDEN = """
CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, p int REFERENCES p);
ALTER TABLE c ENABLE ROW LEVEL SECURITY; CREATE POLICY high ON c USING (id > 100);
"""
HEIRS = """
CREATE TABLE p(id int PRIMARY KEY, n int); CREATE TABLE heir() INHERITS (p);
CREATE TABLE c(id int PRIMARY KEY, p int REFERENCES p); INSERT INTO heir VALUES (5, 99);
"""
UNIQUE = f"""
CREATE TABLE p(id int PRIMARY KEY, u int UNIQUE DEFERRABLE); INSERT INTO p SELECT i, i {TWENTY};
"""
HANGING = "SELECT count(*) FROM c WHERE NOT EXISTS (SELECT FROM ONLY {} x WHERE x.id = c.{})"


@pytest.mark.parametrize("large", [FEW, MANY])
@pytest.mark.parametrize(
    ("script", "change", "since", "broken"),
    [
        pytest.param(
            PARTS,
            f"INSERT INTO p SELECT i, 1 {TWENTY}",
            "INSERT INTO c VALUES (1, 5, 1)",
            HANGING.format("p_1", "a"),
            id="a reference to a partition",
        ),
        pytest.param(
            HIDDEN,
            f"INSERT INTO p SELECT i {TWENTY}",
            "INSERT INTO c VALUES (1, 5)",
            HANGING.format("p", "p"),
            id="a reference in a row that row security hides",
        ),
        pytest.param(
            HEIRS,
            f"INSERT INTO p SELECT i {TWENTY}",
            "INSERT INTO c VALUES (1, 5)",
            HANGING.format("p", "p"),
            id="a reference whose key only an heir has",
        ),
        pytest.param(
            UNIQUE,
            "UPDATE p SET u = u + 1000 WHERE id < 8",
            "INSERT INTO p VALUES (500, 5)",
            "SELECT count(*) - count(DISTINCT u) FROM p",
            id="a unique value that is looked at late",
        ),
    ],
)
def test_promise_06_no_way_back_breaks_what_the_server_keeps_whole(
    script: str, change: str, since: str, broken: str, large: int
) -> None:
    with place(script, large) as there:
        image = there.applied(change)
        there.database.execute(since)
        with suppress(Refused):
            there.apply(None, there.preview(None, image), image)
        assert there.one(broken) == 0


# What a preview may leave open --------------------------------------------------------------------


RATES = f"""
CREATE TABLE rate(r numeric PRIMARY KEY); INSERT INTO rate VALUES (0.9);
CREATE TABLE p(id int PRIMARY KEY, price numeric, at timestamptz);
INSERT INTO p SELECT i + 100, i, now() {TWENTY};
"""
RAISE = "UPDATE p SET price = price * (SELECT r FROM rate), at = clock_timestamp()"


@pytest.mark.parametrize("large", [FEW, MANY])
@pytest.mark.parametrize(
    "meanwhile",
    [
        "INSERT INTO p VALUES (1, 1, now())",
        "INSERT INTO p VALUES (1, 1, now()); DELETE FROM p WHERE id = 120",
        "UPDATE p SET price = 77 WHERE id = 110",
    ],
)
def test_promise_06_a_commit_between_two_runs_leaves_no_value_open(
    large: int, meanwhile: str
) -> None:
    with place(RATES, large) as there:
        runs: list[Reached] = []

        def commits() -> None:
            with suppress(psycopg.errors.LockNotAvailable):
                there.database.execute(f"SET lock_timeout = '5s'; {meanwhile}")

        # It waits for the locks of the first run, and gets them where these are given up.
        other = threading.Thread(target=commits)

        def told(reached: Reached) -> None:
            if reached.step == "run":
                runs.append(reached)
                if len(runs) == 2:
                    other.start()

        try:
            shown = there.preview(RAISE, told=told)
        except (Refused, SourceUnavailable):
            return
        finally:
            other.join()
        assert len(runs) > 1
        assert {c for t in shown.tables for c in t.decided} <= {"at"}
        there.database.execute("UPDATE rate SET r = 0")
        done = there.apply(RAISE, shown)
        assert done.diff.fingerprint(SHA) != shown.fingerprint(SHA)


# What is not seen ---------------------------------------------------------------------------------


UNCOUNTED = f"""
CREATE TABLE p(id int PRIMARY KEY, n int); CREATE TABLE o(id int PRIMARY KEY);
INSERT INTO o VALUES (1); INSERT INTO p SELECT i, i {TWENTY};
CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET track_counts = off
  AS $$BEGIN DELETE FROM o; RETURN NULL; END$$;
CREATE TRIGGER gone AFTER UPDATE ON p FOR EACH STATEMENT EXECUTE FUNCTION gone();
"""
TRUNCATED = UNCOUNTED.replace("SET track_counts = off", "").replace("DELETE FROM", "TRUNCATE")
CAST = f"""
CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE p(id int PRIMARY KEY, m mood, n int);
CREATE FUNCTION said(mood) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'the same'$$;
CREATE CAST (mood AS text) WITH FUNCTION said(mood); INSERT INTO p SELECT i, 'a', i {TWENTY};
"""


@pytest.mark.parametrize("large", [FEW, MANY])
@pytest.mark.parametrize("script", [UNCOUNTED, TRUNCATED], ids=["not counted", "truncated"])
def test_promise_06_what_empties_a_table_unseen_cannot_be_previewed(
    script: str, large: int
) -> None:
    with place(script, large) as there:
        with pytest.raises(Refused):
            there.preview("UPDATE p SET n = n + 1")
        assert there.one("SELECT count(*) FROM o") == 1


@pytest.mark.parametrize("large", [FEW, MANY])
def test_promise_06_a_cast_that_somebody_made_hides_no_change(large: int) -> None:
    with place(CAST, large) as there:
        before = there.one("SELECT md5(string_agg(x::text, ',' ORDER BY id)) FROM p x")
        shown = there.preview("UPDATE p SET m = 'b'")
        assert [t.updated for t in shown.tables] == [20]
        image = there.applied("UPDATE p SET m = 'b'")
        there.apply(None, there.preview(None, image), image)
        assert there.one("SELECT md5(string_agg(x::text, ',' ORDER BY id)) FROM p x") == before
        assert there.one("SELECT count(*) FROM p WHERE m = 'a'") == 20
