from __future__ import annotations

from pathlib import Path

import pytest

from audit import AuditLog, Filter
from ui import signintrail
from ui.webparts import SignInEvent


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("testclient", None),
        ("", None),
    ],
)
def test_an_address_is_shortened_to_its_network(address: str, prefix: str | None) -> None:
    assert signintrail.ip_prefix(address) == prefix


@pytest.mark.parametrize(
    ("event", "summary", "outcome", "actor"),
    [
        (
            SignInEvent(
                kind="session.started",
                account="0a1b",
                address="192.0.2.7",
                roles=frozenset({"admin"}),
            ),
            "Signed in",
            "success",
            "0a1b",
        ),
        (
            SignInEvent(kind="session.ended", account="0a1b", address="192.0.2.7"),
            "Signed out",
            "success",
            "0a1b",
        ),
        (
            SignInEvent(kind="auth.failed", account="0a1b", address="192.0.2.7"),
            "Sign-in failed for an account",
            "denied",
            "0a1b",
        ),
        (
            SignInEvent(kind="auth.failed", account=None, address="192.0.2.7", locked_out=True),
            "Sign-in failed for a name nobody has; too many attempts",
            "denied",
            "unknown",
        ),
    ],
)
def test_every_event_is_in_the_trail_once_record_returns(
    event: SignInEvent, summary: str, outcome: str, actor: str, tmp_path: Path
) -> None:
    log = AuditLog.open(tmp_path, app_version="test")
    try:
        signintrail.record(log, event)
        found = log.search(Filter(types=(event.kind,))).records
    finally:
        log.close()
    (record,) = found
    assert record.event.type == event.kind
    assert (record.event.summary, record.event.outcome) == (summary, outcome)
    assert record.event.actor.id == actor
    assert record.event.actor.ip_prefix == "192.0.2.0/24"
