"""A console that is shut down while it answers: what ran goes on elsewhere, and nothing is lost."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pydantic_ai.models
import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from agent import Runs
from guard import Gate
from store import steps, turns
from tests.agent.sse import Say, serving
from tests.agent.test_resuming import dead
from tests.agent.test_runs import ENDLESS, turn_of, until
from tests.company import Company, make_company
from tests.promises.test_agent import Attacker
from tests.store.processes import line, process
from tests.ui.server import free_port, running

ROOT = Path(__file__).resolve().parents[2]
FIRST = "SELECT id FROM orders"


def first_and_slow(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Asks for a quick and an endless statement at once, and ends."""
    del info
    if any(isinstance(m, ModelResponse) for m in messages):
        return ModelResponse(parts=[TextPart("Done.")])
    sent = [{"sql": sql, "why": "x"} for sql in (FIRST, ENDLESS)]
    return ModelResponse(parts=[ToolCallPart("run_query", args) for args in sent])


SHUT_DOWN = """
import signal, sys, threading
from pathlib import Path
from pydantic_ai.models.function import FunctionModel
from tests.agent import test_leaving as t
from tests.company import make_company
company = make_company(Path(sys.argv[1]))
told = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: told.set())
runs = company.runs_with(FunctionModel(t.first_and_slow))
caller, conversation = company.caller("ana"), company.conversation()
turn = runs.start("Count.", conversation=conversation, caller=caller)
typed = runs.start(t.ENDLESS, conversation=company.conversation(), caller=caller, kind="sql")
t.until(lambda: company.events().count("query.intent") == 3)
print(turn, typed, flush=True)
while not told.wait(1):
    pass
runs.close()
company.close()
"""


def test_promise_12_a_question_goes_on_after_a_tidy_shutdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    make_company(home).close()
    with process(SHUT_DOWN, home) as console:
        turn, typed = line(console).split()
        console.send_signal(signal.SIGTERM)
        assert console.wait(60) == 0
    company = make_company(home)
    try:
        left = turn_of(company, turn)
        assert (left.state, left.answer_json) == ("running", None)
        with company.store.read() as conn:
            made = {s.call_id: s.state for s in steps.list_of(conn, turn)}
        assert made == {"r0-0": "done", "r0-1": "started"}
        # The statements were stopped on their source and the trail says so.
        assert company.events().count("query.cancelled") == 2
        assert company.log.open_intents() == ()
        executed = Counter[str]()
        real = Gate.query

        def query(self: Gate, text: str, **keys: object) -> object:
            executed[text] += 1
            # The slow statement of before is quick now, as if its source had less to do.
            return real(self, FIRST if text == ENDLESS else text, **keys)  # type: ignore[arg-type]

        monkeypatch.setattr(Gate, "query", query)
        runs = company.runs_with(FunctionModel(first_and_slow))
        assert runs.resume() == 1
        until(lambda: turn_of(company, turn).state == "done")
        runs.close()
        assert executed == Counter([ENDLESS])
        assert "agent.replayed" in company.events()
        # What a person typed is not sent again behind their back.
        ended = turn_of(company, typed)
        assert ended.state == "interrupted"
        assert ended.error == "The server restarted while this was running."
    finally:
        company.close()


def test_a_question_that_waits_for_a_worker_is_left_in_the_queue(company: Company) -> None:
    parts = company.parts
    model = FunctionModel(Attacker([("run_query", {"sql": ENDLESS, "why": "x"})]))
    one = company.runs_with(model)._analyst
    runs = Runs(company.store, one, parts.gate, parts.people.by_id, workers=1)
    caller = company.caller("ana")
    first = runs.start("Go.", conversation=company.conversation(), caller=caller)
    second = runs.start("Go.", conversation=company.conversation(), caller=caller)
    until(lambda: "query.intent" in company.events())
    runs.close()
    late = runs.start("Go.", conversation=company.conversation(), caller=caller)
    states = [turn_of(company, turn).state for turn in (first, second, late)]
    assert states == ["running", "queued", "queued"]


def test_an_instance_that_cannot_see_the_other_takes_over_what_it_left(company: Company) -> None:
    left = dead(company)
    queued = dead(company)
    now = company.store.now()
    with company.store.write() as conn:
        conn.execute(turns._t.update().where(turns._t.c.id == queued.id).values(state="queued"))
    find = lambda: {t.id for t in found(company)}  # noqa: E731
    assert find() == set()
    with company.store.write() as conn:
        turns.leave(conn, owner="somebody else", now=now)
    assert find() == set()
    with company.store.write() as conn:
        turns.leave(conn, owner="gone", now=now)
    assert find() == {left.id, queued.id}


def found(company: Company) -> tuple[turns.Turn, ...]:
    """The orphans, as a process on another machine finds them: by their leases alone."""
    from store import orphans

    with company.store.read() as conn:
        return orphans.find(conn, now=company.store.now(), is_alive=lambda _: None)


def test_a_stop_and_a_shutdown_at_once_end_the_question_for_good(company: Company) -> None:
    model = FunctionModel(Attacker([("run_query", {"sql": ENDLESS, "why": "x"})]))
    runs = company.runs_with(model)
    caller = company.caller("ana")
    turn = runs.start("Go.", conversation=company.conversation(), caller=caller)
    until(lambda: "query.intent" in company.events())
    with company.store.write() as conn:
        turns.request_cancel(conn, turn, now=company.store.now())
    runs.close()
    if turn_of(company, turn).state == "running":  # the shutdown was heard first
        with company.store.write() as conn:
            conn.execute(turns._t.update().values(lease_owner="gone"))
        assert company.parts.runs.resume() == 1
    until(lambda: turn_of(company, turn).state == "cancelled")
    assert company.events().count("query.intent") == 1


@pytest.mark.slow
def test_promise_12_the_server_leaves_what_it_was_answering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`streamlit run app.py`, told to stop while a model thinks, and started again."""
    home = tmp_path / "home"
    company = make_company(home)
    turn = dead(company).id
    company.close()
    monkeypatch.setattr(pydantic_ai.models, "ALLOW_MODEL_REQUESTS", True)
    with serving(Say(text="There are four.")) as model:
        monkeypatch.setenv("GATEHOUSE_MODEL", model.setting)
        model.gate.clear()
        with running(ROOT, home, free_port(), tmp_path / "first.log"):
            until(lambda: len(model.requests) == 1, 90)
        company = make_company(home)
        assert turn_of(company, turn).state == "running"
        model.gate.set()
        with running(ROOT, home, free_port(), tmp_path / "second.log"):
            until(lambda: turn_of(company, turn).state == "done", 90)
    assert "There are four." in (turn_of(company, turn).answer_json or "")
    said = [r.event.summary for r in company.log.tail(1_000) if r.event.type == "agent.step"]
    assert "Left off, because the console shuts down" in said
    company.close()
