"""Which PostgreSQL changes are run only once: those whose second run cannot give other values."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from guard.engines.postgres_fixed import is_fixed
from guard.engines.postgres_tables import Connection, rows
from tests.servers import fresh_database

SCRIPT = """
CREATE TABLE plain(id int PRIMARY KEY, n int, s text, twice int GENERATED ALWAYS AS (n * 2) STORED,
  "Odd Name" int);
CREATE TABLE numbered(id serial PRIMARY KEY, at timestamptz DEFAULT now(), n int);
CREATE TABLE counted(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int);
CREATE TABLE watched(id int PRIMARY KEY, n int);
CREATE TABLE parts(id int, n int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE ruled(id int PRIMARY KEY, n int);
CREATE RULE told AS ON UPDATE TO ruled DO ALSO UPDATE plain SET n = 1 WHERE id = old.id;
CREATE TABLE secured(id int PRIMARY KEY, n int);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE TABLE child(id int PRIMARY KEY, up int DEFAULT 1 REFERENCES plain ON DELETE SET DEFAULT);
CREATE VIEW seen AS SELECT id, n FROM plain WHERE random() < 2;
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN new; END$$;
CREATE TRIGGER told BEFORE UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION told();
CREATE TRIGGER told BEFORE UPDATE ON parts_1 FOR EACH ROW EXECUTE FUNCTION told();
CREATE FUNCTION "Größe"(int) RETURNS int LANGUAGE sql AS 'SELECT (random() * $1)::int';
CREATE FUNCTION more(int, int) RETURNS int LANGUAGE sql AS 'SELECT (random() * $1)::int + $2';
CREATE OPERATOR +% (LEFTARG = int, RIGHTARG = int, FUNCTION = more);
"""


@pytest.fixture(scope="module")
def db() -> Iterator[Connection]:
    with fresh_database("postgres") as database:
        database.execute(SCRIPT)
        with psycopg.connect(database.url(), autocommit=True) as connection:
            yield connection


def _relations(db: Connection, *names: str) -> list[int]:
    return [rows(db, "SELECT $1::regclass::oid::int8", name)[0][0] for name in names]


@pytest.mark.parametrize(
    ("sql", "touched"),
    [
        ("UPDATE plain SET n = n + 1, s = upper(s) || 'x' WHERE id > 3", ["plain"]),
        ("UPDATE numbered SET n = abs(n)", ["numbered"]),
        ("DELETE FROM counted WHERE n = 3", ["counted"]),
        ('UPDATE plain SET "Odd Name" = 2', ["plain"]),
        ("INSERT INTO plain(id, n) VALUES (1, 2)", ["plain"]),
    ],
)
def test_a_change_that_calls_nothing_that_moves_is_run_once(
    db: Connection, sql: str, touched: list[str]
) -> None:
    assert is_fixed(db, sql, _relations(db, *touched))


@pytest.mark.parametrize(
    ("sql", "touched"),
    [
        ("UPDATE plain SET n = random() * 9", ["plain"]),
        ('UPDATE plain SET n = "random"() * 9', ["plain"]),
        ('UPDATE plain SET n = U&"r\\0061ndom"()', ["plain"]),
        ('UPDATE plain SET n = "Größe"(3)', ["plain"]),
        ("UPDATE plain SET n = n +% 1", ["plain"]),
        ("UPDATE numbered SET at = now()", ["numbered"]),
        ("UPDATE numbered SET at = 'now'", ["numbered"]),
        ("UPDATE numbered SET at = 'today'", ["numbered"]),
        ("UPDATE numbered SET at = CURRENT_TIMESTAMP", ["numbered"]),
        ("UPDATE numbered SET at = DEFAULT", ["numbered"]),
        ("INSERT INTO numbered(n) VALUES (1)", ["numbered"]),
        ("INSERT INTO counted(n) VALUES (1)", ["counted"]),
        ("UPDATE watched SET n = 1", ["watched"]),
        ("UPDATE parts SET n = 1", ["parts", "parts_1"]),
        ("UPDATE ruled SET n = 1", ["ruled", "plain"]),
        ("UPDATE secured SET n = 1", ["secured"]),
        ("UPDATE seen SET n = 1", ["plain"]),
        ("DELETE FROM plain WHERE id = 1", ["plain", "child"]),
        ("UPDATE plain SET n = c.n FROM counted c WHERE c.id > plain.id", ["plain"]),
        ("DELETE FROM plain USING counted c WHERE c.id = plain.id", ["plain"]),
        ("DELETE FROM plain WHERE id IN (SELECT id FROM counted LIMIT 3)", ["plain"]),
        ("WITH x AS (SELECT 1 AS n) UPDATE plain SET n = 1", ["plain"]),
        ("INSERT INTO plain(id) SELECT id FROM counted FETCH FIRST ROW ONLY", ["plain"]),
    ],
)
def test_a_change_that_may_move_is_run_twice(db: Connection, sql: str, touched: list[str]) -> None:
    assert not is_fixed(db, sql, _relations(db, *touched))


def test_rows_put_back_are_fixed_but_where_a_trigger_always_runs(db: Connection) -> None:
    assert is_fixed(db, None, _relations(db, "watched"))
    db.execute("ALTER TABLE watched ENABLE ALWAYS TRIGGER told")
    assert not is_fixed(db, None, _relations(db, "watched"))
    db.execute("ALTER TABLE watched ENABLE TRIGGER told")
