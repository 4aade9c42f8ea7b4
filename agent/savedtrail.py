"""What becomes of kept questions, as audit events. Their SQL stands there by its hash only."""

from __future__ import annotations

from audit import SYSTEM, Action, AuditEvent, AuditLog, ConfigFacts, shorten
from guard import Caller, log_safe
from store.saved import SavedQuestion


class SavedTrail:
    """Writes the events. Every method raises `audit.AuditError` when it cannot."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def changed(
        self, caller: Caller, one: SavedQuestion, change: str, *, denied: bool = False
    ) -> None:
        """Writes what a person did with a question."""
        event = AuditEvent(
            type="config.changed",
            actor=caller.actor(),
            outcome="denied" if denied else "success",
            summary=shorten(f"Question {one.id} {change}: {log_safe(one.question)}"),
            request=caller.request,
            parts=self._parts(one, change),
        )
        self._log.append(event)

    def stale(self, one: SavedQuestion, why: str) -> None:
        """Writes that a verified question is not used any more."""
        event = AuditEvent(
            type="config.changed",
            actor=SYSTEM,
            outcome="success",
            summary=shorten(f"Question {one.id} stale: {log_safe(why)}"),
            parts=self._parts(one, "stale"),
        )
        self._log.append(event)

    def _parts(self, one: SavedQuestion, change: str) -> tuple[Action, ConfigFacts]:
        return (
            Action(kind="statement", source=one.source, statement_hmac=self._log.digest(one.sql)),
            ConfigFacts(kind="question", name=f"question-{one.id}", change=change),
        )
