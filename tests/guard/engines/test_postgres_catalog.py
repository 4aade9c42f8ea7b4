"""What a PostgreSQL catalog holds: what the login may select, under names that cannot collide."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guard.address import ServerReach
from guard.catalog import Catalog, ForeignKey
from tests.guard.engines.postgres_shop import PostgresShop, postgres_shop
from tests.servers import fresh_database

SCHEMA = """
CREATE SCHEMA sales;
CREATE SCHEMA hidden;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN email AS varchar(80);
CREATE TABLE orders (id int PRIMARY KEY, code text UNIQUE, feeling mood, mail email,
  total numeric(10,2), twice numeric GENERATED ALWAYS AS (total * 2) STORED,
  number int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE sales.orders (id int PRIMARY KEY, main int REFERENCES public.orders);
CREATE TABLE sales.lines (a int, b int, PRIMARY KEY (a, b));
CREATE UNIQUE INDEX ON sales.lines (b);
CREATE UNIQUE INDEX ON sales.lines (abs(b)) WHERE b > 0;
CREATE TABLE sales.notes (a int, b int, FOREIGN KEY (a, b) REFERENCES sales.lines);
CREATE TABLE hidden.things (id int);
CREATE TABLE "Mixed" (id int, "Both" int, both_ int);
CREATE TABLE twins (id int); CREATE TABLE "Twins" (id int);
CREATE TABLE inside (id int, "Name" text, name text);
CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE parts_26 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE grown (more int) INHERITS (twins);
CREATE VIEW totals AS SELECT id, total FROM orders;
CREATE VIEW behind AS SELECT word FROM secrets;
CREATE MATERIALIZED VIEW kept AS SELECT id, code FROM orders;
CREATE VIEW gone AS SELECT 1 AS one;
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[PostgresShop]:
    with fresh_database("postgres") as server, postgres_shop(server) as made:
        server.execute(
            f"{SCHEMA}; GRANT USAGE ON SCHEMA sales TO {made.reader};"
            f"GRANT SELECT ON ALL TABLES IN SCHEMA sales TO {made.reader};"
            f'GRANT SELECT ON orders, "Mixed", twins, "Twins", inside, parts, parts_26, grown, '
            f"totals, behind, kept TO {made.reader};"
        )
        yield made


@pytest.fixture(scope="module")
def catalog(shop: PostgresShop) -> Catalog:
    with shop.opened(reach=ServerReach(schemas=("public", "sales", "hidden"))) as adapter:
        return adapter.reflect()


def test_only_what_the_login_may_select_is_there(catalog: Catalog) -> None:
    assert {t.name for t in catalog.tables} == {
        "Mixed",
        "behind",
        "inside",
        "kept",
        "orders",
        "parts",
        "people",
        "sales.lines",
        "sales.notes",
        "sales.orders",
        "totals",
        "visits",
    }
    people = catalog.table("people")
    assert people is not None
    assert [c.name for c in people.columns] == ["id", "name", "city"]


def test_columns_carry_types_keys_and_what_is_generated(catalog: Catalog) -> None:
    orders = catalog.table("orders")
    assert orders is not None
    assert {c.name: c.type for c in orders.columns} == {
        "id": "integer",
        "code": "text",
        "feeling": "enum public.mood",
        "mail": "character varying(80)",
        "total": "numeric(10,2)",
        "twice": "numeric",
        "number": "integer",
    }
    assert orders.primary_key == ("id",)
    assert orders.unique == (("code",),)
    assert [c.name for c in orders.columns if c.generated] == ["twice", "number"]
    assert not next(c for c in orders.columns if c.name == "id").nullable
    lines = catalog.table("sales.lines")
    assert lines is not None
    assert lines.unique == (("b",), ("a", "b"))


def test_foreign_keys_name_tables_as_the_catalog_does(catalog: Catalog) -> None:
    orders, notes = catalog.table("sales.orders"), catalog.table("sales.notes")
    assert orders is not None
    assert notes is not None
    assert orders.foreign_keys == (
        ForeignKey(columns=("main",), table="orders", references=("id",)),
    )
    assert notes.foreign_keys == (
        ForeignKey(columns=("a", "b"), table="sales.lines", references=("a", "b")),
    )


def test_the_first_schema_on_the_path_has_the_bare_name(catalog: Catalog) -> None:
    found = catalog.exactly(None, "orders")
    assert found is not None
    assert found.name == "orders"
    lines, other = catalog.exactly(None, "lines"), catalog.exactly("sales", "orders")
    assert lines is not None
    assert other is not None
    assert (lines.name, other.name) == ("sales.lines", "sales.orders")


def test_names_that_only_case_tells_apart_are_left_out(catalog: Catalog) -> None:
    assert catalog.table("twins") is None
    inside = catalog.table("inside")
    assert inside is not None
    assert [c.name for c in inside.columns] == ["id"]


def test_a_view_is_its_definition_with_every_name_in_full(catalog: Catalog) -> None:
    totals = catalog.table("totals")
    assert totals is not None
    assert totals.kind == "view"
    assert "FROM public.orders" in (totals.definition or "")


@pytest.mark.parametrize("name", ["behind", "kept"])
def test_rows_of_their_own_are_masked_until_the_policy_says_otherwise(
    catalog: Catalog, name: str
) -> None:
    table = catalog.table(name)
    assert table is not None
    assert (table.kind, table.definition) == ("table", None)
    assert {c.tag for c in table.columns} == {"MASKED"}
    column = table.columns[-1].name
    cleared = catalog.tagged({f"{name}.{column}": "NONE"}).table(name)
    assert cleared is not None
    assert cleared.columns[-1].tag is None


def test_a_schema_that_is_not_named_is_not_read(shop: PostgresShop) -> None:
    with shop.opened() as adapter:
        assert not any(t.schema != "public" for t in adapter.reflect().tables)


def test_the_estimate_tells_what_would_be_read_and_nothing_runs(shop: PostgresShop) -> None:
    from tests.guard.engines.postgres_shop import query

    shop.server.execute("ANALYZE visits")
    with shop.opened() as adapter:
        found = adapter.estimate(
            query("SELECT count(*) FROM public.visits WHERE day < '2020-01-01'")
        )
        assert found is not None
        assert (found.rows, found.bytes) == (30, 8192)
        wide = adapter.estimate(query("SELECT 1 FROM public.visits a, public.visits b"))
        assert wide is not None
        assert (wide.rows or 0) >= 900
        endless = "SELECT count(*) FROM generate_series(1, 1000000000) g"
        assert adapter.estimate(query(endless)) is not None
