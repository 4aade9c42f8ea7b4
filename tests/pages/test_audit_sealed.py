"""Sealed events are searched when somebody asks for it, with progress, and say so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import streamlit as st

from audit import AuditLog, SealedPage
from tests.pages.conftest import Tab, Tabs
from tests.pages.test_audit import opened, ran

NOW = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def last(tabs: Tabs, monkeypatch: pytest.MonkeyPatch) -> int:
    """Seals what two questions left and returns the number of the last sealed event."""
    monkeypatch.setattr("audit.sequencer.KEEP_EVERY", 1)
    monkeypatch.setattr("audit.sealing.next_segment.__defaults__", (5,))
    ran(tabs)
    log = tabs.company.log
    made = log.seal(NOW)
    assert len(made) > 1
    return made[-1].last


def sealed_rows(tab: Tab) -> list[str]:
    return list(tab.frames()[-1]["What"])


def test_the_page_says_that_its_search_leaves_sealed_events_out(tabs: Tabs, last: int) -> None:
    tab = opened(tabs, find="salaries")
    said = f"Events 1 to {last} are sealed: the search above does not look into them."
    assert said in tab.text()
    assert "No events match." in tab.text()
    assert not tab.frames()


def test_a_click_searches_them_and_that_is_recorded(tabs: Tabs, last: int) -> None:
    tab = opened(tabs, find="salaries").press("sealed")
    assert any("salaries" in what for what in sealed_rows(tab))
    assert f"of them matched, of {last} sealed events." in tab.text()
    assert "its proof is in a whole export" in tab.text()
    [searched] = [
        event["read"]["filters"]
        for event in events(tabs.company.log)
        if event["type"] == "audit.searched" and "sealed" in event["read"]["filters"]
    ]
    assert searched == ["text", "sealed"]
    assert "sealed" not in [b.key for b in tab.app.button]


def test_another_filter_forgets_what_was_found(tabs: Tabs, last: int) -> None:
    tab = opened(tabs, find="salaries").press("sealed")
    tab.app.text_input(key="find").set_value("nowhere")
    assert "the search above does not look into them" in tab.run().text()
    assert "No event of them matched" in tab.press("sealed").text()
    assert not tab.frames()


def test_more_is_found_page_by_page(tabs: Tabs, last: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = AuditLog.search_sealed

    def few(log: AuditLog, asked: Any, **more: Any) -> SealedPage:
        return whole(log, asked, limit=4, **more)

    monkeypatch.setattr(AuditLog, "search_sealed", few)
    tab = opened(tabs).press("sealed")
    assert list(tab.frames()[-1]["#"]) == list(range(last, last - 4, -1))
    assert "The newest 4 events that match are below." in tab.text()
    tab.press("sealed")
    assert list(tab.frames()[-1]["#"]) == list(range(last, last - 8, -1))


def test_a_search_that_was_stopped_goes_on_where_it_was(
    tabs: Tabs, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = AuditLog.search_sealed
    begun: list[int | None] = []

    def noted(log: AuditLog, asked: Any, **more: Any) -> SealedPage:
        begun.append(more["before"])
        return whole(log, asked, **more)

    def stopped_after_one(log: AuditLog, asked: Any, *, reached: Any, **more: Any) -> SealedPage:
        def stop(page: SealedPage) -> None:
            reached(page)
            st.stop()

        return whole(log, asked, reached=stop, **more)

    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "search_sealed", stopped_after_one)
        tab = opened(tabs).press("sealed")
    tab.press("sealed_stop")
    newest = list(tab.frames()[-1]["#"])
    first = newest[-1]
    said = f"was stopped after {len(newest)} sealed events. {len(newest)} events matched so far."
    assert newest == list(range(last, first - 1, -1))
    assert said in tab.text()
    monkeypatch.setattr(AuditLog, "search_sealed", noted)
    tab.press("sealed")
    assert begun == [first]
    assert list(tab.frames()[-1]["#"]) == list(range(last, 0, -1))
    assert f"{last} events of them matched, of {last} sealed events." in tab.text()


def test_a_search_that_was_stopped_at_once_begins_anew(
    tabs: Tabs, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: Any, progress: Any, **__: Any) -> SealedPage:
        progress(3, last)
        st.stop()

    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "search_sealed", slow)
        tab = opened(tabs, find="salaries").press("sealed")
    tab.press("sealed_stop")
    assert "The search of them was stopped after 0 sealed events." in tab.text()
    assert any("salaries" in what for what in sealed_rows(tab.press("sealed")))


def test_a_changed_segment_is_an_error_and_no_answer(tabs: Tabs, last: int) -> None:
    tab = opened(tabs, find="salaries")
    for path in (tabs.company.home / "audit" / "segments").glob("*.gz"):
        path.write_bytes(b"")
    assert "is not what its manifest says" in tab.press("sealed").text()
    assert not tab.frames()


def events(log: AuditLog) -> list[dict[str, Any]]:
    return [json.loads(one.line)["event"] for one in log.tail(50)]
