"""What a way back with triggers off must look at itself, on few rows and on very many."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from guard.diff import Diff
from guard.engines.base import Cancel, Captured, Change, ChangeCaps, Reached, Told, unheard
from guard.engines.postgres_changes import PostgresChanges
from guard.engines.postgres_session import Login
from guard.errors import Refused
from tests.servers import ServerDatabase, fresh_database

CAPS = ChangeCaps(max_rows=1_000, shown_rows=50, timeout_ms=20_000, lock_timeout_ms=2_000)
SHA = "0" * 64
PARTS = """
CREATE TABLE parts(id int, r int, n int, PRIMARY KEY (id, r)) PARTITION BY RANGE (r);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
CREATE UNIQUE INDEX ON parts_2 (id);
CREATE TABLE c(id int PRIMARY KEY, a int, b int,
  FOREIGN KEY (a, b) REFERENCES parts_1 (id, r), e int REFERENCES parts_2 (id));
INSERT INTO parts SELECT i, 1, i FROM generate_series(101, 120) i;
"""
HIDDEN = """
CREATE TABLE p(id int PRIMARY KEY, n int); CREATE TABLE c(id int PRIMARY KEY, p int REFERENCES p);
ALTER TABLE c ENABLE ROW LEVEL SECURITY; CREATE POLICY seen ON c USING (id > 100);
"""
LATE = """
CREATE TABLE p(id int PRIMARY KEY, u int UNIQUE DEFERRABLE);
INSERT INTO p SELECT i, i FROM generate_series(1, 20) i;
"""
HEIR = """
CREATE TABLE p(id int PRIMARY KEY, n int);
CREATE TABLE heir() INHERITS (p); INSERT INTO heir VALUES (5, 99);
CREATE TABLE c(id int PRIMARY KEY, p int REFERENCES p);
"""
MOOD = """
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE FUNCTION told(mood) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'same'$$;
CREATE CAST (mood AS text) WITH FUNCTION told(mood);
CREATE TABLE p(id int PRIMARY KEY, m mood, n int);
INSERT INTO p SELECT i, 'a', i FROM generate_series(1, 20) i;
"""
RATE = """
CREATE TABLE rate(r numeric); INSERT INTO rate VALUES (0.9);
CREATE TABLE p(id int PRIMARY KEY, price numeric, at timestamptz);
INSERT INTO p SELECT i, i, now() FROM generate_series(10, 30) i;
"""
COUNTLESS = """
CREATE TABLE p(id int PRIMARY KEY, n int); CREATE TABLE o(id int); INSERT INTO o VALUES (1);
INSERT INTO p SELECT i, i FROM generate_series(1, 20) i;
CREATE FUNCTION emptied() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET track_counts = off AS $$BEGIN DELETE FROM o; RETURN NULL; END$$;
CREATE TRIGGER emptied AFTER UPDATE ON p EXECUTE FUNCTION emptied();
"""


@dataclass
class Place:
    """A database and its write role."""

    database: ServerDatabase
    role: str
    engine: PostgresChanges

    def make(self, script: str) -> None:
        """Makes tables that the role may write."""
        self.database.execute(
            f"{script}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public "
            f"TO {self.role}"
        )

    def preview(self, sql: str, told: Told = unheard) -> Diff:
        """Previews one statement."""
        return self.engine.preview(Change(source="s", sql=sql), CAPS, Cancel(), told)

    def apply(self, sql: str, diff: Diff) -> Captured:
        """Runs it for good."""
        decided = tuple((t.table, t.decided) for t in diff.tables)
        change = Change(source="s", sql=sql, decided=decided)
        return self.engine.apply(change, CAPS, lambda _: None, Cancel())

    def undo(self, image: bytes) -> Captured:
        """Takes a change back."""
        change = Change(source="s", sql=None, undo_image=image)
        return self.engine.apply(change, CAPS, lambda _: None, Cancel())


@pytest.fixture(params=[3, 1_000], ids=["many", "few"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    role = f"w_{secrets.token_hex(4)}"
    with fresh_database("postgres") as database:
        database.execute(
            f"CREATE ROLE {role} LOGIN; GRANT SET ON PARAMETER session_replication_role TO {role}"
        )
        engine = PostgresChanges(Login(url=database.url(role)), "s", large=request.param)
        yield Place(database, role, engine)
        database.execute(
            f"DROP OWNED BY {role}; "
            f"REVOKE SET ON PARAMETER session_replication_role FROM {role}; DROP ROLE {role}"
        )


@pytest.mark.parametrize(
    ("script", "sql", "meanwhile"),
    [
        (
            PARTS,
            "INSERT INTO parts SELECT i, 1, i FROM generate_series(1, 20) i",
            "INSERT INTO c VALUES (1, 5, 1)",
        ),
        (
            PARTS,
            "UPDATE parts SET r = 15 WHERE id < 110",
            "INSERT INTO c(id, e) VALUES (1, 105)",
        ),
        (
            HIDDEN,
            "INSERT INTO p SELECT i, i FROM generate_series(1, 20) i",
            "INSERT INTO c VALUES (1, 5)",
        ),
        (LATE, "UPDATE p SET u = u + 1000 WHERE id < 8", "INSERT INTO p VALUES (500, 5)"),
        (
            HEIR,
            "INSERT INTO p SELECT i, i FROM generate_series(1, 20) i",
            "INSERT INTO c VALUES (1, 5)",
        ),
    ],
    ids=["a partition's key", "into a partition", "hidden rows", "a late key", "an heir's row"],
)
def test_an_undo_that_would_break_a_rule_of_the_tables_is_refused(
    place: Place, script: str, sql: str, meanwhile: str
) -> None:
    place.make(script)
    diff = place.preview(sql)
    assert diff.undo_verified
    image = place.apply(sql, diff).undo_image
    place.database.execute(meanwhile)
    with pytest.raises(Refused) as caught:
        place.undo(image)
    assert caught.value.refusal.rule == "engine.constraint"


def test_a_change_that_somebodys_cast_to_text_hides_is_shown_and_taken_back(place: Place) -> None:
    place.make(MOOD)
    sql = "UPDATE p SET m = 'b', n = n + 1"
    diff = place.preview(sql)
    assert diff.tables[0].rows[0].after == (1, "b", 2)
    image = place.apply(sql, diff).undo_image
    place.undo(image)
    assert place.database.execute("SELECT DISTINCT format('%s', m) FROM p") == [("a",)]


def test_rows_of_a_trigger_that_is_always_on_are_named_as_what_an_undo_leaves(place: Place) -> None:
    place.make(
        "CREATE TABLE p(id int PRIMARY KEY, n int); INSERT INTO p SELECT i, i "
        "FROM generate_series(1, 20) i; CREATE TABLE log(id serial PRIMARY KEY, n int);"
        "CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$BEGIN INSERT INTO log(n) VALUES (new.n); RETURN NULL; END$$;"
        "CREATE TRIGGER told AFTER UPDATE ON p FOR EACH ROW EXECUTE FUNCTION told();"
        "ALTER TABLE p ENABLE ALWAYS TRIGGER told"
    )
    diff = place.preview("UPDATE p SET n = n + 1")
    assert not diff.undo_verified
    assert any(note.startswith("Undo will not remove") for note in diff.undo_notes)


def test_a_composite_value_of_nulls_is_no_null(place: Place) -> None:
    place.make(
        "CREATE TYPE pair AS (a int, b int); CREATE TABLE p(id int PRIMARY KEY, c pair);"
        "INSERT INTO p SELECT i FROM generate_series(1, 20) i"
    )
    sql = "UPDATE p SET c = ROW(NULL, NULL)::pair"
    diff = place.preview(sql)
    assert diff.tables[0].rows[0].after == (1, "(,)")
    place.undo(place.apply(sql, diff).undo_image)
    assert place.database.execute("SELECT num_nulls(c) FROM p GROUP BY 1") == [(1,)]


@pytest.mark.parametrize(
    "meanwhile",
    [
        "INSERT INTO p VALUES (1, 1, now())",
        "INSERT INTO p VALUES (1, 1, now()); DELETE FROM p WHERE id = 30",
        "UPDATE rate SET r = 0.5",
    ],
)
def test_promise_06_what_others_commit_between_two_runs_is_not_decided_at_execution(
    place: Place, meanwhile: str
) -> None:
    place.make(RATE)
    sql = "UPDATE p SET price = price * (SELECT r FROM rate), at = clock_timestamp() WHERE id < 30"
    runs = 0

    def told(reached: Reached) -> None:
        nonlocal runs
        if reached.step == "run":
            runs += 1
            if runs == 2:
                place.database.execute(meanwhile)

    diff = place.preview(sql, told)
    assert runs >= 2
    assert diff.tables[0].decided == ("at",)
    place.database.execute("UPDATE rate SET r = 0")
    assert place.apply(sql, diff).diff.fingerprint(SHA) != diff.fingerprint(SHA)


def test_promise_06_rows_picked_by_chance_leave_no_column_out(place: Place) -> None:
    place.make(RATE)
    sql = "UPDATE p SET price = 0 WHERE id IN (SELECT id FROM p ORDER BY random() LIMIT 10)"
    diff = place.preview(sql)
    assert diff.total == 10
    assert diff.tables[0].decided == ()


def test_promise_06_new_rows_with_keys_by_chance_are_approved_in_all_other_columns(
    place: Place,
) -> None:
    place.make(
        "CREATE TABLE p(id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n int, at timestamptz);"
        "CREATE TABLE src(n int); INSERT INTO src SELECT i FROM generate_series(1, 20) i"
    )
    sql = "INSERT INTO p(n, at) SELECT n, clock_timestamp() FROM src"
    diff = place.preview(sql)
    assert diff.tables[0].decided == ("id", "at")
    image = place.apply(sql, diff)
    assert image.diff.fingerprint(SHA) == diff.fingerprint(SHA)
    place.database.execute("UPDATE src SET n = n * 1000")
    assert place.apply(sql, diff).diff.fingerprint(SHA) != diff.fingerprint(SHA)


def test_a_function_that_switches_the_counting_of_rows_off_refuses_previews(place: Place) -> None:
    place.make(COUNTLESS)
    with pytest.raises(Refused) as caught:
        place.preview("UPDATE p SET n = n + 1")
    assert caught.value.refusal.rule == "preview.no_counts"
    assert place.database.execute("SELECT count(*) FROM o") == [(1,)]
