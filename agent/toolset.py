"""The choke point of the agent: every tool call passes here, is journalled, ends as plain JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ModelRetry
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset

from agent.answer import Chart, Refusal
from agent.deps import MAX_REPAIRS, Deps
from agent.journal import CutOff, Open, Replayed, StepKind
from agent.tools import EFFECTS, Json, for_journal, for_model
from agent.trail import AgentTrail
from guard import Interrupted, Refused, Result, SourceUnavailable
from guard import Refusal as GuardRefusal

KINDS: dict[str, StepKind] = {
    "list_tables": "schema",
    "describe_table": "schema",
    "run_query": "query",
    "propose_change": "proposal",
    "make_chart": "chart",
}


class GuardedToolset(WrapperToolset[Deps]):
    """Wraps the tools: journal before, the call on the gate, journal after."""

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Deps], tool: ToolsetTool[Deps]
    ) -> Json:
        """Returns the tool's result, or the stored one when the call was made before."""
        journal, call_id = ctx.deps.journal, ctx.tool_call_id or "call"
        repeatable = EFFECTS[name] == "read"
        try:
            step = journal.begin(call_id, KINDS[name], name, tool_args, repeatable=repeatable)
        except Replayed as done:
            return _replayed(name, call_id, done.result, ctx.deps)
        except CutOff:
            return {"unknown": "A restart cut this call off; look at the change requests."}
        return await self._call(name, tool_args, ctx, tool, step)

    async def _call(
        self,
        name: str,
        tool_args: dict[str, Any],
        ctx: RunContext[Deps],
        tool: ToolsetTool[Deps],
        step: Open,
    ) -> Json:
        deps = ctx.deps
        try:
            given: Json = await super().call_tool(name, tool_args, ctx, tool)
        except Refused as refused:
            return _refused(step, deps, refused.refusal)
        except (Interrupted, SourceUnavailable) as error:
            refusal = GuardRefusal(rule="stopped", reason=str(error))
            return _refused(step, deps, refusal)
        return _done(name, given, step, deps)


def _done(name: str, given: Json, step: Open, deps: Deps) -> Json:
    result = given.get("result")
    if isinstance(result, Result):
        facts, rows = for_journal(result)
        deps.journal.end(step, facts, verdict="allow", blob=rows)
        deps.progress.query = step.call_id
        return for_model(result)
    deps.journal.end(step, given, verdict="hold" if name == "propose_change" else None)
    _note(given, deps)
    return given


def _replayed(name: str, call_id: str, stored: Json, deps: Deps) -> Json:
    if "refused" in stored:
        return stored
    if name == "run_query":
        deps.progress.query = call_id
        shown = stored["for_model"]
        return shown if isinstance(shown, dict) else {}
    _note(stored, deps)
    return stored


def _note(given: Json, deps: Deps) -> None:
    if isinstance(chart := given.get("chart"), dict):
        deps.progress.chart = Chart.model_validate(chart)
    if isinstance(change := given.get("change"), int):
        deps.progress.change = change


def _refused(step: Open, deps: Deps, refusal: GuardRefusal) -> Json:
    told = Refusal(
        rule=refusal.rule,
        reason=refusal.reason,
        part=refusal.part,
        alternative=refusal.alternative,
        access_request=refusal.access_request,
    )
    fixable = refusal.fixable and deps.progress.repairs < MAX_REPAIRS
    result: Json = {"refused": told.model_dump(), "fixable": fixable}
    deps.journal.end(step, result, verdict="deny")
    if fixable:
        deps.progress.repairs += 1
    else:
        deps.progress.final = told
    return result


@dataclass
class AuditCapability(AbstractCapability[Deps]):
    """Records every call a model asks for before it is looked at, unknown tools included."""

    trail: AgentTrail
    known: frozenset[str]
    answers: frozenset[str]

    async def after_model_request(
        self,
        ctx: RunContext[Deps],
        *,
        request_context: ModelRequestContext,
        response: ModelResponse,
    ) -> ModelResponse:
        """Writes the plan and the calls of one answer of the model."""
        del ctx, request_context
        calls = [p for p in response.parts if isinstance(p, ToolCallPart)]
        plan = plan_of(response)
        if plan is not None:
            self.trail.planned(plan)
        for call in calls:
            if call.tool_name in self.answers:
                continue  # not a tool: the answer itself, recorded when the turn ends
            self.trail.asked(call.tool_name, call.tool_call_id, _args(call))
            if call.tool_name not in self.known:
                self.trail.rejected(call.tool_name, call.tool_call_id, "there is no such tool")
        return response

    async def on_tool_validate_error(
        self,
        ctx: RunContext[Deps],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: str | dict[str, Any],
        error: ValidationError | ModelRetry,
    ) -> dict[str, Any]:
        """Writes that the arguments were malformed, and lets the model hear of it."""
        del ctx, tool_def, args
        self.trail.rejected(call.tool_name, call.tool_call_id, "its arguments are malformed")
        raise error


def plan_of(response: ModelResponse) -> str | None:
    """Returns what a model says before it calls tools, None when it calls none or says nothing."""
    calls = any(isinstance(p, ToolCallPart) and p.tool_name in EFFECTS for p in response.parts)
    text = "\n".join(p.content for p in response.parts if isinstance(p, TextPart)).strip()
    return text if calls and text else None


def _args(call: ToolCallPart) -> dict[str, object] | str:
    try:
        return call.args_as_dict()
    except (ValueError, AssertionError):
        return str(call.args)
