"""Starter questions for a database nobody has seen."""

from __future__ import annotations

import pytest

from guard.catalog import Catalog, Column, ForeignKey, Table
from guard.starters import plural, starters, words


def table(name: str, *columns: str, rows: int, to: str | None = None) -> Table:
    """A table of TEXT columns with `id`, and one key `<to>_id` where it points somewhere."""
    own = [Column(name="id", type="INTEGER", primary_key=True)]
    keys: tuple[ForeignKey, ...] = ()
    if to:
        own.append(Column(name=f"{to}_id", type="INTEGER"))
        keys = (ForeignKey(columns=(f"{to}_id",), table=to, references=("id",)),)
    own += [Column(name=c, type="TEXT") for c in columns]
    return Table(name=name, columns=tuple(own), foreign_keys=keys, row_estimate=rows)


def catalog(*tables: Table) -> Catalog:
    return Catalog(source="s", dialect="sqlite", tables=tables)


@pytest.mark.parametrize(
    ("name", "several"),
    [
        ("InvoiceLine", "invoice lines"),
        ("support_tickets", "support tickets"),
        ("category", "categories"),
        ("Address", "addresses"),
        ("status", "statuses"),
        ("daily_traffic", "daily traffic"),
        ("HTTPLog", "http logs"),
        ("boy", "boys"),
        ("日本", "日本"),
        ("Größe", "größes"),
    ],
)
def test_a_table_is_spoken_of_in_words(name: str, several: str) -> None:
    assert plural(name) == several


def test_a_name_without_letters_stays_as_it_is() -> None:
    assert words("___") == "___"


def test_the_biggest_table_is_counted_first_and_bridges_never() -> None:
    bridge = Table(
        name="PlaylistTrack",
        columns=(
            Column(name="p", type="INTEGER", primary_key=True),
            Column(name="t", type="INTEGER", primary_key=True),
        ),
        row_estimate=9_000,
    )

    small, big = table("artist", "name", rows=3), table("track", "name", rows=90)

    found = starters(catalog(small, bridge, big), {})

    assert found == ("How many tracks are there?", "How many artists are there?")


def test_dates_categories_and_keys_give_a_question_each() -> None:
    orders = table("orders", "placed", "state", rows=900, to="shops")
    samples = {
        ("orders", "placed"): ["2026-01-01", "2026-01-02", "2026-02-03", "2026-03-01"],
        ("orders", "state"): ["open", "closed"],
    }

    found = starters(catalog(orders, table("shops", "name", rows=12)), samples)

    assert found == (
        "How many orders are there?",
        "Orders by month",
        "Orders by state",
        "Top 5 shops by number of orders",
        "How many shops are there?",
    )


def test_tagged_columns_are_left_alone() -> None:
    people = table("people", "nickname", rows=20)
    samples = {("people", "nickname"): ["ann", "bo"]}

    assert "People by nickname" in starters(catalog(people), samples)
    tagged = catalog(people).tagged({"people.nickname": "PERSON"})
    assert starters(tagged, samples) == ("How many people are there?",)


def test_a_status_is_preferred_to_a_column_that_only_comes_first() -> None:
    orders = table("orders", "region", "order_status", rows=900)
    samples = {("orders", c): ["a", "b"] for c in ("region", "order_status")}

    assert "Orders by order status" in starters(catalog(orders), samples)


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["the only one"],
        [f"different {i}" for i in range(30)],
        [f"too many for a hundred rows {i}" for i in range(26)],
        [1, 2],
        ["x" * 50, "y" * 50],
    ],
)
def test_only_few_short_texts_over_many_rows_are_categories(values: list[object]) -> None:
    found = starters(catalog(table("things", "kind", rows=100)), {("things", "kind"): values})

    assert found == ("How many things are there?",)


def test_a_parent_without_names_or_with_few_rows_is_no_ranking() -> None:
    few = catalog(table("orders", "x", rows=900, to="shops"), table("shops", "name", rows=4))
    nameless = catalog(table("orders", "x", rows=900, to="shops"), table("shops", "code", rows=40))

    assert not any(q.startswith("Top") for q in starters(few, {}) + starters(nameless, {}))


def test_an_empty_catalog_has_no_questions() -> None:
    assert starters(catalog(), {}) == ()
