"""A change of a few million rows: the page counts them as they are read, and Stop ends it."""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from guard.previews import STOPPED
from tests.pages.browsing import picture, sign_in
from tests.pages.conftest import ROOT
from tests.ui.server import Server, free_port, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROWS = 3_000_000
"""Some seconds' work for the engine: fewer are done before the page has said much."""
_MORE = f"""
INSERT INTO orders (customer_id, order_date, status, channel, shipping_country, shipping_cost,
                    total_amount)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
SELECT 1 + i % 500, '2025-03-01 10:00:00', 'shipped', 'web', 'DE', 5, 100 + i % 90 FROM n
"""
_READ = re.compile(r"Reading the rows [a-z ]+: ([\d,]+)")
STOPPED_WITHIN_S = 10.0
"""Long after a person would have noticed; it takes a tick of the page and one of the engine."""


@pytest.fixture(scope="module")
def large(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The console over the demo company with far more orders, and a policy that counts them."""
    folder = tmp_path_factory.mktemp("large")
    home = shutil.copytree(demo_home, folder / "home")
    policy = home / "policy.toml"
    said = policy.read_text("utf-8")
    raised = said.replace("max_preview_rows = 100_000", "max_preview_rows = 10_000_000")
    assert raised != said
    policy.write_text(raised, "utf-8")
    with closing(sqlite3.connect(home / "shop.sqlite")) as db, db:
        db.execute(_MORE)
    with running(ROOT, home, free_port(), folder / "server.log") as server:
        yield server


def read_so_far(page: Page) -> int:
    """How many rows the page says have been read; 0 while it says something else."""
    # Twice a second the line is drawn anew; between two of them there may be none.
    said = page.locator(".gh-underway").all_inner_texts()
    found = _READ.search(" ".join(said))
    return int(found[1].replace(",", "")) if found else 0


def test_a_large_preview_counts_its_rows_and_is_stopped(browser: Browser, large: Server) -> None:
    analyst = sign_in(browser, large, "analyst")
    page = analyst.page
    before = costs(large)
    analyst.run_sql("UPDATE orders SET shipping_cost = shipping_cost + 1")
    page.get_by_label("Reason, for the person who decides").fill("Prices went up")
    page.locator(".st-key-gh-transcript").get_by_role(
        "button", name="Propose as a change"
    ).last.click()
    seen: list[int] = []
    deadline = time.monotonic() + 120
    while len(seen) < 2 and time.monotonic() < deadline:
        count = read_so_far(page)
        if count and count not in seen:
            seen.append(count)
        page.wait_for_timeout(50)
    assert len(seen) == 2, f"the page said {seen}"
    assert 0 < seen[0] < seen[1], f"the page said {seen}"
    picture(page, "preview-large")
    began = time.monotonic()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("The preview was rolled back, so nothing was changed.")).to_be_visible()
    took = time.monotonic() - began
    assert took < STOPPED_WITHIN_S, f"{took:.1f} s"
    assert costs(large) == before
    page.goto(f"{analyst.url}/approvals?show=All")
    expect(page.get_by_text(STOPPED)).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    analyst.context.close()


def costs(server: Server) -> int:
    """The sum that the change would have raised."""
    with closing(sqlite3.connect(f"file:{server.home / 'shop.sqlite'}?mode=ro", uri=True)) as db:
        [(found,)] = db.execute("SELECT SUM(shipping_cost) FROM orders").fetchall()
    return int(found)
