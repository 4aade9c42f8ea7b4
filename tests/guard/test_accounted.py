"""No word that names a column is lost between the text and the tree."""

from __future__ import annotations

import pytest

from guard.catalog import Catalog, Column, Table
from guard.classify import classify
from guard.errors import Refused
from guard.functions.lists import functions_of
from guard.statement import parse
from tests.servers import ServerDatabase

COLUMNS = ("id", "at", "birth", "first", "day", "date", "name", "k1", "k2", "k3", "k4")
KEYWORDS = {"extract", "timestampadd", "timestampdiff"}
"""Their first argument is a keyword in every engine that has them."""
CONSTANT = {"json_table", "values"}
"""The path of JSON_TABLE is a constant; VALUES(column) is what an INSERT would have written."""


def catalog(dialect: str) -> Catalog:
    exact = "t" if dialect == "postgres" else None
    columns = tuple(Column(name=c, type="text") for c in COLUMNS)
    table = Table(name="t", columns=columns, relation=exact, schema="public" if exact else None)
    return Catalog(source="s", dialect=dialect, tables=(table,))


def rules(sql: str, dialect: str) -> list[str]:
    return [p.rule for p in classify(parse(sql, dialect), catalog(dialect)).problems]


@pytest.mark.parametrize("dialect", ["postgres", "duckdb", "sqlite", "mysql"])
def test_promise_08_every_argument_of_every_function_is_seen_or_refused(dialect: str) -> None:
    known, missed = catalog(dialect), []
    for name in sorted(functions_of(dialect).scalar - KEYWORDS - CONSTANT):
        for count in range(1, 5):
            wanted = {f"k{n}" for n in range(1, count + 1)}
            for form in ("{}", "({})"):
                arguments = ", ".join(form.format(k) for k in sorted(wanted))
                try:
                    access = classify(parse(f"SELECT {name}({arguments}) FROM t", dialect), known)
                except Refused:
                    continue
                if not access.problems and not wanted <= {c.column for c in access.columns}:
                    missed.append((name, count))
    assert missed == []


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "SELECT date_bin('1000 years', at, birth) FROM t"),
        ("postgres", "SELECT id FROM t ORDER BY date_bin('1000 years', at, birth)"),
        ("postgres", "SELECT date_bin('1000 years', at, b) FROM (SELECT at, birth AS b FROM t) x"),
        ("postgres", "UPDATE t SET name = date_bin('1000 years', at::timestamp, birth)::text"),
        ("postgres", "SELECT date_trunc(name, at) FROM t"),
        ("postgres", "SELECT ceil(id, 1, birth) FROM t"),
        ("duckdb", "SELECT time_bucket(INTERVAL '1 day', at, birth) FROM t"),
        ("duckdb", "SELECT array_agg(id, birth) FROM t"),
        ("mysql", "SELECT ceil(id, 1, birth) FROM t"),
    ],
)
def test_promise_08_a_column_that_the_parser_takes_for_a_keyword_is_refused(
    dialect: str, sql: str
) -> None:
    assert rules(sql, dialect) == ["column.unread"]


def test_such_a_column_would_have_been_read(postgres: ServerDatabase) -> None:
    """The server reads it, and gives a moment that tells what it is."""
    postgres.execute("CREATE TABLE t (at timestamp, birth timestamp)")
    postgres.execute("INSERT INTO t VALUES ('1999-01-01', '1971-03-04 05:06')")
    found = postgres.execute("SELECT DATE_BIN('10000 days', at, BIRTH)::text FROM t")
    assert str(found[0][0]).endswith("05:06:00")


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "SELECT date_bin('1 day', (at), (birth)) FROM t"),
        ("postgres", "SELECT EXTRACT(day FROM at) AS day, DATE '2026-01-01' AS date FROM t"),
        ("postgres", "SELECT CAST(at AS date) AS date, at::date FROM t ORDER BY 1 NULLS FIRST"),
        ("postgres", "SELECT at + INTERVAL '1' day AS day FROM t"),
        ("postgres", "SELECT first, date, day, name FROM t ORDER BY first NULLS LAST"),
        ("postgres", "SELECT at AT TIME ZONE 'UTC' AS at FROM t"),
        (
            "postgres",
            'SELECT sum(id) OVER (ORDER BY day ROWS UNBOUNDED PRECEDING) AS "first" FROM t',
        ),
        (
            "duckdb",
            "SELECT {'name': name, day: id} AS name FROM t UNION ALL BY NAME SELECT name FROM t",
        ),
        ("duckdb", "SELECT at + INTERVAL (id) DAY AS day, date_part('day', at) FROM t"),
        ("duckdb", "SELECT struct_pack(name := id) FROM t"),
        (
            "mysql",
            "SELECT DATE_ADD(at, INTERVAL id DAY) AS day, TIMESTAMPDIFF(DAY, at, birth) FROM t",
        ),
        ("mysql", "SELECT DATE(at) AS date, DAY(at) AS day FROM t GROUP BY date, day"),
        ("sqlite", "SELECT date(at) AS date, name COLLATE NOCASE FROM t ORDER BY day NULLS LAST"),
    ],
)
def test_words_of_the_grammar_may_be_names_of_columns_too(dialect: str, sql: str) -> None:
    assert "column.unread" not in rules(sql, dialect)
