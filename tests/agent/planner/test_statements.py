"""What holds for every statement the planner writes, whatever the question."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from agent.evaluation import same_rows
from agent.planner import Plan, Vocabulary, plan
from guard import Catalog
from guard.classify import classify
from guard.statement import parse
from tests.agent.planner.support import own_cases

DIALECTS = ("sqlite", "duckdb", "postgres", "mysql")


def plans(vocabulary: Vocabulary, db: str) -> list[tuple[str, Plan]]:
    answers = ((c.question, plan(c.question, vocabulary)) for c in own_cases() if c.db == db)
    return [(q, a) for q, a in answers if isinstance(a, Plan)]


def in_dialect(vocabulary: Vocabulary, dialect: str) -> Vocabulary:
    catalog = Catalog(source="shop", dialect=dialect, tables=vocabulary.catalog.tables)
    return replace(vocabulary, catalog=catalog, dialect=dialect)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_plan_is_one_select_without_a_star(shop: Vocabulary, dialect: str) -> None:
    for question, answer in plans(in_dialect(shop, dialect), "shop"):
        trees = sqlglot.parse(answer.sql, dialect=dialect)
        assert len(trees) == 1, question
        assert isinstance(trees[0], exp.Select), question
        stars = [s for s in trees[0].find_all(exp.Star) if not isinstance(s.parent, exp.Count)]
        assert stars == [], question


@pytest.mark.parametrize("name", ["shop", "chinook"])
def test_masked_columns_are_shown_or_looked_up_and_nothing_else(
    name: str, request: pytest.FixtureRequest
) -> None:
    vocabulary: Vocabulary = request.getfixturevalue(name)
    for question, answer in plans(vocabulary, name):
        access = classify(parse(answer.sql, "sqlite"), vocabulary.catalog)
        assert access.tier == "read", question
        assert access.problems == (), question
        for use in access.columns:
            table = vocabulary.catalog.table(use.table)
            column = table.column(use.column) if table else None
            if column is None or column.tag is None or use.clause == "output":
                continue
            assert use.lookup, f"{question}: {use}"
            key = (use.table.casefold(), use.column.casefold())
            assert key in vocabulary.lookups, f"{question}: {use}"


@pytest.mark.parametrize(
    "question",
    [
        "customers born before 1980",
        "customers grouped by phone",
        "number of orders per email",
        "customers sorted by last name",
        "customers whose last name starts with 'A'",
        "how many different emails are there",
        "list the distinct phone numbers",
        "customers without a phone",
        "oldest customers by birth date",
        "average orders per phone",
    ],
)
def test_questions_that_need_masked_columns_are_not_planned_with_them(
    shop: Vocabulary, question: str
) -> None:
    answer = plan(question, shop)
    if not isinstance(answer, Plan):
        return
    access = classify(parse(answer.sql, "sqlite"), shop.catalog)
    tagged = {(t.name, c.name) for t in shop.catalog.tables for c in t.columns if c.tag}
    assert not [u for u in access.columns if (u.table, u.column) in tagged and u.clause != "output"]


def test_hidden_tables_and_columns_cannot_be_asked_for(shop: Vocabulary) -> None:
    tables = tuple(
        Catalog.only(t, [c for c in t.columns if c.name != "unit_cost"])
        for t in shop.catalog.tables
        if t.name != "payments"
    )
    narrow = replace(shop, catalog=replace(shop.catalog, tables=tables))

    for question in ("total profit in 2025", "payments by method", "average unit cost by brand"):
        assert isinstance(plan(question, shop), Plan)
        assert not isinstance(plan(question, narrow), Plan)


def spoken_numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)?", text))


def test_the_interpretation_names_every_literal_and_limit(shop: Vocabulary) -> None:
    formats = re.compile(
        r"%|^-?\d* ?(day|days|month|months|year|weekday|start of \w+)s?( \d)?$|^-$"
    )
    for question, answer in plans(shop, "shop"):
        tree = sqlglot.parse_one(answer.sql, dialect="sqlite")
        said = answer.interpretation.casefold()
        for literal in tree.find_all(exp.Literal):
            text = str(literal.this)
            if literal.is_string and not formats.search(text) and not text.startswith("-"):
                assert_said(text, said, question)
        limit = tree.args.get("limit")
        if limit is not None and limit.expression.this != "1":
            assert limit.expression.this in spoken_numbers(said), question


def assert_said(text: str, said: str, question: str) -> None:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) or text in {"0", "1", "2", "3", "4", "5", "6"}:
        return
    if text.casefold() in {d.casefold() for d in ("Sunday", "Monday", "Tuesday", "Wednesday")}:
        return
    if text in {"Thursday", "Friday", "Saturday"}:
        return
    assert text.casefold() in said, f"{question}: {text} is not in: {said}"


def test_resolved_dates_are_in_the_interpretation(shop: Vocabulary) -> None:
    answer = plan("revenue last quarter", shop)

    assert isinstance(answer, Plan)
    assert "from 2026-01-01 to 2026-03-31" in answer.interpretation
    assert "o.order_date >= '2026-01-01' AND o.order_date < '2026-04-01'" in answer.sql


def test_every_question_has_the_same_rows_on_duckdb(
    shop: Vocabulary, databases: dict[str, sqlite3.Connection]
) -> None:
    sample = [c.question for c in own_cases() if c.db == "shop" and c.sql][::4]
    with duckdb.connect() as copy:
        copy_tables(shop, databases["shop"], copy)
        for question in sample:
            here, there = plan(question, shop), plan(question, in_dialect(shop, "duckdb"))
            if not isinstance(here, Plan) or "week_start" in here.sql:
                continue
            assert isinstance(there, Plan), question
            expected = databases["shop"].execute(here.sql).fetchall()
            assert same_rows(expected, plain(copy.execute(there.sql).fetchall())), there.sql


def copy_tables(
    vocabulary: Vocabulary, source: sqlite3.Connection, copy: duckdb.DuckDBPyConnection
) -> None:
    for table in vocabulary.catalog.tables:
        columns = ", ".join(f"{c.name} {c.type}" for c in table.columns)
        copy.execute(f"create table {table.name} ({columns})")
        rows = source.execute(f"select * from {table.name}").fetchall()
        marks = ", ".join("?" * len(table.columns))
        chunk = 2_000
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            values = ", ".join([f"({marks})"] * len(part))
            flat = [v for row in part for v in row]
            copy.execute(f"insert into {table.name} values {values}", flat)


def plain(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [tuple(as_sqlite(v) for v in row) for row in rows]


def as_sqlite(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)
