"""Query templates as forms on the ask page, and all tools on the admin page."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.policyfile import parse_policy
from tests.company import EMAIL
from tests.guard.test_templates import WITH
from tests.pages.conftest import Tab, Tabs


@pytest.fixture
def shop(tabs: Tabs) -> Tabs:
    home = tabs.company.home
    tabs.company.enforce(parse_policy(WITH.encode(), Path(home / "policy.toml")))
    return tabs


def form(tabs: Tabs, template: str, name: str = "ana") -> Tab:
    tab = tabs.of(name).open("ask")
    tab.app.selectbox(key="template_shop").set_value(template)
    return tab.run()


def send(tab: Tab, word: str = "Run") -> Tab:
    next(b for b in tab.app.button if b.label == word and "form" in str(b.proto.form_id)).click()
    return tab.run().settled()


def test_a_form_runs_its_template_and_shows_the_call_and_the_rows(shop: Tabs) -> None:
    tab = form(shop, "orders_of")
    tab.app.number_input(key="argument_orders_of_customer_id").set_value(1)
    tab.app.text_input(key="argument_orders_of_least").set_value("15")
    said = send(tab).text()
    assert "orders_of: customer_id = 1, least = 15" in said
    assert "Rule read.select" in said
    assert tab.frames()[0].to_dict("records") == [{"id": 4, "status": "cancelled", "total": 40.0}]


def test_a_form_that_is_not_filled_in_sends_nothing(shop: Tabs) -> None:
    said = send(form(shop, "orders_of")).text()
    assert "Fill in Customer id and Least first." in said
    assert "query.intent" not in shop.company.events()


def test_what_a_text_field_says_is_a_value_and_stays_masked(shop: Tabs) -> None:
    tab = form(shop, "by_country")
    field = tab.app.text_input(key="argument_by_country_country")
    field.set_value("Spain' OR '1'='1")
    assert send(tab).frames()[0].empty
    assert EMAIL not in tab.everything()


def test_a_wrong_argument_is_refused_with_what_it_takes(shop: Tabs) -> None:
    tab = form(shop, "orders_of")
    tab.app.number_input(key="argument_orders_of_customer_id").set_value(1)
    tab.app.text_input(key="argument_orders_of_least").set_value("much")
    said = send(tab).text()
    assert "Rule template.arguments" in said
    assert "customer_id (1 to 1000), least (0 to 1000)" in said
    assert "Edit the form" in tab.buttons()


def test_a_template_that_writes_needs_a_reason_and_waits_for_review(shop: Tabs) -> None:
    tab = form(shop, "close_order")
    tab.app.number_input(key="argument_close_order_id").set_value(2)
    said = send(tab, "Propose").text()
    assert "Fill in a reason first." in said
    reason = next(
        t
        for t in tab.app.text_input
        if t.label.startswith("Reason, for the person") and t.proto.form_id
    )
    reason.set_value("Asked by phone")
    send(tab, "Propose")
    assert "Withdraw" in tab.buttons()
    assert shop.company.query("SELECT status FROM orders WHERE id = 2") == [("pending",)]


def test_without_templates_there_is_no_tab(tabs: Tabs) -> None:
    tab = tabs.of("ana").open("ask")
    assert [t.label for t in tab.app.tabs][:2] == ["Ask", "SQL"]
    assert "Templates" not in [t.label for t in tab.app.tabs]


def test_the_admin_page_marks_every_tool(shop: Tabs) -> None:
    said = shop.of("adam").open("admin", tab="Tools").text()
    for words in (
        "propose_change",
        "destructive, only proposed",
        "orders_of",
        "write, only proposed",
    ):
        assert words in said
    assert "Takes customer_id (1 to 1000), least (0 to 1000)." in said
