"""Policy and sources: seen, tried, put into force; people changed by others than themselves."""

from __future__ import annotations

import pytest

from store import accounts
from tests.company import Company
from tests.guard.test_accessdesk import with_second_admin
from tests.pages.conftest import Tab, Tabs


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
def two(tabs: Tabs) -> Tabs:
    """The company with a second admin."""
    with_second_admin(tabs.company)
    return tabs


def edited(tabs: Tabs, old: str = "version = 1", new: str = "version = 2") -> None:
    path = tabs.company.home / "policy.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def proposal(two: Tabs, old: str = "version = 1", new: str = "version = 2") -> Tab:
    """Adam's page after he proposed the edited file."""
    edited(two, old, new)
    tab = opened(two, "Policy")
    tab.app.text_input(key="propose_file_note").set_value("Quarterly change")
    return tab.press("propose_file")


def test_an_edited_file_is_said_and_not_used(tabs: Tabs) -> None:
    tab = opened(tabs, "Policy")
    assert "is the policy in force." in tab.text()
    edited(tabs)
    said = tab.run().text()
    assert "The file on disk differs from the policy in force, and is not used." in said
    assert "-version = 1" in said
    assert "+version = 2" in said
    assert tabs.company.parts.policy.version == 1


def test_a_different_admin_puts_a_proposal_into_force_after_the_replay(two: Tabs) -> None:
    company = two.company
    adam = proposal(two)
    assert "a different admin must activate it" in adam.text()
    assert "activate_1" not in {b.key for b in adam.app.button}
    alma = two.of("alma").open("admin", tab="Policy")
    assert "1 proposed policy waits for you." in alma.text()
    assert "Quarterly change" in alma.text()
    assert "version: 1 to 2" in alma.text()
    assert alma.app.button(key="activate_1").disabled
    alma.press("replay_1")
    assert "would turn out otherwise" in alma.text()
    alma.press("activate_1")
    assert "Version 2 is in force from the next statement on." in alma.text()
    assert company.parts.policy.version == 2
    assert "Version 2 is in force" not in adam.run().text()
    assert "waits for you" not in alma.run().text()
    events = [r.event for r in company.log.tail(20)]
    (event,) = [e for e in events if e.summary == "Policy version 2 put into force"]
    assert event.actor.id == company.person("alma").id


def test_a_replay_shows_whose_statements_turn_out_otherwise(two: Tabs) -> None:
    ana = two.of("ana").open("ask")
    ana.run_sql("SELECT status, count(*) FROM orders GROUP BY status")
    proposal(two, '["customers", "orders", "tickets"]', '["customers"]')
    alma = two.of("alma").open("admin", tab="Policy").press("replay_1")
    assert "Loses · adam, alma, ana, rita and rob: reading shop.orders" in alma.text()
    flips = next(f for f in alma.frames() if "Rule then" in f.columns)
    assert list(flips["Person"]) == ["ana"]
    assert list(flips["What"]) == ["allowed to denied"]
    assert list(flips["Rule then"]) == ["table.not_allowed"]


def test_an_edit_in_the_page_is_proposed_and_a_wrong_key_is_named(two: Tabs) -> None:
    tab = opened(two, "Policy")
    (area,) = [a for a in tab.app.text_area if str(a.key).startswith("policy_text_")]
    area.set_value(area.value + "\nunknown_key = 1\n")
    tab.run().press("propose_edit")
    assert "unknown_key" in tab.text()
    (area,) = [a for a in tab.app.text_area if str(a.key).startswith("policy_text_")]
    area.set_value(area.value.replace("unknown_key = 1", "# a comment"))
    tab.run().press("propose_edit")
    assert "Proposal 1 waits for a different admin." in tab.text()
    alma = two.of("alma").open("admin", tab="Policy")
    assert "It means the same for everybody" in alma.text()


def test_going_back_is_proposed_like_any_other_policy(two: Tabs) -> None:
    proposal(two)
    two.of("alma").open("admin", tab="Policy").press("replay_1").press("activate_1")
    tab = opened(two, "Policy")
    tab.press("roll_back")
    assert "Back to version 1." in tab.text()
    alma = two.of("alma").open("admin", tab="Policy")
    alma.press("replay_2").press("activate_2")
    assert two.company.parts.policy.version == 1


def test_a_proposal_is_rejected_with_a_reason_or_withdrawn(two: Tabs) -> None:
    proposal(two)
    alma = two.of("alma").open("admin", tab="Policy")
    assert "Say why you reject it" in alma.press("reject_policy_1").text()
    alma.app.text_input(key="policy_comment_1").set_value("Too early")
    assert "Proposal 1 is over." in alma.press("reject_policy_1").text()
    adam = opened(two, "Policy").press("propose_file")
    adam.press("withdraw_2")
    assert two.company.parts.governing.waiting() == ()


def test_a_proposal_that_cannot_be_recorded_is_not_made(
    two: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audit import Unavailable

    edited(two)
    tab = opened(two, "Policy")

    def full(_event: object) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(two.company.log, "append", full)
        tab.press("propose_file")
        assert "The disk is full." in tab.text()
    assert two.company.parts.governing.waiting() == ()


def test_a_broken_file_leaves_the_policy_in_force(tabs: Tabs) -> None:
    path = tabs.company.home / "policy.toml"
    path.write_text(path.read_text() + "\nunknown_key = 1\n")
    tab = opened(tabs, "Policy")
    assert "The file on disk cannot be used; the policy in force stays." in tab.text()
    assert "unknown_key" in tab.text()
    assert "propose_file" not in {b.key for b in tab.app.button}


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
    tab.app.selectbox(key="try_as").set_value(name)
    tab.app.text_area(key="try_sql").set_value(sql)
    next(b for b in tab.app.button if b.label == "Judge it").click()
    assert f"Rule {rule}" in tab.run().text()
    events = tabs.company.events()
    assert events[-1] == "policy.tried"
    assert "query.intent" not in events


def test_a_row_filter_is_shown_with_the_decision(tabs: Tabs) -> None:
    tab = opened(tabs, "Try a statement")
    tab.app.selectbox(key="try_as").set_value("gerd")
    tab.app.text_area(key="try_sql").set_value("SELECT * FROM customers")
    next(b for b in tab.app.button if b.label == "Judge it").click()
    said = tab.run().text()
    assert "country = 'Germany'" in said
    assert "What would be sent" in said
    assert "email Masked EMAIL_ADDRESS" in said


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


def test_the_checklist_tells_the_settings_of_the_audit_trail(tabs: Tabs) -> None:
    said = tabs.of("adam").open("admin", tab="Checklist").text()
    assert "Audit trail" in said
    assert "every 5 minutes" in said
    assert "6 years" in said


def test_of_an_anchor_only_the_machine_is_told() -> None:
    from guard.auditpolicy import AnchorPolicy, AuditPolicy
    from ui.governing.audittrail import card

    hook = AnchorPolicy(
        name="hook", kind="webhook", to="https://audit.example.com/t0ken", secret="ANCHOR_SECRET"
    )
    git = AnchorPolicy(name="git", kind="git", to="/mnt/other/anchors.git")
    said = card(
        AuditPolicy(
            anchors=(hook, git), anchored_within_minutes=60, legal_hold=True, anchor_minutes=1
        )
    )
    assert "(webhook, audit.example.com)" in said
    assert "(git, this machine)" in said
    assert "t0ken" not in said
    assert "/mnt" not in said
    assert "younger than 60 minutes" in said
    assert "legal hold" in said
    assert "every minute" in said
    assert "nothing would show it" not in said
    assert "nothing would show it" in card(AuditPolicy())
