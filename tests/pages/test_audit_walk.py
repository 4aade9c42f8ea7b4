"""In a real browser: a check is stopped half way, a filter is kept and found, widths hold."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from audit import AuditLog
from tests.audit.events import asked
from tests.pages.browsing import Visitor, picture, sign_in
from tests.ui.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SEALED = 6_000


@pytest.fixture
def admin(browser: Browser, served: Server) -> Iterator[Visitor]:
    found = sign_in(browser, served, "admin", viewport={"width": 1280, "height": 800})
    yield found
    found.context.close()


def seal(home: Path) -> Path:
    """Fills the log and seals most of it; returns the file of the records."""
    with AuditLog.open(home / "audit", app_version="1") as log:
        for first in range(0, SEALED + 1_000, 500):
            log.append_many([asked(n) for n in range(first, first + 500)])
        segment = max(log.seal(datetime.now(UTC)), key=lambda one: one.last - one.first)
        assert segment.last - segment.first > 4_096  # after so many it says how far it is
    return home / "audit" / "segments" / f"{segment.name}.jsonl.gz"


def feed(pipe: Path, content: bytes) -> None:
    try:
        with pipe.open("wb") as file:
            file.write(content)
    except BrokenPipeError:
        pass  # whoever stopped reads no further


def find(page: Page, words: str) -> None:
    box = page.get_by_role("textbox", name="Search")
    box.fill(words)
    box.press("Enter")


def test_a_check_is_stopped_half_way_and_done_again(admin: Visitor, served: Server) -> None:
    records = seal(served.home)
    content = records.read_bytes()
    records.unlink()
    os.mkfifo(records)  # the verifier waits here until it is fed
    page = admin.page
    page.goto(f"{admin.url}/audit")
    page.get_by_role("button", name="Verify chain").click()
    expect(page.get_by_text("Checking the chain")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    feeder = threading.Thread(target=feed, args=(records, content))
    feeder.start()
    expect(page.get_by_text("The check was stopped.")).to_be_visible()
    picture(page, "audit-stopped")
    feeder.join(30)
    assert not feeder.is_alive()
    expect(page.get_by_text("Checking the chain")).to_have_count(0)

    records.unlink()
    records.write_bytes(content)
    page.get_by_role("button", name="Verify chain").click()
    expect(page.get_by_text("Chain intact.")).to_be_visible()
    expect(page.get_by_text("The check was stopped.")).to_have_count(0)
    page.get_by_role("button", name="Where it is kept").click()
    expect(page.get_by_text("zgrep")).to_be_visible()
    picture(page, "audit-kept")
    with AuditLog.open(served.home / "audit", app_version="1") as log:
        assert [r.event.type for r in log.tail(60)].count("audit.verified") == 1


def test_sealed_events_are_searched_on_a_click(admin: Visitor, served: Server) -> None:
    seal(served.home)
    page = admin.page
    page.goto(f"{admin.url}/audit?find=month+77")
    expect(page.get_by_text("No events match.")).to_be_visible()
    page.get_by_role("button", name="Search sealed events").click()
    expect(page.get_by_text("of them matched, of")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    expect(page.get_by_text("its proof is in a whole export")).to_be_visible()
    picture(page, "audit-sealed")
    beside = page.locator(".st-key-gh-sealed-event").bounding_box()
    page.set_viewport_size({"width": 1024, "height": 800})
    expect(page.locator(".st-key-gh-sealed [data-testid=stColumn]").first).to_have_css(
        "flex", "0 0 auto"
    )
    table = page.locator(".st-key-gh-sealed").get_by_test_id("stDataFrame").bounding_box()
    under = page.locator(".st-key-gh-sealed-event").bounding_box()
    assert beside is not None
    assert table is not None
    assert under is not None
    assert under["y"] >= table["y"] + table["height"]
    assert under["width"] > 600 > beside["width"]
    assert admin.violations == []


def test_a_filter_is_kept_and_found_again(admin: Visitor) -> None:
    page = admin.page
    page.goto(f"{admin.url}/audit?find=session")
    expect(page.get_by_text("More than")).to_have_count(0)
    page.get_by_role("button", name="Saved").click()
    page.get_by_role("textbox", name="Name").fill("Sessions")
    page.get_by_role("textbox", name="Name").press("Enter")
    picture(page, "audit-saving")
    page.get_by_role("button", name="Keep this filter").click()
    page.goto(f"{admin.url}/audit")
    page.get_by_role("button", name="Saved").click()
    picture(page, "audit-saved")
    page.get_by_role("button", name="Sessions", exact=True).click()
    expect(page).to_have_url(f"{admin.url}/audit?find=session")
    expect(page.get_by_role("textbox", name="Search")).to_have_value("session")
    assert admin.violations == []
    assert admin.foreign == []


@pytest.mark.parametrize("width", [900, 1024, 1280, 1440])
def test_the_page_holds_at_every_width(admin: Visitor, width: int) -> None:
    page = admin.page
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{admin.url}/audit")
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    picture(page, f"audit-{width}")
    sideways = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    assert page.evaluate(sideways) <= 0
    for name in ("Verify chain", "Saved", "Link", "Export"):
        box = page.get_by_role("button", name=name).first.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= width
