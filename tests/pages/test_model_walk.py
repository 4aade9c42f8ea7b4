"""A question to a model on the ask page, in a real browser: each step, and the answer."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.agent.sse import Fail, Say, serving
from tests.pages.browsing import picture, sign_in
from tests.pages.conftest import ROOT
from tests.ui.server import free_port, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLAN = "I count the orders of each status, and leave nothing out."
SQL = "SELECT status, count(*) AS orders FROM orders GROUP BY status ORDER BY orders DESC"
ANSWER = "Most orders are delivered. See http://127.0.0.1:9/leak and ![x](http://127.0.0.1:9/y)."
DENIED = "I look up what people earn."


def test_the_ask_page_shows_a_run_of_a_model(
    browser: Browser,
    demo_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = (
        Fail(status=429, retry_after="0"),
        Say(text="", calls=[("run_query", {"sql": "SELECT stat FROM orders", "why": "to look"})]),
        Say(text=PLAN, calls=[("run_query", {"sql": SQL, "why": "to count"})]),
        Say(text="", calls=[("make_chart", {"kind": "bar", "x": 0, "y": 1, "title": "Orders"})]),
        Say(text=ANSWER, usage=(900, 40)),
        Say(text=DENIED, calls=[("run_query", {"sql": "SELECT * FROM employees", "why": "x"})]),
    )
    home = shutil.copytree(demo_home, tmp_path / "home")
    with serving(*answers) as model:
        monkeypatch.setenv("GATEHOUSE_MODEL", model.setting)
        with running(ROOT, home, free_port(), tmp_path / "server.log") as server:
            analyst = sign_in(browser, server, "analyst")
            page = analyst.page
            expect(page.get_by_text("m at 127.0.0.1")).to_be_visible()
            analyst.ask("Orders by status, please")
            # A mistake is said, and mended within the run.
            steps = page.get_by_test_id("stExpander")
            for step in (
                PLAN,
                "Guard: denied",
                "Guard: allowed",
                re.compile(r"Result: \d+ rows in [\d,]+ ms"),
            ):
                expect(steps.get_by_text(step).first).to_be_attached()
            expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
            expect(page.get_by_text("Most orders are delivered.").first).to_be_visible()
            expect(page.locator(".gh-trail").get_by_text("answer.returned")).to_be_visible()
            # Nothing that a model says is a link or a picture.
            assert page.locator("a[href*='127.0.0.1:9'], img[src*='127.0.0.1:9']").count() == 0
            picture(page, "model")
            analyst.ask("What does everybody earn?")
            expect(page.get_by_text("Not run.").first).to_be_visible()
            expect(page.get_by_text(DENIED).first).to_be_attached()
            picture(page, "model-denied")
            assert analyst.foreign == []
            assert analyst.violations == []
            analyst.context.close()
        assert len(model.requests) == len(answers)
        assert '"stream":true' in model.requests[0].replace(" ", "")
