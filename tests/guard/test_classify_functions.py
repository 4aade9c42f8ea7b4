"""Functions pass by the engine's list alone, whatever the parser makes of a call."""

from __future__ import annotations

import tomllib
from pathlib import Path

import duckdb
import pytest

import guard.functions
from guard.classify import classify
from guard.functions import functions_of
from guard.lexical import DIALECTS
from guard.statement import parse

FOLDER = Path(guard.functions.__file__).parent


def rules(sql: str, dialect: str) -> set[str]:
    """The rules that refuse the statement."""
    return {p.rule for p in classify(parse(sql, dialect), None).problems}


def called(sql: str, dialect: str) -> tuple[str, ...]:
    """The functions found in the statement."""
    return classify(parse(sql, dialect), None).functions


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_family_has_a_reason_and_no_name_is_both_allowed_and_refused(dialect: str) -> None:
    content = tomllib.loads((FOLDER / f"{dialect}.toml").read_text(encoding="utf-8"))
    families = [*content["allowed"].values(), *content["refused"].values()]
    assert all(f["reason"].endswith(".") and f["names"].split() for f in families)
    listed = functions_of(dialect)
    assert not (listed.scalar - {"histogram"}) & set(listed.refusals)
    assert not listed.tables & set(listed.refusals)


def test_no_list_holds_a_name_twice_or_in_capitals() -> None:
    for dialect in DIALECTS:
        content = tomllib.loads((FOLDER / f"{dialect}.toml").read_text(encoding="utf-8"))
        for family in (*content["allowed"].values(), *content["refused"].values()):
            names = family["names"].split()
            assert names == sorted(set(names))
            assert [n for n in names if n != n.lower()] == []


def test_duckdb_itself_calls_none_of_the_allowed_functions_volatile_but_the_known_ones() -> None:
    volatile = {
        name
        for (name,) in duckdb.connect()
        .execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE has_side_effects OR stability = 'VOLATILE'"
        )
        .fetchall()
    }
    known = {"random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "currval", "stats"}
    assert volatile & functions_of("duckdb").scalar <= known


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        *(
            ("duckdb", n)
            for n in ("read_csv", "read_parquet", "glob", "query", "query_table", "nextval")
        ),
        *(
            ("duckdb", n)
            for n in ("setval", "python_map_function", "add_parquet_key", "which_secret")
        ),
        *(
            ("duckdb", n)
            for n in ("create_external_resource", "destroy_external_resource", "setseed")
        ),
        *(("postgres", n) for n in ("nextval", "setval", "set_config", "pg_sleep", "pg_read_file")),
        *(
            ("postgres", n)
            for n in ("query_to_xml", "ts_stat", "ts_rewrite", "lo_get", "lo_import")
        ),
        *(("postgres", n) for n in ("dblink", "pg_notify", "pg_advisory_lock", "txid_current")),
        *(
            ("postgres", n)
            for n in ("pg_stat_get_activity", "pg_show_all_settings", "pg_reload_conf")
        ),
        *(
            ("sqlite", n)
            for n in ("load_extension", "readfile", "writefile", "edit", "fts3_tokenizer")
        ),
        *(("mysql", n) for n in ("load_file", "sleep", "benchmark", "get_lock", "release_lock")),
        *(("mysql", n) for n in ("nextval", "setval", "lastval", "master_pos_wait", "sys_exec")),
    ],
)
def test_a_function_with_an_effect_is_refused_with_its_reason(dialect: str, name: str) -> None:
    for text in (name, name.upper(), f"{name} ", f"{name}/**/"):
        assert "function.refused" in rules(f"SELECT {text}(a) FROM t", dialect)
    access = classify(parse(f"SELECT * FROM {name}(1)", dialect), None)
    assert "function.refused" in {p.rule for p in access.problems}
    assert "known to have no effect: " in access.problems[0].reason


POSITIONS = [
    "SELECT {} FROM t",
    "SELECT a FROM t WHERE {} > 0",
    "SELECT a FROM t GROUP BY a HAVING {} > 0",
    "SELECT a FROM t ORDER BY {}",
    "SELECT a FROM t LIMIT {}",
    "SELECT count(*) FILTER (WHERE {} > 0) FROM t",
    "SELECT sum(a) OVER (PARTITION BY {} ORDER BY {}) FROM t",
    "SELECT CASE WHEN {} > 0 THEN 1 END FROM t",
    "SELECT * FROM t JOIN u ON {} = u.a",
    "SELECT * FROM (SELECT {}) q",
    "WITH q AS (SELECT {}) SELECT 1",
    "SELECT 1 UNION SELECT {}",
    "SELECT lower({}) FROM t",
    "SELECT CAST({} AS TEXT) FROM t",
    "SELECT a IN ({}, 2) FROM t",
    "SELECT * FROM (VALUES ({})) v",
    "VALUES ({})",
    "SELECT EXISTS (SELECT {})",
    "SELECT a BETWEEN {} AND 2 FROM t",
]


@pytest.mark.parametrize("place", POSITIONS)
@pytest.mark.parametrize("dialect", ["sqlite", "duckdb", "postgres"])
def test_an_unknown_function_is_found_in_every_place(dialect: str, place: str) -> None:
    assert "function.unknown" in rules(place.replace("{}", "bump()"), dialect)
    assert "function.unknown" in rules(place.replace("{}", '"bump" ( 1 )'), dialect)


@pytest.mark.parametrize(
    ("dialect", "sql", "rule"),
    [
        ("postgres", "SELECT public.lower(a) FROM t", "function.unknown"),
        ("postgres", "SELECT * FROM public.generate_series(1, 2)", "function.unknown"),
        ("postgres", 'SELECT "Lower"(a) FROM t', "function.unknown"),
        ("postgres", "SELECT read_csv(a) FROM t", "function.unknown"),
        ("postgres", "SELECT struct(a) FROM t", "function.unknown"),
        ("postgres", "SELECT 1 OPERATOR(public.+) 2", "operator.unknown"),
        ("mysql", "SELECT mysql.lower(a) FROM t", "function.unknown"),
        ("mysql", "SELECT last_insert_id(5)", "function.refused"),
        ("mysql", "SELECT s.nextval", "effect.write"),
        ("duckdb", "SELECT * FROM histogram(t, a)", "function.refused"),
        ("duckdb", "SELECT * FROM lower('a')", "function.unknown"),
        ("sqlite", "SELECT * FROM fsdir('/')", "function.refused"),
        ("sqlite", "SELECT 1 WHERE 1 IN fsdir('/')", "function.refused"),
        ("snowflake", "SELECT system$wait(1)", "function.refused"),
        ("snowflake", "SELECT s.nextval", "effect.write"),
        ("bigquery", "SELECT * FROM EXTERNAL_QUERY('c', 'x')", "function.refused"),
        ("databricks", "SELECT ai_query('m', a) FROM t", "function.refused"),
    ],
)
def test_a_call_in_disguise_is_refused(dialect: str, sql: str, rule: str) -> None:
    assert rule in rules(sql, dialect)


@pytest.mark.parametrize(
    ("dialect", "sql", "names"),
    [
        ("postgres", "SELECT pg_catalog.lower(a) FROM t", ("lower",)),
        (
            "postgres",
            "SELECT to_char(a, 'YYYY'), date_trunc('day', b) FROM t",
            ("date_trunc", "to_char"),
        ),
        ("postgres", "SELECT * FROM generate_series(1, 3) AS g(n)", ("generate_series",)),
        ("postgres", "SELECT a::numeric(10, 2), b::varchar(3) FROM t", ()),
        ("postgres", "WITH q(a, b) AS (SELECT 1, 2) SELECT * FROM q AS r(c, d)", ()),
        ("postgres", "SELECT count(*) FROM t WHERE a IN (1) AND EXISTS (SELECT 1)", ("count",)),
        ("duckdb", "SELECT x.lower() FROM t", ("lower",)),
        ("duckdb", "SELECT struct_pack(a := 1), {'b': 2} FROM t", ("struct_pack",)),
        ("duckdb", "SELECT histogram(a) FROM t", ("histogram",)),
        ("sqlite", "SELECT strftime('%Y', a), ifnull(b, 0) FROM t", ("ifnull", "strftime")),
        ("sqlite", "SELECT value FROM json_each('[1]')", ("json_each",)),
        (
            "mysql",
            "SELECT date_add(a, INTERVAL 1 DAY), group_concat(b) FROM t",
            ("date_add", "group_concat"),
        ),
        ("mysql", "INSERT INTO t (a, b) VALUES (1, 2)", ()),
    ],
)
def test_the_functions_called_are_named(dialect: str, sql: str, names: tuple[str, ...]) -> None:
    assert (called(sql, dialect), rules(sql, dialect)) == (names, set())


def test_a_list_is_one_engines_alone() -> None:
    assert rules("SELECT list_value(1)", "duckdb") == set()
    assert rules("SELECT list_value(1)", "postgres") == {"function.unknown"}
