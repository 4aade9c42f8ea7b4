"""What happens to access requests and grants, as audit events."""

from __future__ import annotations

from collections.abc import Sequence

from audit import (
    Access,
    Action,
    ApprovalDecision,
    ApprovalFacts,
    ConfigFacts,
    ErrorFacts,
    EventType,
    Receipt,
)
from guard.accessgrants import TableGrant, needs_of
from guard.caller import Caller
from guard.errors import Refusal
from guard.logtext import log_safe
from guard.requesttrail import RequestTrail
from store.access import AccessRequest


class AccessTrail(RequestTrail[AccessRequest]):
    """Writes what is done to a request. Every method raises `audit.AuditError` when it cannot."""

    def requested(self, caller: Caller, request: AccessRequest) -> Receipt:
        """Writes that somebody asks for access."""
        names = ", ".join(n.name for n in needs_of(request))
        return self._write(
            "access.requested",
            caller,
            request,
            "pending",
            f"Access request #{request.id} for {request.hours} h: {names}",
            _facts(request, reason=request.reason),
        )

    def granted(
        self, caller: Caller, request: AccessRequest, tables: Sequence[TableGrant]
    ) -> Receipt:
        """Writes what was opened, for whom and until when. `request` is as it is after that."""
        until = request.until.strftime("%Y-%m-%d %H:%M UTC") if request.until else "-"
        return self._write(
            "approval.decided",
            caller,
            request,
            "success",
            f"Access request #{request.id} granted until {until}",
            _facts(request, decision="approved", by=caller, reason=request.comment),
            Access(
                tables=tuple(t.table for t in tables),
                columns=tuple(f"{t.table}.{c}" for t in tables for c in (*t.columns, *t.lookup)),
            ),
            ConfigFacts(
                kind="grant",
                name=f"access-{request.id}",
                change=f"opened for {request.person}: {', '.join(map(_kind, tables))}",
            ),
        )

    def ended(
        self, caller: Caller, request: AccessRequest, decision: ApprovalDecision, reason: str = ""
    ) -> Receipt:
        """Writes that a request ended without a grant, or a grant by its time."""
        types: dict[ApprovalDecision, EventType] = {
            "withdrawn": "approval.withdrawn",
            "expired": "approval.expired",
        }
        over = decision == "expired" and request.until is not None
        said = f"Access grant #{request.id} has ended" if over else None
        return self._write(
            types.get(decision, "approval.decided"),
            caller,
            request,
            "success" if over else "denied",
            said or f"Access request #{request.id} {decision}",
            _facts(request, decision=decision, by=caller, reason=reason),
        )

    def revoked(self, caller: Caller, request: AccessRequest, reason: str) -> Receipt:
        """Writes that a grant was taken back before its time."""
        return self._write(
            "config.changed",
            caller,
            request,
            "success",
            f"Access grant #{request.id} revoked",
            _facts(request, by=caller, reason=reason),
            ConfigFacts(kind="grant", name=f"access-{request.id}", change="revoked"),
        )

    def refused(self, caller: Caller, request: AccessRequest, refusal: Refusal) -> Receipt:
        """Writes that somebody was not allowed to decide."""
        return self._write(
            "policy.decided",
            caller,
            request,
            "denied",
            f"Access request #{request.id}: {refusal.rule}",
            ErrorFacts(type="refused", code=refusal.rule, message=log_safe(refusal.reason)),
        )

    def _action(self, request: AccessRequest) -> Action:
        return Action(kind="access", source=request.source)


def _facts(
    request: AccessRequest,
    *,
    decision: ApprovalDecision | None = None,
    by: Caller | None = None,
    reason: str | None = None,
) -> ApprovalFacts:
    return ApprovalFacts(
        id=f"access-{request.id}",
        required=1,
        by=by.principal.id if by else None,
        decision=decision,
        reason=log_safe(reason) if reason else None,
        expires=request.until or request.expires_at,
    )


def _kind(table: TableGrant) -> str:
    kinds = [
        word
        for word, there in (
            ("read", table.columns),
            ("look up", table.lookup),
            ("propose", table.propose),
        )
        if there
    ]
    return f"{table.table} ({', '.join(kinds)})"
