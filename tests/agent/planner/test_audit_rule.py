"""A recognised part that is not in the statement is found, whatever built the statement."""

from __future__ import annotations

import pytest

from agent.planner import Plan, Vocabulary, plan
from agent.planner.audit_rule import unused_part
from agent.planner.tagging import tags_of


@pytest.mark.parametrize(
    ("asked", "planned", "part"),
    [
        ("orders from Germany in 2025", "orders from Germany", "in 2025"),
        ("orders from Germany", "orders", "Germany"),
        ("top 5 products by revenue", "revenue by product", "top"),
        ("revenue by channel", "revenue", "by"),
        ("average price by brand", "products by brand", "average"),
        ("customers without orders", "customers with orders", "without"),
        ("orders over 1000", "orders over 2000", "1000"),
        ("orders under 1000", "orders over 1000", "under"),
        ("revenue by month", "revenue by year", "month"),
        ("running total of revenue by month", "revenue by month", "running total of"),
        ("share of revenue by channel", "revenue by channel", "share of"),
        ("active customers in Italy", "customers in Italy", "active"),
        ("customers not from Italy", "customers from Italy", "not from"),
        ("products whose name contains 'Lamp'", "products", "contains"),
        ("number of cities by segment", "customers in Berlin", "number of"),
        ("number of tickets per order", "number of tickets", "per"),
        ("revenue between 2025-01-01 and 2025-03-31", "revenue since 2025-01-01", "between"),
    ],
)
def test_a_dropped_part_is_named(shop: Vocabulary, asked: str, planned: str, part: str) -> None:
    answer = plan(planned, shop)
    assert isinstance(answer, Plan)

    found = unused_part(tags_of(asked, shop), answer.sql, shop)

    assert found is not None
    assert found.startswith(part)


@pytest.mark.parametrize(
    "question",
    ["orders from Germany in 2025", "top 5 products by revenue", "customers without orders"],
)
def test_a_whole_statement_passes(shop: Vocabulary, question: str) -> None:
    answer = plan(question, shop)
    assert isinstance(answer, Plan)

    assert unused_part(tags_of(question, shop), answer.sql, shop) is None
