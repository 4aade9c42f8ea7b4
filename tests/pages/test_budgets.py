"""Budgets on screen: what everybody used, what is left for oneself, and why a run was halted."""

from __future__ import annotations

from guard.limitpolicy import Limits
from guard.policyfile import PersonPolicy
from tests.company import Company
from tests.pages.conftest import Tabs


def limit(company: Company, **keys: int) -> None:
    people = {"ana": PersonPolicy(limits=Limits(**keys))}
    company.enforce(company.parts.policy.model_copy(update={"people": people}))


def read(company: Company, times: int = 1) -> None:
    for _ in range(times):
        company.parts.gate.query(
            "SELECT id FROM orders LIMIT 4", source="shop", caller=company.caller("ana")
        )


def test_admins_see_who_used_how_much_of_what(tabs: Tabs) -> None:
    limit(tabs.company, rows_per_day=40, seconds_per_month=3_600)
    read(tabs.company, 3)
    tab = tabs.of("adam").open("admin", tab="Budgets")
    table = tab.app.dataframe[0].value
    row = table.set_index("Person").loc["Ana Lopez"]
    assert row["Rows today"] == "12 / 40"
    assert row["Rows this month"] == "12 / no limit"
    assert row["Time this month"].endswith(" / 3,600 s")
    # Nobody has used any money, and nothing limits it.
    assert not [name for name in table.columns if "cost" in name.lower()]
    limit(tabs.company, cost_per_day=5)
    table = tabs.of("adam").open("admin", tab="Budgets").app.dataframe[0].value
    assert table.set_index("Person").loc["Ana Lopez"]["Cost today"].startswith("0.00 USD / ")


def test_people_are_told_what_is_left_once_it_is_little(tabs: Tabs) -> None:
    limit(tabs.company, rows_per_day=14)
    assert "Left of your limits" not in tabs.of("ana").open("ask").text()
    read(tabs.company, 3)
    said = tabs.of("ana").open("ask").text()
    assert "Left of your limits: rows today: 2 of 14." in said


def test_a_used_up_limit_is_told_with_the_same_card(tabs: Tabs) -> None:
    limit(tabs.company, rows_per_day=3)
    said = tabs.of("ana").open("ask").run_sql("SELECT id FROM orders").text()
    assert "Not run. You may be shown 3 rows a day and 3 are left" in said
    assert "Nothing was sent to the database." in said
    assert "Ask for fewer rows, with LIMIT 3." in said
    assert "Rule limit.rows_per_day" in said


def test_what_was_sent_is_not_denied(tabs: Tabs) -> None:
    limit(tabs.company, max_rows=2)
    said = tabs.of("ana").open("ask").run_sql("SELECT id FROM orders").text()
    assert "Not shown. This returns more than 2 rows" in said
    assert "Nothing was sent to the database." not in said
