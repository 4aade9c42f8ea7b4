"""Changes of the schema: which may be proposed, by whom, and what stays refused."""

from __future__ import annotations

import pytest

from guard.catalog import Catalog, Column, Table
from guard.classify import classify
from guard.statement import parse

CATALOG = Catalog(
    source="s",
    dialect="postgres",
    tables=(
        Table(name="t", columns=(Column(name="id", type="int"), Column(name="a", type="text"))),
        Table(name="u", columns=(Column(name="k", type="int"),)),
        Table(name="v", columns=(Column(name="k", type="int"),), kind="view"),
    ),
)

KNOWN = [
    ("CREATE TABLE n(id int PRIMARY KEY, v text DEFAULT 'x' NOT NULL, CHECK (id > 0))", ("n",)),
    ("CREATE TABLE n(id int, t_id int REFERENCES t(id), UNIQUE (id, t_id))", ("t", "n")),
    ("CREATE TABLE n(at timestamp DEFAULT CURRENT_TIMESTAMP, p numeric(10, 2))", ("n",)),
    ("ALTER TABLE t ADD COLUMN z int DEFAULT 0", ("t",)),
    ("ALTER TABLE t DROP COLUMN a", ("t",)),
    ("ALTER TABLE t RENAME COLUMN a TO b", ("t",)),
    ("ALTER TABLE t ALTER COLUMN a TYPE int", ("t",)),
    ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", ("t",)),
    ("ALTER TABLE t ADD CONSTRAINT x UNIQUE (a)", ("t",)),
    ("ALTER TABLE t ADD CONSTRAINT x CHECK (id > 0)", ("t",)),
    ("ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (id) REFERENCES u (k)", ("t", "u")),
    ("ALTER TABLE t DROP CONSTRAINT x", ("t",)),
    ("CREATE UNIQUE INDEX i ON t(a DESC, id)", ("t",)),
    ("DROP TABLE t", ("t",)),
    ("DROP TABLE t, u", ("t", "u")),
    ("TRUNCATE t", ("t",)),
]
REFUSED = [
    ("CREATE INDEX CONCURRENTLY i ON t(a)", "ddl.not_previewable"),
    ("DROP TABLE t CASCADE", "ddl.not_known"),
    ("TRUNCATE t CASCADE", "ddl.not_known"),
    ("TRUNCATE t RESTART IDENTITY", "ddl.not_known"),
    ("CREATE TABLE n AS SELECT * FROM t", "ddl.not_known"),
    ("CREATE TABLE n (LIKE t)", "ddl.not_known"),
    ("CREATE TEMP TABLE n(a int)", "ddl.not_known"),
    ("CREATE OR REPLACE TABLE n(a int)", "ddl.not_known"),
    ("CREATE TABLE IF NOT EXISTS n(a int)", "ddl.not_known"),
    ("CREATE TABLE n(a int DEFAULT pg_sleep(9))", "ddl.not_known"),
    ("CREATE TABLE n(a text DEFAULT (SELECT a FROM t))", "ddl.not_known"),
    ("CREATE TABLE n(a int, CHECK (lower('x') = 'x'))", "ddl.not_known"),
    ("CREATE TABLE other.n(a int)", "ddl.not_known"),
    ("CREATE VIEW w AS SELECT 1", "ddl.not_known"),
    ("CREATE INDEX i ON t(lower(a))", "ddl.not_known"),
    ("CREATE INDEX i ON t(a) WHERE id > 0", "ddl.not_known"),
    ("ALTER TABLE t RENAME TO w", "ddl.not_known"),
    ("ALTER TABLE t ALTER COLUMN a TYPE int USING length(a)", "ddl.not_known"),
    ("ALTER TABLE missing ADD COLUMN z int", "ddl.not_allowed"),
    ("DROP TABLE v", "ddl.not_allowed"),
    ("DROP VIEW v", "ddl.not_known"),
    ("DROP SCHEMA public", "ddl.not_known"),
    ("COMMENT ON TABLE t IS 'x'", "ddl.not_known"),
]


@pytest.mark.parametrize(("sql", "writes"), KNOWN)
def test_a_known_change_of_the_schema_says_which_tables_it_touches(
    sql: str, writes: tuple[str, ...]
) -> None:
    access = classify(parse(sql, "postgres"), CATALOG)
    assert access.tier == "ddl"
    assert access.problems == ()
    assert access.schema is not None
    assert sorted(access.writes) == sorted(writes)


@pytest.mark.parametrize(("sql", "rule"), REFUSED)
def test_anything_else_is_a_problem(sql: str, rule: str) -> None:
    access = classify(parse(sql, "postgres"), CATALOG)
    assert access.schema is None
    assert [p.rule for p in access.problems] == [rule]


def test_a_dropped_index_may_be_of_any_table() -> None:
    access = classify(parse("DROP INDEX i", "postgres"), CATALOG)
    assert access.schema is not None
    assert access.schema.any_table
    assert access.writes == ()
