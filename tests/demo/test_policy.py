from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import pytest

import demo
from guard.address import FileAddress
from guard.policyfile import Policy, load_policy
from guard.principal import Principal
from guard.rights import Scope, scope_of

PERSONAL = {
    "customers": {
        "first_name",
        "last_name",
        "email",
        "phone",
        "birth_date",
        "national_id",
        "address",
        "postcode",
    },
    "payment_cards": {"holder", "card_number"},
    "employees": {"first_name", "last_name", "email"},
}
WITHOUT_CUSTOMERS = {"products", "campaigns"}


@pytest.fixture(scope="module")
def policy(home: Path) -> Policy:
    return load_policy(home / "policy.toml")


def columns(shop: sqlite3.Connection, warehouse: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """Columns of both sources, keyed `source.table`."""
    tables = [t for (t,) in shop.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        f"shop.{t}": {c for (c,) in shop.execute("SELECT name FROM pragma_table_info(?)", [t])}
        for t in tables
    }
    for table, column in warehouse.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    ).fetchall():
        found.setdefault(f"warehouse.{table}", set()).add(column)
    return found


def scope(policy: Policy, name: str, source: str) -> Scope | None:
    account = next(a for a in demo.ACCOUNTS if a.name == name)
    principal = Principal(
        id=f"p-{name}", name=name, display_name=account.display_name, roles=account.roles
    )
    return scope_of(policy, principal, source)


def test_every_name_in_the_policy_exists_in_its_source(
    policy: Policy, shop: sqlite3.Connection, warehouse: duckdb.DuckDBPyConnection
) -> None:
    known = columns(shop, warehouse)
    dotted = {f"{s}.{k}" for s, p in policy.sources.items() for k in (*p.tags, *p.free_text)}
    for role in policy.roles.values():
        for source, grant in role.sources.items():
            dotted |= {f"{source}.{k}" for k in (*grant.hide, *grant.lookup)}
            for table in (*grant.tables, *grant.propose, *grant.row_filters):
                assert f"{source}.{table}" in known

    for name in dotted:
        table, _, column = name.rpartition(".")
        assert column in known[table], name


def test_every_column_with_personal_data_is_tagged(
    policy: Policy, shop: sqlite3.Connection, warehouse: duckdb.DuckDBPyConnection
) -> None:
    tagged = {t for s in policy.sources.values() for t in s.tags}

    assert {f"{t}.{c}" for t, cs in PERSONAL.items() for c in cs} <= tagged
    words = (
        "name",
        "email",
        "phone",
        "birth",
        "address",
        "card_number",
        "national",
        "holder",
        "ip_",
    )
    for table, names in columns(shop, warehouse).items():
        for column in names:
            key = f"{table.partition('.')[2]}.{column}"
            if any(w in column for w in words) and key not in {"products.name", "campaigns.name"}:
                assert key in tagged


@pytest.mark.parametrize("name", [a.name for a in demo.ACCOUNTS])
def test_nobody_reads_cards_or_staff(policy: Policy, name: str) -> None:
    found = scope(policy, name, "shop")

    assert found is not None
    assert not found.reads("payment_cards")
    assert not found.reads("employees")
    assert not found.unmasked
    assert not found.reveal.entities
    assert found.reveal.columns <= {"customers.email", "customers.phone"}
    assert bool(found.reveal) == (name == "analyst")


def test_the_german_analyst_has_a_filter_on_everything_that_leads_to_a_customer(
    policy: Policy,
) -> None:
    for source in ("shop", "warehouse"):
        found = scope(policy, "analyst2", source)
        assert found is not None
        tables = {t for _, g in found.grants for t in g.tables}
        assert {t for t in tables if found.row_filter(t) is None} == tables & WITHOUT_CUSTOMERS


@pytest.mark.parametrize("name", ["analyst", "reviewer", "reviewer2", "admin", "admin2"])
def test_who_proposes_and_who_reviews_sees_all_rows(policy: Policy, name: str) -> None:
    for source in ("shop", "warehouse"):
        found = scope(policy, name, source)
        assert found is not None
        tables = {t for _, g in found.grants for t in g.tables}
        assert [t for t in tables if found.row_filter(t)] == []


def test_reviewers_read_every_column_of_what_anybody_may_propose_to_change(policy: Policy) -> None:
    for source in policy.sources:
        reviewer = scope(policy, "reviewer", source)
        assert reviewer is not None
        assert not any(g.hide for _, g in reviewer.grants)
        for role in policy.roles.values():
            grant = role.sources.get(source)
            assert all(reviewer.reads(t) for t in (grant.propose if grant else ()))


def test_the_german_filters_keep_german_rows_and_no_others(
    policy: Policy, shop: sqlite3.Connection, warehouse: duckdb.DuckDBPyConnection
) -> None:
    grant = policy.roles["analysts_germany"].sources["shop"]
    owner = {
        "customers": "id",
        "orders": "customer_id",
        "support_tickets": "customer_id",
        "billing_records": "customer_id",
        "order_items": "(SELECT customer_id FROM orders WHERE orders.id = order_id)",
        "payments": "(SELECT customer_id FROM orders WHERE orders.id = order_id)",
    }
    assert set(owner) == set(grant.row_filters)
    for table, predicate in grant.row_filters.items():
        kept = f"SELECT count(*) FROM {table} WHERE {predicate}"
        german = (
            f"SELECT count(*) FROM {table} WHERE {owner[table]} IN "
            "(SELECT c.id FROM customers AS c WHERE c.country = 'Germany')"
        )
        assert shop.execute(kept).fetchone() == shop.execute(german).fetchone()
        assert shop.execute(kept).fetchone()[0] > 50

    for table, predicate in (
        policy.roles["analysts_germany"].sources["warehouse"].row_filters.items()
    ):
        countries = f"SELECT DISTINCT country FROM {table} WHERE {predicate}"
        assert warehouse.execute(countries).fetchall() == [("Germany",)]


def test_sources_are_as_the_demo_says(policy: Policy, home: Path) -> None:
    shop, warehouse = policy.sources["shop"], policy.sources["warehouse"]

    assert (shop.engine, shop.environment, shop.writes) == ("sqlite", "production", True)
    assert (warehouse.engine, warehouse.environment) == ("duckdb", "staging")
    assert shop.today == warehouse.today == demo.TODAY
    assert policy.database_of("shop", {}) == FileAddress(path=home / "shop.sqlite")
    assert policy.database_of("warehouse", {}) == FileAddress(path=home / "warehouse.duckdb")
    assert len(shop.starters) == len(warehouse.starters) == 5
    assert set(shop.free_text) == {"support_tickets.subject", "support_tickets.body"}


def test_the_clean_up_of_test_records_is_over_the_row_limit(
    policy: Policy, shop: sqlite3.Connection
) -> None:
    (rows,) = shop.execute(
        "SELECT count(*) FROM billing_records WHERE is_test AND billed_at >= '2026-05-01' "
        "AND billed_at < '2026-06-01'"
    ).fetchone()

    assert rows == 14_200
    assert rows > policy.approvals.max_rows
