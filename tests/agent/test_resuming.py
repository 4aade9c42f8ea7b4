"""A question whose process is killed goes on elsewhere, and no finished step happens twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from sqlalchemy import text

from agent import Answer, Runs
from agent.journal import Journal
from agent.runs import MAX_RESUMES
from guard import Gate
from guard.policyfile import parse_policy
from store import IllegalMove, accounts, changes, orphans, steps, turns
from store.turns import Turn
from tests.agent.test_runs import turn_of, until
from tests.company import POLICY, Company, make_company

CALLS = 5
KILLED_AT = 3
ROOT = Path(__file__).resolve().parents[2]


def sql(number: int) -> str:
    """A statement of its own for each call, so that each can be counted at the source."""
    return f"SELECT id, {number} AS n FROM orders"


def batch(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Asks for every call at once, under one and the same id, and then ends."""
    del info
    if any(isinstance(m, ModelResponse) for m in messages):
        return ModelResponse(parts=[TextPart("Done.")])
    calls = [
        ToolCallPart("run_query", {"sql": sql(n), "why": "x"}, tool_call_id="same")
        for n in range(CALLS - 1)
    ]
    change = {"sql": "UPDATE orders SET status = 'x' WHERE id = 2", "reason": "x"}
    proposal = ToolCallPart("propose_change", change, tool_call_id="same")
    return ModelResponse(parts=[TextPart("I look."), *calls, proposal])


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from pydantic_ai.models.function import FunctionModel
from agent.journal import Journal
from guard import Gate
from store import Store
from tests.agent import test_resuming as t
from tests.company import make_company
home, counted, where = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
company = make_company(home)
done = 0
name = "propose" if where == "proposing" else "query"
real, end = getattr(Gate, name), Journal.end
read = Gate.query
def noted(self, *args, **keys):
    given = read(self, *args, **keys)
    with counted.open("a") as file:
        file.write(args[0] + "\\n")
    return given
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def asked(self, *args, **keys):
    global done
    done += 1
    if where == "inside" and done == t.KILLED_AT:
        die()
    given = real(self, *args, **keys)
    if name == "query":
        with counted.open("a") as file:
            file.write(args[0] + "\\n")
    if where == "proposing" or (where == "before the journal" and done == t.KILLED_AT):
        die()
    return given
def ended(self, step, *args, **keys):
    end(self, step, *args, **keys)
    if where == "after the journal" and done == t.KILLED_AT:
        die()
Gate.query = noted
setattr(Gate, name, asked)
Journal.end = ended
runs = company.runs_with(FunctionModel(t.batch))
turn = runs.start("Count.", conversation=company.conversation(), caller=company.caller("ana"))
print(turn, flush=True)
threading.Event().wait(60)
"""


def kill_in_a_batch(home: Path, counted: Path, where: str) -> str:
    """Runs a question in a process that kills itself at that point; returns the turn."""
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(home), str(counted), where],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return ended.stdout.strip()


def count(company: Company, type_: str) -> int:
    return company.events().count(type_)


@pytest.mark.parametrize(
    "where", ["inside", "before the journal", "after the journal", "proposing"]
)
def test_promise_12_a_run_killed_in_a_batch_of_tools_makes_every_call_once(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, counted = tmp_path / "home", tmp_path / "counted"
    make_company(home).close()
    turn = kill_in_a_batch(home, counted, where)
    company = make_company(home)
    try:
        company.parts.recover()
        assert turn_of(company, turn).state == "running"
        finished = [s for s in journal(company, turn) if s.state == "done" and s.tool]
        runs = company.runs_with(FunctionModel(batch))
        real = Gate.query

        def query(self: Gate, text: str, **keys: object) -> object:
            given = real(self, text, **keys)
            with counted.open("a") as file:
                file.write(f"{text}\n")
            return given

        monkeypatch.setattr(Gate, "query", query)
        assert runs.resume() == 1
        until(lambda: turn_of(company, turn).state == "done")
        runs.close()
        assert turn_of(company, turn).resumes == 1
        made = [s for s in journal(company, turn) if s.tool]
        assert [(s.call_id, s.state) for s in made] == [
            (f"r0-{n + 1}", "done") for n in range(CALLS)
        ]
        # What was asked for is written once, what was done is answered from the journal.
        asked = [r.event for r in company.log.tail(10_000) if r.event.type == "agent.step"]
        assert len(asked) == CALLS
        assert count(company, "agent.replayed") == len(finished)
        # Each read ran once, and once more only the one whose end the killed process never wrote.
        executed = Counter(counted.read_text().splitlines())
        lost = [sql(KILLED_AT - 1)] if where == "before the journal" else []
        assert executed == Counter([sql(n) for n in range(CALLS - 1)] + lost)
        previews = 1
        assert count(company, "query.executed") == CALLS - 1 + len(lost) + previews
        # One proposal, however often it was made.
        with company.store.read() as conn:
            assert len(changes.list_all(conn, limit=10)) == 1
        assert company.log.verify().status in (0, 2)
    finally:
        company.close()


def journal(company: Company, turn: str) -> tuple[steps.Step, ...]:
    with company.store.read() as conn:
        return steps.list_of(conn, turn)


def dead(company: Company, *, resumes: int = 0, resumable: bool = True) -> Turn:
    """A running question whose process is gone."""
    conversation = company.conversation()
    with company.store.write() as conn:
        made = turns.add(
            conn,
            conversation,
            kind="question",
            question="How many orders are there?",
            model=None,
            now=company.store.now(),
            resumable=resumable,
        )
        turns.claim(conn, made.id, owner="gone", now=company.store.now())
        for _ in range(resumes):
            orphan = turns.get(conn, made.id)
            orphans.take_over(conn, orphan, owner="gone", now=company.store.now())
    return turn_of(company, made.id)


def test_a_question_that_had_no_answer_of_the_model_begins_anew(company: Company) -> None:
    turn = dead(company)
    assert company.parts.runs.resume() == 1
    until(lambda: turn_of(company, turn.id).state == "done")
    said = [r.event.summary for r in company.log.tail(1_000) if r.event.type == "agent.started"]
    assert said == ["Resumed after a restart (1), answered by Rule-based planner, no AI model"]


class Chatty:
    """Looks, draws, and brings the process down before it says the end."""

    def __init__(self, *, dies: bool) -> None:
        self.dies = dies

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        del info
        made = sum(isinstance(m, ModelResponse) for m in messages)
        if made == 0:
            args: dict[str, object] = {"sql": "SELECT status, total FROM orders", "why": "x"}
            return ModelResponse(parts=[ToolCallPart("run_query", args)])
        if made == 1:
            args = {"kind": "bar", "x": 0, "y": 1, "title": "Totals"}
            return ModelResponse(parts=[ToolCallPart("make_chart", args)])
        if self.dies:
            raise SystemExit
        return ModelResponse(parts=[TextPart("Done.")])


def test_what_earlier_answers_gave_is_part_of_the_answer_after_a_restart(company: Company) -> None:
    dies = company.runs_with(FunctionModel(Chatty(dies=True)))
    conversation = company.conversation()
    with pytest.raises(SystemExit):
        dies.run("Totals?", conversation=conversation, caller=company.caller("ana"))
    with company.store.write() as conn:
        (cut_off,) = turns.list_of(conn, conversation)
        assert cut_off.state == "running"
        conn.execute(text("UPDATE turns SET lease_owner = 'gone', resumable = true"))
    runs = company.runs_with(FunctionModel(Chatty(dies=False)))
    assert runs.resume() == 1
    until(lambda: turn_of(company, cut_off.id).state == "done")
    runs.close()
    answer = Answer.model_validate_json(turn_of(company, cut_off.id).answer_json or "")
    assert (answer.text, answer.query) == ("Done.", "r0-0")
    assert answer.chart is not None
    assert answer.chart.title == "Totals"
    assert count(company, "query.executed") == 1


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ('"orders", "tickets"]', '"orders"]'),
        ("[sources.shop.tags]\n", '[sources.shop.tags]\n"orders.status" = "PERSON"\n'),
    ],
)
def test_promise_08_what_was_found_by_other_rights_is_given_to_nobody_after_a_restart(
    company: Company, before: str, now: str
) -> None:
    """A right was withdrawn, or a column turned out to hold personal data, while it was down."""
    conversation = company.conversation()
    dies = company.runs_with(FunctionModel(Chatty(dies=True)))
    with pytest.raises(SystemExit):
        dies.run("Totals?", conversation=conversation, caller=company.caller("ana"))
    with company.store.write() as conn:
        (cut_off,) = turns.list_of(conn, conversation)
        conn.execute(text("UPDATE turns SET lease_owner = 'gone', resumable = true"))
    assert before in POLICY
    policy = POLICY.replace(before, now, 1).encode()
    company.enforce(parse_policy(policy, company.home / "policy.toml"))
    told: list[object] = []

    def listening(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        told.append(messages)
        return Chatty(dies=False)(messages, info)

    runs = company.runs_with(FunctionModel(listening))
    assert runs.resume() == 1
    until(lambda: turn_of(company, cut_off.id).state == "failed")
    runs.close()
    assert "your rights or the policy changed" in (turn_of(company, cut_off.id).error or "")
    assert told == []


def test_a_question_that_brings_its_process_down_is_given_up(company: Company) -> None:
    turn = dead(company, resumes=MAX_RESUMES)
    assert company.parts.runs.resume() == 0
    ended = turn_of(company, turn.id)
    assert ended.state == "interrupted"
    assert ended.error == "The server restarted 3 times while this was running, so it was given up."


def test_a_question_of_an_account_that_was_disabled_is_not_gone_on_with(company: Company) -> None:
    turn = dead(company)
    with company.store.write() as conn:
        accounts.set_disabled(conn, company.person("ana").id, disabled=True)
    assert company.parts.runs.resume() == 0
    ended = turn_of(company, turn.id)
    assert ended.state == "interrupted"
    assert "may not act any more" in (ended.error or "")


def test_no_more_is_taken_over_than_there_are_free_workers(company: Company) -> None:
    for _ in range(3):
        dead(company)
    parts = company.parts
    runs = Runs(company.store, parts.runs._analyst, parts.gate, parts.people.by_id, workers=1)
    assert runs.resume() == 1
    runs.close()


def test_a_stop_that_came_before_the_restart_still_stops(company: Company) -> None:
    turn = dead(company)
    with company.store.write() as conn:
        turns.request_cancel(conn, turn.id, now=company.store.now())
    company.parts.runs.resume()
    until(lambda: turn_of(company, turn.id).state == "cancelled")
    assert count(company, "query.intent") == 0


def test_a_process_that_lost_its_lease_begins_no_step(company: Company) -> None:
    turn = dead(company)
    late = Journal(company.store, turn.id)
    with pytest.raises(IllegalMove, match="another process"):
        late.begin("c1", "query", "run_query", {"sql": "SELECT 1"}, repeatable=True)
    assert journal(company, turn.id) == ()
