"""A hostile database and an impatient person, in a real browser."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.pages.browsing import Visitor, sign_in
from tests.pages.conftest import EVIL, ROOT
from tests.ui.server import Server, free_port, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PRODUCT = 103
"""The product with the highest revenue of 2026."""
ENDLESS = (
    "SELECT count(*) FROM order_items AS a, order_items AS b, order_items AS c "
    "WHERE a.quantity + b.quantity > c.quantity"
)


@pytest.fixture(scope="module")
def poisoned(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The console over a shop whose best products carry hostile names."""
    folder = tmp_path_factory.mktemp("poisoned")
    home = shutil.copytree(demo_home, folder / "home")
    with closing(sqlite3.connect(home / "shop.sqlite")) as db, db:
        best = (PRODUCT, 29, 38)
        for product, evil in zip(best, EVIL, strict=True):
            db.execute("UPDATE products SET name = ? WHERE id = ?", (evil, product))
    with running(ROOT, home, free_port(), folder / "server.log") as server:
        yield server


@pytest.mark.parametrize("without_policy", [False, True])
def test_promise_08_hostile_values_are_drawn_as_text_and_call_nobody(
    without_policy: bool, browser: Browser, poisoned: Server
) -> None:
    """Once with the content security policy off: the pages alone must hold."""
    analyst = sign_in(browser, poisoned, "analyst", bypass_csp=without_policy)
    page = analyst.page
    page.get_by_text("Top 5 products by revenue in 2026").click()
    chart = page.get_by_test_id("stVegaLiteChart")
    expect(chart).to_be_visible()
    chart.hover(position={"x": 300, "y": 20})
    analyst.ask(" ".join(EVIL))
    expect(page.get_by_text("Not answered.")).to_be_visible()
    analyst.run_sql(f"SELECT '{EVIL[0]}' AS \"{EVIL[1]}\", * FROM products WHERE id = {PRODUCT}")
    expect(page.get_by_text(re.compile("Result: 1 row")).last).to_be_visible()
    analyst.run_sql(f"UPDATE products SET name = '{EVIL[2]} {EVIL[0]}' WHERE id = {PRODUCT}")
    page.get_by_label("Reason, for the person who decides").first.fill(" ".join(EVIL))
    page.get_by_role("button", name="Propose as a change").first.click()
    expect(page.get_by_text("Waiting for review. Nothing has changed yet.")).to_be_visible()
    page.get_by_role("link", name=re.compile("Open request")).click()
    expect(page.locator(".gh-diff .gh-old")).to_contain_text(EVIL[0])
    expect(page.get_by_role("heading", level=2)).to_contain_text(EVIL[1])
    page.get_by_role("tab", name="Conversation").click()
    said = page.get_by_test_id("stChatMessage").filter(has_text=EVIL[2])
    expect(said.first).to_be_visible()
    assert page.locator("img[src*='leak'], a[href*='leak']").count() == 0
    assert page.locator(".stMarkdownBadge").count() == 0
    assert analyst.foreign == []
    assert analyst.violations == []
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("Withdrawn.")).to_be_visible()
    analyst.context.close()


@pytest.fixture
def analyst(browser: Browser, poisoned: Server) -> Iterator[Visitor]:
    """An analyst in a browser."""
    visitor = sign_in(browser, poisoned, "analyst")
    yield visitor
    visitor.context.close()


def test_a_running_statement_survives_a_reload_and_stops_when_told(analyst: Visitor) -> None:
    page = analyst.page
    analyst.run_sql(ENDLESS)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?c=\w+"))
    page.reload()
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_visible()
    stop.click()
    expect(page.get_by_text("Nothing more was run.")).to_be_visible()
    expect(page.get_by_test_id("stChatInputTextArea")).to_be_enabled()
    expect(page.locator(".gh-trail").get_by_text("query.cancelled")).to_be_visible()


def test_the_pages_fit_a_phone(browser: Browser, poisoned: Server) -> None:
    phone = {"viewport": {"width": 390, "height": 844}}
    admin = sign_in(browser, poisoned, "admin", **phone)
    page = admin.page
    page.get_by_text("Top 5 products by revenue in 2026").click()
    expect(page.get_by_role("link", name="Download CSV")).to_be_visible()
    for path, heading in (
        ("", None),
        ("/approvals", "Approvals"),
        ("/audit", "Audit log"),
        ("/admin?tab=Sources", "Policy and sources"),
    ):
        if heading is not None:
            page.goto(f"{admin.url}{path}")
            expect(page.get_by_role("heading", name=heading)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    admin.context.close()
