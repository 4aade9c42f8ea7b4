"""Signing in and out as the audit trail keeps it: an account's id and a shortened address."""

from __future__ import annotations

import ipaddress

from audit import Actor, AuditEvent, AuditLog
from ui.webparts import SignInEvent

_UNKNOWN = "unknown"


def record(log: AuditLog, event: SignInEvent) -> None:
    """Returns once the event is durable.

    Raises:
        AuditError: it is not. Nobody may be signed in on the strength of it.
    """
    log.append(
        AuditEvent(
            type=event.kind,
            actor=Actor(
                id=event.account or _UNKNOWN,
                type="admin" if "admin" in event.roles else "user",
                roles=tuple(sorted(event.roles)),
                auth="password",
                ip_prefix=ip_prefix(event.address),
            ),
            outcome="denied" if event.kind == "auth.failed" else "success",
            summary=_summary(event),
        )
    )


def ip_prefix(address: str) -> str | None:
    """Returns the /24 or /48 network of a client address, None for anything else."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


def _summary(event: SignInEvent) -> str:
    if event.kind == "session.started":
        return "Signed in"
    if event.kind == "session.ended":
        return "Signed out"
    whom = "an account" if event.account else "a name nobody has"
    return f"Sign-in failed for {whom}{'; too many attempts' if event.locked_out else ''}"
