"""What the agent does, as audit events. The guard writes its own about each statement."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from audit import Agent, AuditEvent, AuditLog, EventType, Message, Outcome, Part, shorten
from guard import Caller, log_safe

_LONGEST = 2_000


class AgentTrail:
    """Writes the events of one turn. Every method raises `audit.AuditError` when it cannot."""

    def __init__(self, log: AuditLog, caller: Caller, model: str) -> None:
        self._log = log
        self._caller = caller
        self._model = model

    def received(self, question: str) -> None:
        """Writes that a person asked."""
        person = replace(self._caller, channel="console")
        text = _clean(question)
        self._append("request.received", person, "success", text, Message(question=text))

    def started(self) -> None:
        """Writes which model answers."""
        self._append("agent.started", self._caller, "success", f"Answered by {self._model}")

    def asked(self, tool: str, call_id: str, args: Mapping[str, object] | str) -> None:
        """Writes a tool call the model asked for, whatever becomes of it."""
        written = args if isinstance(args, str) else json.dumps(args, default=str)
        shown = {} if isinstance(args, str) else {k: v for k, v in args.items() if k != "sql"}
        del written
        facts = Agent(
            model=self._model,
            tool=_clean(tool)[:64],
            tool_call=call_id[:64],
            tool_args=_clean(json.dumps(shown, default=str)),
        )
        self._append("agent.step", self._caller, "pending", f"Calls {tool}", facts)

    def rejected(self, tool: str, call_id: str, why: str) -> None:
        """Writes that a call was not carried out: unknown, malformed or not allowed."""
        facts = Agent(model=self._model, tool=_clean(tool)[:64], tool_call=call_id[:64])
        self._append("agent.step", self._caller, "denied", f"Refused {tool}: {why}", facts)

    def planned(self, text: str) -> None:
        """Writes the model's plan."""
        plan = _clean(text)
        self._append("agent.message", self._caller, "success", plan, Message(plan=plan))

    def ended(self, status: str, text: str, *, failed: bool = False) -> None:
        """Writes how the turn ended."""
        said = _clean(text)
        type_: EventType = "agent.failed" if failed else "answer.returned"
        outcome: Outcome = "failure" if failed else "success"
        self._append(type_, self._caller, outcome, f"{status}: {said}", Message(answer=said))

    def _append(
        self, type_: EventType, caller: Caller, outcome: Outcome, summary: str, *parts: Part
    ) -> None:
        self._log.append(
            AuditEvent(
                type=type_,
                actor=caller.actor(),
                outcome=outcome,
                summary=shorten(log_safe(summary)) or type_,
                session=caller.session,
                request=caller.request,
                parts=parts,
            )
        )


def _clean(text: str) -> str:
    return log_safe(text[:_LONGEST])
