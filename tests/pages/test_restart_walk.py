"""A console that is restarted under an open page: the question goes on and its answer appears."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from audit import AuditLog
from tests.agent.sse import Say, serving
from tests.agent.test_runs import until
from tests.pages.browsing import sign_in
from tests.pages.conftest import ROOT
from tests.ui.server import free_port, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SQL = "SELECT count(*) AS orders FROM orders"


def test_promise_12_an_open_page_gets_its_answer_from_the_next_start(
    browser: Browser, demo_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, port = shutil.copytree(demo_home, tmp_path / "home"), free_port()
    # The first answer comes at once, the second is held back: the shutdown finds a run halfway.
    calls = [("run_query", {"sql": SQL, "why": "to count"})]
    answers = (Say(text="I count.", calls=calls, ahead=1_000), Say(text="So many there are."))
    with serving(*answers) as model:
        model.gate.clear()
        monkeypatch.setenv("GATEHOUSE_MODEL", model.setting)
        with running(ROOT, home, port, tmp_path / "first.log") as server:
            analyst = sign_in(browser, server, "analyst")
            page = analyst.page
            analyst.ask("How many orders are there, all in all?")
            expect(page.get_by_role("button", name="Stop")).to_be_visible()
            until(lambda: len(model.requests) == 2, 60)
            page.get_by_role("tab", name="SQL").click()
        model.gate.set()
        with running(ROOT, home, port, tmp_path / "second.log"):
            # The page connects again by itself.
            answer = page.get_by_text("So many there are.").first
            expect(answer).to_be_visible(timeout=90_000)
            # The new start has the tab that was open from the browser, and makes room for it.
            expect(page.get_by_role("button", name="Run")).to_be_in_viewport()
            analyst.context.close()
        assert len(model.requests) == 3
    with AuditLog.open(home / "audit", app_version="test") as log:
        types = [r.event.type for r in log.tail(1_000)]
    assert types.count("query.executed") == 1
    assert types.count("agent.replayed") == 1
