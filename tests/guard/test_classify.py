"""Effects are found wherever they stand, and what is not known is a problem."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from guard import nodes
from guard.catalog import Catalog, Column, Table
from guard.classify import classify
from guard.errors import Refused
from guard.lexical import DIALECTS
from guard.statement import parse
from tests.guard.test_statement import PIECES


def judged(sql: str, dialect: str = "postgres"):
    """What a statement does, told from its text."""
    return classify(parse(sql, dialect), None)


READS = [
    ("sqlite", "SELECT a FROM t WHERE b = 1 ORDER BY c LIMIT 3"),
    ("sqlite", "VALUES (1, 'a'), (2, 'b')"),
    ("sqlite", "SELECT 'DROP TABLE t; --' AS \"delete\""),
    ("sqlite", "WITH deleted AS (SELECT 1) SELECT * FROM deleted"),
    ("duckdb", "FROM t SELECT a WHERE b"),
    ("duckdb", "PIVOT t ON a USING sum(b)"),
    ("duckdb", "SELECT * EXCLUDE (a) REPLACE (b + 1 AS b) FROM t QUALIFY row_number() OVER () = 1"),
    ("duckdb", "SELECT list_transform(l, x -> x + 1), [y FOR y IN l IF y > 1] FROM t"),
    ("postgres", "TABLE t"),
    ("postgres", "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1"),
    ("postgres", "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t"),
    ("postgres", "SELECT a ~= b, c <<| d, box '((0,0),(1,1))' FROM t"),
    ("mysql", "SELECT STRAIGHT_JOIN a FROM t USE INDEX (i) WHERE MATCH (b) AGAINST ('c')"),
    ("mysql", "SELECT * FROM t PARTITION (p0)"),
    ("snowflake", "SELECT count(*) FROM t WHERE a IN (1, 2)"),
    ("bigquery", "SELECT sum(a) FROM d.t GROUP BY b"),
    ("databricks", "SELECT upper(a) FROM c.d.t"),
]


@pytest.mark.parametrize(("dialect", "sql"), READS)
def test_a_query_is_a_read(dialect: str, sql: str) -> None:
    access = judged(sql, dialect)
    assert (access.tier, access.verb, access.problems) == ("read", access.verb, ())


@pytest.mark.parametrize(
    ("dialect", "sql", "tier"),
    [
        ("sqlite", "INSERT INTO t VALUES (1)", "write"),
        ("sqlite", "UPDATE t SET a = 1", "write"),
        ("sqlite", "DELETE FROM t", "write"),
        ("postgres", "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "write"),
        ("postgres", "WITH x AS (SELECT 1) UPDATE t SET a = 1", "write"),
        ("sqlite", "CREATE TABLE t (a INT)", "ddl"),
        ("sqlite", "DROP TABLE t", "ddl"),
        ("sqlite", "ALTER TABLE t RENAME TO u", "ddl"),
        ("postgres", "TRUNCATE t", "ddl"),
        ("postgres", "COMMENT ON TABLE t IS 'x'", "ddl"),
        ("postgres", "GRANT SELECT ON t TO u", "admin"),
        ("postgres", "REVOKE SELECT ON t FROM u", "admin"),
        ("postgres", "COPY t TO '/f'", "admin"),
        ("postgres", "COPY t FROM PROGRAM 'id'", "admin"),
        ("sqlite", "ATTACH 'f' AS x", "admin"),
        ("duckdb", "INSTALL httpfs", "admin"),
        ("mysql", "KILL 1", "admin"),
        ("postgres", "ANALYZE t", "admin"),
        ("postgres", "SET work_mem = 1", "session"),
        ("mysql", "SET @a = 1", "session"),
        ("mysql", "USE d", "session"),
        ("sqlite", "BEGIN", "session"),
        ("sqlite", "COMMIT", "session"),
        ("sqlite", "ROLLBACK", "session"),
        ("postgres", "SELECT * FROM t FOR UPDATE", "session"),
        ("postgres", "SELECT a INTO u FROM t", "session"),
        ("mysql", "SELECT 1 INTO @a", "session"),
    ],
)
def test_an_effect_has_its_tier(dialect: str, sql: str, tier: str) -> None:
    assert judged(sql, dialect).tier == tier


@pytest.mark.parametrize(
    "sql",
    [
        "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
        "SELECT * FROM (WITH d AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM d) q",
        "SELECT 1 WHERE EXISTS (WITH u AS (UPDATE t SET a = 1 RETURNING a) SELECT 1 FROM u)",
        "WITH d AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM d",
    ],
)
def test_a_change_inside_another_statement_is_the_worst_effect_and_refused(sql: str) -> None:
    access = judged(sql)
    assert access.tier == "write"
    assert "effect.nested" in {p.rule for p in access.problems}


@pytest.mark.parametrize("place", ["{}", "SELECT * FROM ({}) q", "SELECT 1 WHERE a IN ({})"])
def test_a_lock_or_an_into_is_found_in_every_place(place: str) -> None:
    for sql in ("SELECT a FROM t FOR UPDATE", "SELECT a FROM t FOR SHARE"):
        access = judged(place.format(sql))
        assert (access.tier, access.problems[0].rule) == ("session", "effect.session")


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "LISTEN x"),
        ("postgres", "NOTIFY x"),
        ("postgres", "DISCARD ALL"),
        ("postgres", "CHECKPOINT"),
        ("sqlite", "REINDEX"),
        ("databricks", "CLEAR CACHE"),
        ("postgres", "a"),
    ],
)
def test_a_statement_the_parser_takes_for_an_expression_is_unknown(dialect: str, sql: str) -> None:
    access = judged(sql, dialect)
    assert (access.tier, bool(access.problems)) == ("unknown", True)


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "EXPLAIN SELECT 1"),
        ("postgres", "EXPLAIN (COSTS off, VERBOSE) SELECT a FROM t"),
        ("postgres", "EXPLAIN VERBOSE SELECT ';'"),
        ("postgres", "EXPLAIN (SELECT 1)"),
        ("sqlite", "EXPLAIN QUERY PLAN SELECT a FROM t"),
        ("duckdb", "EXPLAIN FROM t"),
        ("mysql", "EXPLAIN FORMAT=JSON SELECT 1"),
        ("mysql", "DESC t a"),
        ("duckdb", "DESCRIBE SELECT 1"),
        ("duckdb", "SUMMARIZE t"),
        ("duckdb", "SHOW t"),
        ("mysql", "SHOW TABLES LIKE 'a%'"),
        ("postgres", "SHOW TimeZone"),
        ("sqlite", "PRAGMA table_info(t)"),
        ("sqlite", "PRAGMA main.user_version"),
        ("duckdb", "PRAGMA table_info('t')"),
    ],
)
def test_describing_without_effect_is_a_read_by_its_text(dialect: str, sql: str) -> None:
    access = judged(sql, dialect)
    assert (access.tier, access.problems) == ("read", ())


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "EXPLAIN ANALYZE SELECT 1"),
        ("postgres", "EXPLAIN (ANALYSE) SELECT 1"),
        ("postgres", 'EXPLAIN ("analyze") SELECT 1'),
        ("postgres", "EXPLAIN (ANALYZE off) SELECT 1"),
        ("postgres", "explain/**/analyze/**/select 1"),
        ("postgres", "EXPLAIN DELETE FROM t"),
        ("postgres", "EXPLAIN EXPLAIN SELECT 1"),
        ("postgres", "EXPLAIN WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d"),
        ("duckdb", "EXPLAIN ANALYSE SELECT 1"),
        ("duckdb", "EXPLAIN (FORMAT json, ANALYZE) SELECT 1"),
        ("sqlite", "EXPLAIN PRAGMA foreign_keys = 0"),
        ("mysql", "EXPLAIN ANALYZE SELECT 1"),
        ("mysql", "EXPLAIN FOR CONNECTION 1"),
        ("mysql", "ANALYZE SELECT 1"),
        ("mysql", "SHOW GRANTS"),
        ("mysql", "SHOW PROCESSLIST"),
        ("mysql", "SHOW VARIABLES"),
        ("mysql", "SHOW TABLES WHERE sleep(1)"),
        ("postgres", "SHOW hba_file"),
        ("sqlite", "PRAGMA foreign_keys = 0"),
        ("sqlite", "PRAGMA foreign_keys(0)"),
        ("sqlite", "PRAGMA wal_checkpoint"),
        ("sqlite", "PRAGMA optimize"),
        ("duckdb", "PRAGMA enable_profiling"),
        ("duckdb", "PRAGMA memory_limit = '1GB'"),
        ("duckdb", "DESCRIBE 'f.csv'"),
        ("duckdb", "SUMMARIZE 'f.csv'"),
    ],
)
def test_describing_that_executes_or_tells_too_much_is_refused(dialect: str, sql: str) -> None:
    try:
        access = judged(sql, dialect)
    except Refused:
        return
    assert access.problems


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        ("duckdb", "'f.csv'"),
        ("duckdb", '"f.parquet"'),
        ("duckdb", "f.csv"),
        ("duckdb", '"s3://bucket/x"'),
        ("duckdb", '"*"'),
        ("databricks", "parquet.`/p/x`"),
        ("databricks", "csv.x"),
        ("snowflake", "@stage"),
        ("bigquery", "`gs://b/x`"),
    ],
)
def test_a_file_in_the_place_of_a_table_is_refused(dialect: str, name: str) -> None:
    access = judged(f"SELECT * FROM {name}", dialect)
    assert {p.rule for p in access.problems} & {"table.file", "table.unknown"}


@pytest.mark.parametrize("name", ["pg_authid", "pg_catalog.pg_shadow", "PG_STATS"])
def test_relations_of_secrets_are_refused(name: str) -> None:
    assert judged(f"SELECT * FROM {name}").problems[0].rule == "table.secret"


@pytest.mark.parametrize(
    ("dialect", "sql", "tables"),
    [
        ("postgres", "WITH u AS (SELECT 1) SELECT * FROM u, v", ("v",)),
        ("postgres", "WITH u AS (SELECT * FROM u) SELECT * FROM u", ("u",)),
        ("sqlite", "WITH u AS (SELECT 1 UNION SELECT a FROM u) SELECT * FROM u", ()),
        ("postgres", "WITH u AS (SELECT 1) SELECT * FROM public.u", ("public.u",)),
        ("postgres", 'WITH "U" AS (SELECT 1) SELECT * FROM u', ("u",)),
        ("postgres", "SELECT * FROM (WITH u AS (SELECT 1) SELECT * FROM u) q, u", ("u",)),
        ("duckdb", "WITH RECURSIVE a AS (FROM b), b AS (SELECT 1) FROM a", ("b",)),
        ("postgres", "WITH RECURSIVE a AS (TABLE b), b AS (SELECT 1) SELECT * FROM a", ()),
        ("sqlite", "SELECT 1 WHERE 'x' IN secret", ("secret",)),
        ("mysql", "SELECT 1 FROM dual", ()),
        ("sqlite", "SELECT * FROM t INDEXED BY i", ("t",)),
    ],
)
def test_a_cte_hides_a_table_only_where_the_engine_says_so(
    dialect: str, sql: str, tables: tuple[str, ...]
) -> None:
    assert judged(sql, dialect).tables == tables


def test_what_a_change_writes_is_told_from_what_it_reads() -> None:
    access = judged("WITH t AS (SELECT 1) UPDATE t SET a = u.b FROM u WHERE u.a = t.a", "sqlite")
    assert (access.writes, set(access.tables)) == (("t",), {"t", "u"})


def test_every_class_of_the_parser_that_is_known_is_named_once() -> None:
    kinds = [nodes.PLAIN, nodes.SYNTAX_CALLS, nodes.METADATA, nodes.CHANGE_PARTS]
    effects = set(nodes.EFFECTS)
    for at, first in enumerate(kinds):
        assert not first & effects
        for second in kinds[at + 1 :]:
            assert not first & second


def test_no_class_that_reads_files_or_calls_out_is_known() -> None:
    dangerous = (
        "Read",
        "AI",
        "ML",
        "Generate",
        "Net",
        "ToFile",
        "Secret",
        "Seq",
        "Predict",
        "Copy",
    )
    known = nodes.PLAIN | nodes.SYNTAX_CALLS
    classes = [c for _, c in inspect.getmembers(exp, inspect.isclass) if c in known]
    assert len(classes) == len(known)
    assert [c.__name__ for c in classes if c.__name__.startswith(dangerous)] == []


@given(
    words=st.lists(st.sampled_from(PIECES.split()), max_size=25),
    dialect=st.sampled_from(DIALECTS),
)
def test_classify_always_answers(words: list[str], dialect: str) -> None:
    try:
        statement = parse(" ".join(words), dialect)
    except Refused:
        return
    access = classify(statement, None)
    assert access.problems or access.tier in ("read", "write")


BASES = (
    "SELECT a , count(*) FROM t JOIN u ON t.a = u.a GROUP BY a HAVING count(*) > 1 ORDER BY 2",
    "WITH q ( x ) AS ( SELECT a FROM t ) SELECT DISTINCT q.* FROM q , u WHERE x IN ( 1 , 2 )",
    "INSERT INTO t ( a ) SELECT b FROM u ON CONFLICT ( a ) DO UPDATE SET b = excluded.b "
    "RETURNING *",
    "UPDATE t SET a = 1 , b = DEFAULT FROM u WHERE t.a = u.a",
    "DELETE FROM t USING u WHERE t.a = u.b",
    "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN UPDATE SET a = 1",
    "SELECT * EXCLUDE ( a ) , sum(b) OVER ( PARTITION BY a ) FROM t , unnest ( a ) v ( w )",
)


@given(
    words=st.sampled_from(BASES).map(str.split),
    edits=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from((0, 1)), st.sampled_from(PIECES.split())),
        max_size=4,
    ),
    dialect=st.sampled_from(DIALECTS),
)
def test_classify_with_a_catalog_never_fails_inside(
    words: list[str], edits: list[tuple[int, int, str]], dialect: str
) -> None:
    for place, dropped, word in edits:
        words[place : place + dropped] = [word]
    try:
        statement = parse(" ".join(words), dialect)
    except Refused:
        return
    columns = tuple(Column(name=c, type="TEXT") for c in "ab")
    tables = tuple(Table(name=t, columns=columns) for t in "tu")
    for catalog in (None, Catalog(source="s", dialect=dialect, tables=tables)):
        access = classify(statement, catalog)
        assert "statement.unknown" not in {p.rule for p in access.problems}
