"""AuditEvent: one thing that happened, before it has a place in the log."""

from __future__ import annotations

import builtins
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, TypeVar, cast, get_args

from audit.encoding import (
    Json,
    clean_text,
    present,
    size_of,
    spelled,
    spelled_present,
    timestamp,
)
from audit.errors import Malformed
from audit.parts import Effect, KeyFacts, Part, SegmentFacts

SCHEMA: Final = "1.0"
MAX_SUMMARY: Final = 160
MAX_ID: Final = 128

EventType = Literal[
    "access.requested",
    "agent.failed",
    "agent.message",
    "agent.replayed",
    "agent.started",
    "agent.step",
    "answer.returned",
    "approval.decided",
    "approval.drifted",
    "approval.expired",
    "approval.flagged",
    "approval.requested",
    "approval.withdrawn",
    "audit.exported",
    "audit.searched",
    "audit.verified",
    "audit.viewed",
    "auth.failed",
    "config.changed",
    "data.revealed",
    "erasure.performed",
    "export.created",
    "key.rotated",
    "log.anchor_failed",
    "log.closed",
    "log.created",
    "log.opened",
    "log.pruned",
    "log.sealed",
    "policy.decided",
    "policy.proposed",
    "policy.replayed",
    "policy.tried",
    "query.cancelled",
    "query.executed",
    "query.failed",
    "query.intent",
    "query.outcome_unknown",
    "query.undone",
    "request.classified",
    "request.received",
    "session.ended",
    "session.started",
]
Outcome = Literal["success", "failure", "denied", "unknown", "pending"]
ActorType = Literal["user", "agent", "system", "admin"]

EVENT_TYPES: Final[frozenset[str]] = frozenset(get_args(EventType))
OUTCOMES: Final[frozenset[str]] = frozenset(get_args(Outcome))
INTENT: Final = "query.intent"
CLOSING: Final = frozenset(
    {"query.executed", "query.failed", "query.cancelled", "query.outcome_unknown"}
)
"""The types that say how an intent ended; each names it in `Effect.intent_id`."""

_NEEDED: Final[Mapping[str, type[Part]]] = {"key.rotated": KeyFacts, "log.pruned": SegmentFacts}

P = TypeVar("P", bound=Part)


def new_id() -> str:
    """Returns a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, the rest random."""
    millis = f"{time.time_ns() // 1_000_000:012x}"
    random = os.urandom(10)
    digits, variant = random.hex(), "89ab"[random[9] & 3]
    return f"{millis[:8]}-{millis[8:]}-7{digits[:3]}-{variant}{digits[3:6]}-{digits[6:18]}"


def shorten(text: str, limit: int = MAX_SUMMARY) -> str:
    """Returns `text` on one line of at most `limit` characters, with an ellipsis if cut."""
    line = " ".join(clean_text(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who did it. `id` is a pseudonym that only the account store can resolve.

    `auth` says how the person was known (`password`, `cli`), `on_behalf_of` for whom, `os_account`
    the operating-system account behind a command, `ip_prefix` a /24 or /48.
    """

    id: str
    type: ActorType
    roles: tuple[str, ...] = ()
    auth: str | None = None
    on_behalf_of: str | None = None
    os_account: str | None = None
    ip_prefix: str | None = None


SYSTEM: Final = Actor(id="gatehouse", type="system")


@dataclass(frozen=True, kw_only=True)
class AuditEvent:
    """One entry as the caller knows it; `AuditLog.append` gives it its place.

    `session` is the conversation, `request` the turn or command, `parent` the id of the event that
    led to this one. `summary` is one line of at most 160 characters, free of personal data
    (`shorten` helps): it is what the live trail shows. At most one part of each kind. `id` is the
    idempotency key: appending the same event again gives the receipt of the first time.
    """

    type: EventType
    actor: Actor
    outcome: Outcome
    summary: str
    session: str | None = None
    request: str | None = None
    parent: str | None = None
    parts: tuple[Part, ...] = ()
    id: str = field(default_factory=new_id)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def closes(self) -> str | None:
        """The id of the intent whose outcome this is, or None."""
        effect = self.part(Effect) if self.type in CLOSING else None
        return effect.intent_id if effect else None

    def part(self, kind: builtins.type[P]) -> P | None:
        """Returns the part of that class, or None."""
        for part in self.parts:
            if isinstance(part, kind):
                return part
        return None

    def document(self, app: Mapping[str, str]) -> dict[str, Json]:
        """Returns the event as a record holds it; `app` names the version and process.

        Raises:
            Malformed: the shape is not accepted. The caller has a mistake to mend.
        """
        self._check()
        base: dict[str, Json] = {
            "actor": present(vars(self.actor)),
            "app": present(app),
            "id": self.id,
            "outcome": self.outcome,
            "schema": SCHEMA,
            "summary": clean_text(self.summary),
            "time": timestamp(self.time),
            "type": self.type,
        }
        base |= present({"session": self.session, "request": self.request, "parent": self.parent})
        for part in self.parts:
            base[part.group] = part.encode()
        return base

    def text(self, app: Mapping[str, str]) -> str:
        """Returns the canonical text of what `document` returns, and raises the same."""
        self._check()
        found = [
            f'"actor":{spelled_present(vars(self.actor))}',
            f'"app":{spelled_present(app)}',
            f'"id":{spelled(self.id)}',
            f'"outcome":{spelled(self.outcome)}',
            f'"schema":{spelled(SCHEMA)}',
            f'"summary":{spelled(self.summary)}',
            f'"time":"{timestamp(self.time)}"',
            f'"type":{spelled(self.type)}',
        ]
        for name in ("parent", "request", "session"):
            if (value := getattr(self, name)) is not None:
                found.append(f'"{name}":{spelled(value)}')
        found.extend([f'"{part.group}":{part.spell()}' for part in self.parts])
        # A key is followed by a quotation mark, which stands before all that a key is made of.
        return f"{{{','.join(sorted(found))}}}"

    def _check(self) -> None:
        if self.type not in EVENT_TYPES:
            raise Malformed(f"{self.type} is not an event type.")
        if self.outcome not in OUTCOMES:
            raise Malformed(f"{self.outcome} is not an outcome.")
        summary = clean_text(self.summary)
        if not 0 < len(summary) <= MAX_SUMMARY or len(summary.splitlines()) > 1:
            raise Malformed(f"A summary is one line of 1 to {MAX_SUMMARY} characters.")
        closes = self.closes
        for value in (self.id, self.actor.id, self.session, self.request, self.parent, closes):
            if value is not None and not _is_id(value):
                raise Malformed(f"An id in an audit event has 1 to {MAX_ID} bytes, in NFC.")
        if len(self.parts) != len({part.group for part in self.parts}):
            raise Malformed("An audit event has at most one part of each kind.")
        if closes is None and self.type in CLOSING:
            raise Malformed(f"{self.type} must name its intent in Effect.intent_id.")
        needed = _NEEDED.get(self.type)
        if needed is not None and self.part(needed) is None:
            raise Malformed(f"{self.type} must say what a verifier needs in {needed.__name__}.")

    @classmethod
    def from_document(cls, document: Mapping[str, Json]) -> AuditEvent:
        """Returns the event that `document` wrote; what this version does not know is left out.

        Raises:
            KeyError, TypeError, ValueError: the document was not written by `document`.
        """
        actor = dict(cast("Mapping[str, Json]", document["actor"]))
        actor["roles"] = tuple(cast("list[str]", actor.get("roles", [])))
        known = {k: v for k, v in document.items() if k in Part.known and isinstance(v, dict)}
        return cls(
            type=cast("EventType", document["type"]),
            actor=Actor(**{k: v for k, v in actor.items() if k in Actor.__dataclass_fields__}),  # type: ignore[arg-type]  # written from these fields
            outcome=cast("Outcome", document["outcome"]),
            summary=str(document["summary"]),
            session=cast("str | None", document.get("session")),
            request=cast("str | None", document.get("request")),
            parent=cast("str | None", document.get("parent")),
            parts=tuple(Part.known[k].decode(v) for k, v in known.items()),
            id=str(document["id"]),
            time=datetime.fromisoformat(str(document["time"])),
        )


def _is_id(value: str) -> bool:
    # Ids stand in columns too, so the cleaned and the given form must be the same.
    # A database may not be able to hold a NUL.
    if value.isascii():
        return 0 < len(value) <= MAX_ID and "\0" not in value
    return clean_text(value) == value and size_of(value) <= MAX_ID and "\0" not in value
