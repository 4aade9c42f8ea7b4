"""A template that a person runs from its form: the gate, journal and answer of what they type."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from agent.analyst import Asked
from agent.answer import Answer, receipt, rows_said
from agent.journal import CutOff, Replayed, StepKind
from agent.tools import for_journal
from agent.typed import refused_typed
from guard import Gate, Refused, Result

_CALL = "template"


class TemplateCall(BaseModel):
    """What a form asks for, as a turn keeps it in place of a question."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str
    arguments: dict[str, JsonValue] = {}

    def text(self) -> str:
        """Returns the call as the turn keeps it."""
        return self.model_dump_json()

    def said(self) -> str:
        """Returns the call in words: `get_summary: months = 3`."""
        given = ", ".join(f"{name} = {value}" for name, value in self.arguments.items())
        return f"{self.template}: {given}" if given else self.template


def call_in(text: str) -> TemplateCall | None:
    """Returns the call that `TemplateCall.text` wrote, None for any other text."""
    try:
        return TemplateCall.model_validate_json(text)
    except ValidationError:
        return None


def run_template(gate: Gate, asked: Asked, reason: str) -> Answer:
    """Returns the rows of a template, or the receipt of the change one proposed.

    Raises:
        guard.GuardError, audit.AuditError: as `Gate.use` does, but for refusals, which are answers.
    """
    call = call_in(asked.question)
    if call is None:
        return Answer(status="failed", text="This is no call of a template. Use its form again.")
    known = {t.name: t.settings.effect for t in gate.templates(asked.source, asked.caller)}
    kind: StepKind = "query" if known.get(call.template, "read") == "read" else "proposal"
    try:
        step = asked.journal.begin(
            _CALL, kind, call.template, _args(call, reason, kind), repeatable=kind == "query"
        )
    except (Replayed, CutOff):
        return Answer(
            status="failed", text="A restart cut this off. Look at your requests before you retry."
        )
    try:
        given = gate.use(
            call.template,
            call.arguments,
            source=asked.source,
            caller=asked.caller,
            why=reason,
            call_id=f"{asked.journal.turn}/{_CALL}",
            cancel=asked.cancel,
        )
    except Refused as refused:
        return refused_typed(asked, step, refused)
    if isinstance(given, Result):
        facts, rows = for_journal(given)
        asked.journal.end(step, facts, verdict="allow", blob=rows)
        return Answer(status="answered", text=rows_said(given.table.num_rows), query=_CALL)
    made = {"change": given.change, "state": given.state, "rows": given.rows}
    asked.journal.end(step, made, verdict="hold")
    text = receipt(given.change, applied=given.state == "executed")
    return Answer(status="proposed", text=text, change=given.change)


def _args(call: TemplateCall, reason: str, kind: StepKind) -> Mapping[str, object]:
    return call.arguments if kind == "query" else {**call.arguments, "reason": reason}
