"""What the agent does, as audit events. The guard writes its own about each statement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from audit import (
    Action,
    Agent,
    AuditEvent,
    AuditLog,
    ErrorFacts,
    EventType,
    Message,
    Outcome,
    Part,
    shorten,
)
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

    def typed(self, kind: str, statement: str) -> None:
        """Writes that a person typed a statement; its shape stands in the decision about it."""
        facts = Action(kind=kind, statement_hmac=self._log.digest(statement))
        self._append("request.received", self._caller, "success", f"Typed a {kind}", facts)

    def broken_off(self, why: str) -> None:
        """Writes that a turn ended without an answer. `why` is in our own words."""
        said = f"Ended without an answer: {why}"
        self._append("agent.failed", self._caller, "failure", said, ErrorFacts(type=why))

    def started(self) -> None:
        """Writes which model answers."""
        self._append("agent.started", self._caller, "success", f"Answered by {self._model}")

    def resumed(self, times: int) -> None:
        """Writes that the turn of a dead process goes on here."""
        said = f"Resumed after a restart ({times}), answered by {self._model}"
        self._append("agent.started", self._caller, "success", said)

    def left(self) -> None:
        """Writes that this process shuts down and leaves the turn to another one."""
        said = "Left off, because the console shuts down"
        self._append("agent.step", self._caller, "pending", said, Agent(model=self._model))

    def again(self, why: str) -> None:
        """Writes that a request to the model is sent once more. `why` is in our own words."""
        facts = Agent(model=self._model)
        self._append("agent.step", self._caller, "failure", f"Asks the model again: {why}", facts)

    def fell_back(self, why: str) -> None:
        """Writes that the planner answers in the model's place. `why` is in our own words."""
        said = f"{self._model} is away ({why}); the planner answers"
        self._append("agent.failed", self._caller, "failure", said, ErrorFacts(type=why))

    def replayed(self, tool: str, call_id: str) -> None:
        """Writes that a call was answered from the journal, and nothing was run again."""
        facts = Agent(model=self._model, tool=_clean(tool)[:64], tool_call=call_id[:64])
        said = f"Answered {tool} from the journal"
        self._append("agent.replayed", self._caller, "success", said, facts)

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

    def flagged(self, where: str, signals: Sequence[str]) -> None:
        """Writes that a text looks like orders to the agent; the turn may propose no changes."""
        said = f"Flagged the {where}: {', '.join(signals)}. No proposals in this turn"
        self._append("request.classified", self._caller, "success", said)

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
        halted = status == "halted"
        type_: EventType = "agent.failed" if failed or halted else "answer.returned"
        outcome: Outcome = "denied" if halted else "failure" if failed else "success"
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
