"""A run whose budget is used up ends there: halted, explained, recorded, nothing more sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, FunctionModel

from agent.deps import MAX_REPAIRS
from guard import Cancel, Interrupted, reading
from guard.limitpolicy import Limits
from store import ledger, turns
from tests.agent.test_runs import ENDLESS, turn_of, until
from tests.company import Company
from tests.promises.test_agent import Attacker, Call

READ: Call = ("run_query", {"sql": "SELECT id FROM orders", "why": "x"})
LOOK: Call = ("list_tables", {})


def limited(company: Company, **keys: int) -> None:
    policy = company.parts.policy
    company.enforce(policy.model_copy(update={"limits": Limits(**keys)}))


@pytest.mark.parametrize(
    ("key", "most", "calls", "sent"),
    [
        ("task_statements", 2, [READ] * 5, 2),
        ("task_rows", 1_005, [READ] * 5, 2),
        ("task_seconds", 19, [READ], 0),
        ("calls_per_minute", 2, [READ] * 5, 2),
        ("session_calls_per_minute", 2, [READ] * 5, 2),
        ("tool_calls_per_minute", 1, [LOOK, LOOK, READ], 0),
        ("rows_per_day", 1_005, [READ] * 5, 2),
    ],
)
def test_a_run_that_has_used_up_a_limit_is_halted(
    company: Company, key: str, most: int, calls: list[Call], sent: int
) -> None:
    limited(company, **{key: most})
    runs = company.runs_with(FunctionModel(Attacker(calls)))
    turn, answer = company.ask("Everything?", runs=runs)
    assert answer.status == "halted"
    assert answer.refusal is not None
    assert answer.refusal.rule == f"limit.{key}"
    assert answer.text.startswith("Halted. ")
    with company.store.read() as conn:
        assert turns.get(conn, turn).state == "halted"
    events = company.log.tail(1_000)
    assert company.events().count("query.intent") == sent
    ended = [r.event for r in events if r.event.type == "agent.failed"]
    assert [(e.outcome, e.summary.split(":")[0]) for e in ended] == [("denied", "halted")]
    denied = [r.event for r in events if r.event.summary == f"Denied: limit.{key}"]
    assert len(denied) == 1


def test_the_next_question_is_another_task(company: Company) -> None:
    limited(company, task_statements=1)
    for _ in range(2):
        runs = company.runs_with(FunctionModel(Attacker([READ])))
        _, answer = company.ask("Everything?", runs=runs)
        assert answer.status == "answered"


WAITING = "limit.parallel"


@contextmanager
def busy(company: Company) -> Iterator[Cancel]:
    """Has a statement of the same person take their only place, until the cancel is set."""
    limited(company, parallel=1)
    cancel, caller = Cancel(), company.caller("ana")

    def run() -> None:
        with suppress(Interrupted):
            company.parts.gate.query(ENDLESS, source="shop", caller=caller, cancel=cancel)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        until(lambda: "query.intent" in company.events())
        try:
            yield cancel
        finally:
            cancel.set()
            running.result()


def test_a_statement_of_the_agent_waits_for_its_turn(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, real = threading.Event(), ledger.reserve

    def reserve(*args: object, **keys: object) -> object:
        given = real(*args, **keys)  # type: ignore[arg-type]
        if isinstance(given, ledger.Exhausted):
            asked.set()
        return given

    monkeypatch.setattr(ledger, "reserve", reserve)
    with busy(company) as cancel:
        runs = company.runs_with(FunctionModel(Attacker([READ])))
        turn = runs.start("All?", conversation=company.conversation(), caller=company.caller("ana"))
        assert asked.wait(30)
        cancel.set()
        until(lambda: turn_of(company, turn).state == "done")
        runs.close()
    assert f"Denied: {WAITING}" not in said(company)


def test_a_run_that_waited_in_vain_is_told_so_and_tries_again(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "AGENT_PATIENCE_SECONDS", 0.0)
    with busy(company) as cancel:
        model = Attacker([READ, READ])

        def later(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            if "of your statements are running" in str(messages):
                cancel.set()
                until(lambda: "query.cancelled" in company.events())
            return model(messages, info)

        _, answer = company.ask("All?", runs=company.runs_with(FunctionModel(later)))
    assert answer.status == "answered"
    assert said(company).count(f"Denied: {WAITING}") == 1


def test_a_run_that_never_gets_its_turn_is_refused_and_not_halted(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "AGENT_PATIENCE_SECONDS", 0.0)
    with busy(company):
        runs = company.runs_with(FunctionModel(Attacker([READ] * 5)))
        _, by_model = company.ask("All?", runs=runs)
        _, by_planner = company.ask("How many orders are there?")
    for answer in (by_model, by_planner):
        assert answer.status == "refused"
        assert answer.refusal is not None
        assert answer.refusal.rule == WAITING
        assert answer.text.endswith("Wait for one to end.")
    assert said(company).count(f"Denied: {WAITING}") == MAX_REPAIRS + 2


def test_a_run_that_waits_can_be_stopped(company: Company) -> None:
    with busy(company):
        runs = company.runs_with(FunctionModel(Attacker([READ])))
        turn = runs.start("All?", conversation=company.conversation(), caller=company.caller("ana"))
        until(lambda: "agent.step" in company.events())
        runs.stop(turn)
        until(lambda: turn_of(company, turn).state == "cancelled")
        runs.close()
    assert company.events().count("query.intent") == 1


def said(company: Company) -> list[str]:
    return [r.event.summary for r in company.log.tail(1_000)]
