"""Previews that nobody waits for: watched, stopped, and honest about how they ended."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.diff import Diff
from guard.engines.base import Cancel, Change, ChangeCaps, Reached, Told
from guard.errors import Interrupted
from guard.previews import STOPPED
from store import changes
from tests.company import Company, make_company


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    opened = make_company(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def applied(company: Company) -> int:
    """A request that was approved and applied."""
    ana, rita = company.caller("ana"), company.caller("rita")
    review = company.parts.review
    sql = "UPDATE orders SET status = 'cancelled' WHERE id = 2"
    change = company.parts.gate.propose(sql, source="shop", caller=ana, reason="A test").change
    view = review.inbox.view(change, rita)
    review.approve(change, rita, fingerprint=view.fingerprint or "", version=view.version)
    review.apply(change, rita)
    return change


class Slow:
    """In place of the writer's preview: it says how far it is, and runs until it is stopped."""

    def __init__(self) -> None:
        self.began = threading.Event()

    def __call__(self, change: Change, caps: ChangeCaps, cancel: Cancel, told: Told) -> Diff:
        told(Reached(step="before", rows=412, of=1_000))
        self.began.set()
        assert cancel.wait(30)
        raise Interrupted("cancelled", "It was stopped.")


def stands(company: Company, change: int) -> tuple[str, str | None]:
    """The request's state and error, once its preview has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with company.store.read() as conn:
            found = changes.get(conn, change)
        if found.state != "previewing":
            return found.state, found.error
        time.sleep(0.02)
    raise AssertionError("it is still being previewed")


def test_an_undo_can_be_watched_and_stopped(
    company: Company, applied: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, review, ana = Slow(), company.parts.review, company.caller("ana")
    monkeypatch.setattr(company.parts.writer, "preview", slow)
    undo = review.begin_undo(applied, ana, "Wrong order")
    assert slow.began.wait(30)
    found = review.under_way(undo, ana)
    assert found is not None
    assert found.reached == Reached(step="before", rows=412, of=1_000)
    assert review.stop_preview(undo, ana)
    assert stands(company, undo) == ("failed", STOPPED)
    assert review.under_way(undo, ana) is None


def test_an_undo_waits_for_review_once_its_preview_is_made(company: Company, applied: int) -> None:
    undo = company.parts.review.begin_undo(applied, company.caller("ana"), "Wrong order")
    assert stands(company, undo) == ("pending", None)


def test_an_undo_that_cannot_be_made_says_why_on_the_request(
    company: Company, applied: int
) -> None:
    with sqlite3.connect(company.database) as db:
        db.execute("UPDATE orders SET status = 'lost' WHERE id = 2")
    db.close()
    undo = company.parts.review.begin_undo(applied, company.caller("ana"), "Wrong order")
    state, error = stands(company, undo)
    assert state == "failed"
    assert "changed since" in (error or "")


def test_a_console_that_goes_away_leaves_no_preview_behind(
    company: Company, applied: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, review = Slow(), company.parts.review
    monkeypatch.setattr(company.parts.writer, "preview", slow)
    undo = review.begin_undo(applied, company.caller("ana"), "Wrong order")
    assert slow.began.wait(30)
    review.close()
    assert stands(company, undo) == ("failed", STOPPED)


def test_a_fault_of_ours_does_not_leave_it_under_way_for_ever(
    company: Company, applied: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Diff:
        raise RuntimeError("a fault")

    monkeypatch.setattr(company.parts.writer, "preview", broken)
    undo = company.parts.review.begin_undo(applied, company.caller("ana"), "Wrong order")
    state, error = stands(company, undo)
    assert (state, error) == (
        "failed",
        "The preview failed. Nothing was changed; the console's own log says why.",
    )
