"""Schemas, search path and case resolve as PostgreSQL does it, or the statement is refused."""

from __future__ import annotations

import pytest
from sqlglot import exp

from guard.catalog import Catalog, Column, Table
from guard.classify import classify
from guard.decision import Allow, Terms
from guard.limitpolicy import Limits
from guard.lineage import trace
from guard.names import find_table
from guard.rewrite import rewrite
from guard.statement import parse


def table(schema: str, relation: str, *columns: str, bare: bool = True) -> Table:
    name = relation if schema == "public" else f"{schema}.{relation}"
    return Table(
        name=name,
        schema=schema,
        relation=relation,
        bare=bare,
        columns=tuple(Column(name=c, type="text") for c in columns),
    )


CATALOG = Catalog(
    source="s",
    dialect="postgres",
    tables=(
        table("public", "orders", "id", "total"),
        table("sales", "orders", "id", "note", bare=False),
        table("sales", "items", "id", "order_id"),
        table("public", "Mixed", "id", "Email"),
        table("public", "users", "id", "name", "email"),
    ),
).tagged({"sales.orders.note": "PERSON", "users.email": "EMAIL_ADDRESS"})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("orders", "orders"),
        ("ORDERS", "orders"),
        ('"orders"', "orders"),
        ('"ORDERS"', None),
        ("public.orders", "orders"),
        ("Public.Orders", "orders"),
        ("sales.orders", "sales.orders"),
        ('"sales.orders"', "sales.orders"),
        ('"Sales".orders', None),
        ("items", "sales.items"),
        ("public.items", None),
        ("Mixed", None),
        ('"Mixed"', "Mixed"),
        ('"mixed"', None),
        ("other.sales.orders", None),
        ("pg_catalog.orders", None),
    ],
)
def test_a_name_finds_what_the_server_finds(written: str, meant: str | None) -> None:
    tree = parse(f"SELECT 1 FROM {written}", "postgres").tree
    named = tree.find(exp.Table)
    assert named is not None
    found = find_table(named, CATALOG)
    assert (found.name if found else None) == meant


def rules(sql: str) -> set[str]:
    return {p.rule for p in classify(parse(sql, "postgres"), CATALOG).problems}


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT Email FROM "Mixed"',
        'SELECT name FROM (SELECT 1 AS "Name") t, users',
        'SELECT (SELECT Email FROM "Mixed" LIMIT 1) FROM users',
        'SELECT u.id FROM users u JOIN (SELECT id AS "ID" FROM orders) o USING (id)',
        'WITH "Step" AS (SELECT 1 AS x) SELECT step.x FROM "Step", users AS step',
    ],
)
def test_a_name_that_case_could_turn_into_another_is_refused(sql: str) -> None:
    assert "name.case" in rules(sql)


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "Email" FROM "Mixed"',
        "SELECT NAME, Id FROM Users",
        'SELECT name AS "Name", id AS "ID" FROM users ORDER BY name',
        'SELECT count(*) AS "Orders" FROM orders',
        'SELECT t.total AS "Total" FROM orders t UNION SELECT name AS "Total" FROM users',
    ],
)
def test_honest_capitals_are_not_refused(sql: str) -> None:
    assert rules(sql) == set()


def test_tags_follow_the_table_of_the_right_schema() -> None:
    for sql, tagged in (
        ("SELECT note FROM sales.orders", {("sales.orders", "note")}),
        ("SELECT id FROM orders", {("orders", "id")}),
    ):
        (origin,) = trace(parse(sql, "postgres"), CATALOG).columns
        assert origin.sources == tagged


def test_each_schemas_row_filter_holds_its_own_table() -> None:
    terms = Terms(
        limits=Limits(),
        row_filters=(("orders", "total = 'a'"), ("sales.orders", "note = 'b'")),
        readable=(("orders", ("id", "total")), ("sales.orders", ("id", "note"))),
    )
    allow = Allow(rule="r", reason="r", terms=terms)
    sql = rewrite(
        parse("SELECT o.id FROM orders o JOIN sales.orders s ON s.id = o.id", "postgres"),
        allow,
        CATALOG,
    ).sql
    assert '"public"."orders" WHERE (total = \'a\')' in sql
    assert '"sales"."orders" AS "sales.orders" WHERE (note = \'b\')' in sql
