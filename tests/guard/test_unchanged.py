"""Whatever the guard allows as a read changes nothing, even when an all-powerful login runs it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import psycopg
import pymysql
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from guard.classify import classify
from guard.errors import Refused
from guard.schematext import read_schema
from guard.statement import parse
from tests.guard import readsgen, sqlgen
from tests.servers import fresh_database


@dataclass
class Powerful:
    """A database as somebody who may do anything: runs a text, and tells what it holds."""

    dialect: str
    run: Callable[[str], None]
    checksum: Callable[[], object]


SCHEMA = """
CREATE TABLE people(id INTEGER, name TEXT, email TEXT, city TEXT, age INTEGER, boss INTEGER,
  ssn TEXT);
CREATE TABLE sales(id INTEGER, person INTEGER, person_id INTEGER, amount INTEGER, note TEXT,
  city TEXT, status TEXT);
CREATE TABLE items(id INTEGER, sale_id INTEGER, sku TEXT, city TEXT, n INTEGER);
"""
ROWS = """
INSERT INTO people VALUES (1, 'a', 'a@x', 'Rome', 3, 2, 's'), (2, 'b', 'b@x', 'Oslo', 4, 1, 't');
INSERT INTO sales VALUES (1, 1, 1, 5, 'n', 'Rome', 'new'), (2, 2, 2, 6, 'm', 'Oslo', 'old');
INSERT INTO items VALUES (1, 1, 'k', 'Rome', 7);
"""
_CONTENT = ["SELECT * FROM people", "SELECT * FROM sales", "SELECT * FROM items"]


@contextmanager
def sqlite() -> Iterator[Powerful]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA + ROWS)

    def run(sql: str) -> None:
        try:
            connection.execute(sql).fetchmany(50)
        except sqlite3.Error:
            return

    yield Powerful("sqlite", run, lambda: "\n".join(connection.iterdump()))
    connection.close()


@contextmanager
def duck() -> Iterator[Powerful]:
    connection = duckdb.connect()
    connection.execute(SCHEMA + ROWS)

    def run(sql: str) -> None:
        try:
            connection.execute(sql).fetchmany(50)
        except duckdb.Error:
            return

    def checksum() -> object:
        listed = connection.execute(
            "SELECT database_name, table_name, sql FROM duckdb_tables() ORDER BY ALL"
        ).fetchall()
        return listed, [connection.execute(sql).fetchall() for sql in _CONTENT]

    yield Powerful("duckdb", run, checksum)
    connection.close()


@contextmanager
def postgres() -> Iterator[Powerful]:
    with fresh_database("postgres") as server:
        server.execute(SCHEMA + ROWS + "CREATE SEQUENCE counter")
        with psycopg.connect(server.url(), autocommit=True, prepare_threshold=None) as connection:
            connection.execute("SET statement_timeout = 5000")

            def run(sql: str) -> None:
                try:
                    connection.execute(sql)  # type: ignore[arg-type]
                except psycopg.Error:
                    return

            def checksum() -> object:
                counts = (
                    "SELECT count(*) FROM pg_class",
                    "SELECT count(*) FROM pg_largeobject_metadata",
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
                    "SELECT last_value, is_called FROM counter",
                    "SELECT count(*) FROM pg_prepared_statements",
                    "SELECT name, setting FROM pg_settings WHERE source = 'session' ORDER BY 1",
                )
                asked = (*counts, *_CONTENT)
                return [connection.execute(sql).fetchall() for sql in asked]  # type: ignore[call-overload]

            yield Powerful("postgres", run, checksum)


OWN = """
CREATE SEQUENCE counter;
CREATE FUNCTION bump(x INT) RETURNS INT MODIFIES SQL DATA
  BEGIN UPDATE people SET city = 'bumped'; RETURN x; END;
CREATE FUNCTION `left`(x INT, y INT) RETURNS INT MODIFIES SQL DATA
  BEGIN DELETE FROM items; RETURN x; END;
"""
PASSING = (
    "error_count identity insert_id last_insert_id rand_seed1 rand_seed2 timestamp warning_count "
    "in_transaction last_gtid"
)
"""Variables of a MariaDB session that change by themselves."""


@contextmanager
def maria() -> Iterator[Powerful]:
    with fresh_database("mysql") as server:
        server.execute(SCHEMA + ROWS + OWN)
        connection = server._pymysql()  # several statements in one text, as its owner
        cursor = connection.cursor()
        cursor.execute("SET max_statement_time = 5")

        def run(sql: str) -> None:
            try:
                cursor.execute(sql)
                while cursor.nextset():
                    pass
            except pymysql.err.MySQLError:
                return

        def asked(sql: str) -> object:
            cursor.execute(sql)
            return cursor.fetchall()

        def checksum() -> object:
            passing = ", ".join(f"'{name}'" for name in PASSING.split())
            return [
                asked(sql)
                for sql in (
                    "SHOW FULL TABLES",
                    "SELECT ROUTINE_NAME FROM information_schema.ROUTINES ORDER BY 1",
                    "SELECT next_not_cached_value FROM counter",
                    "SELECT IS_USED_LOCK('held'), @made, LAST_INSERT_ID()",
                    "SELECT User FROM mysql.global_priv ORDER BY 1",
                    "SELECT VARIABLE_NAME, VARIABLE_VALUE "
                    "FROM information_schema.SESSION_VARIABLES "
                    f"WHERE LOWER(VARIABLE_NAME) NOT IN ({passing}) ORDER BY 1",
                    *_CONTENT,
                )
            ]

        yield Powerful("mysql", run, checksum)
        connection.close()


ENGINES = {"sqlite": sqlite, "duckdb": duck, "postgres": postgres, "mysql": maria}
OF_MYSQL = (
    "get_lock('held', 0)",
    "(@made := 1)",
    "nextval(counter)",
    "(NEXT VALUE FOR counter)",
    "setval(counter, 9)",
    "last_insert_id(9)",
    "bump(1)",
    "`bump`(1)",
    "`left`(id, 1)",
    "(1 /*!50000 + bump(1) */)",
    "left(name, 1)",
    "interval(id, 1, 2)",
    "if (id > 0, city, name)",
)
AROUND_MYSQL = (
    "{q} INTO @made",
    "{q} LOCK IN SHARE MODE",
    "ANALYZE {q}",
    "ANALYZE FORMAT=JSON DELETE FROM people",
    "BEGIN NOT ATOMIC {q}; DELETE FROM people; END",
    "EXECUTE IMMEDIATE 'DELETE FROM people'",
    "{q} /*! ; DELETE FROM people */",
    "SELECT 1 /*M! INTO @made */",
    "SELECT {f} -- \n; DELETE FROM people",
    "SET @made = {f}",
    "DO {f}",
    "SELECT '\\'', {f}, '; DELETE FROM people; -- '",
    "TABLE people",
)
EFFECTS = (
    "(WITH gone AS (DELETE FROM people RETURNING id) SELECT count(*) FROM gone)",
    "(SELECT nextval('counter'))",
    "set_config('work_mem', '1MB', false)",
    "setval('counter', 9)",
    "lo_creat(-1)",
    "pg_advisory_lock(1)",
    "load_extension('x')",
    "randomblob(3)",
    "pg_notify('a', 'b')",
    "query_to_xml('DELETE FROM people', true, true, '')",
    "lower(name)",
    "abs(id)",
)
WRAPPERS = (
    "{q}",
    "SELECT * FROM ({q}) AS w",
    "WITH w AS ({q}) SELECT count(*) FROM w",
    "WITH d AS (DELETE FROM people RETURNING *) {q}",
    "EXPLAIN {q}",
    "EXPLAIN ANALYZE {q}",
    "CREATE TABLE made AS {q}",
    "INSERT INTO items SELECT 1, 1, 'x', 'y', 1 FROM ({q}) AS w",
    "{q}; DELETE FROM people",
    "{q} FOR UPDATE",
    "SELECT {f} FROM people",
    "SELECT id FROM people WHERE {f} IS NOT NULL",
    "SELECT id FROM people ORDER BY {f}",
    "SELECT count(*) FILTER (WHERE {f} IS NULL) FROM people",
    "SELECT * FROM people LIMIT {f}",
    "SELECT sum(id) OVER (ORDER BY {f}) FROM people",
    "SELECT CASE WHEN id > 0 THEN {f} END FROM people",
    "SELECT {f} FROM people INTO made",
    "VALUES ({f})",
)


@st.composite
def statements(draw: st.DrawFn, dialect: str) -> str:
    """Queries of two generators, some with an effect put somewhere into them."""
    own = dialect == "mysql"
    if draw(st.booleans()):
        alike = {"postgres": "duckdb", "mysql": "sqlite"}
        made = draw(sqlgen.queries(alike.get(dialect, dialect)))
    else:
        made = readsgen.Writer(random.Random(draw(st.integers(0, 1 << 30)))).query()
    wrapper = draw(st.sampled_from(WRAPPERS + AROUND_MYSQL if own else WRAPPERS))
    return wrapper.format(q=made, f=draw(st.sampled_from(EFFECTS + OF_MYSQL if own else EFFECTS)))


def allowed(sql: str, dialect: str, *, catalog: bool) -> bool:
    """True when the guard takes the text for a read."""
    try:
        statement = parse(sql, dialect)
        known = read_schema(SCHEMA, dialect=dialect) if catalog else None
        access = classify(statement, known)
    except Refused:
        return False
    return access.tier == "read" and not access.problems


@pytest.mark.parametrize("engine", ENGINES)
def test_allowed_implies_unchanged_under_an_all_powerful_login(engine: str) -> None:
    ran = 0
    with ENGINES[engine]() as database:
        before = database.checksum()

        @settings(
            max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None
        )
        @given(st.data())
        def check(data: st.DataObject) -> None:
            nonlocal ran
            sql = data.draw(statements(database.dialect))
            if not allowed(sql, database.dialect, catalog=data.draw(st.booleans())):
                event("refused")
                return
            ran += 1
            database.run(sql)
            assert database.checksum() == before, sql

        check()
    assert ran > 60


@pytest.mark.parametrize("engine", ENGINES)
def test_the_generator_makes_statements_that_would_change_something(engine: str) -> None:
    """Run without the guard, some of what it makes has an effect: the test above could fail."""
    with ENGINES[engine]() as database:
        before = database.checksum()
        for sql in (
            "CREATE TABLE made AS SELECT 1 AS one",
            "DELETE FROM people",
            "WITH d AS (DELETE FROM people RETURNING *) SELECT * FROM d",
        ):
            assert not allowed(sql, database.dialect, catalog=True)
            database.run(sql)
        assert database.checksum() != before
