"""The walk: asked, judged, recorded, proposed, approved by another, applied, undone, verified."""

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

ORDER = 118


def status(server: Server) -> str:
    """The order's status as it really is."""
    path = server.home / "shop.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        [(found,)] = db.execute("SELECT status FROM orders WHERE id = ?", (ORDER,)).fetchall()
    return str(found)


@pytest.fixture
def people(browser: Browser, served: Server) -> Iterator[dict[str, Visitor]]:
    """Four people, each in a browser of their own."""
    found = {n: sign_in(browser, served, n) for n in ("analyst", "reviewer", "reviewer2", "admin")}
    yield found
    for visitor in found.values():
        visitor.context.close()


def test_the_whole_walk(people: dict[str, Visitor], served: Server) -> None:
    before = status(served)
    assert before != "cancelled"
    analyst = people["analyst"]
    asks(analyst)
    is_denied(analyst)
    change = proposes(analyst)
    assert status(served) == before
    approves(people["reviewer"], change)
    assert status(served) == "cancelled"
    # The page of whoever asked changes by itself.
    expect(analyst.page.get_by_text("1 row in orders was changed.")).to_be_visible()
    undo = asks_to_undo(people["reviewer"], change)
    assert status(served) == "cancelled"
    approves_undo(people["reviewer2"], undo)
    assert status(served) == before
    expect(analyst.page.get_by_text("Undone.")).to_be_visible()
    verifies(people["admin"])
    signs_out(analyst)
    for visitor in people.values():
        assert visitor.violations == []
        assert visitor.foreign == []


def asks(analyst: Visitor) -> None:
    page = analyst.page
    expect(page.get_by_text("Rule-based planner, no AI model")).to_be_visible()
    page.get_by_text("Top 5 products by revenue in 2026").click()
    for step in ("Plan", "SQL", "Guard: allowed", re.compile(r"Result: 5 rows in [\d,]+ ms")):
        expect(page.get_by_test_id("stExpander").get_by_text(step).first).to_be_visible()
    expect(page.get_by_text("read.select").first).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    trail = page.locator(".gh-trail")
    for event in ("request.received", "policy.decided", "query.executed", "answer.returned"):
        expect(trail.get_by_text(event)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    assert download.value.path().read_text().count("\n") == 6
    picture(page, "ask")
    analyst.run_sql("SELECT id, first_name, email, country FROM customers ORDER BY id LIMIT 5")
    expect(page.get_by_text("5 cells in email are masked by policy")).to_be_visible()
    expect(page.get_by_text("5 cells in first_name are masked by policy")).to_be_visible()


def is_denied(analyst: Visitor) -> None:
    page = analyst.page
    page.get_by_role("tab", name="Ask").click()
    analyst.ask("What is the salary of each employee?")
    expect(page.get_by_text("Not answered.")).to_be_visible()
    expect(page.get_by_role("button", name="Ask about another table")).to_be_visible()
    sql = "SELECT first_name, salary FROM employees"
    analyst.run_sql(sql)
    panel = page.locator(".gh-panel.gh-bad")
    expect(panel).to_contain_text("Not run. employees is not a table you can read in shop.")
    expect(panel).to_contain_text("Nothing was sent to the database.")
    expect(panel).to_contain_text("Rule table.not_allowed")
    # What can be done next stands in one row.
    row = page.get_by_role("button", name="Edit the statement").locator(
        "xpath=ancestor::*[@data-testid='stHorizontalBlock'][1]"
    )
    expect(row.get_by_role("link", name="How this was answered")).to_be_visible()
    keyword = page.get_by_test_id("stCode").locator(".token.keyword").last
    expect(keyword).to_have_css("color", "rgb(52, 84, 209)")  # the accent of the light theme
    expect(page.get_by_role("textbox", name="One statement")).to_have_value(sql)
    expect(page.locator(".gh-trail .gh-bad").get_by_text("Denied", exact=True)).to_be_visible()
    picture(page, "denied")


def proposes(analyst: Visitor) -> int:
    """Returns the number of the request."""
    page = analyst.page
    second = analyst.tab()
    second.goto(page.url)
    expect(second.get_by_text("Top 5 products by revenue in 2026").first).to_be_visible()
    page.get_by_role("tab", name="Ask").click()
    analyst.ask(f"set the status of order {ORDER} to cancelled")
    waiting = "Waiting for review. Nothing has changed yet."
    expect(page.get_by_text(waiting).first).to_be_visible()
    # The tab beside it follows by itself, and a reload brings everything back.
    expect(second.get_by_text(waiting).first).to_be_visible()
    second.close()
    page.reload()
    expect(page.get_by_text(waiting).first).to_be_visible()
    picture(page, "pending")
    link = page.get_by_role("link", name=re.compile(r"Open request #\d+"))
    return int(re.sub(r"\D", "", link.inner_text()))


def approves(reviewer: Visitor, change: int) -> None:
    page = reviewer.page
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Approvals").click()
    expect(page.get_by_text(f"#{change} · asked by Nora Lindqvist")).to_be_visible()
    row = page.locator(".gh-diff tbody tr")
    expect(row).to_have_count(1)
    expect(row.locator(".gh-old mark")).to_be_visible()
    expect(row.locator(".gh-new")).to_have_text("cancelled")
    picture(page, "approvals")
    page.get_by_role("button", name="Approve and apply").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("Shop, production. 1 row in orders would be changed.")
    question.get_by_role("button", name="Approve and apply").click()
    expect(page.get_by_text("1 row in orders was changed.")).to_be_visible()
    expect(page.get_by_text("Approved by Amara Okafor")).to_be_visible()


def asks_to_undo(reviewer: Visitor, change: int) -> int:
    """Returns the number of the request that would undo the other."""
    page = reviewer.page
    page.get_by_role("button", name="Undo").click()
    page.get_by_label("Reason").fill("The customer wants it after all")
    page.get_by_role("button", name="Ask to undo").click()
    expect(
        page.get_by_text("You asked for this change, so someone else must review it.")
    ).to_be_visible()
    heading = page.get_by_text(re.compile(rf"#\d+ · undoes #{change}"))
    return int(heading.inner_text().split(" ")[0].removeprefix("#"))


def approves_undo(reviewer: Visitor, undo: int) -> None:
    page = reviewer.page
    page.goto(f"{reviewer.url}/approvals?change={undo}")
    expect(page.locator(".gh-diff .gh-old")).to_have_text("cancelled")
    page.get_by_role("button", name="Approve and apply").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve and apply").click()
    expect(page.get_by_text("Approved by Tomás Herrera")).to_be_visible()


def verifies(admin: Visitor) -> None:
    page = admin.page
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Audit log").click()
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    page.get_by_role("button", name="Verify chain").click()
    expect(page.get_by_text("Chain intact.")).to_be_visible()
    picture(page, "audit")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("the whole log")).click()
    assert download.value.suggested_filename == "gatehouse-audit.zip"


def signs_out(analyst: Visitor) -> None:
    other = analyst.tab()
    other.goto(f"{analyst.url}/approvals?show=All")
    expect(other.get_by_role("heading", name="My requests")).to_be_visible()
    analyst.page.get_by_role("button", name="Sign out").click()
    expect(other.get_by_text("You are signed out.")).to_be_visible()
    expect(other.get_by_role("heading", name="My requests")).to_have_count(0)
