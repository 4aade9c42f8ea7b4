"""A preview is stopped by who asked for it and by nobody else, wherever it is made."""

from __future__ import annotations

import pytest

from guard import Refused
from guard.engines.base import Cancel
from guard.errors import Illegal
from store import changes, turns
from store.changes import NewChange, StoredChange
from tests.company import Company


def _under_way(company: Company) -> StoredChange:
    """A request of a running turn of Ana's that is being previewed."""
    conversation = company.conversation("ana")
    with company.store.write() as conn:
        now = company.store.now()
        turn = turns.add(conn, conversation, kind="question", question="x", model=None, now=now)
        turns.claim(conn, turn.id, owner="another process", now=now)
        new = NewChange(
            source="shop",
            author=company.person("ana").id,
            statement="UPDATE orders SET status = 'x'",
            statement_sha="0" * 64,
            reason="Tidy up",
            rule="write.production",
            environment="production",
            approvers_needed=1,
            conversation=conversation,
            turn=turn.id,
            call_id="c1",
        )
        stored = changes.create(conn, new, now=now, expires_at=now)
        changes.move(conn, stored.id, "draft", "previewing", now=now)
        return changes.get(conn, stored.id)


def _asked(company: Company, stored: StoredChange) -> bool:
    with company.store.read() as conn:
        return turns.get(conn, stored.turn or "").cancel_requested


@pytest.mark.parametrize("name", ["rita", "adam", "gerd", "nobody"])
def test_promise_03_nobody_stops_the_preview_of_somebody_else(company: Company, name: str) -> None:
    stored, cancel = _under_way(company), Cancel()
    review = company.parts.review
    with (
        review._previews.running.entered(stored, cancel),
        pytest.raises((Illegal, Refused)),
    ):
        review.stop_preview(stored.id, company.caller(name))
    assert not cancel.is_set()
    with pytest.raises((Illegal, Refused)):
        review.stop_preview(stored.id, company.caller(name))
    assert not _asked(company, stored)


def test_who_asked_for_a_preview_stops_it_here_and_in_another_process(company: Company) -> None:
    stored, cancel = _under_way(company), Cancel()
    review, ana = company.parts.review, company.caller("ana")
    with review._previews.running.entered(stored, cancel):
        assert review.stop_preview(stored.id, ana)
        seen = review.under_way(stored.id, ana)
        assert seen is not None
        assert seen.stopping
    assert cancel.is_set()
    assert not _asked(company, stored)
    assert review.stop_preview(stored.id, ana)
    assert _asked(company, stored)


def test_promise_03_how_far_a_preview_is_is_told_to_nobody_who_may_not_see_it(
    company: Company,
) -> None:
    stored = _under_way(company)
    review, turn = company.parts.review, stored.turn or ""
    with review._previews.running.entered(stored, Cancel()):
        assert review.under_way_in(turn, company.caller("ana")) is not None
        for name in ("rita", "adam", "gerd"):
            assert review.under_way_in(turn, company.caller(name)) is None
        with pytest.raises(Illegal):
            review.under_way(stored.id, company.caller("gerd"))
