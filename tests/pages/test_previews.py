"""While a preview is made: how far it is, on both pages, and a button that stops it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from guard.engines.base import Cancel, Reached
from guard.previews import STOPPED
from store import changes
from store.changes import NewChange, StoredChange
from tests.company import Company
from tests.pages.browsing import Visitor, picture, sign_in
from tests.pages.conftest import Tabs
from tests.ui.server import Server

ENDLESS = (
    "UPDATE orders SET shipping_cost = 500 WHERE id > 0 AND id < "
    "(SELECT count(*) FROM orders AS a, orders AS b, orders AS c)"
)
"""It runs until it is stopped."""


def under_way(company: Company) -> StoredChange:
    """A request of Ana's that is being previewed."""
    new = NewChange(
        source="shop",
        author=company.person("ana").id,
        statement="UPDATE orders SET status = 'x'",
        statement_sha="0" * 64,
        reason="Tidy up",
        rule="write.production",
        environment="production",
        approvers_needed=1,
    )
    with company.store.write() as conn:
        now = company.store.now()
        stored = changes.create(conn, new, now=now, expires_at=now)
        changes.move(conn, stored.id, "draft", "previewing", now=now)
        return changes.get(conn, stored.id)


@pytest.mark.parametrize(
    ("reached", "said"),
    [
        (Reached(step="run", of=1_000_000), "Running the change on about 1,000,000 rows."),
        (Reached(step="run"), "Running the change."),
        (
            Reached(step="before", rows=412_000, of=1_000_000),
            "Reading the rows as they were: 412,000 of about 1,000,000.",
        ),
        (
            Reached(step="after", rows=7, of=9),
            "Reading the rows as they would be: 7 of about 9.",
        ),
        (Reached(step="rows", rows=3_000), "Reading the rows it touches: 3,000."),
        (Reached(step="back", of=1), "Taking it back to see that undo works, 1 row."),
    ],
)
def test_the_request_says_how_far_its_preview_is(tabs: Tabs, reached: Reached, said: str) -> None:
    company = tabs.company
    stored = under_way(company)
    cancel = Cancel()
    with company.parts.review._previews.running.entered(stored, cancel) as told:
        told(reached)
        seen = tabs.of("rita").open("approvals", change=str(stored.id))
        assert re.search(re.escape(said) + r" \d s so far\.", seen.text())
        assert "Stop" not in seen.buttons()
        own = tabs.of("ana").open("approvals", change=str(stored.id))
        assert "Whatever it does is rolled back: nothing is changed." in own.text()
        own.press(f"stop_{stored.id}")
        assert cancel.is_set()


def test_a_preview_that_another_process_makes_is_told_to_stop_by_its_turn(tabs: Tabs) -> None:
    company = tabs.company
    stored = under_way(company)
    tab = tabs.of("ana").open("approvals", change=str(stored.id))
    assert "It is being prepared." in tab.text()
    assert "Only the instance of the console that prepares it knows how far it is." in tab.text()
    assert "Stop" in tab.buttons()


@pytest.fixture
def analyst(browser: Browser, served: Server) -> Iterator[Visitor]:
    visitor = sign_in(browser, served, "analyst")
    yield visitor
    visitor.context.close()


def propose(visitor: Visitor) -> None:
    """Proposes what runs without end, and waits until it does."""
    page = visitor.page
    page.goto(visitor.url)
    visitor.run_sql(ENDLESS)
    page.get_by_label("Reason, for the person who decides").fill("A long one")
    page.locator(".st-key-gh-transcript").get_by_role(
        "button", name="Propose as a change"
    ).last.click()
    expect(
        page.get_by_text(re.compile(r"Running the change.* [1-9]\d* s so far\."))
    ).to_be_visible()


@pytest.mark.browser
@pytest.mark.slow
def test_a_long_preview_is_stopped_from_the_conversation(analyst: Visitor) -> None:
    propose(analyst)
    page = analyst.page
    picture(page, "preview-asking")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("The preview was rolled back, so nothing was changed.")).to_be_visible()


@pytest.mark.browser
@pytest.mark.slow
def test_a_long_preview_is_stopped_from_the_request(analyst: Visitor) -> None:
    propose(analyst)
    page = analyst.tab()
    page.goto(f"{analyst.url}/approvals")
    expect(page.get_by_text(re.compile(r"Running the change.* s so far\."))).to_be_visible()
    picture(page, "preview-request")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(STOPPED)).to_be_visible()
    picture(page, "preview-stopped")
    expect(
        analyst.page.get_by_text("The preview was rolled back, so nothing was changed.")
    ).to_be_visible()


def test_a_stopped_preview_says_that_nothing_was_changed(tabs: Tabs) -> None:
    company = tabs.company
    stored = under_way(company)
    with company.store.write() as conn:
        now = company.store.now()
        changes.move(conn, stored.id, "previewing", "failed", now=now, error=STOPPED)
    tab = tabs.of("ana").open("approvals", change=str(stored.id))
    assert f"What happened: {STOPPED}" in tab.text()
