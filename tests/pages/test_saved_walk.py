"""In a real browser: words confirmed by an admin, a question verified by a reviewer, then asked."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.pages.browsing import Visitor, picture, sign_in
from tests.ui.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROPOSED = """
confirmed = false
[tables]
web_events = { synonyms = ["footprint"], date = "occurred_at" }
[phrases]
clicks = "web events"
"""
SQL = "SELECT country, COUNT(*) AS n FROM customers GROUP BY country ORDER BY n DESC LIMIT 3"
QUESTION = "Where do most customers live?"


@pytest.fixture
def people(browser: Browser, served: Server) -> Iterator[dict[str, Visitor]]:
    found = {name: sign_in(browser, served, name) for name in ("analyst", "reviewer", "admin")}
    yield found
    for visitor in found.values():
        visitor.context.close()


def test_words_are_confirmed_on_the_admin_page(people: dict[str, Visitor], served: Server) -> None:
    (served.home / "warehouse.semantics.toml").write_text(PROPOSED, encoding="utf-8")
    admin = people["admin"]
    page = admin.page
    page.goto(f"{admin.url}/admin?tab=Meaning")
    expect(page.get_by_text("In force: the operator's file")).to_be_visible()
    picture(page, "meaning-file")
    page.get_by_role("combobox", name="Source").click()
    page.get_by_role("option", name=re.compile("Web", re.IGNORECASE)).click()
    expect(page.get_by_text("In force: nothing.")).to_be_visible()
    picture(page, "meaning-proposed")
    page.get_by_text("Phrase clicks").click()
    page.get_by_role("button", name="Confirm 1 proposal").click()
    expect(page.get_by_text("Version 1 is in force from the next question.")).to_be_visible()
    # The sentence stands above what is drawn anew after it.
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_visible()
    page.get_by_text("Edit as text").click()
    box = page.get_by_role("textbox", name="The whole layer")
    box.fill("[tables]\nweb_event = { date = 'day' }\n")
    box.press("Control+Enter")
    expect(page.get_by_role("button", name="Confirm this text")).to_be_disabled()
    expect(page.get_by_text("There is no table web_event in this source.")).to_be_visible()
    picture(page, "meaning-wrong")
    assert admin.violations == []
    assert admin.foreign == []


def test_a_question_is_saved_verified_and_asked(people: dict[str, Visitor]) -> None:
    reviewer, analyst, admin = people["reviewer"], people["analyst"], people["admin"]
    page = analyst.page
    analyst.run_sql(SQL)
    page.get_by_role("button", name="Save the question").click()
    page.get_by_role("textbox", name="Question", exact=True).fill(QUESTION)
    picture(page, "saved-saving")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    page.get_by_role("tab", name="Saved").click()
    page.get_by_role("button", name="Offer it").click()
    expect(page.get_by_text("Waiting to be verified")).to_be_visible()
    picture(page, "saved-own")

    page = reviewer.page
    page.get_by_role("tab", name="Saved").click()
    expect(page.get_by_text(QUESTION)).to_be_visible()
    picture(page, "saved-verifying")
    page.get_by_role("button", name="Verify", exact=True).click()
    expect(page.get_by_text("Verified.", exact=True)).to_be_visible()

    page = admin.page
    page.goto(admin.url)
    expect(page.get_by_text("Verified by people here:")).to_be_visible()
    picture(page, "saved-welcome")
    page.get_by_role("radio", name=QUESTION).click()
    expect(page.get_by_text(re.compile("^3 rows. Verified by Amara Okafor on "))).to_be_visible()
    picture(page, "saved-answer")
    for visitor in people.values():
        assert visitor.violations == []
        assert visitor.foreign == []
