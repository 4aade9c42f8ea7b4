"""Two people signed in at once: one asks, the other decides, each page follows by itself."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, expect

from tests.pages.browsing import Visitor, picture, sign_in
from tests.ui.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ORDER = 219
EMAIL = "UPDATE customers SET email = 'someone.else@mail.example' WHERE id = 12"
LARGE = "UPDATE orders SET shipping_cost = 500 WHERE id <= 300"


def status(server: Server) -> str:
    """The order's status as it really is."""
    path = server.home / "shop.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        [(found,)] = db.execute("SELECT status FROM orders WHERE id = ?", (ORDER,)).fetchall()
    return str(found)


@pytest.fixture
def analyst(browser: Browser, served: Server) -> Iterator[Visitor]:
    visitor = sign_in(browser, served, "analyst")
    yield visitor
    visitor.context.close()


@pytest.fixture
def reviewer(browser: Browser, served: Server) -> Iterator[Visitor]:
    visitor = sign_in(browser, served, "reviewer")
    yield visitor
    visitor.context.close()


def propose_sql(visitor: Visitor, sql: str, reason: str) -> int:
    """Proposes a typed change; returns the number of the request."""
    page = visitor.page
    page.goto(visitor.url)
    visitor.run_sql(sql)
    page.get_by_label("Reason, for the person who decides").fill(reason)
    page.locator(".st-key-gh-transcript").get_by_role(
        "button", name="Propose as a change"
    ).last.click()
    link = page.get_by_role("link", name=re.compile(r"Open request #\d+")).last
    expect(link).to_be_visible()
    return int(re.sub(r"\D", "", link.inner_text()))


def test_a_request_goes_back_and_forth_between_two_open_pages(
    analyst: Visitor, reviewer: Visitor, served: Server
) -> None:
    before = status(served)
    inbox = reviewer.page
    inbox.get_by_test_id("stSidebarNav").get_by_role("link", name="Approvals").click()
    expect(inbox.get_by_text("Nothing is waiting for review.")).to_be_visible()

    analyst.ask(f"set the status of order {ORDER} to cancelled")
    waiting = analyst.page.get_by_text("Waiting for review. Nothing has changed yet.")
    expect(waiting.first).to_be_visible()
    # Nobody touched the reviewer's page: the request and the count in the navigation come to it.
    nav = inbox.get_by_test_id("stSidebarNav")
    expect(nav.get_by_role("link", name="Approvals (1)")).to_be_visible()
    expect(inbox.locator(".gh-diff tbody tr")).to_have_count(1)
    expect(inbox.locator(".gh-risk")).to_contain_text("Tier 1")
    expect(inbox.locator(".gh-risk")).to_contain_text("1 person other than the author")
    expect(
        inbox.get_by_text(f'WHERE "id" = {ORDER}').or_(inbox.get_by_test_id("stCode"))
    ).to_be_visible()
    approve = inbox.get_by_role("button", name="Approve and apply")
    expect(approve).to_be_visible()
    picture(inbox, "two-people-reviewer")
    approve.click()
    inbox.get_by_role("dialog").get_by_role("button", name="Approve and apply").click()
    expect(inbox.get_by_text("1 row in orders was changed.")).to_be_visible()
    assert status(served) == "cancelled"
    # Nor did the analyst: the conversation says what became of it.
    expect(analyst.page.get_by_text("1 row in orders was changed.").first).to_be_visible()
    picture(analyst.page, "two-people-analyst")

    analyst.page.get_by_role("link", name=re.compile(r"Open request #\d+")).last.click()
    analyst.page.get_by_role("button", name="Undo").click()
    analyst.page.get_by_label("Reason").fill("The customer wants it after all")
    analyst.page.get_by_role("button", name="Ask to undo").click()
    expect(analyst.page.get_by_text("someone else must review it")).to_be_visible()
    # The reviewer still has the applied request open: the one that would undo it comes to it.
    inbox.get_by_role("button", name=re.compile(r"Undo is request #\d+")).click()
    expect(inbox.get_by_text(re.compile(r"#\d+ · undoes #\d+")).first).to_be_visible()
    inbox.get_by_role("button", name="Approve and apply").click()
    expect(inbox.get_by_role("dialog")).to_contain_text("1 row in orders would be changed.")
    inbox.get_by_role("dialog").get_by_role("button", name="Approve and apply").click()
    expect(inbox.get_by_text("1 row in orders was changed.")).to_be_visible()
    assert status(served) == before
    expect(analyst.page.get_by_text("Applied.").first).to_be_visible()
    for visitor in (analyst, reviewer):
        assert visitor.violations == []
        assert visitor.foreign == []


def test_what_is_large_or_personal_shows_why_and_what_is_missing(
    analyst: Visitor, reviewer: Visitor
) -> None:
    page = reviewer.page
    personal = propose_sql(analyst, EMAIL, "The customer has a new address")
    page.goto(f"{reviewer.url}/approvals?change={personal}")
    risk = page.locator(".gh-risk")
    expect(risk).to_contain_text("Tier 2")
    expect(risk).to_contain_text("personal data: customers.email")
    expect(risk).to_contain_text("2 people other than the author must approve it")
    picture(page, "tier-two")
    page.get_by_role("button", name=re.compile(r"^\W*\w*\s*Approve")).click()
    page.get_by_role("dialog").get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("You have approved this. 1 more approval is needed.")).to_be_visible()

    large = propose_sql(analyst, LARGE, "One price for shipping")
    page.goto(f"{reviewer.url}/approvals?change={large}")
    expect(page.get_by_text("300 rows in all.")).to_be_visible()
    expect(page.get_by_role("button", name="Reject")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    picture(page, "large")
    with page.expect_download() as download:
        page.get_by_role("link", name="Whole diff as CSV").click()
    assert download.value.path().read_text().count("\n") == 601
    expect(page.get_by_text("You have downloaded all of it.")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    assert reviewer.violations == []


def test_a_clean_up_of_too_many_rows_is_held_for_both(analyst: Visitor, reviewer: Visitor) -> None:
    analyst.page.goto(analyst.url)
    analyst.ask("clean up the test billing records from last month")
    held = "Held: over the row cap."
    expect(analyst.page.get_by_text(held)).to_be_visible(timeout=60_000)
    picture(analyst.page, "held-analyst")
    analyst.page.get_by_role("link", name=re.compile(r"Open request #\d+")).last.click()
    expect(analyst.page.get_by_text("14,200 of 10,000")).to_be_visible()
    address = analyst.page.url.rpartition("change=")[2]
    page = reviewer.page
    page.goto(f"{reviewer.url}/approvals?change={address}")
    expect(page.get_by_text(held)).to_be_visible()
    expect(page.get_by_text("14,200 of 10,000")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    picture(page, "held-reviewer")
