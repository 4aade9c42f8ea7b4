"""The choke point of the agent: every tool call passes here, is journalled, ends as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError
from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ModelRetry
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset

import telemetry
from agent.answer import Chart, Refusal
from agent.content import RULE, delimited, said_in
from agent.deps import MAX_REPAIRS, Deps, Leaving
from agent.journal import CutOff, Open, Replayed, StepKind
from agent.offline import OfflineModel
from agent.templates import kind_of
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


REPEATABLE = frozenset(name for name, effect in EFFECTS.items() if effect == "read") | {
    "propose_change"
}
"""Tools whose call a restart cut off and that may be called again: reads, and the proposal, which
the gate knows by its call id and makes once. Templates are one or the other."""
COUNTED_BY_THE_GATE = frozenset({"run_query", "propose_change"})
"""Tools that send a statement, as templates do: the gate counts it."""


MAX_CALLS = 16
"""Calls of one answer that are looked at; the rest of them is refused."""


_FLAGGED = GuardRefusal(
    rule=RULE,
    reason="The question or the data of this turn reads like orders to the agent, so the agent may "
    "propose nothing in it.",
    alternative="If you want the change, propose it yourself: write it as SQL, or use its form.",
)


class GuardedToolset(WrapperToolset[Deps]):
    """Wraps the tools: journal before, the call on the gate, journal after."""

    async def get_tools(self, ctx: RunContext[Deps]) -> dict[str, ToolsetTool[Deps]]:
        """Returns the tools that the roles of the person have.

        The planner knows one way to ask: it is offered all, and the gate says why not.
        """
        found = await super().get_tools(ctx)
        if _plans(ctx):
            return found
        mine = ctx.deps.gate.tools(ctx.deps.source, ctx.deps.caller)
        return {name: tool for name, tool in found.items() if name in mine}

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Deps], tool: ToolsetTool[Deps]
    ) -> Json | str:
        """Returns the tool's result, or the stored one when the call was made before.

        It is screened, and a model gets it as data between marks of the turn.
        """
        deps = ctx.deps
        given = await self._given(name, tool_args, ctx, tool)
        if _plans(ctx):
            return given  # it reads fields, and follows no text
        if "refused" not in given:
            said = said_in(given)
            deps.screen(said, "data", redacted=said)
        return delimited(given, deps.mark)

    async def _given(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Deps], tool: ToolsetTool[Deps]
    ) -> Json:
        deps, call_id = ctx.deps, ctx.tool_call_id or "call"
        if deps.progress.over:
            deps.trail.rejected(name, call_id, "an earlier call of the same answer ended the run")
            return {"not_run": "An earlier call ended the run."}
        kind = KINDS.get(name) or kind_of(tool)
        with telemetry.span(f"execute_tool {name}", _described(name, call_id, kind)) as span:
            span.content("gen_ai.tool.call.arguments", lambda: _without_sql(tool_args))
            try:
                repeatable = name in REPEATABLE or name not in EFFECTS
                step = deps.journal.begin(call_id, kind, name, tool_args, repeatable=repeatable)
            except Replayed as done:
                span.set({"gatehouse.replayed": True})
                deps.trail.replayed(name, call_id)
                return _replayed(name, call_id, done.result, deps)
            except CutOff:
                return {"unknown": "A restart cut this call off, so it is not known what it did."}
            given = await self._call(name, tool_args, ctx, tool, step)
            span.set(_decided(given))
            return given

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
            if deps.flags and KINDS.get(name, kind_of(tool)) == "proposal":
                raise Refused(_FLAGGED)
            if name in EFFECTS and name not in COUNTED_BY_THE_GATE:
                deps.gate.admit(name, source=deps.source, caller=deps.caller)
            given: Json = await super().call_tool(name, tool_args, ctx, tool)
        except Refused as refused:
            return _refused(step, deps, refused.refusal, mends=not _plans(ctx))
        except (Interrupted, SourceUnavailable) as error:
            if deps.leaving.is_set():
                raise Leaving from error  # the step stays begun: it is made where the run goes on
            refusal = GuardRefusal(rule="stopped", reason=str(error))
            return _refused(step, deps, refusal)
        return _done(name, given, step, deps)


def _described(name: str, call_id: str, kind: StepKind) -> dict[str, telemetry.Value]:
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.type": "function" if kind == "chart" else "datastore",
    }


def _without_sql(args: Mapping[str, object]) -> str:
    shown = {key: value for key, value in args.items() if key != "sql"}
    return json.dumps(shown, ensure_ascii=False, default=str)


def _decided(given: Json) -> dict[str, telemetry.Value | None]:
    refused = given.get("refused")
    if isinstance(refused, dict):
        return {"gatehouse.decision": "deny", "gatehouse.rule": str(refused.get("rule"))}
    return {"gatehouse.decision": "hold" if "change" in given else "allow"}


def _plans(ctx: RunContext[Deps]) -> bool:
    """True where the planner calls: it reads fields, follows no text and mends nothing."""
    return isinstance(ctx.model, OfflineModel)


def _done(name: str, given: Json, step: Open, deps: Deps) -> Json:
    result = given.get("result")
    if isinstance(result, Result):
        facts, rows = for_journal(result)
        deps.journal.end(step, facts, verdict="allow", blob=rows)
        deps.progress.query = step.call_id
        return for_model(result)
    deps.journal.end(step, given, verdict="hold" if "change" in given else None)
    _note(given, deps)
    return given


def recall(name: str, call_id: str, stored: Json, deps: Deps) -> None:
    """Takes in what a finished call gave before a restart, its text screened again."""
    given = _replayed(name, call_id, stored, deps)
    if "refused" not in given:
        said = said_in(given)
        deps.screen(said, "data", redacted=said)


def _replayed(name: str, call_id: str, stored: Json, deps: Deps) -> Json:
    if "refused" in stored:
        _note_refusal(stored, deps)
        return stored
    if "for_model" in stored:
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
        deps.progress.applied = given.get("state") == "executed"


def _refused(step: Open, deps: Deps, refusal: GuardRefusal, *, mends: bool = False) -> Json:
    fixable = mends and refusal.fixable and deps.progress.repairs < MAX_REPAIRS
    result: Json = {"refused": Refusal.of(refusal).model_dump(), "fixable": fixable}
    deps.journal.end(step, result, verdict="deny")
    _note_refusal(result, deps)
    return result


def _note_refusal(result: Json, deps: Deps) -> None:
    if result.get("fixable"):
        deps.progress.repairs += 1
    else:
        deps.progress.final = Refusal.model_validate(result["refused"])


@dataclass
class AuditCapability(AbstractCapability[Deps]):
    """Records every call a model asks for before it is looked at, unknown tools included."""

    trail: AgentTrail
    known: frozenset[str]
    answers: frozenset[str]
    ids: str = ""
    """What call ids begin with, where a turn has more than one run."""

    async def after_model_request(
        self,
        ctx: RunContext[Deps],
        *,
        request_context: ModelRequestContext,
        response: ModelResponse,
    ) -> ModelResponse:
        """Writes the plan and the calls of one answer of the model, under ids of our own."""
        del request_context
        response = _renamed(response, ctx.messages, self.ids)
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
        for call in calls[MAX_CALLS:]:
            self.trail.rejected(call.tool_name, call.tool_call_id, "too many calls in one answer")
        dropped = {call.tool_call_id for call in calls[MAX_CALLS:]}
        kept = [p for p in response.parts if getattr(p, "tool_call_id", None) not in dropped]
        return replace(response, parts=kept)

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


def _renamed(response: ModelResponse, history: Sequence[ModelMessage], ids: str) -> ModelResponse:
    """Returns the answer with call ids that are the same after a restart and name one call each.

    Servers leave ids out, give one twice, or choose one on purpose: the journal answers by id.
    """
    answer = sum(isinstance(m, ModelResponse) and m is not response for m in history)
    parts = [
        replace(part, tool_call_id=f"{ids}r{answer}-{number}")
        if isinstance(part, ToolCallPart)
        else part
        for number, part in enumerate(response.parts)
    ]
    return replace(response, parts=parts)


def _is_answer(call: ToolCallPart) -> bool:
    """True for what the framework has a model call to give its answer in a form."""
    return call.tool_name.startswith("final_result")


def plan_of(response: ModelResponse) -> str | None:
    """Returns what a model says before it calls tools, None when it calls none or says nothing."""
    calls = any(isinstance(p, ToolCallPart) and not _is_answer(p) for p in response.parts)
    text = "\n".join(p.content for p in response.parts if isinstance(p, TextPart)).strip()
    return text if calls and text else None


def _args(call: ToolCallPart) -> dict[str, object] | str:
    try:
        return call.args_as_dict()
    except (ValueError, AssertionError):
        return str(call.args)
