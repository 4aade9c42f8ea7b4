"""Turns in worker threads: they end in the store, can be stopped, and outlive their process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic_ai.models.function import FunctionModel

from agent import Runs
from store import steps, turns
from tests.company import Company, make_company
from tests.promises.test_agent import Attacker

ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n "
    "WHERE i < 0"
)


def until(reached: Callable[[], bool], seconds: float = 30.0) -> None:
    """Returns when `reached`, fails after a while."""
    deadline = time.monotonic() + seconds
    waiting = threading.Event()
    while not reached():
        assert time.monotonic() < deadline, "it never happened"
        waiting.wait(0.02)


def turn_of(company: Company, turn: str) -> turns.Turn:
    with company.store.read() as conn:
        return turns.get(conn, turn)


def test_a_question_runs_in_a_worker_and_ends_in_the_store(company: Company) -> None:
    turn = company.parts.runs.start(
        "How many orders are there?",
        conversation=company.conversation(),
        caller=company.caller("ana"),
    )
    until(lambda: turn_of(company, turn).state == "done")
    ended = turn_of(company, turn)
    assert ended.answer_json is not None
    assert '"status":"answered"' in ended.answer_json
    with company.store.read() as conn:
        kinds = [s.kind for s in steps.list_of(conn, turn)]
    assert kinds == ["plan", "query"]


@pytest.mark.parametrize("kind", ["sql", "question"])
def test_stop_ends_the_statement_that_runs(company: Company, kind: str) -> None:
    call = ("run_query", {"sql": ENDLESS, "why": "x"})
    runs = company.runs_with(FunctionModel(Attacker([call])))
    turn = runs.start(
        ENDLESS,
        conversation=company.conversation(),
        caller=company.caller("ana"),
        kind="sql" if kind == "sql" else "question",
    )
    until(lambda: "query.intent" in company.events())
    runs.stop(turn)
    until(lambda: turn_of(company, turn).state == "cancelled")
    assert "Stopped. Nothing more was run." in (turn_of(company, turn).answer_json or "")
    assert "query.cancelled" in company.events()
    runs.close()


def test_a_queued_turn_can_be_stopped_before_it_begins(company: Company) -> None:
    parts = company.parts
    runs = Runs(company.store, parts.runs._analyst, parts.gate, parts.people.by_id, workers=1)
    caller, conversation = company.caller("ana"), company.conversation()
    first = runs.start(ENDLESS, conversation=conversation, caller=caller, kind="sql")
    second = runs.start("SELECT 1", conversation=conversation, caller=caller, kind="sql")
    runs.stop(second)
    assert turn_of(company, second).state == "cancelled"
    runs.stop(first)
    until(lambda: turn_of(company, first).state == "cancelled")
    runs.close()
    with company.store.read() as conn:
        assert steps.list_of(conn, second) == ()


def test_a_typed_change_becomes_a_request_and_a_denial_an_answer(company: Company) -> None:
    caller = company.caller("ana", "sql")
    sql = "UPDATE orders SET status = 'x' WHERE id = 2"
    conversation = company.conversation()
    _, held = company.parts.runs.run(sql, conversation=conversation, caller=caller, kind="sql")
    assert held.refusal is not None
    assert held.refusal.rule == "write.held"
    _, answer = company.parts.runs.run(
        sql, conversation=conversation, caller=caller, kind="change", reason="A test"
    )
    assert answer.status == "proposed"
    view = company.parts.review.inbox.view(answer.change or 0, caller)
    assert (view.statement, view.card.reason) == (sql, "A test")


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.company import make_company
from tests.agent.test_runs import ENDLESS, until
company = make_company(Path(sys.argv[1]))
turn = company.parts.runs.start(
    ENDLESS, conversation=company.conversation(), caller=company.caller("ana"), kind="sql"
)
until(lambda: "query.intent" in company.events())
print(turn, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_promise_12_a_killed_turn_is_found_and_said_to_be_interrupted(tmp_path: Path) -> None:
    home = tmp_path / "killed"
    make_company(home).close()
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(home), root],
        cwd=root,
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    turn = done.stdout.strip()
    company = make_company(home)
    try:
        assert turn_of(company, turn).state == "running", done.stderr
        company.parts.recover()
        assert turn_of(company, turn).state == "interrupted"
        assert company.log.open_intents() == ()
        assert "query.outcome_unknown" in company.events()
    finally:
        company.close()
