"""Query templates as a model's tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    TextPart,
    ToolCallPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel

from store import steps
from tests.company import Company, make_company
from tests.guard.test_templates import WITH

Call = tuple[str, dict[str, object] | str]


class Script:
    """Makes its calls one by one, then ends; keeps which tools it was offered."""

    def __init__(self, *calls: Call) -> None:
        self.calls = calls
        self.offered: list[set[str]] = []
        self.said: list[str] = []

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.offered.append({t.name for t in info.function_tools})
        self.said.append(str(messages[-1].parts[-1]))
        made = sum(isinstance(m, ModelResponse) for m in messages)
        if made < len(self.calls):
            tool, args = self.calls[made]
            return ModelResponse(parts=[TextPart("Look it up"), ToolCallPart(tool, args)])
        return ModelResponse(parts=[TextPart("done")])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Company]:
    made = make_company(tmp_path / "home", WITH)
    yield made
    made.close()


def ask(shop: Company, script: Script, name: str = "ana"):
    runs = shop.runs_with(FunctionModel(script))
    try:
        turn, answer = shop.ask("What about it?", name, runs)
    finally:
        runs.close()
    with shop.store.read() as conn:
        return answer, steps.list_of(conn, turn)


def test_a_model_answers_by_a_template_and_the_journal_names_it(shop: Company) -> None:
    script = Script(("orders_of", {"customer_id": 1, "least": 0}))
    answer, taken = ask(shop, script)
    assert answer.status == "answered"
    assert answer.query is not None
    assert "orders_of" in script.offered[0]
    (step,) = [s for s in taken if s.tool == "orders_of"]
    assert (step.kind, step.verdict) == ("query", "allow")
    assert step.args_json == '{"customer_id":1,"least":"0"}'
    calls = [r.event for r in shop.log.tail(100) if r.event.type == "agent.step"]
    assert [e.outcome for e in calls] == ["pending"], "no unknown tool"


def test_a_template_that_writes_ends_the_turn_with_a_request(shop: Company) -> None:
    before = shop.content()
    script = Script(("close_order", {"id": 2, "status": "cancelled"}), ("run_query", {}))
    answer, taken = ask(shop, script)
    assert answer.status == "proposed"
    assert answer.change is not None
    assert [s.kind for s in taken if s.tool] == ["proposal"]
    assert shop.content() == before


@pytest.mark.parametrize(
    "arguments",
    [
        {"customer_id": "1 OR 1=1", "least": 0},
        {"customer_id": 1, "least": 0, "approved": True},
        {"customer_id": 1, "least": 0, "principal": "adam"},
        '{"customer_id": 1, "least": 0',
        "[]",
    ],
    ids=str,
)
def test_malformed_arguments_reach_no_gate(shop: Company, arguments: Call) -> None:
    script = Script(("orders_of", arguments))
    answer, taken = ask(shop, script)
    assert answer.status == "answered"
    assert answer.query is None
    assert not [s for s in taken if s.tool]
    assert "alid" in script.said[-1], "the model hears what was wrong"
    assert "query.intent" not in shop.events()


def test_a_denied_template_is_explained_and_not_tried_again(shop: Company) -> None:
    script = Script(*[("pay", {"id": 1})] * 4)
    answer, _ = ask(shop, script)
    assert answer.status == "refused"
    assert answer.refusal is not None
    assert answer.refusal.rule == "table.not_allowed"
    assert len(script.offered) == 1


def test_a_model_is_offered_only_the_tools_of_the_persons_roles(tmp_path: Path) -> None:
    held = WITH.replace('members = ["gerd"]', 'members = ["gerd"]\ntools = ["orders_of"]')
    shop = make_company(tmp_path / "home", held)
    try:
        script = Script(("run_query", {"sql": "SELECT 1", "why": "x"}))
        answer, taken = ask(shop, script, "gerd")
        assert script.offered[0] == {"orders_of"}
        assert not [s for s in taken if s.tool == "run_query" and s.verdict == "allow"]
        assert "query.intent" not in shop.events()
        assert answer.status == "answered"
        _, refused = shop.ask("How many orders are there?", "gerd")
        assert refused.status == "refused"
        assert refused.refusal is not None
        assert refused.refusal.rule == "tool.not_allowed"
    finally:
        shop.close()
