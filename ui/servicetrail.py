"""What the trail says of a service: when it began to serve, and when it ended in good order."""

from __future__ import annotations

from typing import Literal

from audit import SYSTEM, AuditEvent, AuditLog

_SAID = {
    "log.opened": "An instance of the console began to serve.",
    "log.closed": "The instance of the console ended.",
}


def record(log: AuditLog, type_: Literal["log.opened", "log.closed"]) -> None:
    """Writes that an instance began or ended; the record names its boot.

    A begin that no end with the same boot follows was cut off.

    Raises:
        AuditError: it could not be written.
    """
    log.append(AuditEvent(type=type_, actor=SYSTEM, outcome="success", summary=_SAID[type_]))
