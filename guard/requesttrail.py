"""What the trails of requests share: where a request of any kind becomes an audit event."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from audit import Action, AuditEvent, AuditLog, EventType, Outcome, Part, Receipt, shorten
from guard.caller import Caller
from guard.logtext import log_safe

R = TypeVar("R")


class RequestTrail(ABC, Generic[R]):
    """Writes what is done to a request. Every method raises `audit.AuditError` when it cannot."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    @abstractmethod
    def _action(self, request: R) -> Action:
        """Returns what the request asks for, free of values."""

    def _session(self, caller: Caller, request: R) -> str | None:
        """Returns the conversation that an event about the request belongs to, or None."""
        return caller.session

    def _write(
        self,
        type_: EventType,
        caller: Caller,
        request: R,
        outcome: Outcome,
        summary: str,
        *parts: Part,
    ) -> Receipt:
        return self._log.append(self._event(type_, caller, request, outcome, summary, *parts))

    def _event(
        self,
        type_: EventType,
        caller: Caller,
        request: R,
        outcome: Outcome,
        summary: str,
        *parts: Part,
    ) -> AuditEvent:
        return AuditEvent(
            type=type_,
            actor=caller.actor(),
            outcome=outcome,
            summary=shorten(log_safe(summary)),
            session=self._session(caller, request),
            request=caller.request,
            parts=(self._action(request), *parts),
        )
