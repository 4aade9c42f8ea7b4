"""Respelled text means to the engine what the original meant."""

from __future__ import annotations

import sqlite3

import pytest

from guard.errors import Refused
from guard.spelling import BUILT_IN_OPERATORS
from guard.statement import parse
from tests.servers import ServerDatabase


def respelled(sql: str, dialect: str) -> str:
    """The parsed statement as text again."""
    return parse(sql, dialect).tree.sql(dialect)


@pytest.mark.parametrize(
    ("sql", "meant"),
    [
        ("SELECT a ~= b", "SELECT a OPERATOR(~=) b"),
        ("SELECT a <<| b, c |>> d", "SELECT a OPERATOR(<<|) b, c OPERATOR(|>>) d"),
        ("SELECT a ?- b", "SELECT a OPERATOR(?-) b"),
        ("SELECT a=-1, b*-c, d>=-2", "SELECT a = -1, b * -c, d >= -2"),
        ("SELECT a<>-1", "SELECT a <> -1"),
        ("SELECT a->>'b'", "SELECT a ->> 'b'"),
        ("SELECT box '(0,0)'", "SELECT CAST('(0,0)' AS BOX)"),
        ("SELECT path FROM t WHERE box < line", "SELECT path FROM t WHERE box < line"),
        ("SELECT json '{}', path '(0,0)'", "SELECT CAST('{}' AS JSON), CAST('(0,0)' AS PATH)"),
        (
            "SELECT path '(0,0)' FROM a, json_table(d, '$' COLUMNS (x text PATH '$.x')) AS t",
            "SELECT CAST('(0,0)' AS PATH) FROM a, "
            "JSON_TABLE(d, '$' COLUMNS(x TEXT PATH '$.x')) AS t",
        ),
        (
            "SELECT 1 FROM xmltable('/r' PASSING d COLUMNS x int PATH '@x'), f(path '(0,0)')",
            "SELECT 1 FROM XMLTABLE('/r' PASSING d COLUMNS x INT PATH '@x'), "
            "F(CAST('(0,0)' AS PATH))",
        ),
        ("SELECT '@@@' || a /* <^ */", "SELECT '@@@' || a /* <^ */"),
        ("SELECT make_date(year => 1)", "SELECT MAKE_DATE(year => 1)"),
        ("SELECT collation for (a || 'x')", "SELECT PG_COLLATION_FOR(a || 'x')"),
        ("SELECT a AS collation, b", "SELECT a AS collation, b"),
        (
            "SELECT substring(a SIMILAR lower('x') ESCAPE '#') WHERE b SIMILAR TO 'c' ESCAPE 'd'",
            "SELECT SUBSTRING(a FROM LOWER('x') FOR '#') WHERE b SIMILAR TO 'c' ESCAPE 'd'",
        ),
        (
            "SELECT a FROM t ORDER BY a USING >, b USING < NULLS FIRST",
            "SELECT a FROM t ORDER BY a DESC, b ASC NULLS FIRST",
        ),
    ],
)
def test_postgresql_operators_and_constants(sql: str, meant: str) -> None:
    assert respelled(sql, "postgres").upper() == meant.upper()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a === b",
        "SELECT a +!- b",
        "SELECT a ||- b",
        "SELECT a <@- b",
        "SELECT |@| a",
        "SELECT a ! b",
        "SELECT !a",
        "SELECT 1 OPERATOR(public.===) 2",
        "SELECT @-@ a",
    ],
)
def test_an_operator_postgresql_does_not_have_is_refused(sql: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(sql, "postgres")
    assert caught.value.refusal.rule == "statement.operator"


@pytest.mark.parametrize("operator", sorted(BUILT_IN_OPERATORS - {"?", "=>", "|/", "||/"}))
def test_every_built_in_operator_can_be_read(operator: str) -> None:
    assert parse(f"SELECT a {operator} b", "postgres").tree


@pytest.mark.parametrize(
    ("sql", "meant"),
    [
        ("SELECT \\N", "SELECT NULL"),
        ("VALUES (1, 'a'), (2, (SELECT 3))", "SELECT 1, 'a' UNION ALL SELECT 2, (SELECT 3)"),
        ("VALUES ROW(1, 2), ROW(3, 4)", "SELECT 1, 2 UNION ALL SELECT 3, 4"),
        ("VALUES (1) ORDER BY 1 LIMIT 2", "SELECT 1 ORDER BY 1 LIMIT 2"),
        ("SELECT MATCH a, b AGAINST ('x') FROM t", "SELECT MATCH(a, b) AGAINST('x') FROM t"),
        ("SELECT '\\\\N'", "SELECT '\\\\N'"),
    ],
)
def test_mysql_spellings(sql: str, meant: str) -> None:
    assert respelled(sql, "mysql") == meant


@pytest.mark.parametrize(
    ("sql", "meant"),
    [
        ("SELECT 1 WHERE 2 IN t", "SELECT 1 WHERE 2 IN (SELECT * FROM t)"),
        ("SELECT 2 NOT IN main.t", "SELECT NOT 2 IN (SELECT * FROM main.t)"),
        ('SELECT 2 IN "a t" OR 1', 'SELECT 2 IN (SELECT * FROM "a t") OR 1'),
        ("SELECT 2 IN (1, 2)", "SELECT 2 IN (1, 2)"),
    ],
)
def test_sqlite_in_a_table(sql: str, meant: str) -> None:
    assert respelled(sql, "sqlite") == meant


@pytest.mark.parametrize("sql", ["SELECT 2 IN t", "SELECT 3 NOT IN main.t", "SELECT 2 IN t AND 1"])
def test_sqlite_answers_both_spellings_alike(sql: str) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (a)")
    database.execute("INSERT INTO t VALUES (1), (2)")
    meant = respelled(sql, "sqlite")
    assert database.execute(meant).fetchall() == database.execute(sql).fetchall()


@pytest.mark.parametrize("sql", ["SELECT interval(3) '1.23456 s'", "SELECT a, INTERVAL ( 0 ) '1'"])
def test_an_interval_the_parser_would_read_as_two_is_refused(sql: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(sql, "postgres")
    assert caught.value.refusal.rule == "statement.interval"


@pytest.mark.parametrize("operator", ["<=", "~<~", "<-"])
def test_an_order_by_another_operator_is_refused(operator: str) -> None:
    with pytest.raises(Refused):
        parse(f"SELECT a FROM t ORDER BY a USING {operator}", "postgres")


@pytest.mark.parametrize(
    ("sql", "meant"),
    [
        ("SELECT INTERVAL(23, 1, 15, 17)", "SELECT INTERVAL(23, 1, 15, 17)"),
        ("SELECT interval (id, abs(1))", "SELECT INTERVAL(id, ABS(1))"),
        ("SELECT NOW() + INTERVAL (1 + 1) DAY", "SELECT NOW() + INTERVAL (1 + 1) DAY"),
        ("SELECT d + INTERVAL(coalesce(a, b)) DAY", "SELECT d + INTERVAL (COALESCE(a, b)) DAY"),
    ],
)
def test_mysql_interval_compares_numbers_where_it_has_several(sql: str, meant: str) -> None:
    assert respelled(sql, "mysql") == meant


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT substring('abcdefg' SIMILAR 'a#\"%#\"g' ESCAPE '#')",
        "SELECT collation for ('a' COLLATE \"C\")",
        "SELECT v FROM (VALUES (2), (NULL), (1)) AS t(v) ORDER BY v USING >",
        "SELECT v FROM (VALUES (2), (NULL), (1)) AS t(v) ORDER BY v USING <",
        "SELECT log10(2.5::float8), log10(100), log10 FROM (VALUES (1)) AS t(log10)",
        "SELECT x, y, json '[1]' ->> 0 FROM json_table(jsonb '{\"k\": [{\"x\": 1}, {}]}', '$.k[*]' "
        "COLUMNS (x int PATH '$.x', NESTED PATH '$' COLUMNS (y text PATH '$.x'))) AS t",
    ],
)
def test_postgresql_gives_the_same_for_both_spellings(sql: str, postgres: ServerDatabase) -> None:
    assert postgres.execute(respelled(sql, "postgres")) == postgres.execute(sql)


def test_mariadb_gives_the_same_for_both_spellings(mariadb: ServerDatabase) -> None:
    sql = "SELECT interval (23, 1, 15, 17, 30), DATE '2026-01-01' + INTERVAL(1 + 1) DAY"
    found = mariadb.execute(sql)
    assert found[0][0] == 3
    assert mariadb.execute(respelled(sql, "mysql")) == found
