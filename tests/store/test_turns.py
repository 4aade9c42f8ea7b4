from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import text

from store import IllegalMove, Store, StoreConflict, conversations, orphans, turns
from store.accounts import Account
from store.states import TURN_MOVES, TurnState
from store.turns import Outcome, Turn
from tests.store import processes
from tests.store.conftest import Clock

STATES: tuple[TurnState, ...] = get_args(TurnState)


@pytest.fixture
def talk(store: Store, ana: Account) -> str:
    with store.write() as conn:
        return conversations.create(
            conn, owner=ana.id, source="shop", title="Orders", now=store.now()
        ).id


def _ask(store: Store, talk: str) -> Turn:
    with store.write() as conn:
        return turns.add(
            conn, talk, kind="question", question="How many?", model="offline", now=store.now()
        )


def _running(store: Store, talk: str, owner: str = "me") -> str:
    turn = _ask(store, talk).id
    with store.write() as conn:
        turns.claim(conn, turn, owner=owner, now=store.now())
    return turn


def _get(store: Store, turn: str) -> Turn:
    with store.read() as conn:
        return turns.get(conn, turn)


def test_turns_keep_their_order_and_mark_the_conversation_as_used(
    store: Store, talk: str, clock: Clock
) -> None:
    clock.pass_(minutes=1)
    first, second = _ask(store, talk), _ask(store, talk)
    assert (first.seq, second.seq) == (1, 2)
    assert (first.state, first.cancel_requested) == ("queued", False)
    with store.read() as conn:
        assert turns.list_of(conn, talk) == (first, second)
        found = conversations.find(conn, talk)
    assert found is not None
    assert found.updated_at == clock()


def test_a_turn_of_no_conversation_is_refused(store: Store) -> None:
    with pytest.raises(IllegalMove, match="no such conversation"):
        _ask(store, "nowhere")


def test_the_place_in_the_queue_counts_older_ones(store: Store, talk: str, clock: Clock) -> None:
    _ask(store, talk)
    clock.pass_(seconds=1)
    second = _ask(store, talk)
    with store.read() as conn:
        assert turns.queued_before(conn, second) == 1


@pytest.mark.parametrize("target", STATES)
def test_a_run_ends_only_in_the_listed_states(target: TurnState, store: Store, talk: str) -> None:
    turn = _running(store, talk)
    with store.write() as conn:
        if target not in TURN_MOVES["running"]:
            with pytest.raises(IllegalMove, match=f"never goes from running to {target}"):
                turns.finish(conn, turn, target, Outcome(), owner="me", now=store.now())
            return
        turns.finish(conn, turn, target, Outcome(), owner="me", now=store.now())
    ended = _get(store, turn)
    assert (ended.state, ended.lease_owner) == (target, None)
    assert (ended.finished_at is None) == (target == "waiting")


@pytest.mark.parametrize("source", STATES)
def test_only_some_states_can_be_claimed(source: TurnState, store: Store, talk: str) -> None:
    turn = _ask(store, talk).id
    with store.write() as conn:
        conn.execute(
            text(
                "UPDATE turns SET state = :s, lease_owner = 'x',"
                " lease_until = '2026-06-30T09:00:00.000000Z' WHERE id = :t"
            ),
            {"s": source, "t": turn},
        )
        if "running" in TURN_MOVES.get(source, frozenset()):
            turns.claim(conn, turn, source=source, owner="me", now=store.now())
            assert turns.get(conn, turn).lease_owner == "me"
        else:
            with pytest.raises(IllegalMove):
                turns.claim(conn, turn, source=source, owner="me", now=store.now())


def test_a_running_turn_always_has_a_lease(store: Store, talk: str) -> None:
    turn = _ask(store, talk).id
    with pytest.raises(StoreConflict), store.write() as conn:
        conn.execute(text("UPDATE turns SET state = 'running' WHERE id = :t"), {"t": turn})


def test_nobody_moves_a_running_turn_past_its_owner(store: Store, talk: str) -> None:
    turn = _running(store, talk)
    with pytest.raises(IllegalMove, match="holds its lease"), store.write() as conn:
        turns.move(conn, turn, "running", "done", now=store.now())


def test_what_a_turn_gave_is_kept(store: Store, talk: str) -> None:
    turn = _running(store, talk)
    outcome = Outcome(answer_json='{"text":"7"}', usage_json="{}", messages=b"[]")
    with store.write() as conn:
        turns.checkpoint(conn, turn, owner="me", messages=b"[1]", usage_json="{}")
        assert turns.messages(conn, turn) == b"[1]"
        turns.finish(conn, turn, "done", outcome, owner="me", now=store.now())
        assert turns.messages(conn, turn) == b"[]"
    assert _get(store, turn).answer_json == '{"text":"7"}'


def test_a_process_that_lost_its_lease_can_write_nothing(store: Store, talk: str) -> None:
    turn = _running(store, talk, owner="one")
    with store.write() as conn:
        (orphan,) = orphans.find(conn, now=store.now(), is_alive=lambda _: False)
        orphans.take_over(conn, orphan, owner="two", now=store.now())
    calls = (
        lambda c: turns.renew(c, turn, owner="one", now=store.now()),
        lambda c: turns.checkpoint(c, turn, owner="one", messages=b"", usage_json="{}"),
        lambda c: turns.finish(c, turn, "done", Outcome(), owner="one", now=store.now()),
    )
    for call in calls:
        with pytest.raises(IllegalMove, match="another process"), store.write() as conn:
            call(conn)
    assert _get(store, turn).lease_owner == "two"


def test_a_heartbeat_keeps_the_lease_and_brings_the_wish_to_stop(
    store: Store, talk: str, clock: Clock
) -> None:
    turn = _running(store, talk)
    clock.pass_(seconds=10)
    with store.write() as conn:
        assert not turns.renew(conn, turn, owner="me", now=clock())
        assert turns.request_cancel(conn, turn, now=clock()) == "running"
        assert turns.renew(conn, turn, owner="me", now=clock())
    assert _get(store, turn).lease_until == clock() + turns.LEASE


def test_a_queued_turn_is_cancelled_at_once(store: Store, talk: str) -> None:
    turn = _ask(store, talk).id
    with store.write() as conn:
        assert turns.request_cancel(conn, turn, now=store.now()) == "cancelled"
    with pytest.raises(IllegalMove), store.write() as conn:
        turns.claim(conn, turn, owner="me", now=store.now())


def test_an_ended_turn_cannot_be_cancelled(store: Store, talk: str) -> None:
    turn = _running(store, talk)
    with store.write() as conn:
        turns.finish(conn, turn, "done", Outcome(), owner="me", now=store.now())
        assert turns.request_cancel(conn, turn, now=store.now()) == "done"


def test_where_nobody_can_tell_an_expired_lease_decides(
    store: Store, talk: str, clock: Clock
) -> None:
    turn = _running(store, talk)
    with store.write() as conn:
        assert orphans.find(conn, now=clock(), is_alive=lambda _: None) == ()
    clock.time += turns.LEASE
    with store.write() as conn:
        (orphan,) = orphans.find(conn, now=clock(), is_alive=lambda _: None)
        ended = orphans.interrupt(conn, orphan, why="It stopped.", now=clock())
    assert (ended.id, ended.state, ended.error) == (turn, "interrupted", "It stopped.")


def test_of_two_instances_that_find_an_orphan_one_takes_it_over(
    store: Store, talk: str, clock: Clock
) -> None:
    turn = _running(store, talk, owner="dead")
    clock.time += turns.LEASE
    with store.read() as conn:
        (orphan,) = orphans.find(conn, now=clock(), is_alive=lambda _: None)
    with store.write() as conn:
        taken = orphans.take_over(conn, orphan, owner="two", now=clock())
    assert (taken.lease_owner, taken.resumes, taken.state) == ("two", 1, "running")
    for late in (
        lambda c: orphans.take_over(c, orphan, owner="three", now=clock()),
        lambda c: orphans.interrupt(c, orphan, why="x", now=clock()),
    ):
        with pytest.raises(IllegalMove, match="no orphan"), store.write() as conn:
            late(conn)
    assert _get(store, turn).lease_owner == "two"


def test_a_lease_that_was_renewed_after_all_is_not_taken(
    store: Store, talk: str, clock: Clock
) -> None:
    turn = _running(store, talk, owner="slow")
    clock.time += turns.LEASE
    with store.write() as conn:
        (orphan,) = orphans.find(conn, now=clock(), is_alive=lambda _: None)
        turns.renew(conn, turn, owner="slow", now=clock())
        with pytest.raises(IllegalMove, match="no orphan"):
            orphans.take_over(conn, orphan, owner="two", now=clock())


def test_a_turn_in_the_queue_of_a_dead_process_is_an_orphan(
    store: Store, talk: str, clock: Clock
) -> None:
    with store.write() as conn:
        queued = turns.add(
            conn, talk, kind="question", question="x", model=None, now=clock(), owner="gone"
        )
        assert orphans.find(conn, now=clock(), is_alive=lambda _: True) == ()
        assert orphans.find(conn, now=clock(), is_alive=lambda _: None) == ()
        (orphan,) = orphans.find(conn, now=clock(), is_alive=lambda _: False)
        clock.time += orphans.PATIENCE
        assert orphans.find(conn, now=clock(), is_alive=lambda _: None) == (orphan,)
        taken = orphans.take_over(conn, orphan, owner="two", now=clock())
    assert (taken.id, taken.state, taken.started_at) == (queued.id, "running", clock())


def test_conversations_are_found_by_their_owner_only(
    store: Store, talk: str, ana: Account, rex: Account
) -> None:
    with store.write() as conn:
        assert conversations.find_own(conn, talk, owner=rex.id) is None
        found = conversations.find_own(conn, talk, owner=ana.id)
        assert found is not None
        assert conversations.list_own(conn, rex.id) == ()
        assert conversations.list_own(conn, ana.id) == (found,)
        with pytest.raises(IllegalMove):
            conversations.rename(conn, talk, owner=rex.id, title="Mine")
        conversations.rename(conn, talk, owner=ana.id, title="x" * 300)
        renamed = conversations.find(conn, talk)
    assert renamed is not None
    assert renamed.title == "x" * 199 + "…"


_WORKER = """
import sys
from store import Store, turns
store = Store.open(sys.argv[1])
with store.write() as conn:
    turns.claim(conn, sys.argv[2], owner=store.instance, now=store.now())
print("running", flush=True)
sys.stdin.readline()
store.close()
"""


def test_promise_12_the_turn_of_a_killed_process_is_found_at_once(
    home: Path, store: Store, talk: str
) -> None:
    dead, alive, own = (_ask(store, talk).id for _ in range(3))
    with store.write() as conn:
        turns.claim(conn, own, owner=store.instance, now=store.now())
    with (
        processes.process(_WORKER, home, dead) as first,
        processes.process(_WORKER, home, alive) as second,
    ):
        assert processes.line(first) == processes.line(second) == "running"
        processes.kill(first)
        with store.read() as conn:
            found = orphans.find(conn, now=store.now(), is_alive=store.is_alive)
    assert [turn.id for turn in found] == [dead]
    assert _get(store, alive).state == "running"
    assert _get(store, own).state == "running"


def test_a_process_that_ended_tidily_leaves_no_lock_file(home: Path, store: Store) -> None:
    other = Store.open(home)
    owner = other.instance
    assert store.is_alive(owner)
    other.close()
    assert store.is_alive(owner) is False
    assert list((home / "instances").iterdir()) == []
