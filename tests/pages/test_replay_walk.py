"""A real browser follows a session through the trail, by links and by the keyboard."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.browsing import picture, sign_in
from tests.ui.server import Server

pytestmark = pytest.mark.slow


def asked(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_session_is_replayed_and_its_links_lead_back_to_the_step(
    browser: Browser, served: Server
) -> None:
    analyst = sign_in(browser, served, "analyst")
    analyst.ask("revenue by customer segment")
    expect(analyst.page.get_by_text("answer.returned").first).to_be_visible()
    analyst.run_sql("SELECT * FROM employees")
    expect(analyst.page.get_by_text("Not run.").first).to_be_visible()

    admin = sign_in(browser, served, "admin")
    page = admin.page
    page.goto(f"{served.url}/audit")
    expect(page.get_by_text("Decisions per hour")).to_be_visible()
    expect(page.locator("canvas.marks, svg.marks").first).to_be_visible()
    picture(page, "audit")

    page.get_by_test_id("stButtonGroup").get_by_text("Denied").click()
    expect(page.get_by_role("button", name="Replay from here")).to_be_visible()
    page.wait_for_url(re.compile("verdict=Denied"))
    page.get_by_role("button", name="Replay from here").click()
    expect(page.get_by_role("heading", name="Session replay")).to_be_visible()
    expect(page.get_by_role("heading", name="Statement and decision")).to_be_visible()
    expect(page.get_by_text("Denied by rule").first).to_be_visible()
    denied = page.url
    step = int(asked(page)["step"])
    picture(page, "replay-denied")

    page.get_by_role("button", name="Previous").click()
    page.wait_for_url(re.compile(rf"step=(?!{step}\b)"))
    assert int(asked(page)["step"]) < step
    page.keyboard.press("j")
    page.wait_for_url(re.compile(rf"step={step}\b"))

    page.get_by_role("button", name=re.compile("^First step")).click()
    expect(page.get_by_role("heading", name="Question")).to_be_visible()
    expect(page.get_by_role("button", name="Previous")).to_be_disabled()
    seen = ["Question"]
    while page.get_by_role("button", name="Next").is_enabled():
        page.get_by_role("button", name="Next").click()
        count = re.compile(rf"Step {len(seen) + 1} of \d+")
        expect(page.get_by_text(count)).to_be_visible()
        seen.append(page.locator(".gh-head h2").first.inner_text())
    wanted = ["Question", "Statement and decision", "Sent to the source", "Result", "Answer"]
    assert [s for s in seen if s in wanted][:5] == wanted, seen
    picture(page, "replay-answer")
    page.set_viewport_size({"width": 1024, "height": 800})
    expect(page.locator(".st-key-gh-steps")).to_have_css("height", "210px")  # 15rem of 14 px
    page.set_viewport_size({"width": 1440, "height": 900})

    again = sign_in(browser, served, "admin")
    again.page.goto(denied)
    expect(again.page.get_by_text("Denied by rule").first).to_be_visible()
    again.page.get_by_role("button", name="Back to the log").click()
    expect(again.page.get_by_role("heading", name="Audit log")).to_be_visible()
    again.page.goto(f"{served.url}/audit?verdict=Dennied&table=employees")
    expect(again.page.get_by_text("“Dennied” is no verdict there is")).to_be_visible()
    again.page.wait_for_url(lambda url: "Dennied" not in url and "table=employees" in url)
    assert not admin.foreign
    assert not again.foreign
