"""How a verdict looks: icon, word and colour from a closed list, never from data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from html import escape
from typing import Literal

from audit import AuditEvent, PolicyFacts
from audit import Verdict as Decision
from store.states import AccessState, ChangeState

Tone = Literal["ok", "bad", "wait", "quiet", "info"]
Icon = Literal[
    "check", "block", "clock", "hidden", "shown", "stop", "error", "help", "dot", "undo", "download"
]


class Verdict(Enum):
    """What became of something. The value is its word."""

    ALLOWED = "Allowed"
    DENIED = "Denied"
    REVIEW = "Needs review"
    HELD = "Held"
    MASKED = "Masked"
    DONE = "Done"
    TO_DO = "To do"
    STOPPED = "Stopped"
    INTERRUPTED = "Interrupted"
    FAILED = "Failed"
    UNKNOWN = "Outcome unknown"
    RECORDED = "Recorded"
    REACHABLE = "Reachable"
    UNREACHABLE = "Not reachable"

    @property
    def tone(self) -> Tone:
        """Which colour."""
        return _LOOKS[self][0]

    @property
    def icon(self) -> Icon:
        """Which picture."""
        return _LOOKS[self][1]


_LOOKS: Mapping[Verdict, tuple[Tone, Icon]] = {
    Verdict.ALLOWED: ("ok", "check"),
    Verdict.DENIED: ("bad", "block"),
    Verdict.REVIEW: ("wait", "clock"),
    Verdict.HELD: ("bad", "block"),
    Verdict.MASKED: ("quiet", "hidden"),
    Verdict.DONE: ("ok", "check"),
    Verdict.TO_DO: ("wait", "clock"),
    Verdict.STOPPED: ("quiet", "stop"),
    Verdict.INTERRUPTED: ("quiet", "stop"),
    Verdict.FAILED: ("bad", "error"),
    Verdict.UNKNOWN: ("wait", "help"),
    Verdict.RECORDED: ("quiet", "dot"),
    Verdict.REACHABLE: ("ok", "check"),
    Verdict.UNREACHABLE: ("bad", "error"),
}

_STATES: Mapping[ChangeState, tuple[str, Tone, Icon]] = {
    "draft": ("Preparing the preview", "quiet", "clock"),
    "previewing": ("Preparing the preview", "quiet", "clock"),
    "pending": ("Waiting for review", "wait", "clock"),
    "approved": ("Approved, not applied yet", "info", "check"),
    "executing": ("Being applied", "info", "clock"),
    "executed": ("Applied", "ok", "check"),
    "undoing": ("Being undone", "info", "undo"),
    "undone": ("Undone", "quiet", "undo"),
    "undo_failed": ("Undo failed", "bad", "error"),
    "rejected": ("Rejected", "bad", "block"),
    "expired": ("Expired", "quiet", "stop"),
    "withdrawn": ("Withdrawn", "quiet", "stop"),
    "drifted": ("Rows changed since", "wait", "clock"),
    "failed": ("Failed", "bad", "error"),
    "unknown": ("Outcome unknown", "wait", "help"),
}


_ACCESS: Mapping[AccessState, tuple[str, Tone, Icon]] = {
    "pending": ("Waiting for an admin", "wait", "clock"),
    "granted": ("Access granted", "ok", "check"),
    "rejected": ("Rejected", "bad", "block"),
    "withdrawn": ("Withdrawn", "quiet", "stop"),
    "expired": ("Lapsed", "quiet", "stop"),
    "revoked": ("Revoked", "bad", "block"),
    "ended": ("Access has ended", "quiet", "stop"),
}


def badge(verdict: Verdict) -> str:
    """Returns the verdict as HTML."""
    return _badge(verdict.value, verdict.tone, verdict.icon)


def state_badge(state: ChangeState) -> str:
    """Returns the state of a change request as HTML."""
    return _badge(*_STATES[state])


def state_look(state: ChangeState) -> tuple[str, Tone, Icon]:
    """Returns the state of a change request as word, colour and picture."""
    return _STATES[state]


def access_look(state: AccessState) -> tuple[str, Tone, Icon]:
    """Returns the state of an access request as word, colour and picture."""
    return _ACCESS[state]


def access_badge(state: AccessState) -> str:
    """Returns the state of an access request as HTML."""
    return _badge(*_ACCESS[state])


def icon(name: Icon) -> str:
    """Returns a picture that says nothing to a screen reader; a word must stand beside it."""
    return f'<span class="gh-icon gh-i-{name}" aria-hidden="true"></span>'


def _badge(word: str, tone: Tone, picture: Icon) -> str:
    return f'<span class="gh-badge gh-{tone}">{icon(picture)}{escape(word)}</span>'


def of_event(event: AuditEvent) -> Verdict:
    """Returns what an audit event says happened."""
    facts = event.part(PolicyFacts)
    if facts is not None and facts.decision is not None:
        return _DECISIONS[facts.decision]
    if event.type in ("approval.requested", "access.requested", "policy.proposed"):
        return Verdict.REVIEW
    if event.type == "query.executed":
        return Verdict.DONE
    return _OUTCOMES[event.outcome]


_DECISIONS: Mapping[Decision, Verdict] = {
    "allow": Verdict.ALLOWED,
    "modified": Verdict.ALLOWED,
    "deny": Verdict.DENIED,
    "needs_approval": Verdict.REVIEW,
}
_OUTCOMES: Mapping[str, Verdict] = {
    "success": Verdict.RECORDED,
    "pending": Verdict.RECORDED,
    "denied": Verdict.DENIED,
    "failure": Verdict.FAILED,
    "unknown": Verdict.UNKNOWN,
}
