"""A schema in words becomes a catalog."""

from __future__ import annotations

import pytest

from guard.errors import ConfigurationError
from guard.schematext import read_schema

TEXT = """
-- the shop
CREATE TABLE shop.customers (
  id BIGINT PRIMARY KEY, "Full Name" VARCHAR NOT NULL, phones VARCHAR[], balance DECIMAL(12, 2)
);
CREATE TABLE lines (order_id BIGINT, line INTEGER, sku VARCHAR, PRIMARY KEY (order_id, line));
CREATE VIEW everyone AS SELECT * FROM customers;
CREATE VIEW counted(n) AS SELECT count(*) FROM everyone;
"""


def test_tables_columns_types_and_keys_are_read() -> None:
    catalog = read_schema(TEXT, dialect="duckdb")
    customers = catalog.table("CUSTOMERS")
    assert customers is not None
    assert customers.schema == "shop"
    assert [(c.name, c.type, c.nullable) for c in customers.columns] == [
        ("id", "BIGINT", True),
        ("Full Name", "TEXT", False),
        ("phones", "TEXT[]", True),
        ("balance", "DECIMAL(12, 2)", True),
    ]
    assert customers.primary_key == ("id",)
    lines = catalog.table("lines")
    assert lines is not None
    assert lines.primary_key == ("order_id", "line")


def test_a_view_has_the_columns_its_query_gives() -> None:
    catalog = read_schema(TEXT, dialect="duckdb")
    everyone, counted = catalog.table("everyone"), catalog.table("counted")
    assert everyone is not None
    assert counted is not None
    assert [c.name for c in everyone.columns] == ["id", "Full Name", "phones", "balance"]
    assert [c.name for c in counted.columns] == ["n"]
    assert (everyone.kind, everyone.definition) == ("view", "SELECT * FROM customers")


def test_a_definition_is_written_for_the_dialect_it_will_be_parsed_in() -> None:
    text = 'CREATE TABLE t("a b" INTEGER); CREATE VIEW v AS SELECT "a b" FROM t'
    view = read_schema(text, dialect="mysql").table("v")
    assert view is not None
    assert view.definition == "SELECT `a b` FROM t"


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE",
        "SELECT 1",
        "DROP TABLE t",
        "CREATE TABLE t AS SELECT 1",
        "CREATE INDEX i ON t(a)",
        "CREATE VIEW v AS SELECT * FROM nowhere",
        "CREATE TABLE t(a INTEGER); CREATE VIEW v(x, y) AS SELECT a FROM t",
    ],
)
def test_anything_else_is_named_and_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="schema"):
        read_schema(text, dialect="duckdb")


def test_an_empty_schema_holds_nothing() -> None:
    assert read_schema(" ;\n", dialect="sqlite").tables == ()
