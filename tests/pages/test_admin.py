"""Policy and sources: seen, tried, put into force; people changed by others than themselves."""

from __future__ import annotations

import pytest

from store import accounts, policies
from tests.company import Company
from tests.pages.conftest import Tab, Tabs
from ui import session
from ui.parts import open_parts


def opened(tabs: Tabs, tab: str) -> Tab:
    return tabs.of("adam").open("admin", tab=tab)


def roles(company: Company, name: str) -> frozenset[str]:
    with company.store.read() as conn:
        account = accounts.by_name(conn, name)
    assert account is not None
    return account.roles


def test_the_checklist_is_tried_on_demand_and_says_how_to_mend(tabs: Tabs) -> None:
    (tabs.company.home / "operator.secret").write_text("x")
    (tabs.company.home / "operator.secret").chmod(0o644)
    tab = opened(tabs, "Checklist")
    assert "Each item is tried for real" in tab.text()
    tab.press("run_checks")
    said = tab.text()
    assert "shop: reachable, and every tag names a column" in said
    assert "To do" in said
    assert "chmod 600" in said
    assert said.index("chmod 600") < said.index("shop: reachable")


def test_sources_say_what_they_are_and_whether_they_answer(tabs: Tabs) -> None:
    said = opened(tabs, "Sources").text()
    assert "Corner shop" in said
    assert "sqlite, production" in said
    assert "2 tagged columns, 1 column of prose" in said
    assert "Reachable" in said


def test_a_source_that_is_gone_is_said_with_what_to_do(tabs: Tabs) -> None:
    company = tabs.company
    company.database.rename(company.home / "elsewhere")
    company.parts.sources.get("shop").refresh()
    said = opened(tabs, "Sources").text()
    assert "Not reachable" in said
    assert "The database file of shop is not there." in said


@pytest.fixture
def replaced(tabs: Tabs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes putting a policy into force act on the company."""
    company = tabs.company

    def replace() -> object:
        fresh = open_parts(company.home, company.store, company.log, {})
        company.parts.close()
        company.parts = fresh
        return fresh

    monkeypatch.setattr(session, "replace_policy", replace)


@pytest.mark.usefixtures("replaced")
def test_a_changed_file_comes_into_force_when_an_admin_says_so(tabs: Tabs) -> None:
    company = tabs.company
    path = company.home / "policy.toml"
    tab = opened(tabs, "Policy")
    assert "The file on disk is the policy in force." in tab.text()
    path.write_text(path.read_text().replace("version = 1", "version = 2", 1))
    assert "The file on disk differs from the policy in force." in tab.run().text()
    assert "-version = 1" in tab.text()
    assert "+version = 2" in tab.text()
    assert company.parts.policy.version == 1
    tab.press("use_policy")
    assert company.parts.policy.version == 2
    assert "Version 2 is in force." in tab.text()
    with company.store.read() as conn:
        kept = policies.latest(conn)
    assert kept is not None
    assert kept.activated_by == company.person("adam").id
    event = company.log.tail(1)[0].event
    assert (event.type, event.summary) == ("config.changed", "Policy version 2 put into force")


@pytest.mark.usefixtures("replaced")
def test_a_policy_that_cannot_be_recorded_does_not_come_into_force(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audit import Unavailable

    company = tabs.company
    path = company.home / "policy.toml"
    path.write_text(path.read_text().replace("version = 1", "version = 2", 1))
    tab = opened(tabs, "Policy")

    def full(_event: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(company.log, "append", full)
    tab.press("use_policy")
    assert "The disk is full." in tab.text()
    assert company.parts.policy.version == 1
    with company.store.read() as conn:
        assert policies.latest(conn) is None


def test_a_broken_file_leaves_the_policy_in_force(tabs: Tabs) -> None:
    path = tabs.company.home / "policy.toml"
    path.write_text(path.read_text() + "\nunknown_key = 1\n")
    tab = opened(tabs, "Policy")
    assert "The file on disk cannot be used; the policy in force stays." in tab.text()
    assert "unknown_key" in tab.text()
    assert "use_policy" not in {b.key for b in tab.app.button}


@pytest.mark.parametrize(
    ("name", "sql", "rule"),
    [
        ("ana", "SELECT * FROM orders", "read.select"),
        ("ana", "SELECT * FROM salaries", "table.not_allowed"),
        ("ana", "SELECT country FROM customers ORDER BY email", "masked.predicate"),
        ("ana", "UPDATE orders SET status = 'x' WHERE id = 1", "write.production"),
        ("gerd", "UPDATE orders SET status = 'x' WHERE id = 1", "write.row_filter"),
        ("nobody", "SELECT * FROM orders", "source.not_allowed"),
        ("ana", "SELEC 1", "statement."),
    ],
)
def test_a_statement_is_judged_as_somebody_by_the_rule_that_wins(
    name: str, sql: str, rule: str, tabs: Tabs
) -> None:
    tab = opened(tabs, "Try a statement")
    before = len(tabs.company.events())
    tab.app.selectbox(key="try_as").set_value(name)
    tab.app.text_area(key="try_sql").set_value(sql)
    next(b for b in tab.app.button if b.label == "Judge it").click()
    assert f"Rule {rule}" in tab.run().text()
    assert len(tabs.company.events()) == before


def test_a_row_filter_is_shown_with_the_decision(tabs: Tabs) -> None:
    tab = opened(tabs, "Try a statement")
    tab.app.selectbox(key="try_as").set_value("gerd")
    tab.app.text_area(key="try_sql").set_value("SELECT * FROM customers")
    next(b for b in tab.app.button if b.label == "Judge it").click()
    assert "country = 'Germany'" in tab.run().text()


def test_an_admin_cannot_change_or_disable_themself(tabs: Tabs) -> None:
    tab = opened(tabs, "People")
    assert tab.frames()[0].iloc[0]["Name"] == "adam"
    assert "This is you." in tab.text()
    assert not {"save_roles", "switch_account"} & {b.key for b in tab.app.button}


def chosen(tab: Tab, name: str, monkeypatch: pytest.MonkeyPatch) -> Tab:
    """The tab with that account chosen in the list, which a test cannot click."""
    from ui.governing import people

    place = list(tab.frames()[0]["Name"]).index(name)
    drawn = people._table

    def pick(known: tuple[accounts.Account, ...]) -> int:
        drawn(known)
        return place

    monkeypatch.setattr(people, "_table", pick)
    return tab.run()


def test_roles_change_with_a_record_and_hold_at_once(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = tabs.company
    rob = tabs.of("rob").open("approvals")
    assert "Approvals" in rob.text()
    tab = chosen(opened(tabs, "People"), "rob", monkeypatch)
    account = company.person("rob").id
    assert tab.app.button(key="save_roles").disabled
    tab.app.get("button_group")[0].set_value(["analyst"])
    tab.run().press("save_roles")
    assert roles(company, "rob") == {"analyst"}
    event = company.log.tail(1)[0].event
    assert (event.type, event.summary) == ("config.changed", "Account changed: roles: analyst")
    assert event.parts[0].name == account  # type: ignore[attr-defined]  # these are its facts
    assert "My requests" in rob.run().text()


def test_a_disabled_account_is_out_at_its_next_click(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = tabs.of("ana").open("ask")
    tab = chosen(opened(tabs, "People"), "ana", monkeypatch).press("switch_account")
    assert "ana: disabled." in tab.text()
    assert "You are signed out." in ana.run().text()
    assert tab.app.button(key="switch_account").label == "Enable account"


def test_a_change_that_cannot_be_recorded_is_not_made(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audit import Unavailable

    company = tabs.company
    tab = chosen(opened(tabs, "People"), "rob", monkeypatch)

    def full(_event: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(company.log, "append", full)
    tab.app.get("button_group")[0].set_value(["analyst"])
    tab.run().press("save_roles")
    assert "The disk is full." in tab.text()
    assert roles(company, "rob") == {"reviewer"}
