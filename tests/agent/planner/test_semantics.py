"""The semantic layer: read from a file, proposed from a schema."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from agent.planner import (
    Evidence,
    Plan,
    Semantics,
    SemanticsError,
    Vocabulary,
    load_semantics,
    plan,
    propose_semantics,
)
from guard import Catalog, Column, ForeignKey, Table
from tests.agent.planner.support import ROOT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 2", "version"),
        ("colour = 1", "unknown key colour"),
        ("[tables]\norders = { dat = 'x' }", "unknown key tables.orders.dat"),
        ("[metrics.revenue]\nby = []", "metrics.revenue.by"),
        ("[metrics.revenue]\nby = [{ table = 'orders' }]", "needs `of`"),
        ("[metrics.r]\nby = [{ table = 'o', of = 'o.a; drop' }]", "arithmetic"),
        ("[metrics.r]\nby = [{ table = 'o', of = 'load(o.a)' }]", "arithmetic"),
        ("[columns]\nprice = {}", "columns"),
        ("[durations.d]\nstart = 'a.x'\nend = 'b.y'", "one table"),
        ("[[roles]]\nname = ['boss']", "roles.0.column is missing"),
        ("version = ", "not valid TOML"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "shop.semantics.toml"
    path.write_text(text, "utf-8")

    with pytest.raises(SemanticsError, match=r"shop\.semantics\.toml") as caught:
        load_semantics(path)

    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SemanticsError, match=r"nothing\.toml cannot be read"):
        load_semantics(tmp_path / "nothing.toml")


@pytest.mark.parametrize("name", ["shop", "warehouse"])
def test_the_files_of_the_demo_load(name: str) -> None:
    assert load_semantics(ROOT / "demo" / f"{name}.semantics.toml").confirmed


def test_the_file_of_the_shop_names_only_what_is_there(shop: Vocabulary) -> None:
    assert shop.semantics.unknown_names(shop.catalog) == ()
    wrong = Semantics.model_validate({"tables": {"order": {"date": "day"}}})
    assert wrong.unknown_names(shop.catalog) == ("order", "order.day")


def whole_number(name: str, *, key: bool = False) -> Column:
    return Column(name=name, type="integer", primary_key=key, nullable=False)


def library(*, declared: bool) -> Vocabulary:
    """A schema nobody wrote a layer for, with keys declared or not."""
    key = ForeignKey(columns=("author_id",), table="authors", references=("id",))
    tables = (
        Table(
            name="authors",
            columns=(whole_number("id", key=True), Column(name="name", type="text")),
        ),
        Table(
            name="books",
            columns=(
                whole_number("id", key=True),
                Column(name="title", type="text"),
                whole_number("author_id"),
                Column(name="printed_on", type="date"),
            ),
            foreign_keys=(key,) if declared else (),
        ),
    )
    catalog = Catalog(source="library", dialect="sqlite", tables=tables)
    values = {("authors", "name"): ("Ana Sol", "Bo Li")}
    return Vocabulary(
        catalog=catalog,
        values=values,
        today=dt.date(2026, 6, 30),
        dialect="sqlite",
        semantics=propose_semantics(catalog, Evidence(values=values)),
    )


@pytest.mark.parametrize("declared", [True, False])
def test_a_key_is_found_by_name_where_none_is_declared(declared: bool) -> None:
    vocabulary = library(declared=declared)

    answer = plan("number of books per author", vocabulary)

    assert isinstance(answer, Plan)
    assert "JOIN authors AS a ON a.id = b.author_id" in answer.sql
    assert bool(vocabulary.semantics.joins) is not declared
    assert not vocabulary.semantics.confirmed


def test_a_proposal_finds_sales_roles_and_lengths(chinook: Vocabulary) -> None:
    proposed = chinook.semantics

    assert set(proposed.metrics) == {"sales", "units sold"}
    assert [d.of for d in proposed.metrics["sales"].by] == [
        "Invoice.Total",
        "InvoiceLine.UnitPrice * InvoiceLine.Quantity",
    ]
    assert {r.column for r in proposed.roles} == {"Customer.SupportRepId", "Employee.ReportsTo"}
    assert "length" in proposed.columns["Track.Milliseconds"].synonyms
    assert proposed.tables["Invoice"].date == "InvoiceDate"


def test_no_sales_are_proposed_where_lines_carry_a_discount() -> None:
    head = Table(
        name="orders",
        columns=(whole_number("id", key=True), Column(name="order_date", type="date")),
    )
    key = ForeignKey(columns=("order_id",), table="orders", references=("id",))
    numbers = ("unit_price", "quantity", "discount")
    columns = (whole_number("order_id"), *(Column(name=n, type="real") for n in numbers))
    lines = Table(name="order_lines", columns=columns, foreign_keys=(key,))
    catalog = Catalog(source="x", dialect="sqlite", tables=(head, lines))

    assert propose_semantics(catalog).metrics == {}


def test_an_explicit_filter_replaces_the_default_one_of_a_metric(shop: Vocabulary) -> None:
    usual = plan("revenue", shop)
    asked = plan("revenue of cancelled orders", shop)

    assert isinstance(usual, Plan)
    assert isinstance(asked, Plan)
    assert "status <> 'cancelled'" in usual.sql
    assert "status <> 'cancelled'" not in asked.sql
    assert "status = 'cancelled'" in asked.sql
    assert any("cancelled" in a or "status" in a for a in asked.assumptions)
