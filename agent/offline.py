"""A model without a network: the planner behind pydantic-ai's model interface.

It goes through the same tools, guard and journal as any other model. What it says next depends
only on the question and on what its tools have returned, so a resumed run says the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import assert_never

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from agent import planner
from agent.answer import AskBack, NotAnswerable, Option, rows_said
from agent.saved import SavedCard

NAME = "offline"
LABEL = "Rule-based planner, no AI model"

Planner = Callable[[str], planner.Answer]


def plan_of_saved(saved: SavedCard) -> planner.Plan:
    """Returns the plan to run a verified question just as it was verified."""
    when = f"{saved.verified_at:%-d %B %Y}" if saved.verified_at is not None else "an unknown day"
    said = f"verified by {saved.verified_by} on {when}"
    return planner.Plan(
        sql=saved.sql,
        interpretation=f"{saved.question} (a saved question, {said})",
        steps=(),
        assumptions=(f"{said[:1].upper()}{said[1:]}.",),
    )


class OfflineModel(Model[None]):
    """Answers with what the planner understands, asks back on ties, refuses the rest."""

    def __init__(self, plan: Planner) -> None:
        """`plan` maps a question to a plan; it must give the same answer to the same question."""
        super().__init__()
        self._plan = plan

    @property
    def model_name(self) -> str:
        """The name shown and recorded."""
        return NAME

    @property
    def system(self) -> str:
        """The provider: this program."""
        return "gatehouse"

    @property
    def provider(self) -> None:
        """There is none."""
        return None

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Returns the next thing to say: a plan with a tool call, a chart, or the end."""
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        question, returned = _turn(messages)
        parts = self._next(question, returned, parameters)
        usage = RequestUsage(cost=Decimal(0))
        return ModelResponse(parts=parts, usage=usage, model_name=NAME, provider_name=self.system)

    def _next(
        self, question: str, returned: Sequence[ToolReturnPart], parameters: ModelRequestParameters
    ) -> list[ModelResponsePart]:
        match self._plan(question):
            case planner.Plan() as plan:
                return _read(plan, returned)
            case planner.WriteRequest() as write:
                return _propose(write, question, returned)
            case planner.AskBack() as tie:
                options = tuple(Option(label=o.label, question=o.question) for o in tie.options)
                back = AskBack(question=tie.question, options=options)
                return [_output(back, parameters)]
            case planner.NotUnderstood() as unclear:
                no = NotAnswerable(
                    reason=_why_not(unclear),
                    suggestions=unclear.suggestions,
                    off_topic=unclear.off_topic,
                )
                return [_output(no, parameters)]
            case other:
                assert_never(other)


def _turn(messages: Sequence[ModelMessage]) -> tuple[str, list[ToolReturnPart]]:
    """The last question and what tools have returned since."""
    question, returned = "", list[ToolReturnPart]()
    for message in messages:
        if not isinstance(message, ModelRequest):
            continue
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                question = part.content if isinstance(part.content, str) else ""
                returned = []
            elif isinstance(part, ToolReturnPart):
                returned.append(part)
    return question, returned


def _read(plan: planner.Plan, returned: Sequence[ToolReturnPart]) -> list[ModelResponsePart]:
    by_tool = {part.tool_name: part for part in returned}
    if "run_query" not in by_tool:
        args = {"sql": plan.sql, "why": plan.interpretation}
        steps = "\n".join(plan.steps)
        text = f"{plan.interpretation}\n\n{steps}" if steps else plan.interpretation
        return [TextPart(text), _call("run_query", args, "query")]
    content = by_tool["run_query"].content
    facts = content if isinstance(content, dict) else {}
    if plan.chart is not None and "make_chart" not in by_tool:
        chart = _chart(plan.chart, plan.interpretation, facts)
        if chart is not None:
            return [_call("make_chart", chart, "chart")]
    return [TextPart(_summary(plan, facts))]


def _chart(
    hint: planner.ChartHint, title: str, facts: dict[str, object]
) -> dict[str, object] | None:
    names = [str(n) for n in _listed(facts.get("columns"))]
    rows = facts.get("rows_in_all")
    if hint.x not in names or hint.y not in names or not isinstance(rows, int) or rows < 2:
        return None
    return {
        "kind": hint.kind,
        "x": names.index(hint.x),
        "y": names.index(hint.y),
        "title": title[:120],
    }


def _summary(plan: planner.Plan, facts: dict[str, object]) -> str:
    count = facts.get("rows_in_all")
    said = "No rows match." if count == 0 else _first_value(facts)
    cut = facts.get("cut_at")
    if isinstance(cut, int):
        said += f" Only the first {cut:,} rows are shown."
    return " ".join([said, *plan.assumptions]).strip()


def _first_value(facts: dict[str, object]) -> str:
    rows, names = _listed(facts.get("rows")), _listed(facts.get("columns"))
    count = facts.get("rows_in_all")
    if count == 1 and len(rows) == 1 and isinstance(rows[0], list) and len(rows[0]) == 1:
        value = rows[0][0]
        shown = _shown(value)
        return f"{str(names[0]).replace('_', ' ').capitalize()}: {shown}."
    return rows_said(count) if isinstance(count, int) else ""


def _shown(value: object) -> str:
    """Numbers as people write them: a float's last digits are the arithmetic's, not the data's."""
    if isinstance(value, float) and not value.is_integer() and isfinite(value):
        return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _propose(
    write: planner.WriteRequest, question: str, returned: Sequence[ToolReturnPart]
) -> list[ModelResponsePart]:
    if returned:
        return [TextPart(f"Proposed: {write.interpretation}")]
    args = {"sql": write.sql, "reason": question}
    return [TextPart(write.interpretation), _call("propose_change", args, "proposal")]


def _why_not(unclear: planner.NotUnderstood) -> str:
    understood = f" What was understood: “{unclear.understood}”." if unclear.understood else ""
    return f"{unclear.reason}{understood}"


def _call(tool: str, args: Mapping[str, object], call_id: str) -> ToolCallPart:
    return ToolCallPart(tool, dict(args), tool_call_id=call_id)


def _output(value: AskBack | NotAnswerable, parameters: ModelRequestParameters) -> ToolCallPart:
    wanted = type(value).__name__
    tool = next(t.name for t in parameters.output_tools if t.name.endswith(wanted))
    return _call(tool, value.model_dump(), wanted)
