"""Reading the trail is recorded in the trail: who looked, searched, verified or took it along."""

from __future__ import annotations

from audit import AuditEvent, AuditLog, EventType, ExportFacts, Outcome, Part, ReadFacts, Report
from guard import Caller
from guard.principal import Principal

_CAME_OUT = {0: "intact and anchored", 1: "altered", 2: "not all could be shown"}


def viewed(log: AuditLog, person: Principal) -> None:
    """Records that the page was opened.

    Raises:
        audit.AuditError: from this and every function here; nothing may be shown then.
    """
    _append(log, person, "audit.viewed", "Opened the audit page")


def searched(log: AuditLog, person: Principal, fields: tuple[str, ...]) -> None:
    """Records which fields were searched by, not for what."""
    _append(log, person, "audit.searched", "Searched the audit trail", ReadFacts(filters=fields))


def verified(log: AuditLog, person: Principal, report: Report) -> None:
    """Records a check of the chain and what came of it."""
    found = tuple(dict.fromkeys(f.code for f in report.findings))
    _append(
        log,
        person,
        "audit.verified",
        f"Verified {report.records:,} events: {_CAME_OUT.get(report.status, 'not verifiable')}",
        ReadFacts(records=report.records, last=report.last, status=report.status, findings=found),
        outcome="success" if report.status == 0 else "failure",
    )


def exported(log: AuditLog, person: Principal, kind: str, fields: tuple[str, ...]) -> None:
    """Records that records leave, before they do."""
    _append(
        log,
        person,
        "audit.exported",
        f"Exported audit events as {kind}",
        ReadFacts(filters=fields),
        ExportFacts(format=kind),
    )


def _append(
    log: AuditLog,
    person: Principal,
    type_: EventType,
    summary: str,
    *parts: Part,
    outcome: Outcome = "success",
) -> None:
    actor = Caller(principal=person, channel="console").actor()
    log.append(AuditEvent(type=type_, actor=actor, outcome=outcome, summary=summary, parts=parts))
