"""The live trail and the words beside it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from audit import Actor, AuditEvent, AuditLog, Outcome, PolicyFacts
from store.states import CHANGE_MOVES
from ui import trail, verdict, when
from ui.verdict import Verdict

WHO = Actor(id="u", type="user")


def event(summary: str, outcome: Outcome = "success", **given: object) -> AuditEvent:
    return AuditEvent(type="policy.decided", actor=WHO, outcome=outcome, summary=summary, **given)  # type: ignore[arg-type]  # parts and times


def test_events_stand_newest_first_with_time_and_hash(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path, app_version="test") as log:
        moment = dt.datetime(2026, 6, 30, 8, 50, 9, tzinfo=dt.UTC)
        log.append(event("first", time=moment))
        log.append(event("<b>second</b>", time=moment))
        records = log.tail(2)
    drawn = trail.listed(records, ZoneInfo("Europe/Oslo"), linked=False)
    assert drawn.index("second") < drawn.index("first")
    assert "<b>second" not in drawn
    assert "10:50:09" in drawn
    assert records[0].hash[:10] in drawn
    assert "href" not in drawn
    # Without a link the keyboard has nothing else to hold on to where the list scrolls.
    assert 'tabindex="0" aria-label=' in drawn
    linked = trail.listed(records, dt.UTC, linked=True)
    assert f'href="/audit?find={records[0].hash[:10]}*"' in linked
    assert "tabindex" not in linked


def test_an_empty_trail_says_so() -> None:
    assert "Nothing yet." in trail.listed((), dt.UTC, linked=True)
    assert trail.counted(()) == "No events yet"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (event("x", parts=(PolicyFacts(decision="deny"),)), Verdict.DENIED),
        (event("x", parts=(PolicyFacts(decision="needs_approval"),)), Verdict.REVIEW),
        (event("x", parts=(PolicyFacts(decision="allow"),)), Verdict.ALLOWED),
        (event("x", "denied"), Verdict.DENIED),
        (event("x", "failure"), Verdict.FAILED),
        (event("x", "unknown"), Verdict.UNKNOWN),
        (event("x", "pending"), Verdict.RECORDED),
    ],
)
def test_a_verdict_comes_from_the_facts_of_an_event(given: AuditEvent, shown: Verdict) -> None:
    assert verdict.of_event(given) is shown


def test_every_verdict_and_every_state_has_icon_word_and_colour() -> None:
    for one in Verdict:
        assert f"gh-{one.tone}" in verdict.badge(one)
        assert f"gh-i-{one.icon}" in verdict.badge(one)
        assert one.value in verdict.badge(one)
    for state in {*CHANGE_MOVES, *(t for targets in CHANGE_MOVES.values() for t in targets)}:
        word, tone, icon = verdict.state_look(state)
        assert all(part in verdict.state_badge(state) for part in (word, tone, icon))


def test_ages_read_as_people_say_them() -> None:
    now = dt.datetime(2026, 6, 30, 12, tzinfo=dt.UTC)
    ages = [5, 240, 3 * 3_600, 86_400, 3 * 86_400]
    assert [when.ago(now - dt.timedelta(seconds=s), now) for s in ages] == [
        "just now",
        "4 min ago",
        "3 h ago",
        "1 day ago",
        "3 days ago",
    ]
    assert [when.left(now + dt.timedelta(seconds=s), now) for s in (5, 600, 9_000, 3 * 86_400)] == [
        "now",
        "in 10 min",
        "in 2 h",
        "in 3 days",
    ]
    assert when.stamp(now, ZoneInfo("Asia/Tokyo")) == "30 Jun 2026, 21:00:00"
