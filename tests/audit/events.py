"""Events for the tests of the log."""

from __future__ import annotations

from typing import Any

from audit import (
    Access,
    Action,
    Actor,
    AuditEvent,
    AuditLog,
    Effect,
    Message,
    PolicyFacts,
    Redactions,
)

ANA = Actor(id="u-ana", type="user", roles=("analyst",), auth="password")
BEN = Actor(id="u-ben", type="user", roles=("reviewer",), auth="password")


def asked(number: int = 0, **changes: Any) -> AuditEvent:
    """A question, in one of three sessions."""
    given: dict[str, Any] = {
        "type": "request.received",
        "actor": ANA,
        "outcome": "success",
        "summary": f"Question {number}",
        "session": f"s-{number % 3}",
        "request": f"r-{number}",
        "parts": (Message(question=f"How many orders came in month {number}?"),),
    }
    return AuditEvent(**{**given, **changes})


def denied(table: str = "hr.employees") -> AuditEvent:
    return AuditEvent(
        type="policy.decided",
        actor=BEN,
        outcome="denied",
        summary=f"Refused: {table} is not readable.",
        session="s-0",
        parts=(PolicyFacts(decision="deny", rule="table.not_allowed"), Access(tables=(table,))),
    )


def intent() -> AuditEvent:
    return AuditEvent(
        type="query.intent",
        actor=ANA,
        outcome="pending",
        summary="About to read orders.",
        session="s-1",
        request="r-1",
        parts=(
            Action(kind="read", verb="select", source="shop", statement="SELECT id FROM orders"),
            Access(tables=("orders",)),
        ),
    )


def executed(before: AuditEvent) -> AuditEvent:
    return AuditEvent(
        type="query.executed",
        actor=ANA,
        outcome="success",
        summary="Read 5 rows of orders.",
        session=before.session,
        request=before.request,
        parent=before.id,
        parts=(Effect(intent_id=before.id, rows=5), Redactions(counts={"EMAIL_ADDRESS": 5})),
    )


def fill(log: AuditLog, count: int) -> None:
    """Appends until the log has `count` records, one commit each, with every kind among them."""
    while (size := log.changed()) < count:
        kind = size % 4
        if kind == 3:
            log.append(denied())
        elif kind == 1 and size + 2 <= count:
            begun = intent()
            log.append(begun)
            log.append(executed(begun))
        else:
            log.append(asked(size))
