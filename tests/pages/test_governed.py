"""An analyst and two admins, each in a browser of their own: access for a while, another policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.browsing import Visitor, picture, sign_in
from tests.ui.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SQL = "SELECT first_name, email, department FROM employees ORDER BY id LIMIT 3"


@pytest.fixture
def people(browser: Browser, served: Server) -> Iterator[dict[str, Visitor]]:
    found = {name: sign_in(browser, served, name) for name in ("analyst", "admin", "admin2")}
    yield found
    for visitor in found.values():
        visitor.context.close()


def admin_page(visitor: Visitor, tab: str) -> Page:
    visitor.page.goto(f"{visitor.url}/admin?tab={tab}")
    expect(visitor.page.get_by_role("heading", name="Policy and sources")).to_be_visible()
    return visitor.page


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).first.click()


def test_access_for_a_while_and_another_policy(people: dict[str, Visitor], served: Server) -> None:
    analyst, admin, admin2 = people["analyst"], people["admin"], people["admin2"]
    asks_for_access(analyst)
    grants(admin)
    # The page of whoever asked changes by itself, and what was refused runs.
    expect(analyst.page.get_by_text("Access granted.")).to_be_visible()
    picture(analyst.page, "access-granted")
    press(analyst.page, "Run it again")
    expect(analyst.page.get_by_text("3 cells in email are masked by policy")).to_be_visible()
    revokes(admin2)
    analyst.run_sql(SQL)
    expect(analyst.page.get_by_text("Revoked.")).to_be_visible()
    card_numbers_cannot_be_asked_for(analyst)
    uploads(admin, served)
    proposes(admin, served)
    activates(admin2)
    # The page of whoever proposed it changes by itself.
    expect(admin.page.get_by_text("In force: version 2")).to_be_visible()
    expect(admin.page.get_by_text("waits for a different admin")).to_have_count(0)
    analyst.run_sql(SQL.replace("LIMIT 3", "LIMIT 2"))
    expect(analyst.page.get_by_text("2 cells in email are masked by policy")).to_be_visible()
    tries(admin)
    for visitor in people.values():
        assert visitor.violations == []
        assert visitor.foreign == []


def asks_for_access(analyst: Visitor) -> None:
    page = analyst.page
    analyst.run_sql(SQL)
    expect(page.get_by_text("Not run.", exact=True)).to_be_visible()
    page.get_by_text("Request access").click()
    page.get_by_role("textbox", name="What do you need it for?").fill("Staff list for the audit")
    picture(page, "access-asking")
    press(page, "Send the request")
    expect(page.get_by_text("Waiting for an admin.")).to_be_visible()


def grants(admin: Visitor) -> None:
    page = admin_page(admin, "Access")
    expect(page.get_by_role("link", name="Policy and sources (1)")).to_be_visible()
    expect(page.get_by_text("Nora Lindqvist asks for reading the table")).to_be_visible()
    expect(page.get_by_text("masked as EMAIL_ADDRESS").first).to_be_visible()
    picture(page, "admin-access")
    press(page, "Grant access")
    expect(page.get_by_text("Granted.")).to_be_visible()
    picture(page, "admin-access-open")


def revokes(admin: Visitor) -> None:
    page = admin_page(admin, "Access")
    press(page, "Revoke")
    page.get_by_role("textbox", name="Why?").fill("The audit is over")
    press(page, "Revoke now")
    expect(page.get_by_text("Nobody has access beyond their roles.")).to_be_visible()


def card_numbers_cannot_be_asked_for(analyst: Visitor) -> None:
    page = analyst.page
    analyst.run_sql("SELECT * FROM payment_cards")
    expect(page.get_by_text("payment_cards is not a table you can read").first).to_be_visible()
    expect(page.get_by_text("Request access")).to_have_count(0)


def uploads(admin: Visitor, served: Server) -> None:
    """A wrong file is refused with its key named."""
    page = admin_page(admin, "Policy")
    page.get_by_text("Propose a change", exact=True).click()
    text = (served.home / "policy.toml").read_text(encoding="utf-8")
    wrong = text.replace("version = 1", "version = 1\nno_such_key = 1", 1).encode()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": "policy.toml", "mimeType": "application/toml", "buffer": wrong}
    )
    expect(page.get_by_text("+no_such_key = 1")).to_be_visible()
    press(page, "Propose this policy")
    expect(page.get_by_text("unknown key no_such_key")).to_be_visible()


def proposes(admin: Visitor, served: Server) -> None:
    file = served.home / "policy.toml"
    text = file.read_text(encoding="utf-8")
    members = "members = []\n\n[roles.payroll.sources.shop]"
    assert members in text
    file.write_text(text.replace(members, members.replace("[]", '["analyst"]')), encoding="utf-8")
    page = admin_page(admin, "Policy")
    expect(page.get_by_text("differs from the policy in force, and is not used.")).to_be_visible()
    page.get_by_role("textbox", name="Why is this change needed?").first.fill("Nora joins payroll")
    press(page, "Propose this policy")
    expect(page.get_by_text("so a different admin must activate it.")).to_be_visible()
    picture(page, "admin-policy-own")


def activates(admin: Visitor) -> None:
    page = admin_page(admin, "Policy")
    expect(page.get_by_text("1 proposed policy waits for you.")).to_be_visible()
    expect(page.get_by_text("reading shop.employees").first).to_be_visible()
    expect(page.get_by_role("button", name="Activate this policy")).to_be_disabled()
    press(page, "Replay the last 500 statements")
    expect(page.get_by_text("would turn out otherwise").first).to_be_visible()
    picture(page, "admin-policy-replayed")
    press(page, "Activate this policy")
    expect(page.get_by_text("Version 2 is in force from the next statement on.")).to_be_visible()
    picture(page, "admin-policy-activated")


def tries(admin: Visitor) -> None:
    page = admin_page(admin, "Try a statement")
    page.get_by_role("textbox", name="Statement").fill("SELECT first_name, country FROM customers")
    press(page, "Judge it")
    expect(page.get_by_text("What would be sent")).to_be_visible()
    picture(page, "admin-try")
    for tab in ("Checklist", "Sources", "People"):
        picture(admin_page(admin, tab), f"admin-{tab.lower()}")
