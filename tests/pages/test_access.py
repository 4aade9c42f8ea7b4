"""Access is asked for where it was denied, granted by an admin, and heard of on the same page."""

from __future__ import annotations

import pytest

from tests.company import SALARY
from tests.guard.test_accessdesk import with_second_admin
from tests.pages.conftest import Tab, Tabs

SQL = "SELECT amount FROM salaries"


@pytest.fixture
def two(tabs: Tabs) -> Tabs:
    with_second_admin(tabs.company)
    return tabs


def denied(two: Tabs, name: str = "ana") -> Tab:
    return two.of(name).open("ask").run_sql(SQL)


def asked(two: Tabs, name: str = "ana", reason: str = "Quarterly report") -> Tab:
    tab = denied(two, name)
    tab.app.text_input(key="access_reason").set_value(reason)
    next(b for b in tab.app.button if b.label == "Send the request").click()
    return tab.run()


def admin(two: Tabs, name: str = "adam") -> Tab:
    return two.of(name).open("admin", tab="Access")


def test_a_denial_offers_to_ask_and_says_what_stays(two: Tabs) -> None:
    said = denied(two).text()
    assert "An admin decides on reading the table shop.salaries." in said
    assert "Personal data stays masked" in said


def test_without_a_reason_nothing_is_asked(two: Tabs) -> None:
    tab = asked(two, reason=" ")
    assert "Say what you need it for" in tab.text()
    assert two.company.parts.access.mine(two.company.caller("ana")) == ()


def test_the_walk_from_denied_to_rows_and_back(two: Tabs) -> None:
    ana = asked(two)
    assert "Waiting for an admin. You asked for reading the table shop.salaries" in ana.text()
    page = admin(two)
    said = page.text()
    assert "1 access request waits for you." in said
    assert "Ana Lopez asks for reading the table shop.salaries" in said
    assert "Quarterly report" in said
    assert "All rows of the table." in said
    assert "amount" in said
    page.press("grant_1")
    assert "Granted. Ana Lopez has access for 1 hour." in page.text()
    assert "Access granted. Open until" in ana.run().text()
    ana.press("access_again").settled()
    assert str(SALARY) in str(ana.frames()[-1])
    page.app.text_input(key="why_1").set_value("Left the project")
    page.press("revoke_1")
    assert "Nobody has access beyond their roles." in page.text()
    ana.open("ask").run_sql(SQL)
    assert "Not run." in ana.text()
    assert "Revoked. Access to reading the table shop.salaries was revoked" in ana.text()
    assert "Left the project" in ana.text()


def test_an_admin_opens_less_than_was_asked(two: Tabs) -> None:
    asked(two)
    page = admin(two)
    page.app.multiselect(key="columns_1_salaries").set_value(["id"])
    page.run().press("grant_1")
    ana = two.of("ana").open("ask").run_sql("SELECT * FROM salaries")
    assert list(ana.frames()[-1].columns) == ["id"]


def test_a_rejection_needs_a_reason_and_reaches_the_person(two: Tabs) -> None:
    ana = asked(two)
    page = admin(two).press("reject_1")
    assert "Say why you reject it" in page.text()
    page.app.text_input(key="comment_1").set_value("Ask payroll instead")
    page.press("reject_1")
    said = ana.run().text()
    assert "Rejected. Your request for reading the table shop.salaries was rejected" in said
    assert "Ask payroll instead" in said
    assert any(b.label == "Send the request" for b in ana.app.button)


def test_a_request_is_withdrawn_by_the_person(two: Tabs) -> None:
    ana = asked(two).press("withdraw_access_1")
    assert "Waiting for an admin" not in ana.text()
    assert "No request waits for a decision." in admin(two).text()


def test_an_admin_sees_no_buttons_on_their_own_request(two: Tabs) -> None:
    asked(two, "adam")
    own = admin(two)
    assert "You asked for this access, so another admin must decide." in own.text()
    assert "grant_1" not in {b.key for b in own.app.button}
    assert "grant_1" in {b.key for b in admin(two, "alma").app.button}


def test_a_tagged_column_is_said_to_stay_masked(two: Tabs) -> None:
    company = two.company
    policy = company.parts.policy
    grant = (
        policy.roles["analysts"]
        .sources["shop"]
        .model_copy(update={"hide": ("customers.last_name",)})
    )
    role = policy.roles["analysts"].model_copy(update={"sources": {"shop": grant}})
    company.enforce(policy.model_copy(update={"roles": {**policy.roles, "analysts": role}}))
    tab = two.of("ana").open("ask").run_sql("SELECT last_name FROM customers")
    tab.app.text_input(key="access_reason").set_value("Letters")
    next(b for b in tab.app.button if b.label == "Send the request").click()
    tab.run()
    assert "masked as PERSON" in admin(two).text()


def test_what_can_never_be_granted_offers_nothing(two: Tabs) -> None:
    company = two.company
    policy = company.parts.policy
    never = policy.access.model_copy(update={"never": ("shop.salaries",)})
    company.enforce(policy.model_copy(update={"access": never}))
    tab = denied(two)
    assert "Not run." in tab.text()
    assert not any(b.label == "Send the request" for b in tab.app.button)


def test_a_name_of_nothing_is_said_to_the_admin_only(two: Tabs) -> None:
    tab = two.of("ana").open("ask").run_sql("SELECT * FROM no_such_table")
    tab.app.text_input(key="access_reason").set_value("why not")
    next(b for b in tab.app.button if b.label == "Send the request").click()
    assert "does not exist" not in tab.run().text()
    page = admin(two)
    assert "shop.no_such_table does not exist" in page.text()
    assert "Nothing is opened by this grant." in page.press("grant_1").text()


def test_a_hostile_reason_and_name_are_drawn_as_text(two: Tabs) -> None:
    evil = "<script>alert(1)</script> ![x](http://127.0.0.1:9/leak)"
    tab = two.of("ana").open("ask").run_sql('SELECT * FROM "<script>alert(2)</script>"')
    tab.app.text_input(key="access_reason").set_value(evil)
    next(b for b in tab.app.button if b.label == "Send the request").click()
    assert "<script" not in tab.run().html()
    page = admin(two)
    assert "<script" not in page.html()
    assert "alert(1)" in page.text()
    assert not page.app.markdown


def test_what_was_asked_for_stands_on_the_page_of_own_requests(two: Tabs) -> None:
    asked(two)
    mine = two.of("ana").open("approvals")
    assert "Waiting for an admin. You asked for reading the table shop.salaries" in mine.text()
    admin(two).press("grant_1")
    assert "Access granted. Open until" in mine.run().text()
    assert "Access you asked for" not in str(two.of("gerd").open("approvals").everything())


def test_the_request_stands_in_the_trail_beside_the_conversation(two: Tabs) -> None:
    ana = asked(two)
    assert "access.requested" in ana.text()
    assert "Access request #1 for 1 h: shop.salaries" in ana.text()
