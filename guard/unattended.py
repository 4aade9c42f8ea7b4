"""Which changes may run without a person: outside production by policy, or by an earned template.

The default is none. Every one of them is still judged, previewed, compared with its fingerprint,
recorded and undoable; only the person is missing. A request that the agent made runs this way
nowhere but outside production, and there only where the policy says so.
"""

from __future__ import annotations

from guard.caller import Caller
from guard.changes import Kept, load
from guard.earned import EarnedTrust
from guard.inforce import InForce
from store import Connection
from store.changes import StoredChange

ENVIRONMENT = "auto_apply"
"""What approved a change outside production, as it is stored."""


class Unattended:
    """Answers, now and again just before a change is applied, whether it needs a person."""

    def __init__(self, policies: InForce, earned: EarnedTrust) -> None:
        self._policies = policies
        self._earned = earned

    def rule_for(self, stored: StoredChange, caller: Caller) -> str | None:
        """Returns what lets the request run without a person, or None."""
        agent = caller.channel == "agent"
        if self._outside(stored, agent=agent):
            return ENVIRONMENT
        return None if agent else self._earned.rule_for(stored)

    def book(self, conn: Connection, stored: StoredChange, rule: str) -> bool:
        """True when the rule has room for this use, decided in the caller's transaction."""
        return self._earned.book(conn, stored, rule)

    def still(self, stored: StoredChange) -> bool:
        """True when what approved the request would approve it now."""
        if stored.auto == ENVIRONMENT:
            return self._outside(stored, agent=False)
        return stored.auto is not None and self._earned.rule_for(stored) == stored.auto

    def _outside(self, stored: StoredChange, *, agent: bool) -> bool:
        source = self._policies.current().sources.get(stored.source)
        kept = load(stored)
        if source is None or source.environment == "production" or kept is None:
            return False
        settings = source.auto_apply
        if settings is None or (agent and not settings.agent) or stored.undo_of is not None:
            return False
        return (
            exact(kept)
            and kept.diff.total <= settings.max_rows
            and all(settings.covers(t.table) for t in kept.diff.tables)
        )


def exact(kept: Kept) -> bool:
    """True when it changes rows alone, and undoing it was tried and gave every row back."""
    return kept.diff.undo == "exact" and kept.diff.undo_verified and not kept.diff.schema
