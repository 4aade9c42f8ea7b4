"""Ties ask back, what cannot be answered is refused with its reason, changes stay small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.planner import AskBack, NotUnderstood, Plan, Vocabulary, WriteRequest, plan
from guard import Column, Table


@pytest.mark.parametrize(
    ("question", "labels"),
    [
        ("orders by country and customers by country", None),
        ("best month", ["by revenue", "by profit"]),
        ("revenue growth from 2023 to 2025", ["monthly", "yearly"]),
        ("list products by price", ["sorted by price", "counted by price"]),
        ("average status by month", None),
    ],
)
def test_a_tie_asks_back_and_every_option_plans(
    shop: Vocabulary, question: str, labels: list[str] | None
) -> None:
    answer = plan(question, shop)
    if labels is None:
        assert not isinstance(answer, Plan)
        return
    assert isinstance(answer, AskBack)
    assert set(labels) <= {o.label for o in answer.options}
    for option in answer.options:
        assert isinstance(plan(option.question, shop), Plan), option.question


def test_a_name_of_two_things_asks_which(chinook: Vocabulary) -> None:
    answer = plan("average length of tracks by Iron Maiden", chinook)

    assert isinstance(answer, AskBack)
    assert [o.label for o in answer.options] == ["album Iron Maiden", "artist Iron Maiden"]
    for option in answer.options:
        assert isinstance(plan(option.question, chinook), Plan)


def test_an_unknown_word_is_named_with_the_closest_known_ones(shop: Vocabulary) -> None:
    answer = plan("revenue by catgory", shop)

    assert isinstance(answer, NotUnderstood)
    assert answer.unknown == ("catgory",)
    assert "“catgory” is not a word I know" in answer.reason
    assert answer.suggestions[0] == "category"
    assert answer.understood == "revenue by"


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("why did revenue drop in May?", "no causes"),
        ("forecast revenue for next quarter", "no forecasts"),
        ("revenue next month", "no forecasts"),
        ("which customers are likely to leave?", "what people will do"),
        ("should we discontinue Acme products?", "not opinions"),
        ("", "no question"),
        ("?!", "no question"),
        ("x" * 3_000, "longer than"),
        ("delete all cancelled orders", "SQL tab"),
        ("set all product prices to 0", "SQL tab"),
        ("drop the orders table", "never made"),
        ("customers sorted by last name", "masked for you"),
        ("customers born before 1980", "masked for you"),
        ("average revenue", "needs a unit"),
        ("share of revenue", "Name a group"),
        ("share of cancelled orders by channel", "two ways"),
    ],
)
def test_a_refusal_says_why(shop: Vocabulary, question: str, reason: str) -> None:
    answer = plan(question, shop)

    assert isinstance(answer, NotUnderstood), answer
    assert reason in answer.reason


def test_a_source_that_holds_forecasts_may_be_asked_for_them(shop: Vocabulary) -> None:
    column = (Column(name="id", type="integer", primary_key=True),)
    tables = (*shop.catalog.tables, Table(name="forecasts", columns=column))
    wider = replace(shop, catalog=replace(shop.catalog, tables=tables))

    assert isinstance(plan("how many forecasts are there?", wider), Plan)
    assert isinstance(plan("how many forecasts are there?", shop), NotUnderstood)


@pytest.mark.parametrize(
    ("question", "sql"),
    [
        (
            "set the status of order 118 to cancelled",
            "UPDATE orders SET status = 'cancelled' WHERE id = 118",
        ),
        ("mark ticket 17 as closed", "UPDATE support_tickets SET status = 'closed' WHERE id = 17"),
        (
            "Please change the city of customer 5 to Berlin.",
            "UPDATE customers SET city = 'Berlin' WHERE id = 5",
        ),
        (
            "change the city of customer 5 to Val-d'Or",
            "UPDATE customers SET city = 'Val-d''Or' WHERE id = 5",
        ),
        ("delete order item 9", "DELETE FROM order_items WHERE id = 9"),
        (
            "set the price of product 3 to 19.90",
            "UPDATE products SET unit_price = 19.90 WHERE id = 3",
        ),
        ("mark product 3 as discontinued", "UPDATE products SET discontinued = 1 WHERE id = 3"),
        ("mark product 3 as not discontinued", "UPDATE products SET discontinued = 0 WHERE id = 3"),
        (
            "set launch date of product 3 to 2026-07-01",
            "UPDATE products SET launched_on = '2026-07-01' WHERE id = 3",
        ),
        ("set order 118 to Shipped", "UPDATE orders SET status = 'shipped' WHERE id = 118"),
    ],
)
def test_a_small_change_in_words_is_proposed(shop: Vocabulary, question: str, sql: str) -> None:
    answer = plan(question, shop)

    assert isinstance(answer, WriteRequest), answer
    assert answer.sql == sql
    assert answer.interpretation.endswith(".")


@pytest.mark.parametrize(
    "question",
    [
        "set the status of order 118 to lost",
        "set the status of orders to cancelled",
        "set the price of product 3 to cheap",
        "set the stock of product 3 to 2.5",
        "set the status of order 118 to cancelled and delete order 119",
        "set the id of order 118 to 119",
        "set the customer id of order 118 to 5",
        "delete customers without orders",
        "delete order 118 and order 119",
        "update the revenue of customer 5 to 100",
        "mark all tickets as closed",
        "mark ticket 17 as handled",
        "insert a customer named Ada",
        "remove Acme products",
    ],
)
def test_a_wider_or_unclear_change_is_not_proposed(shop: Vocabulary, question: str) -> None:
    assert isinstance(plan(question, shop), NotUnderstood)


def test_a_fault_in_a_rule_is_a_no_and_the_question_is_not_logged(
    shop: Vocabulary, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("customer Ada")

    monkeypatch.setattr("agent.planner.planner.tags_of", broken)

    answer = plan("orders of customer Ada", shop)

    assert isinstance(answer, NotUnderstood)
    assert "RuntimeError" in caplog.text
    assert "Ada" not in caplog.text
