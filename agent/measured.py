"""What the span of one turn says: which model, which conversation, how it ended."""

from __future__ import annotations

import telemetry
from agent.answer import Answer
from agent.journal import Journal
from agent.models import ModelChoice
from guard import Caller

_INVOKE, _AGENT = "invoke_agent", "gatehouse"
_PROVIDERS = {"google": "gcp.gemini", "compatible": "openai", "offline": "gatehouse"}
"""Our name -> the one the conventions have, where it is another; others stay."""


def run(choice: ModelChoice, caller: Caller, journal: Journal) -> telemetry.Span:
    """Returns the span of a question."""
    return telemetry.span(
        f"{_INVOKE} {_AGENT}",
        {
            **_turn(caller, journal),
            "gen_ai.operation.name": _INVOKE,
            "gen_ai.agent.name": _AGENT,
            "gen_ai.provider.name": _PROVIDERS.get(choice.provider, choice.provider),
            "gen_ai.request.model": choice.name,
            "gatehouse.resumes": journal.resumes,
        },
    )


def typed(kind: str, caller: Caller, journal: Journal) -> telemetry.Span:
    """Returns the span of what a person typed, or sent by a form."""
    return telemetry.span(f"typed {kind}", _turn(caller, journal))


def ended(span: telemetry.Span, question: str, answer: Answer) -> None:
    """Says on the span how the turn ended; what was said, only as content."""
    span.set(
        {
            "gatehouse.status": answer.status,
            "gatehouse.rule": answer.refusal.rule if answer.refusal is not None else None,
            "gatehouse.flags": tuple(answer.flags) or None,
        }
    )
    span.content("gen_ai.input.messages", lambda: question)
    span.content("gen_ai.output.messages", lambda: answer.text)
    if answer.status in ("failed", "halted"):
        span.failed(answer.status)


def _turn(caller: Caller, journal: Journal) -> dict[str, telemetry.Value]:
    return {
        "gen_ai.conversation.id": caller.session or "",
        "gatehouse.turn": journal.turn,
        "gatehouse.channel": caller.channel,
    }
