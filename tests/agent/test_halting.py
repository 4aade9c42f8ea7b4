"""A run whose budget is used up ends there: halted, explained, recorded, nothing more sent."""

from __future__ import annotations

import pytest
from pydantic_ai.models.function import FunctionModel

from guard.limitpolicy import Limits
from store import turns
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
