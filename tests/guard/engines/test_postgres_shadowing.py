"""Functions and operators of somebody's own under the names of the server's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from guard.catalog import Catalog
from guard.classify import classify
from guard.errors import Refused
from guard.statement import parse
from tests.guard.engines.postgres_shop import PostgresShop, postgres_shop, read
from tests.servers import ServerDatabase, fresh_database

MINE = """
CREATE FUNCTION regexp_like(text, text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'mine' $$;
CREATE FUNCTION to_number(text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'mine' $$;
CREATE FUNCTION pg_temp.upper(int) RETURNS text LANGUAGE sql AS $$ SELECT 'mine' $$;
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[PostgresShop]:
    with fresh_database("postgres") as server, postgres_shop(server) as made:
        server.execute(MINE)
        yield made


@pytest.fixture(scope="module")
def catalog(shop: PostgresShop) -> Catalog:
    with shop.opened() as engine:
        return engine.reflect()


def rules(sql: str, catalog: Catalog) -> list[str]:
    return [p.rule for p in classify(parse(sql, "postgres"), catalog).problems]


@pytest.mark.parametrize(
    "call",
    [
        "lower(1)",
        "regexp_like('a', 'b')",
        "to_number('1')",
        "'a'::text + 1",
        "upper(1)",
        "plus('a', 1)",
    ],
)
def test_a_read_never_calls_somebodys_own(shop: PostgresShop, call: str) -> None:
    """The search path of a read holds the server's own schema only, and functions of pg_temp
    are found by no name."""
    with shop.opened() as engine:
        found: list[object] = []
        with contextlib.suppress(Refused):
            found = read(engine, f"SELECT {call} AS x").table.to_pylist()
        assert "mine" not in str(found)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("lower(city)", "function.unknown"),
        ("regexp_like('a', 'b')", "function.unknown"),
        ("to_number('1')", "function.unknown"),
        ("name + 1", "operator.unknown"),
    ],
)
def test_promise_02_a_change_that_might_call_somebodys_own_is_refused(
    shop: PostgresShop, catalog: Catalog, value: str, rule: str
) -> None:
    """Its text runs as it stands, with the schemas of the policy on the search path."""
    sql = f"UPDATE people SET city = {value} WHERE id = 1"
    assert rules(sql, catalog) == [rule]
    assert rules(sql, replace(catalog, shadowed=frozenset())) == []


def test_what_nobody_shadows_may_be_called(catalog: Catalog) -> None:
    assert {"lower", "regexp_like", "+"} <= catalog.shadowed
    assert rules("UPDATE people SET city = upper(name) || ' + ' WHERE id - 1 = 0", catalog) == []
    assert rules("SELECT lower(name), id + 1 FROM people", catalog) == []


def test_what_an_extension_brings_is_not_somebodys_own(postgres: ServerDatabase) -> None:
    with postgres_shop(postgres) as shop:
        postgres.execute("ALTER EXTENSION plpgsql ADD FUNCTION lower(int)")
        with shop.opened() as engine:
            assert "lower" not in engine.reflect().shadowed
