"""What the tests in a real browser share: people who sign in, and what their browser heard."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from tests.ui.server import Server
from ui.markup import Theme
from ui.sheet import COLOURS

expect.set_options(timeout=30_000)
SCREENSHOTS = os.environ.get("GATEHOUSE_SCREENSHOTS")


@dataclass
class Visitor:
    """One signed-in person with a browser of their own."""

    context: BrowserContext
    page: Page
    url: str
    violations: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def tab(self) -> Page:
        """Opens one more tab."""
        page = self.context.new_page()
        self._listen(page)
        return page

    def _listen(self, page: Page) -> None:
        page.on("console", self._heard)
        page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.violations.append(message.text)

    def _asked(self, request: Request) -> None:
        own = (self.url, self.url.replace("http", "ws"), "data:", "blob:")
        if not request.url.startswith(own):
            self.foreign.append(request.url)

    def ask(self, question: str) -> None:
        """Types a question and sends it."""
        box = self.page.get_by_test_id("stChatInputTextArea")
        expect(box).to_be_enabled()
        box.fill(question)
        box.press("Enter")

    def run_sql(self, sql: str) -> None:
        """Runs a statement in the SQL tab, by the keyboard."""
        self.page.get_by_role("tab", name="SQL").click()
        box = self.page.get_by_role("textbox", name="One statement")
        expect(self.page.get_by_role("button", name="Run")).to_be_enabled()
        box.fill(sql)
        box.press("Control+Enter")


def sign_in(browser: Browser, server: Server, name: str, **context: object) -> Visitor:
    """Returns a person of the demo who has signed in by its own link on the sign-in page."""
    arguments = {
        "viewport": {"width": 1440, "height": 900},
        "reduced_motion": "reduce",
        "timezone_id": "UTC",
        "locale": "en-GB",
        **context,
    }
    made = browser.new_context(**arguments)  # type: ignore[arg-type]  # what the fixture gives too
    visitor = Visitor(context=made, page=made.new_page(), url=server.url)
    visitor._listen(visitor.page)
    visitor.page.goto(server.url)
    visitor.page.get_by_role("link", name=re.compile(f"^{name} ")).click()
    visitor.page.get_by_role("button", name="Sign in").click()
    expect(visitor.page.get_by_role("heading", name="Ask your data")).to_be_visible()
    return visitor


def picture(page: Page, name: str) -> None:
    """Saves the page in light and dark where `GATEHOUSE_SCREENSHOTS` names a folder."""
    if not SCREENSHOTS:
        return
    folder = Path(SCREENSHOTS)
    folder.mkdir(parents=True, exist_ok=True)
    schemes: tuple[Theme, ...] = ("dark", "light")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(_DRAWN_IN, arg=COLOURS[scheme]["ink"])
        expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()
        # What a page no longer has leaves it, and a chart comes to it, a moment later.
        page.wait_for_timeout(1_000)
        page.mouse.move(0, 0)
        for box in page.locator(".st-key-gh-transcript").all():
            box.evaluate("box => box.scrollTo(0, box.scrollHeight)")
        page.screenshot(path=folder / f"{name}-{scheme}.png")


_DRAWN_IN = """ink => document.fonts.status === 'loaded' &&
  getComputedStyle(document.documentElement).getPropertyValue('--gh-ink') === ink"""
