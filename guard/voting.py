"""The half of the review desk that decides: votes, comments, withdrawals, and what time ends.

Each state change and its audit event are written together: without the event, the state does not
change.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from guard.caller import Caller
from guard.deciding import Deciding
from guard.errors import Illegal, Refused, refuse
from guard.inbox import Inbox, may_see
from guard.inforce import InForce
from guard.notices import Notices
from guard.principal import Principal
from guard.reviewtrail import ReviewTrail
from guard.settlement import GATEHOUSE
from store import Connection, Store, StoreConflict, approvals, changes
from store.changes import StoredChange
from store.states import ChangeState


class Voting:
    """Decides on requests and runs nothing. One a process; safe to share between threads."""

    def __init__(
        self,
        *,
        store: Store,
        policies: InForce,
        inbox: Inbox,
        trail: ReviewTrail,
        notices: Notices,
        look_up: Callable[[str], Principal | None],
    ) -> None:
        """`look_up` returns the account with that id as it is now, None when it may not act."""
        self._store = store
        self._policies = policies
        self.inbox = inbox
        self._trail = trail
        self._notices = notices
        self._look_up = look_up
        self._deciding = Deciding(store, policies, inbox, look_up)

    def approve(
        self, change: int, caller: Caller, *, fingerprint: str, version: int, comment: str = ""
    ) -> bool:
        """Records this person's yes to exactly what they saw; True when it is approved now.

        Raises:
            Illegal: not waiting, changed since it was shown, expired, voted already.
            Refused: the author, or not a reviewer, or part of the diff is hidden from this person.
        """
        caller = self._current(caller)
        self._load(change, caller)
        self.expire()
        try:
            with self._store.write() as conn:
                stored = self._deciding.request(conn, change, caller)
                self._deciding.readable(conn, stored, caller)
                if (stored.fingerprint, stored.version) != (fingerprint, version):
                    raise Illegal("The request has changed since it was shown. Look at it again.")
                enough = self._vote(conn, stored, caller, comment)
        except StoreConflict as error:
            raise Illegal("You have decided on this request already.") from error
        except Refused as refused:
            self._trail.refused(
                caller, self._load(change, caller), refused.refusal.rule, refused.refusal.reason
            )
            raise
        return enough

    def _vote(self, conn: Connection, stored: StoredChange, caller: Caller, comment: str) -> bool:
        now = self._store.now()
        fast, bulk = self._deciding.unread(conn, stored, caller)
        approvals.vote(
            conn,
            stored.id,
            approver=caller.principal.id,
            decision="approve",
            statement_sha=stored.statement_sha,
            fingerprint=stored.fingerprint or "",
            comment=comment.strip(),
            now=now,
            fast=fast,
            bulk=bulk,
        )
        self._trail.decided(caller, stored, "approved", comment)
        if fast:
            self._trail.flagged(caller, stored, "approved sooner than its rows can be read")
        if bulk:
            self._trail.flagged(caller, stored, "one of many approvals by one person at once")
        enough = self._deciding.quorum(conn, stored).met
        if enough:
            until = now + self._use_within
            changes.move(conn, stored.id, "pending", "approved", now=now, expires_at=until)
            self._notices.queue(conn, "decided", stored.id)
        return enough

    def reject(self, change: int, caller: Caller, reason: str) -> None:
        """Ends a request with a reason.

        Raises:
            Illegal: no reason, or not waiting any more.
            Refused: the author, or not a reviewer.
        """
        caller = self._current(caller)
        if not reason.strip():
            raise Illegal("Say why you reject it; the author reads that.")
        self._load(change, caller)
        with self._store.write() as conn:
            stored = self._deciding.request(conn, change, caller)
            now = self._store.now()
            approvals.vote(
                conn,
                change,
                approver=caller.principal.id,
                decision="reject",
                statement_sha=stored.statement_sha,
                fingerprint=stored.fingerprint or "",
                comment=reason.strip(),
                now=now,
            )
            changes.move(conn, change, "pending", "rejected", now=now)
            self._trail.decided(caller, stored, "rejected", reason)
            self._notices.queue(conn, "decided", change)

    def withdraw(self, change: int, caller: Caller) -> None:
        """Takes one's own request back before it ran.

        Raises:
            Illegal: somebody else's, or it cannot be withdrawn any more.
        """
        caller = self._current(caller)
        self._load(change, caller)
        with self._store.write() as conn:
            stored = changes.get(conn, change)
            if stored.author != caller.principal.id:
                raise Illegal("Only the person who asked for a change can withdraw it.")
            state: ChangeState = "approved" if stored.state == "approved" else "pending"
            changes.move(conn, change, state, "withdrawn", now=self._store.now())
            self._trail.decided(caller, stored, "withdrawn", "")
            self._notices.queue(conn, "decided", change)

    def comment(self, change: int, caller: Caller, text: str) -> None:
        """Adds a comment to a request one may see.

        Raises:
            Illegal: empty, or not to be seen by this person.
        """
        caller = self._current(caller)
        if not text.strip():
            raise Illegal("Write something first.")
        self._load(change, caller)
        with self._store.write() as conn:
            approvals.add_comment(
                conn, change, author=caller.principal.id, text=text.strip(), now=self._store.now()
            )

    def expire(self) -> tuple[int, ...]:
        """Expires what is overdue, in a transaction of its own; returns the numbers."""
        with self._store.read() as conn:
            if not changes.overdue(conn, now=self._store.now()):
                return ()
        with self._store.write() as conn:
            due = changes.expire_due(conn, now=self._store.now())
            for change in due:
                stored = changes.get(conn, change)
                self._trail.decided(
                    Caller(principal=GATEHOUSE, channel="console"), stored, "expired", ""
                )
                self._notices.queue(conn, "expired", change)
        return due

    def remind(self) -> tuple[int, ...]:
        """Queues a reminder for what has waited half of its time; returns the numbers."""
        with self._store.read() as conn:
            found = changes.remind_due(conn, now=self._store.now())
        if not found:
            return ()
        with self._store.write() as conn:
            due = changes.mark_reminded(conn, found, now=self._store.now())
            for change in due:
                self._notices.queue(conn, "reminder", change)
        return due

    @property
    def _use_within(self) -> dt.timedelta:
        return dt.timedelta(minutes=self._policies.current().approvals.apply_within_minutes)

    def _current(self, caller: Caller) -> Caller:
        person = self._look_up(caller.principal.id)
        if person is None:
            raise refuse("person.disabled", "This account may not act any more. Ask an admin.")
        return caller.acting_as(person)

    def _load(self, change: int, caller: Caller) -> StoredChange:
        with self._store.read() as conn:
            stored = changes.find(conn, change)
        if stored is None or not may_see(caller.principal, stored):
            raise Illegal(f"There is no change request #{change} that you can see.")
        return stored
