"""Who may decide on a request, and on what: asked inside the transaction that decides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from guard.caller import Caller
from guard.changes import load
from guard.errors import Illegal, refuse
from guard.inbox import REVIEWERS, Inbox, is_cut
from guard.inforce import InForce
from guard.principal import Principal
from guard.quorum import Quorum, count
from store import Connection, Store, approvals, changes, views
from store.changes import StoredChange


class Deciding:
    """The rules of a decision. It changes nothing."""

    def __init__(
        self,
        store: Store,
        policies: InForce,
        inbox: Inbox,
        look_up: Callable[[str], Principal | None],
    ) -> None:
        """`look_up` returns the account with that id as it is now, None when it may not act."""
        self._store = store
        self._policies = policies
        self._inbox = inbox
        self._look_up = look_up

    def request(self, conn: Connection, change: int, caller: Caller) -> StoredChange:
        """Returns the request, if this person may decide on it now.

        Raises:
            Illegal: it is not waiting.
            Refused: an agent, not a reviewer, the author, or part of it is hidden from this person.
        """
        person = caller.principal
        stored = changes.get(conn, change)
        if caller.channel == "agent":
            raise refuse("approve.agent", "An agent never decides on a change.")
        if not person.roles & REVIEWERS:
            raise refuse("approve.role", "Deciding on changes needs the reviewer role.")
        if stored.author == person.id:
            raise refuse(
                "approve.author", "You asked for this change, so someone else must review it."
            )
        if stored.state != "pending":
            raise Illegal(f"Request #{change} is {stored.state}; there is nothing to decide.")
        if not self._inbox.in_scope(stored, person):
            raise refuse(
                "approve.scope",
                "Part of this change is outside what you can read, so you cannot decide on it.",
            )
        return stored

    def readable(self, conn: Connection, stored: StoredChange, caller: Caller) -> None:
        """Refuses a yes to what is too large, or to what this person was not shown in full.

        Raises:
            Refused: it is over the cap of rows, or this person has not seen every row of it.
        """
        kept = load(stored)
        rows, most = kept.diff.total if kept else 0, self._policies.current().approvals.max_rows
        if rows > most:
            raise refuse(
                "approve.row_cap",
                f"This touches {rows:,} rows; one change may touch {most:,}.",
                alternative="Reject it and ask for smaller parts. Only an admin can raise "
                "approvals.max_rows in the policy.",
            )
        look = views.find(conn, stored.id, caller.principal.id, stored.fingerprint or "")
        if look is None:
            raise refuse("approve.not_shown", "Look at the change before you approve it.")
        if kept is not None and is_cut(kept.diff) and look.downloaded_at is None:
            raise refuse(
                "approve.not_shown",
                "You have seen a part of it. Download the whole diff before you approve it.",
            )

    def unread(self, conn: Connection, stored: StoredChange, caller: Caller) -> tuple[bool, bool]:
        """Returns whether a yes now is sooner than reading takes, and one of many at once."""
        watch, now = self._policies.current().approvals.watch, self._store.now()
        look = views.find(conn, stored.id, caller.principal.id, stored.fingerprint or "")
        kept = load(stored)
        rows = kept.diff.total if kept else 0
        needed = dt.timedelta(seconds=watch.least_seconds + rows / watch.rows_per_second)
        # A command names the fingerprint itself: when it was read cannot be known here.
        console = caller.channel == "console"
        fast = console and (look is None or now - look.shown_at < needed)
        since = now - dt.timedelta(minutes=watch.minutes)
        return fast, approvals.recent_yes(conn, caller.principal.id, since=since) >= watch.count

    def quorum(self, conn: Connection, stored: StoredChange) -> Quorum:
        """Returns who has said yes, counted anew."""
        return count(conn, stored, self._look_up, self._inbox.in_scope)
