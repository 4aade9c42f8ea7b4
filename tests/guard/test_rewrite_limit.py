"""The cap on rows: the smaller limit wins, and order, offset and names stay as they were."""

from __future__ import annotations

import functools
import sqlite3

import duckdb
import pytest
from sqlglot import parse_one

from guard.decision import Allow, Terms
from guard.limitpolicy import Limits
from guard.rewrite import rewrite
from guard.rewriting.limit import limited
from guard.schematext import read_schema
from guard.statement import parse

CAP = 5
DIALECTS = ("sqlite", "duckdb")
both = pytest.mark.parametrize("dialect", DIALECTS)
SCHEMA = "CREATE TABLE t(a INTEGER, b INTEGER)"


@functools.cache
def database(dialect: str):
    connection = sqlite3.connect(":memory:") if dialect == "sqlite" else duckdb.connect()
    connection.execute(SCHEMA)
    for n in range(20):
        connection.execute(f"INSERT INTO t VALUES ({n}, {n % 3})")
    return connection


def rewritten(sql: str, dialect: str, cap: int = CAP) -> str:
    terms = Terms(limits=Limits(display_rows=cap), readable=(("t", ("a", "b")),))
    allow = Allow(rule="r", reason="r", terms=terms)
    return rewrite(parse(sql, dialect), allow, read_schema(SCHEMA, dialect=dialect)).sql


def compared(sql: str, dialect: str) -> tuple[list[object], list[object]]:
    """The first rows of the original, one more than the cap, and all of the rewritten text."""
    original = database(dialect).execute(sql).fetchall()
    return original[: CAP + 1], database(dialect).execute(rewritten(sql, dialect)).fetchall()


@both
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t ORDER BY a DESC",
        "SELECT a FROM t ORDER BY a LIMIT 3",
        "SELECT a FROM t ORDER BY a LIMIT 300",
        "SELECT a FROM t ORDER BY a LIMIT 0",
        "SELECT a FROM t ORDER BY a LIMIT 3 OFFSET 4",
        "SELECT a FROM t ORDER BY a LIMIT 300 OFFSET 17",
        "SELECT a FROM t ORDER BY a DESC LIMIT 1 + 2",
        "SELECT a FROM t ORDER BY a DESC LIMIT 10 * 10 OFFSET 2",
        "SELECT a FROM t ORDER BY a DESC LIMIT (SELECT max(b) FROM t)",
        "SELECT a, b FROM t ORDER BY b DESC, a LIMIT 2 + 2",
        "SELECT b FROM t UNION SELECT a FROM t ORDER BY 1 DESC",
        "SELECT b FROM t UNION ALL SELECT a FROM t ORDER BY 1 LIMIT 7",
        "SELECT b FROM t UNION ALL SELECT a FROM t ORDER BY 1 LIMIT 2 OFFSET 9",
        "SELECT a FROM t EXCEPT SELECT b FROM t ORDER BY a",
        "WITH c AS (SELECT a FROM t ORDER BY a LIMIT 9) SELECT a FROM c ORDER BY a DESC",
        "WITH c AS (SELECT a FROM t) SELECT a FROM c ORDER BY a DESC LIMIT 2 * 2",
        "SELECT a FROM (SELECT a FROM t ORDER BY a DESC LIMIT 4) q ORDER BY a",
        "SELECT count(*) FROM t",
        "SELECT DISTINCT b FROM t ORDER BY b",
        "SELECT a, a, b AS a FROM t ORDER BY 1 LIMIT 2 + 1",
    ],
)
def test_the_rows_are_the_first_of_the_original_in_its_order(dialect: str, sql: str) -> None:
    first, capped = compared(sql, dialect)
    assert capped == first


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t ORDER BY a OFFSET 16",
        "SELECT a FROM t ORDER BY a LIMIT ALL",
        "SELECT a FROM t ORDER BY a LIMIT NULL",
        "SELECT a FROM t ORDER BY a LIMIT 10%",
        "SELECT a FROM t ORDER BY a LIMIT 90%",
        "SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS ONLY",
        "SELECT a FROM t ORDER BY a FETCH FIRST 300 ROWS ONLY",
        "SELECT a FROM t ORDER BY a OFFSET 2 ROWS FETCH NEXT 300 ROWS ONLY",
        "(SELECT a FROM t ORDER BY a)",
        "((SELECT a FROM t ORDER BY a LIMIT 9))",
        "(SELECT a FROM t ORDER BY a LIMIT 9) ORDER BY a DESC LIMIT 2",
        "(SELECT a FROM t ORDER BY a LIMIT 2) UNION ALL (SELECT 50) ORDER BY 1",
        "FROM t ORDER BY a",
        "VALUES (1), (2), (3), (4), (5), (6), (7)",
        "VALUES (1), (2), (3) LIMIT 2",
    ],
)
def test_the_spellings_of_duckdb_keep_their_rows(sql: str) -> None:
    first, capped = compared(sql, "duckdb")
    assert capped == first


def test_in_sqlite_a_negative_limit_is_none() -> None:
    first, capped = compared("SELECT a FROM t ORDER BY a LIMIT -1", "sqlite")
    assert capped == first
    assert len(capped) == CAP + 1


@both
def test_no_more_than_one_row_above_the_cap_ever_comes(dialect: str) -> None:
    for sql in ("SELECT a FROM t", "SELECT a FROM t LIMIT 2 * 9", "SELECT a FROM t, (SELECT 1) q"):
        assert len(database(dialect).execute(rewritten(sql, dialect)).fetchall()) == CAP + 1


@both
def test_a_limit_that_is_smaller_is_kept_as_it_is(dialect: str) -> None:
    assert rewritten("SELECT a FROM t LIMIT 4", dialect).endswith(" LIMIT 4")
    assert rewritten("SELECT a FROM t LIMIT 6", dialect).endswith(" LIMIT 6")
    assert rewritten("SELECT a FROM t LIMIT 7", dialect).endswith(" LIMIT 6")
    assert rewritten("SELECT a FROM t", dialect).endswith(" LIMIT 6")


@both
def test_column_names_stay_where_nothing_is_wrapped(dialect: str) -> None:
    cursor = database(dialect).execute(rewritten("SELECT a, a, b AS a FROM t LIMIT 9", dialect))
    assert [column[0] for column in cursor.description] == ["a", "a", "a"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a FROM t", "SELECT a FROM t LIMIT 6"),
        ("SELECT a FROM t LIMIT ALL", "SELECT a FROM t LIMIT 6"),
        ("SELECT a FROM t FETCH FIRST 3 ROWS ONLY", "SELECT a FROM t LIMIT 3"),
        ("SELECT a FROM t FETCH FIRST ROW ONLY", "SELECT a FROM t LIMIT 1"),
        (
            "SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS WITH TIES",
            "SELECT * FROM (SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS WITH TIES) AS limited "
            "LIMIT 6",
        ),
        (
            "SELECT a FROM t LIMIT 2 + 2",
            "SELECT * FROM (SELECT a FROM t LIMIT 2 + 2) AS limited LIMIT 6",
        ),
    ],
)
def test_postgres_is_spelled_its_own_way(sql: str, expected: str) -> None:
    tree = limited(parse_one(sql, read="postgres"), CAP + 1, "postgres")
    assert tree.sql("postgres") == expected


def test_mysql_offsets_keep_their_place() -> None:
    tree = limited(parse_one("SELECT a FROM t LIMIT 4, 90", read="mysql"), CAP + 1, "mysql")
    assert tree.sql("mysql") == "SELECT a FROM t LIMIT 6 OFFSET 4"
