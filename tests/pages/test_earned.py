"""Templates that could run without a person: an admin sees what each has earned, and decides."""

from __future__ import annotations

import json

import pytest

from store import promotions
from store.promotions import NewPromotion
from tests.company import Company
from tests.pages.conftest import Tabs

SHAPE = "UPDATE orders SET status = :text WHERE id = :number"


def proposed(company: Company) -> int:
    """A template that the console has proposed."""
    new = NewPromotion(
        source="shop",
        template="a" * 64,
        shape=SHAPE,
        tables_json=json.dumps(["orders"]),
        columns_json=json.dumps({"orders": ["status"]}),
        schema_hash="b" * 64,
        max_rows=12,
        per_day=20,
        hour_from=8,
        hour_to=18,
        runs=214,
        authors=4,
        approvers=3,
    )
    with company.store.write() as conn:
        return promotions.propose(conn, new, now=company.store.now())


@pytest.fixture
def allowed(tabs: Tabs) -> Tabs:
    """The company whose policy lets templates earn it."""
    policy = tabs.company.parts.policy
    earned = policy.approvals.earned.model_copy(update={"enabled": True})
    approvals = policy.approvals.model_copy(update={"earned": earned})
    tabs.company.enforce(policy.model_copy(update={"approvals": approvals}))
    return tabs


def test_an_admin_sees_what_a_template_has_earned_and_says_yes(allowed: Tabs) -> None:
    template = proposed(allowed.company)
    tab = allowed.of("adam").open("approvals")
    said = tab.text()
    assert SHAPE in said
    assert "0 of 2 admins have said yes" in said
    assert "214 clean reviews by 4 authors and 3 approvers" in said
    assert "by itself for at most 12 rows in orders, 20 times a day, 8:00 to 18:00 UTC" in said
    tab.press(f"enable_{template}")
    assert "You have said yes. Another admin must too." in tab.text()
    assert f"enable_{template}" not in {b.key for b in tab.app.button}


def test_declining_a_template_needs_a_reason(allowed: Tabs) -> None:
    template = proposed(allowed.company)
    tab = allowed.of("adam").open("approvals")
    tab.press(f"end_{template}")
    assert SHAPE in tab.text()
    tab.app.text_input(key=f"end_reason_{template}").set_value("Too wide")
    tab.press(f"end_{template}")
    assert SHAPE not in tab.text()


def test_reviewers_are_not_asked_about_templates(allowed: Tabs) -> None:
    proposed(allowed.company)
    assert SHAPE not in allowed.of("rita").open("approvals").text()
