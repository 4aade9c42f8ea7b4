"""What the web layer needs from the rest of the console, handed in by `ui.session`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from audit import AuditError
from guard.errors import GuardError
from guard.principal import ConsoleRole, Principal
from store import Store, StoreError

COOKIE = "gatehouse_session"
"""The cookie that holds the session token. No script can read it."""


UNUSABLE = (StoreError, GuardError, AuditError)
"""Errors whose message is a sentence for people: what does not work and what to do."""


@dataclass(frozen=True, kw_only=True)
class SignInEvent:
    """What the audit trail is told of signing in and out.

    `account` is the account's id, None for a name nobody has. What was typed is never passed on:
    people type passwords into the name field.
    """

    kind: Literal["session.started", "session.ended", "auth.failed"]
    account: str | None
    address: str
    roles: frozenset[ConsoleRole] = frozenset()
    locked_out: bool = False


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file on its way out: already redacted, sent as it is made."""

    file_name: str
    media_type: str
    chunks: Iterable[bytes]


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """Who asks for which thing of one kind, with the rest of the address."""

    principal: Principal
    name: str
    query: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """How one kind of file is made, and for which roles at all.

    `make` returns None where there is no such thing, or none that this person may see. It may raise
    `Refused`, whose reason is shown.
    """

    roles: frozenset[ConsoleRole]
    make: Callable[[ExportRequest], Export | None]


def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class WebParts:
    """Everything `ui.web` and its gate use.

    `store` opens the store at the first call and raises `StoreError` each time it cannot. `record`
    MUST return only once the event is durable. `allowed_hosts` are the names this console answers
    to, `*.` for subdomains and `*` for any. `on_start` and `on_stop` run once with the server.
    """

    home: Path
    store: Callable[[], Store]
    record: Callable[[SignInEvent], None]
    allowed_hosts: Callable[[], Sequence[str]]
    exporters: Mapping[str, Exporter] = field(default_factory=dict)
    on_start: Callable[[], None] = _nothing
    on_stop: Callable[[], None] = _nothing
