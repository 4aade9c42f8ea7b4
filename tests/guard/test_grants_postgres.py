"""The printed statements make logins that can do what the policy says and nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from guard.address import server_address
from guard.catalog import Catalog
from guard.connect import login_names
from guard.engines.base import Cancel, Captured, Change, ChangeCaps
from guard.engines.postgres import PostgresEngine, PostgresReader
from guard.engines.postgres_changes import PostgresChanges
from guard.engines.postgres_large import LARGE
from guard.engines.postgres_largeimage import is_copied
from guard.engines.postgres_session import Login
from guard.engines.surveying import open_server_survey
from guard.errors import ConfigurationError, Refused
from guard.grants import ServerFacts, readable, writable
from guard.identity import Identity
from guard.logins import login_statements
from guard.policyfile import Policy, parse_policy
from tests.guard.engines.postgres_shop import CANARY, SHOP, rows
from tests.servers import ServerDatabase, fresh_database

POLICY = """
version = 1
[sources.{name}]
engine = "postgres"
environment = "production"
database_secret = "READ"
write_secret = "WRITE"
writes = true
schemas = ["public", "Odd ""Schema"]
[sources.{name}.identity]
roles = {{ romans = "{name}_romans", all = "{name}_all" }}
variables = {{ "app.user" = "name" }}
[roles.romans]
members = ["ana"]
[roles.romans.sources.{name}]
tables = ["people", "visits"]
hide = ["people.ssn"]
[roles.romans.sources.{name}.row_filters]
people = "city = 'Rome'"
visits = "person IN (SELECT id FROM people WHERE city = 'Rome')"
[roles.all]
members = ["@reviewer"]
[roles.all.sources.{name}]
tables = ["people", "visits", 'Odd "Schema.Things']
hide = ["people.ssn"]
propose = ["visits"]
""".replace('"Odd ""Schema"', "'Odd \"Schema'")
EXTRA = """
CREATE SCHEMA "Odd ""Schema";
CREATE TABLE "Odd ""Schema"."Things" (id serial PRIMARY KEY, "What is it" text);
CREATE TABLE tickets (id serial PRIMARY KEY, visit int);
"""


class Made:
    """A database whose logins were made by the printed statements, run as they are."""

    def __init__(self, server: ServerDatabase) -> None:
        self.server = server
        server.execute(SHOP + EXTRA)
        self.name = server.name
        self.policy: Policy = parse_policy(POLICY.format(name=self.name).encode(), Path("p.toml"))
        self.reader, self.writer = login_names(self.name)
        owner = server_address(server.url(), "postgres")
        reach = self.policy.reach_of(self.name)
        with closing(
            open_server_survey("postgres", owner, source=self.name, reach=reach)
        ) as survey:
            self.catalog: Catalog = survey.reflect()
            self.sql = login_statements(self.policy, self.name, self.catalog, survey.facts())
        server.execute(self.sql)

    def opened(self) -> PostgresReader:
        address = server_address(self.server.url(self.reader), "postgres")
        return PostgresEngine(address, source="shop", reach=self.policy.reach_of(self.name))

    def refusal(self, user: str, sql: str) -> str | None:
        """How the server refuses a login's statement, None when it ran."""
        with psycopg.connect(self.server.url(user)) as connection:
            try:
                connection.execute(sql)  # type: ignore[arg-type]
            except psycopg.Error as error:
                return error.sqlstate
            finally:
                connection.rollback()
        return None


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    with fresh_database("postgres") as server:
        made = Made(server)
        try:
            yield made
        finally:
            names = f"{made.reader}, {made.writer}, {made.name}_romans, {made.name}_all"
            server.execute(
                f"REVOKE SET ON PARAMETER session_replication_role FROM {made.writer}; "
                f"DROP OWNED BY {names} CASCADE; DROP ROLE {names}"
            )


def test_every_probe_passes_with_the_login_made_by_the_statements(made: Made) -> None:
    with closing(made.opened()) as adapter:
        probes = adapter.probe()
    assert [p for p in probes if not p.passed] == []
    assert len(probes) > 25


def test_row_filters_hold_in_the_database_with_the_guard_bypassed(made: Made) -> None:
    everybody = "SELECT name FROM public.people ORDER BY id"
    with closing(made.opened()) as adapter:
        romans = Identity(role=f"{made.name}_romans", variables=(("app.user", "ana"),))
        assert rows(adapter, everybody, identity=romans) == [("Ann",), ("Cid",)]
        count = "SELECT count(*) FROM public.visits"
        assert rows(adapter, count, identity=romans) == [(20,)]
        other = Identity(role=f"{made.name}_all")
        assert len(rows(adapter, everybody, identity=other)) == 3
        assert rows(adapter, count, identity=other) == [(30,)]


def test_row_security_takes_nothing_from_anybody_else(made: Made) -> None:
    made.server.execute(
        f"CREATE ROLE {made.name}_app LOGIN; GRANT ALL ON people TO {made.name}_app"
    )
    try:
        with psycopg.connect(made.server.url(f"{made.name}_app")) as connection:
            assert connection.execute("SELECT count(*) FROM people").fetchone() == (3,)
            assert connection.execute("UPDATE people SET city = city").rowcount == 3
            connection.rollback()
    finally:
        made.server.execute(f"DROP OWNED BY {made.name}_app; DROP ROLE {made.name}_app")


def test_the_catalog_of_the_read_login_is_what_the_policy_lists(made: Made) -> None:
    with closing(made.opened()) as adapter:
        catalog = adapter.reflect()
    found = {t.name: [c.name for c in t.columns] for t in catalog.tables}
    assert found == {
        "people": ["id", "name", "city"],
        "visits": ["id", "person", "day"],
        'Odd "Schema.Things': ["id", "What is it"],
    }


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM people",
        "SELECT ssn FROM people",
        "SELECT * FROM secrets",
        "INSERT INTO visits VALUES (77, 1, '2026-01-01')",
        "CREATE TABLE made (x int)",
        "CREATE TEMP TABLE made (x int)",
        "SELECT set_config('role', 'none', false)",
        "SELECT lo_create(0)",
        "SELECT pg_notify('a', 'b')",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_logical_emit_message(false, 'a', 'b')",
        "SELECT nextval('counter')",
    ],
)
def test_the_read_login_may_do_nothing_by_itself(made: Made, sql: str) -> None:
    """Its session is read-only by default; its rights alone must hold too."""
    state = made.refusal(
        made.reader, f"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; {sql}"
    )
    assert state in ("42501", "25006")
    with psycopg.connect(made.server.url(made.reader)) as connection:
        connection.execute("SET TRANSACTION READ WRITE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql)  # type: ignore[arg-type]


def test_the_write_login_changes_the_proposed_tables_and_no_other(made: Made) -> None:
    assert made.refusal(made.writer, "UPDATE visits SET day = day WHERE id = 1") is None
    assert made.refusal(made.writer, "DELETE FROM visits WHERE id = 1") is None
    for sql in (
        "UPDATE people SET name = 'x'",
        "SELECT * FROM secrets",
        "DROP TABLE visits",
        "CREATE TABLE made (x int)",
        "TRUNCATE visits",
    ):
        assert made.refusal(made.writer, sql) == "42501", sql
    # The server answers with a warning where a login has rights that it may not hand on.
    with psycopg.connect(made.server.url(made.writer)) as connection:
        connection.execute("GRANT SELECT ON visits TO PUBLIC")
        everybody = "SELECT has_table_privilege('public', 'visits', 'SELECT')"
        assert connection.execute(everybody).fetchone() == (False,)


TRIGGERS = """
CREATE TABLE stamped (id serial PRIMARY KEY, line text);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN
  INSERT INTO stamped(line) VALUES (new.id); new.day = new.day + 1; RETURN new; END$$;
CREATE TRIGGER stamp BEFORE UPDATE ON visits FOR EACH ROW EXECUTE FUNCTION stamp();
"""


@pytest.mark.parametrize("most", [LARGE, 0])
def test_the_write_login_takes_changes_back_that_fired_triggers(made: Made, most: int) -> None:
    engine = PostgresChanges(Login(url=made.server.url(made.writer)), "s", large=most)
    caps = ChangeCaps(max_rows=100, shown_rows=10, timeout_ms=20_000, lock_timeout_ms=500)
    change = Change(source="s", sql="UPDATE visits SET day = '2026-02-01' WHERE id < 3")
    made.server.execute(TRIGGERS)
    try:
        with pytest.raises(Refused) as caught:
            engine.preview(change, caps, Cancel())
        assert caught.value.refusal.rule == "preview.unreadable"
        made.server.execute(f"GRANT SELECT ON stamped TO {made.writer}")
        diff = engine.preview(change, caps, Cancel())
        assert [(t.table, t.total) for t in diff.tables] == [("stamped", 2), ("visits", 2)]
        assert diff.undo_notes == (
            "Undo will not remove 2 rows in stamped: the write login may not change that table.",
        )
        made.server.execute(f"GRANT DELETE ON stamped TO {made.writer}")
        for sql in (
            change.sql,
            "DELETE FROM visits WHERE id < 3",
            "UPDATE visits SET person = 2 WHERE id < 3",
        ):
            diff = engine.preview(replace(change, sql=sql), caps, Cancel())
            assert (diff.undo, diff.undo_verified, diff.undo_notes) == ("exact", True, ()), sql
    finally:
        made.server.execute(
            "DROP TRIGGER stamp ON visits; DROP FUNCTION stamp(); DROP TABLE stamped"
        )


def test_the_write_login_may_keep_very_many_rows_in_temporary_tables(made: Made) -> None:
    engine = PostgresChanges(Login(url=made.server.url(made.writer)), "s", large=0)
    caps = ChangeCaps(max_rows=100, shown_rows=10, timeout_ms=20_000, lock_timeout_ms=500)
    change = Change(source="s", sql="UPDATE visits SET day = '2026-02-02' WHERE id < 3")
    done = engine.apply(change, caps, lambda _: None, Cancel())
    assert is_copied(done.undo_image)
    engine.apply(replace(change, sql=None, undo_image=done.undo_image), caps, _agree, Cancel())


def _agree(_: Captured) -> None:
    """Says yes to whatever was captured."""


def test_an_older_server_is_told_what_cannot_be_granted(made: Made) -> None:
    facts = ServerFacts(database=made.name, version=14)
    sql = login_statements(made.policy, made.name, made.catalog, facts)
    assert "ON PARAMETER" not in sql
    assert "Before PostgreSQL 15" in sql


def test_the_statements_hold_no_password_and_no_value(made: Made) -> None:
    assert "PASSWORD" not in made.sql
    assert CANARY not in made.sql
    assert made.sql.count("BEGIN;") == made.sql.count("COMMIT;") == 1


def test_hidden_columns_are_left_out_and_columns_of_filters_put_in(made: Made) -> None:
    text = (
        POLICY.format(name="s")
        .replace('hide = ["people.ssn"]', 'hide = ["people.ssn", "people.city"]')
        .replace('tables = ["people", "visits"]', 'tables = ["visits"]')
    )
    policy = parse_policy(text.encode(), Path("p.toml"))
    found = {r.table.name: r for r in readable(policy, "s", made.catalog, frozenset({"romans"}))}
    assert found["people"].columns == ("id", "city")
    assert not found["people"].whole
    assert [t.name for t in writable(policy, "s", made.catalog)] == ["visits"]


def test_without_roles_of_the_database_it_is_said_that_the_guard_alone_holds_the_rows(
    made: Made,
) -> None:
    text = POLICY.format(name=made.name)
    start, end = text.index("roles = {"), text.index("variables =")
    policy = parse_policy((text[:start] + text[end:]).encode(), Path("p.toml"))
    owner = server_address(made.server.url(), "postgres")
    reach = policy.reach_of(made.name)
    with closing(open_server_survey("postgres", owner, source=made.name, reach=reach)) as survey:
        sql = login_statements(policy, made.name, made.catalog, survey.facts())
    assert "the guard alone holds the row filters" in sql
    assert "CREATE POLICY" not in sql


def test_a_file_has_no_logins() -> None:
    with pytest.raises(ConfigurationError):
        server_address("sqlite:///x", "postgres")
