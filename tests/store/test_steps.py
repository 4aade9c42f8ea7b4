from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from store import IllegalMove, Store, StoreConflict, conversations, steps, turns
from store.accounts import Account
from store.steps import Begun


@pytest.fixture
def turn(store: Store, ana: Account) -> str:
    with store.write() as conn:
        talk = conversations.create(conn, owner=ana.id, source="shop", title="T", now=store.now())
        return turns.add(
            conn, talk.id, kind="question", question="How many?", model=None, now=store.now()
        ).id


def _begin(store: Store, turn: str, call_id: str = "c1", args: str = '{"sql":"SELECT 1"}') -> Begun:
    with store.write() as conn:
        return steps.begin(
            conn,
            turn,
            call_id,
            kind="tool",
            tool="run_query",
            args_json=args,
            now=store.now(),
        )


def _finish(store: Store, turn: str, call_id: str = "c1", **more: object) -> None:
    with store.write() as conn:
        steps.finish(
            conn,
            turn,
            call_id,
            verdict="allow",
            result_json='{"rows":1}',
            blob=b"arrow",
            elapsed_ms=3,
            now=store.now(),
        )


def test_a_step_is_started_then_done(store: Store, turn: str) -> None:
    begun = _begin(store, turn)
    assert begun.fresh
    assert (begun.step.state, begun.step.seq) == ("started", 1)
    _finish(store, turn)
    with store.read() as conn:
        (step,) = steps.list_of(conn, turn)
        assert steps.blob(conn, turn, "c1") == b"arrow"
    assert (step.state, step.verdict, step.result_json) == ("done", "allow", '{"rows":1}')
    assert step.elapsed_ms == 3


def test_promise_12_the_same_call_again_is_answered_from_the_journal(
    store: Store, turn: str
) -> None:
    _begin(store, turn)
    cut_off = _begin(store, turn)
    assert (cut_off.fresh, cut_off.step.state) == (False, "started")
    _finish(store, turn)
    replayed = _begin(store, turn)
    assert (replayed.fresh, replayed.step.result_json) == (False, '{"rows":1}')


@pytest.mark.parametrize("other", ["args", "kind", "tool"])
def test_a_call_id_with_anything_else_is_refused(other: str, store: Store, turn: str) -> None:
    _begin(store, turn)
    call = {"kind": "tool", "tool": "run_query", "args_json": '{"sql":"SELECT 1"}'}
    call |= {
        "args": {"args_json": '{"sql":"SELECT 2"}'},
        "kind": {"kind": "note"},
        "tool": {"tool": "propose_change"},
    }[other]
    with pytest.raises(IllegalMove, match="other arguments"), store.write() as conn:
        steps.begin(conn, turn, "c1", now=store.now(), **call)


def test_a_step_is_finished_once(store: Store, turn: str) -> None:
    _begin(store, turn)
    _finish(store, turn)
    with pytest.raises(IllegalMove, match="not running"):
        _finish(store, turn)
    with pytest.raises(IllegalMove, match="not running"):
        _finish(store, turn, "never begun")


def test_a_verdict_nobody_knows_is_refused(store: Store, turn: str) -> None:
    _begin(store, turn)
    with pytest.raises(StoreConflict), store.write() as conn:
        steps.finish(
            conn,
            turn,
            "c1",
            verdict="maybe",  # type: ignore[arg-type]  # the point
            result_json="{}",
            elapsed_ms=None,
            now=store.now(),
        )


def test_a_step_of_no_turn_is_refused(store: Store) -> None:
    with pytest.raises(IllegalMove, match="no such turn"):
        _begin(store, "nowhere")


def test_steps_begun_at_once_each_get_their_own_place(store: Store, turn: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: _begin(store, turn, f"c{n}"), range(12)))
    with store.read() as conn:
        assert [step.seq for step in steps.list_of(conn, turn)] == list(range(1, 13))
        assert [step.seq for step in steps.list_of(conn, turn, after=10)] == [11, 12]
