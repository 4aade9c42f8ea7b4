from __future__ import annotations

import datetime as dt
from typing import get_args

import pytest
from sqlalchemy import insert, text

from store import (
    Connection,
    IllegalMove,
    Store,
    StoreConflict,
    approvals,
    changes,
    conversations,
    turns,
)
from store.accounts import Account
from store.changes import NewChange, Preview
from store.schema import approvals as approvals_table
from store.states import CHANGE_MOVES, ChangeState
from tests.store import processes
from tests.store.conftest import Clock

STATES: tuple[ChangeState, ...] = get_args(ChangeState)
DAY = dt.timedelta(days=1)
PREVIEW = Preview(summary_json='{"rows":1}', preview_json="{}", fingerprint="f1", undo_kind="exact")


def _propose(conn: Connection, author: Account, now: dt.datetime, **more: object) -> int:
    fields: dict[str, object] = {
        "source": "shop",
        "author": author.id,
        "statement": "UPDATE orders SET status = 'cancelled' WHERE id = 118",
        "statement_sha": "s1",
        "reason": "The customer asked",
        "rule": "write.production",
        "environment": "production",
        "approvers_needed": 1,
    }
    new = NewChange(**{**fields, **more})  # type: ignore[arg-type]  # fields by name
    return changes.create(conn, new, now=now, expires_at=now + DAY).id


def _pending(store: Store, author: Account) -> int:
    with store.write() as conn:
        change = _propose(conn, author, store.now())
        changes.move(conn, change, "draft", "previewing", now=store.now())
        changes.record_preview(conn, change, PREVIEW, now=store.now())
        changes.move(conn, change, "previewing", "pending", now=store.now())
    return change


def _vote(conn: Connection, change: int, approver: Account, now: dt.datetime) -> None:
    approvals.vote(
        conn,
        change,
        approver=approver.id,
        decision="approve",
        statement_sha="s1",
        fingerprint="f1",
        comment="",
        now=now,
    )


def _put(conn: Connection, change: int, state: ChangeState) -> None:
    conn.execute(
        text("UPDATE change_requests SET state = :state WHERE id = :id"),
        {"state": state, "id": change},
    )


def test_a_new_request_is_a_draft_of_its_author(store: Store, ana: Account) -> None:
    with store.write() as conn:
        change = changes.get(conn, _propose(conn, ana, store.now()))
    assert (change.state, change.version, change.author) == ("draft", 1, ana.id)
    assert change.expires_at == change.created_at + DAY
    assert change.fingerprint is None


@pytest.mark.parametrize("source", STATES)
def test_only_the_listed_moves_exist(source: ChangeState, store: Store, ana: Account) -> None:
    change = _pending(store, ana)
    for target in STATES:
        with store.write() as conn:
            _put(conn, change, source)
            if target in CHANGE_MOVES.get(source, frozenset()):
                changes.move(conn, change, source, target, now=store.now())
                assert changes.get(conn, change).state == target
            else:
                with pytest.raises(IllegalMove, match=f"never goes from {source} to {target}"):
                    changes.move(conn, change, source, target, now=store.now())


def test_a_move_from_a_state_the_row_has_left_is_refused(store: Store, ana: Account) -> None:
    change = _pending(store, ana)
    with store.write() as conn:
        changes.move(conn, change, "pending", "withdrawn", now=store.now())
    with pytest.raises(IllegalMove, match="not pending any more"), store.write() as conn:
        changes.move(conn, change, "pending", "approved", now=store.now())
    with store.read() as conn:
        assert changes.get(conn, change).state == "withdrawn"


def test_every_change_of_the_row_raises_its_version(store: Store, ana: Account) -> None:
    change = _pending(store, ana)
    with store.read() as conn:
        assert changes.get(conn, change).version == 4


def test_a_state_nobody_knows_cannot_be_stored(store: Store, ana: Account) -> None:
    change = _pending(store, ana)
    with pytest.raises(StoreConflict), store.write() as conn:
        conn.execute(
            text("UPDATE change_requests SET state = 'blessed' WHERE id = :c"), {"c": change}
        )


def test_nothing_waits_for_review_without_a_preview(store: Store, ana: Account) -> None:
    with store.write() as conn:
        change = _propose(conn, ana, store.now())
        changes.move(conn, change, "draft", "previewing", now=store.now())
    with pytest.raises(StoreConflict), store.write() as conn:
        changes.move(conn, change, "previewing", "pending", now=store.now())


def test_a_preview_is_recorded_only_while_previewing(store: Store, ana: Account) -> None:
    change = _pending(store, ana)
    with pytest.raises(IllegalMove, match="not being previewed"), store.write() as conn:
        changes.record_preview(conn, change, PREVIEW, now=store.now())


def test_one_call_of_one_turn_proposes_once(store: Store, ana: Account) -> None:
    with store.write() as conn:
        talk = conversations.create(conn, owner=ana.id, source="shop", title="T", now=store.now())
        turn = turns.add(
            conn, talk.id, kind="question", question="Cancel 118", model=None, now=store.now()
        ).id
        assert changes.by_call(conn, turn, "c1") is None
        change = _propose(conn, ana, store.now(), turn=turn, call_id="c1")
    with pytest.raises(StoreConflict), store.write() as conn:
        _propose(conn, ana, store.now(), turn=turn, call_id="c1")
    with store.read() as conn:
        found = changes.by_call(conn, turn, "c1")
        assert found is not None
        assert found.id == change
        assert changes.count(conn) == 1


def test_promise_06_the_author_cannot_vote(store: Store, ana: Account) -> None:
    change = _pending(store, ana)
    with pytest.raises(StoreConflict), store.write() as conn:
        _vote(conn, change, ana, store.now())
    with store.read() as conn:
        assert approvals.votes(conn, change) == ()


def test_promise_06_a_row_that_names_another_author_is_refused_by_the_database(
    store: Store, ana: Account, rex: Account
) -> None:
    change = _pending(store, ana)
    with pytest.raises(StoreConflict), store.write() as conn:
        conn.execute(
            insert(approvals_table).values(
                change=change,
                author=rex.id,
                approver=ana.id,
                decision="approve",
                statement_sha="s1",
                fingerprint="f1",
                comment="",
                at=store.now(),
            )
        )


def test_one_person_counts_once(store: Store, ana: Account, rex: Account) -> None:
    change = _pending(store, ana)
    with store.write() as conn:
        _vote(conn, change, rex, store.now())
    with pytest.raises(StoreConflict), store.write() as conn:
        _vote(conn, change, rex, store.now())
    with store.read() as conn:
        assert approvals.yes_count(conn, change) == 1


def test_a_new_preview_voids_every_vote_and_the_same_person_may_vote_again(
    store: Store, ana: Account, rex: Account
) -> None:
    change = _pending(store, ana)
    with store.write() as conn:
        _vote(conn, change, rex, store.now())
        changes.move(conn, change, "pending", "drifted", now=store.now())
        changes.move(conn, change, "drifted", "previewing", now=store.now())
        changes.record_preview(conn, change, PREVIEW, now=store.now())
        assert approvals.yes_count(conn, change) == 0
        _vote(conn, change, rex, store.now())
        assert approvals.yes_count(conn, change) == 1
        first, second = approvals.votes(conn, change)
    assert first.voided_at == store.now()
    assert second.voided_at is None


def test_a_yes_to_another_fingerprint_does_not_count(
    store: Store, ana: Account, rex: Account
) -> None:
    change = _pending(store, ana)
    with store.write() as conn:
        approvals.vote(
            conn,
            change,
            approver=rex.id,
            decision="approve",
            statement_sha="s1",
            fingerprint="what somebody else saw",
            comment="",
            now=store.now(),
        )
        assert approvals.yes_count(conn, change) == 0


def test_the_inbox_counts_what_waits_for_this_person(
    store: Store, ana: Account, rex: Account
) -> None:
    first, _ = _pending(store, ana), _pending(store, ana)
    with store.write() as conn:
        assert changes.count_to_review(conn, rex.id) == 2
        assert changes.count_to_review(conn, ana.id) == 0
        _vote(conn, first, rex, store.now())
        assert changes.count_to_review(conn, rex.id) == 1


def test_lists_filter_and_put_the_newest_first(
    store: Store, ana: Account, rex: Account, clock: Clock
) -> None:
    first = _pending(store, ana)
    clock.pass_(minutes=1)
    second = _pending(store, rex)
    with store.read() as conn:
        assert [c.id for c in changes.list_all(conn)] == [second, first]
        assert [c.id for c in changes.list_all(conn, author=ana.id)] == [first]
        assert changes.list_all(conn, states=("executed",)) == ()
        assert changes.list_all(conn, source="warehouse") == ()
        assert [c.id for c in changes.list_all(conn, limit=1, offset=1)] == [first]
        assert changes.count(conn, states=("pending",)) == 2


def test_what_is_due_expires_and_what_is_decided_stays(
    store: Store, ana: Account, clock: Clock
) -> None:
    pending, rejected, approved = (_pending(store, ana) for _ in range(3))
    with store.write() as conn:
        changes.move(conn, rejected, "pending", "rejected", now=store.now())
        soon = store.now() + dt.timedelta(minutes=30)
        changes.move(conn, approved, "pending", "approved", now=store.now(), expires_at=soon)
        assert changes.expire_due(conn, now=store.now()) == ()
    clock.pass_(minutes=30)
    with store.write() as conn:
        # An approval that was not used is not over: it is looked at again.
        assert changes.expire_due(conn, now=store.now()) == ()
        assert changes.lapsed(conn, now=store.now()) == (approved,)
    clock.pass_(hours=24)
    with store.write() as conn:
        assert changes.expire_due(conn, now=store.now()) == (pending,)
        assert changes.get(conn, rejected).state == "rejected"


def test_the_way_back_is_stored_before_the_write_commits(store: Store, ana: Account) -> None:
    change = _pending(store, ana)
    facts = {"owner": "x1", "before_fingerprint": "b", "after_fingerprint": "a"}
    with store.write() as conn:
        with pytest.raises(IllegalMove, match="not executed by this process"):
            changes.record_execution(conn, change, undo_image=b"rows", now=store.now(), **facts)
        changes.move(conn, change, "pending", "approved", now=store.now())
        changes.claim(conn, change, owner="x1", now=store.now())
        other = facts | {"owner": "x2"}
        with pytest.raises(IllegalMove, match="not executed by this process"):
            changes.record_execution(conn, change, undo_image=b"rows", now=store.now(), **other)
        changes.record_execution(conn, change, undo_image=b"rows", now=store.now(), **facts)
        assert [c.id for c in changes.executing(conn)] == [change]
    with store.read() as conn:
        assert changes.undo_image(conn, change) == b"rows"
        assert changes.get(conn, change).after_fingerprint == "a"


def test_an_error_is_kept_until_the_next_move(store: Store, ana: Account) -> None:
    change = _pending(store, ana)
    with store.write() as conn:
        changes.move(conn, change, "pending", "drifted", now=store.now(), error="Rows changed.")
        assert changes.get(conn, change).error == "Rows changed."
        changes.move(conn, change, "drifted", "previewing", now=store.now())
        assert changes.get(conn, change).error is None


def test_undo_requests_point_at_what_they_undo(store: Store, ana: Account) -> None:
    change = _pending(store, ana)
    with store.write() as conn:
        undo = _propose(conn, ana, store.now(), undo_of=change)
        assert [c.id for c in changes.undo_requests(conn, change)] == [undo]


def test_comments_are_kept_in_order(store: Store, ana: Account, rex: Account) -> None:
    change = _pending(store, ana)
    with store.write() as conn:
        approvals.add_comment(conn, change, author=rex.id, text="Why?", now=store.now())
        approvals.add_comment(conn, change, author=ana.id, text="See ticket.", now=store.now())
        said = [(c.author, c.text) for c in approvals.comments(conn, change)]
    assert said == [(rex.id, "Why?"), (ana.id, "See ticket.")]


def test_the_pulse_beats_at_every_move_vote_and_comment(
    store: Store, ana: Account, rex: Account
) -> None:
    def pulses() -> tuple[str, str, str]:
        with store.read() as conn:
            return (
                changes.pulse(conn),
                changes.pulse(conn, author=ana.id),
                changes.pulse(conn, change=first),
            )

    first = _pending(store, ana)
    seen = [pulses()]
    assert pulses() == seen[0]
    with store.write() as conn:
        approvals.add_comment(conn, first, author=rex.id, text="Why?", now=store.now())
    seen.append(pulses())
    with store.write() as conn:
        changes.move(conn, first, "pending", "withdrawn", now=store.now())
    seen.append(pulses())
    for of_all in zip(*seen, strict=True):
        assert len(set(of_all)) == len(seen)
    _pending(store, ana)
    everything, _, of_first = pulses()
    assert everything != seen[-1][0]
    assert of_first == seen[-1][2]


RACE = 25


def _execute_all(home: str, number: int) -> int:
    store = Store.open(home)
    won = 0
    for change in range(1, RACE + 1):
        try:
            with store.write() as conn:
                changes.move(conn, change, "approved", "executing", now=store.now())
        except IllegalMove:
            continue
        won += 1
    store.close()
    return won


def test_promise_12_of_racing_processes_exactly_one_makes_each_move(
    where: str, store: Store, ana: Account
) -> None:
    for _ in range(RACE):
        change = _pending(store, ana)
        with store.write() as conn:
            changes.move(conn, change, "pending", "approved", now=store.now())
    won = processes.run_in_processes(4, _execute_all, where)
    assert sum(won) == RACE
    with store.read() as conn:
        assert changes.count(conn, states=("executing",)) == RACE
        assert {c.version for c in changes.list_all(conn)} == {6}
