"""What each event is in the course of a session, and what of it a reader wants to see first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from enum import Enum

from audit import (
    Access,
    Action,
    Agent,
    ApprovalFacts,
    AuditEvent,
    Effect,
    ErrorFacts,
    EventType,
    ExportFacts,
    Limits,
    Message,
    Part,
    PolicyFacts,
    Redactions,
    Timing,
)
from store.accounts import Account
from ui import text, when
from ui.auditing import record

STATEMENT = "Statement, as recorded: values are taken out"


class Stage(Enum):
    """A part of a session. The value is what it is called."""

    QUESTION = "Question"
    PLAN = "Plan"
    TOOL = "Tool call"
    DECISION = "Statement and decision"
    SENT = "Sent to the source"
    RESULT = "Result"
    PERSONAL = "Personal data"
    CHANGE = "Change request"
    APPROVAL = "Approval"
    ANSWER = "Answer"
    FILE = "File"
    ACCESS = "Access request"
    SIGN_IN = "Sign-in"
    POLICY = "Policy"
    LOG = "The log itself"

    @property
    def title(self) -> str:
        """What it is called."""
        return self.value


STAGES: Mapping[EventType, Stage] = {
    "access.requested": Stage.ACCESS,
    "agent.failed": Stage.ANSWER,
    "agent.message": Stage.PLAN,
    "agent.replayed": Stage.ANSWER,
    "agent.started": Stage.PLAN,
    "agent.step": Stage.TOOL,
    "answer.returned": Stage.ANSWER,
    "approval.decided": Stage.APPROVAL,
    "approval.drifted": Stage.APPROVAL,
    "approval.expired": Stage.APPROVAL,
    "approval.flagged": Stage.APPROVAL,
    "approval.requested": Stage.CHANGE,
    "approval.withdrawn": Stage.CHANGE,
    "audit.exported": Stage.LOG,
    "audit.searched": Stage.LOG,
    "audit.verified": Stage.LOG,
    "audit.viewed": Stage.LOG,
    "auth.failed": Stage.SIGN_IN,
    "config.changed": Stage.POLICY,
    "data.revealed": Stage.PERSONAL,
    "erasure.performed": Stage.PERSONAL,
    "export.created": Stage.FILE,
    "key.rotated": Stage.LOG,
    "log.anchor_failed": Stage.LOG,
    "log.closed": Stage.LOG,
    "log.created": Stage.LOG,
    "log.opened": Stage.LOG,
    "log.pruned": Stage.LOG,
    "log.sealed": Stage.LOG,
    "policy.decided": Stage.DECISION,
    "policy.proposed": Stage.POLICY,
    "policy.replayed": Stage.POLICY,
    "policy.tried": Stage.POLICY,
    "query.cancelled": Stage.RESULT,
    "query.executed": Stage.RESULT,
    "query.failed": Stage.RESULT,
    "query.intent": Stage.SENT,
    "query.outcome_unknown": Stage.RESULT,
    "query.undone": Stage.CHANGE,
    "request.classified": Stage.QUESTION,
    "request.received": Stage.QUESTION,
    "session.ended": Stage.SIGN_IN,
    "session.started": Stage.SIGN_IN,
}
"""The stage of every event type."""


def of(event: AuditEvent) -> Stage:
    """Returns what the event is in its session."""
    return STAGES[event.type]


def said(
    event: AuditEvent, people: Mapping[str, Account], zone: dt.tzinfo
) -> Iterator[tuple[str, str]]:
    """Returns what to read of the event first: titles and plain texts, in order."""
    for part in sorted(event.parts, key=_place):
        yield from _asked(part)
        yield from _judged(part, people, zone)
        yield from _became(part)


def _place(part: Part) -> int:
    kinds = (Message, Agent, Action, ApprovalFacts, PolicyFacts, Access, Effect, Redactions)
    return next((i for i, kind in enumerate(kinds) if isinstance(part, kind)), len(kinds))


def _asked(part: Part) -> Iterator[tuple[str, str]]:
    match part:
        case Message():
            yield from _message(part)
        case Agent():
            yield from _agent(part)
        case Action(statement=str(statement)):
            yield STATEMENT, statement
        case Access():
            yield from _access(part)
        case _:
            pass


def _judged(
    part: Part, people: Mapping[str, Account], zone: dt.tzinfo
) -> Iterator[tuple[str, str]]:
    match part:
        case PolicyFacts():
            yield from _policy(part)
        case Limits():
            yield from _limits(part)
        case ApprovalFacts():
            yield from _approval(part, people, zone)
        case _:
            pass


def _became(part: Part) -> Iterator[tuple[str, str]]:
    match part:
        case Effect():
            yield from _effect(part)
        case Redactions(counts=counts) if counts:
            cells = (f"{number:,} {name}" for name, number in sorted(counts.items()))
            yield "Masked", ", ".join(cells)
        case Timing(db_us=int(micros)):
            yield "Time in the source", f"{micros / 1000:,.1f} ms"
        case ErrorFacts():
            yield "Error", " ".join(filter(None, (part.code or part.type, part.message)))
        case ExportFacts(format=str(kind), rows=rows):
            yield "File", f"{kind}, {text.count(rows, 'row')}" if rows is not None else kind
        case _:
            pass


def _message(part: Message) -> Iterator[tuple[str, str]]:
    for title, words in (
        ("Question", part.question),
        ("Read as", part.interpretation),
        ("Plan", part.plan),
        ("Answer", part.answer),
    ):
        if words:
            yield title, words


def _agent(part: Agent) -> Iterator[tuple[str, str]]:
    if part.tool:
        yield "Tool", f"{part.tool} {part.tool_args or ''}".rstrip()
    if part.reason_summary:
        yield "Stated reason", part.reason_summary


def _access(part: Access) -> Iterator[tuple[str, str]]:
    for title, names in (
        ("Tables", part.tables),
        ("Columns", part.columns),
        ("Functions", part.functions),
        ("Classes of data", part.classes),
    ):
        if names:
            yield title, ", ".join(names)


def _policy(part: PolicyFacts) -> Iterator[tuple[str, str]]:
    words = {"allow": "Allowed", "modified": "Allowed", "deny": "Denied"}
    decided = words.get(part.decision or "", "Held for review")
    if part.decision:
        version = f", policy version {part.version}" if part.version else ""
        yield "Decision", f"{decided} by rule {part.rule or '-'}{version}"
    if part.reasons:
        yield "Because", "\n".join(part.reasons)


def _limits(part: Limits) -> Iterator[tuple[str, str]]:
    known = (
        (part.max_rows, "rows at most"),
        (part.max_bytes, "bytes at most"),
        (part.timeout_ms, "ms at most"),
        (part.queries_left, "statements left this minute"),
        (part.rows_left, "rows left today"),
    )
    shown = [f"{number:,} {what}" for number, what in known if number is not None]
    if shown:
        yield "Limits", ", ".join(shown)


def _approval(
    part: ApprovalFacts, people: Mapping[str, Account], zone: dt.tzinfo
) -> Iterator[tuple[str, str]]:
    if part.id:
        needed = f", needs {text.count(part.required, 'person', 'people')}" if part.required else ""
        yield "Request", f"#{part.id}{needed}"
    if part.decision:
        by = f" by {record.called(part.by, people)}" if part.by else ""
        yield "Decision", f"{part.decision.capitalize()}{by}"
    if part.reason:
        yield "Reason", part.reason
    if part.fingerprint:
        yield "Fingerprint of the rows that were seen", part.fingerprint
    if part.expires:
        yield "Lapses", when.stamp(part.expires, zone)


def _effect(part: Effect) -> Iterator[tuple[str, str]]:
    known = (
        (part.rows, "rows"),
        (part.inserted, "added"),
        (part.updated, "changed"),
        (part.deleted, "removed"),
        (part.bytes, "bytes"),
    )
    shown = [f"{number:,} {what}" for number, what in known if number is not None]
    if part.truncated:
        shown.append("cut at the limit")
    if shown:
        yield "Shape of the result", ", ".join(shown)
    if part.undo_id:
        yield "Undone by", f"request #{part.undo_id}"
