"""Decisions by the hour, counted in the index; who is behind what an agent did."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit import Actor, AuditEvent, AuditLog, Filter, Hour, PolicyFacts
from audit.parts import Repeats
from tests.audit.events import BEN, asked, denied

AGENT = Actor(id="agent", type="agent", on_behalf_of="u-ana")


def decided(decision: str | None, **changes: object) -> AuditEvent:
    given: dict[str, object] = {
        "type": "policy.decided",
        "actor": AGENT,
        "outcome": "denied" if decision in ("deny", None) else "success",
        "summary": f"Decided: {decision}",
        "session": "s-7",
        "parts": (PolicyFacts(decision=decision),),  # type: ignore[arg-type]  # one of them
    }
    return AuditEvent(**{**given, **changes})  # type: ignore[arg-type]  # as above


@pytest.fixture
def busy(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> AuditLog:
    """Two hours: in the first one of each kind, in the second refusals, repeated ones too."""
    times = iter(["2036-06-30T08:59:59.000001Z"] * 6 + ["2036-06-30T09:00:00.000001Z"] * 9)
    monkeypatch.setattr("audit.sequencer.timestamp", lambda _moment: next(times))
    for kind in ("allow", "modified", "needs_approval", "deny"):
        log.append(decided(kind))
    log.append(asked(1))
    log.append(decided(None, parts=()))
    log.append(denied("hr.employees"))
    log.append(decided("deny", parts=(PolicyFacts(decision="deny"), Repeats(count=40, total=41))))
    return log


EIGHT, NINE = (datetime(2036, 6, 30, hour, tzinfo=UTC) for hour in (8, 9))


def test_decisions_are_counted_by_hour_and_kind(busy: AuditLog) -> None:
    assert list(busy.decisions(Filter())) == [
        Hour(begins=EIGHT, allowed=2, held=1, denied=2),
        Hour(begins=NINE, denied=41),
    ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(person="u-ana"), {EIGHT: (2, 1, 2), NINE: (0, 0, 40)}),
        (Filter(person="u-ben"), {NINE: (0, 0, 1)}),
        (Filter(table="hr.employees"), {NINE: (0, 0, 1)}),
        (Filter(decision="needs_approval"), {EIGHT: (0, 1, 0)}),
        (Filter(session="s-7", until=NINE), {EIGHT: (2, 1, 2)}),
        (Filter(since=NINE), {NINE: (0, 0, 41)}),
        (Filter(text="decid", outcome="success"), {EIGHT: (2, 1, 0)}),
        (Filter(text="question"), {}),
        (Filter(text="absent"), {}),
        (Filter(person="nobody"), {}),
    ],
)
def test_decisions_are_those_of_the_filter(busy: AuditLog, wanted: Filter, found: object) -> None:
    hours = busy.decisions(wanted)
    assert {h.begins: (h.allowed, h.held, h.denied) for h in hours} == found


def test_a_person_is_found_in_what_an_agent_did_for_them(log: AuditLog) -> None:
    log.append(asked(1))
    log.append(decided("allow"))
    log.append(asked(2, actor=BEN))
    assert [r.seq for r in log.search(Filter(person="u-ana")).records] == [3, 2]
    assert list(log.numbers(Filter(person="u-ana"))) == [2, 3]
    assert [r.seq for r in log.records([3, 99, 2])] == [3, 2]


def test_an_index_of_an_earlier_version_is_made_anew(log: AuditLog, folder: Path) -> None:
    log.append(decided("allow"))
    assert len(log.decisions(Filter())) == 1
    log.close()
    with sqlite3.connect(folder / "search.sqlite") as db:
        db.execute("DROP TABLE decision")
        db.execute("PRAGMA user_version = 0")
    db.close()
    with AuditLog.open(folder, app_version="test") as again:
        assert [h.allowed for h in again.decisions(Filter())] == [1]
        assert again.search(Filter(person="u-ana")).total == 1
