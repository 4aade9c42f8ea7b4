"""What happens to change requests, as audit events."""

from __future__ import annotations

from audit import (
    Action,
    ApprovalDecision,
    ApprovalFacts,
    AuditEvent,
    ConfigFacts,
    Effect,
    ErrorFacts,
    EventType,
    PolicyFacts,
    Receipt,
    shorten,
)
from guard.caller import Caller
from guard.diff import Diff
from guard.errors import GuardError, Interrupted, Refused
from guard.logtext import counted, log_safe, sha256_of, without_literals
from guard.requesttrail import RequestTrail
from guard.risk import Risk
from store.changes import StoredChange


class ReviewTrail(RequestTrail[StoredChange]):
    """Writes what is done to a request. Every method raises `audit.AuditError` when it cannot."""

    def requested(self, caller: Caller, change: StoredChange, diff: Diff, risk: Risk) -> Receipt:
        """Writes that a request waits for review, and how risky it was found."""
        rows = counted(diff.total, "row")
        tables = ", ".join(t.table for t in diff.tables) or "no table"
        return self._write(
            "approval.requested",
            caller,
            change,
            "pending",
            f"Request #{change.id}: {rows} in {tables}, tier {risk.tier}",
            self._facts(change, reason=change.reason),
            _effect(diff),
            PolicyFacts(
                decision="needs_approval",
                rule=change.rule,
                reasons=tuple(r.text for r in risk.reasons),
                risk=f"tier {risk.tier}",
            ),
        )

    def flagged(self, caller: Caller, change: StoredChange, why: str) -> Receipt:
        """Writes that an approval looks as if nobody had read what it was for."""
        return self._write(
            "approval.flagged",
            caller,
            change,
            "success",
            f"Request #{change.id}: {why}",
            self._facts(change, decision="approved", by=caller.principal.id),
        )

    def template(
        self, caller: Caller, promotion: int, source: str, change: str, reason: str
    ) -> Receipt:
        """Writes what became of a statement template's leave to run without a person."""
        said = f": {reason}" if reason else ""
        return self._log.append(
            AuditEvent(
                type="config.changed",
                actor=caller.actor(),
                outcome="success",
                summary=shorten(log_safe(f"Template {promotion} on {source} {change}{said}")),
                parts=(ConfigFacts(kind="template", name=str(promotion), change=change),),
            )
        )

    def decided(
        self, caller: Caller, change: StoredChange, decision: ApprovalDecision, reason: str
    ) -> Receipt:
        """Writes one person's decision."""
        types: dict[ApprovalDecision, EventType] = {
            "withdrawn": "approval.withdrawn",
            "expired": "approval.expired",
            "drifted": "approval.drifted",
        }
        return self._write(
            types.get(decision, "approval.decided"),
            caller,
            change,
            "success" if decision == "approved" else "denied",
            f"Request #{change.id} {decision}",
            self._facts(change, decision=decision, by=caller.principal.id, reason=reason),
        )

    def refused(self, caller: Caller, change: StoredChange, rule: str, reason: str) -> Receipt:
        """Writes that a decision or an execution was not allowed."""
        return self._write(
            "policy.decided",
            caller,
            change,
            "denied",
            f"Request #{change.id}: {rule}",
            self._facts(change, reason=reason),
            ErrorFacts(type="refused", code=rule, message=log_safe(reason)),
        )

    def intent(self, caller: Caller, change: StoredChange, *, preview: bool = False) -> str:
        """Writes that a change is about to run, to be rolled back when it is a preview.

        Returns the event's id, for its outcome.
        """
        doing = "preview" if preview else "apply"
        event = self._event(
            "query.intent",
            caller,
            change,
            "pending",
            f"About to {doing} request #{change.id} on {change.source}",
            self._facts(change),
        )
        self._log.append(event)
        return event.id

    def open_intent(self, change: int) -> str | None:
        """Returns the id of the request's intent that has no outcome yet, or None."""
        for intent in reversed(self._log.open_intents()):
            facts = intent.record.event.part(ApprovalFacts)
            if facts is not None and facts.id == str(change) and not intent.alive:
                return intent.record.event.id
        return None

    def previewed(self, caller: Caller, change: StoredChange, intent: str, diff: Diff) -> Receipt:
        """Writes that a preview ran and was rolled back."""
        return self._write(
            "query.executed",
            caller,
            change,
            "success",
            f"Request #{change.id} previewed and rolled back: {counted(diff.total, 'row')}",
            Effect(intent_id=intent, rows=diff.total),
        )

    def applied(self, caller: Caller, change: StoredChange, intent: str, diff: Diff) -> Receipt:
        """Writes that a change was committed, in counts."""
        return self._write(
            "query.executed",
            caller,
            change,
            "success",
            f"Request #{change.id} applied: {counted(diff.total, 'row')}",
            _effect(diff, intent),
        )

    def undone(self, caller: Caller, change: StoredChange, undo: int) -> Receipt:
        """Writes that a change was taken back by another request."""
        return self._write(
            "query.undone",
            caller,
            change,
            "success",
            f"Request #{change.id} undone by request #{undo}",
            Effect(undo_id=str(undo)),
        )

    def failed(
        self, caller: Caller, change: StoredChange, intent: str, error: GuardError
    ) -> Receipt:
        """Writes that a change was not committed."""
        stopped = isinstance(error, Interrupted)
        code = error.refusal.rule if isinstance(error, Refused) else type(error).__name__
        return self._write(
            "query.cancelled" if stopped else "query.failed",
            caller,
            change,
            "failure",
            f"Request #{change.id} was not applied: {code}",
            Effect(intent_id=intent),
            ErrorFacts(type="failed", code=code, message=log_safe(str(error))),
        )

    def unknown(self, caller: Caller, change: StoredChange, intent: str) -> Receipt:
        """Writes that it is not known whether a change was committed."""
        return self._write(
            "query.outcome_unknown",
            caller,
            change,
            "unknown",
            f"Request #{change.id}: it is not known whether it was applied",
            Effect(intent_id=intent),
        )

    def _facts(
        self,
        change: StoredChange,
        *,
        decision: ApprovalDecision | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> ApprovalFacts:
        return ApprovalFacts(
            id=str(change.id),
            required=change.approvers_needed,
            by=by,
            decision=decision,
            reason=log_safe(reason) if reason else None,
            expires=change.expires_at,
            shown_hmac=self._log.digest(change.statement),
            fingerprint=change.fingerprint,
        )

    def _session(self, caller: Caller, request: StoredChange) -> str | None:
        return request.conversation or caller.session

    def _action(self, request: StoredChange) -> Action:
        shape = (
            f"undo of request {request.undo_of}"
            if request.undo_of is not None
            else log_safe(without_literals(request.statement, "sqlite"))
        )
        return Action(
            kind="change",
            source=request.source,
            statement=shape,
            statement_hmac=self._log.digest(request.statement),
            template_sha256=sha256_of(shape),
        )


def _effect(diff: Diff, intent: str | None = None) -> Effect:
    return Effect(
        intent_id=intent,
        rows=diff.total,
        inserted=sum(t.inserted for t in diff.tables),
        updated=sum(t.updated for t in diff.tables),
        deleted=sum(t.deleted for t in diff.tables),
    )
