"""The clean-up of the test billing records, through the offline agent, on the demo company."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from audit import ApprovalFacts, AuditLog, Effect
from guard import Caller, Refused
from store import Store, changes, conversations
from ui.parts import Parts, open_parts
from ui.setup import make_home

QUESTION = "clean up the test billing records from last month"
ROWS = 14_200


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The demo as `gatehouse init --demo` makes it."""
    home = tmp_path / "demo"
    store = Store.open(home)
    with AuditLog.open(home / "audit", app_version="test") as log:
        make_home(home, demo=True, log=log, store=store, progress=lambda _what, _part: None)
    store.close()
    return home


def records(home: Path) -> tuple[int, int]:
    """All billing records, and the test ones of May, as they really are."""
    with closing(sqlite3.connect(f"file:{home / 'shop.sqlite'}?mode=ro", uri=True)) as db:
        [found] = db.execute(
            "SELECT count(*), sum(is_test AND billed_at >= '2026-05-01' "
            "AND billed_at < '2026-06-01') FROM billing_records"
        ).fetchall()
    return int(found[0]), int(found[1])


def ask(parts: Parts) -> int:
    """Asks as the analyst of the demo; returns the number of the request."""
    person = parts.people.by_name("analyst")
    assert person is not None
    with parts.store.write() as conn:
        talk = conversations.create(
            conn, owner=person.id, source="shop", title="Clean up", now=parts.store.now()
        )
    caller = Caller(principal=person, channel="console", session=talk.id)
    _, answer = parts.runs.run(QUESTION, conversation=talk.id, caller=caller)
    assert answer.status == "proposed"
    assert answer.change is not None
    return answer.change


@pytest.mark.slow
def test_the_clean_up_of_the_test_billing_records_is_held_with_14_200_rows_and_changes_nothing(
    home: Path,
) -> None:
    before = records(home)
    assert before[1] == ROWS
    content = shutil.copy(home / "shop.sqlite", home.parent / "before.sqlite")
    store = Store.open(home)
    with AuditLog.open(home / "audit", app_version="test") as log:
        parts = open_parts(home, store, log, {})
        try:
            change = ask(parts)
            _is_held(parts, change)
            _nobody_approves(parts, change)
            _recorded_first(log, change)
        finally:
            parts.close()
            store.close()
    assert records(home) == before
    with (
        closing(sqlite3.connect(home / "shop.sqlite")) as now,
        closing(sqlite3.connect(content)) as then,
    ):
        rows = "SELECT * FROM billing_records ORDER BY id"
        assert now.execute(rows).fetchall() == then.execute(rows).fetchall()


def _is_held(parts: Parts, change: int) -> None:
    """A DELETE that waits, with its exact number of rows, over what one change may touch."""
    with parts.store.read() as conn:
        stored = changes.get(conn, change)
    assert stored.statement.startswith("DELETE FROM billing_records\nWHERE")
    reviewer = parts.people.by_name("reviewer")
    assert reviewer is not None
    view = parts.review.inbox.view(change, Caller(principal=reviewer, channel="console"))
    assert (view.card.state, view.standing) == ("pending", "over_cap")
    [count] = view.card.tables
    assert (count.table, count.inserted, count.updated, count.deleted) == (
        "billing_records",
        0,
        0,
        ROWS,
    )
    assert parts.policy.approvals.max_rows < ROWS
    assert view.card.tier == 3


def _nobody_approves(parts: Parts, change: int) -> None:
    for name in ("reviewer", "reviewer2", "admin", "admin2"):
        person = parts.people.by_name(name)
        assert person is not None
        caller = Caller(principal=person, channel="console")
        view = parts.review.inbox.view(change, caller)
        with pytest.raises(Refused) as caught:
            parts.review.approve(
                change, caller, fingerprint=view.fingerprint or "", version=view.version
            )
        assert caught.value.refusal.rule == "approve.row_cap"


def _recorded_first(log: AuditLog, change: int) -> None:
    """Held and about to run stand in the trail before anything that ran; nothing was applied."""
    about = [r for r in log.tail(200) if _of(r.event.part(ApprovalFacts), change)]
    events = sorted(log.tail(200), key=lambda r: r.seq)
    held = next(r for r in events if r.event.summary == "Held: delete on billing_records")
    intent = next(
        r for r in events if r.event.summary == f"About to preview request #{change} on shop"
    )
    ran = next(r for r in events if r.event.closes == intent.event.id)
    assert held.seq < intent.seq < ran.seq
    assert ran.event.summary == f"Request #{change} previewed and rolled back: {ROWS:,} rows"
    [requested] = [r for r in about if r.event.type == "approval.requested"]
    effect = requested.event.part(Effect)
    assert effect is not None
    assert effect.deleted == ROWS
    assert not [r for r in events if "applied" in r.event.summary]
    assert log.verify().status == 0


def _of(facts: ApprovalFacts | None, change: int) -> bool:
    return facts is not None and facts.id == str(change)
