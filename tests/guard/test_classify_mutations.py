"""An allowed query with an effect put in, at any place, is not allowed."""

from __future__ import annotations

import pytest
from sqlglot.dialects.dialect import Dialect

from guard.classify import classify
from guard.classifylines import judge
from guard.errors import Refused
from guard.statement import parse

QUERIES = (
    "SELECT a, b AS c FROM t WHERE a = 1 AND b IN ('x', 'y') ORDER BY a DESC LIMIT 5",
    "SELECT t.a, count(*) FROM t JOIN u ON t.a = u.a GROUP BY t.a HAVING count(*) > 2",
    "WITH q AS (SELECT a FROM t WHERE b > 3) SELECT max(a) FROM q WHERE a < 9",
    "SELECT a FROM (SELECT a, 1 AS n FROM t) AS s WHERE EXISTS (SELECT 1 FROM u WHERE u.a = s.a)",
    "SELECT 1 AS n UNION ALL SELECT a FROM t",
    "SELECT CASE WHEN a = 1 THEN 'x' ELSE b END, sum(a) OVER (PARTITION BY b ORDER BY a) FROM t",
)
DIALECTS = ("sqlite", "duckdb", "postgres", "mysql")
INSERTED = {
    "sqlite": ("; DROP TABLE t", "; DELETE FROM t;", "bump()", "load_extension('x')"),
    "duckdb": ("; DROP TABLE t", "INTO 'f'", "bump()", "read_csv('f')"),
    "postgres": ("; DROP TABLE t", "INTO x", "FOR UPDATE", "bump()", "nextval('s')"),
    "mysql": (
        "; DROP TABLE t",
        "INTO OUTFILE 'f'",
        "INTO @v",
        "FOR UPDATE",
        "LOCK IN SHARE MODE",
        "bump()",
        "load_file('f')",
        "/*!50000 INTO OUTFILE 'f' */",
        "/*M! FOR UPDATE */",
    ),
}
REPLACED = {
    "sqlite": ("bump()", '"bump"(1)', "(SELECT load_extension('x'))", "writefile('f', 'x')"),
    "duckdb": ("nextval('s')", "(FROM read_text('f'))", "getvariable('x')", "a.bump()"),
    "postgres": ("nextval('s')", "public.lower('a')", "(SELECT pg_sleep(1))", "1 OPERATOR(x.+) 1"),
    "mysql": ("sleep(1)", "`bump`()", "get_lock('a', 1)", "(SELECT load_file('f'))", "@v := 1"),
}

CHANGES = ("DELETE FROM t", "UPDATE t SET a = 1", "INSERT INTO t VALUES (1)")
PLACES = (
    "WITH q AS ({} RETURNING a) SELECT a FROM q",
    "SELECT * FROM ({} RETURNING a) q",
    "SELECT 1 WHERE a IN ({} RETURNING a)",
    "SELECT ({} RETURNING a)",
    "EXPLAIN {}",
)


def allowed(sql: str, dialect: str) -> bool:
    """True when the statement counts as a read by its effect."""
    try:
        return judge(classify(parse(sql, dialect), None)) == "allow_read"
    except Refused:
        return False


def tokens(sql: str, dialect: str) -> list[tuple[int, int, bool]]:
    """Where each token starts and ends, and whether it is a constant."""
    found = Dialect.get_or_raise(dialect).tokenize(sql)
    return [(t.start, t.end + 1, t.token_type.name in ("NUMBER", "STRING")) for t in found]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sql", QUERIES)
def test_the_queries_are_allowed_as_they_stand(sql: str, dialect: str) -> None:
    assert allowed(sql, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sql", QUERIES)
def test_promise_05_an_effect_put_in_anywhere_is_not_allowed(sql: str, dialect: str) -> None:
    passed = [
        changed
        for effect in INSERTED[dialect]
        for start, _, _ in (*tokens(sql, dialect), (len(sql), 0, False))
        if allowed(changed := f"{sql[:start]} {effect} {sql[start:]}", dialect)
    ]
    assert passed == []


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sql", QUERIES)
def test_promise_05_an_effect_in_place_of_a_constant_is_not_allowed(sql: str, dialect: str) -> None:
    changed = [
        f"{sql[:start]}{effect}{sql[end:]}"
        for effect in REPLACED[dialect]
        for start, end, constant in tokens(sql, dialect)
        if constant
    ]
    assert len(changed) >= len(REPLACED[dialect])
    assert [text for text in changed if allowed(text, dialect)] == []


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("change", CHANGES)
def test_promise_05_a_change_in_a_query_is_not_allowed(
    place: str, change: str, dialect: str
) -> None:
    assert not allowed(place.format(change), dialect)


@pytest.mark.parametrize("sql", QUERIES[:4])
def test_promise_05_a_file_in_place_of_a_table_is_not_allowed(sql: str) -> None:
    for file in ("'f.csv'", '"f.parquet"', "read_text('f')", '"https://x/y"'):
        changed = [sql.replace(f" {table} ", f" {file} ", 1) for table in ("t", "u")]
        assert [c for c in changed if c != sql and allowed(c, "duckdb")] == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_case_blanks_and_comments_hide_nothing(dialect: str) -> None:
    for text in ("DROP TABLE t", "dRoP tAbLe t", "DROP\tTABLE\nt", "/* SELECT */ DROP TABLE t"):
        assert not allowed(text, dialect)
        assert not allowed(f"SELECT 1;{text}", dialect)
    assert not allowed("-- SELECT 1\nDROP TABLE t", dialect)
    assert not allowed("SELECT 1 /* ; */ ; /* */ DROP TABLE t", dialect)
