"""The review desk: propose, approve, reject, withdraw, apply, undo. The only way a write happens.

A request never runs because somebody asked. A different person approves one fingerprint; what runs
is judged again, captured again and compared with that fingerprint inside its transaction. Each
state change and its audit event are written together: without the event, the state does not change.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from guard.caller import Caller
from guard.changes import load
from guard.deciding import Deciding
from guard.diff import Diff
from guard.engines.base import Cancel, Change
from guard.errors import (
    Drifted,
    GuardError,
    Illegal,
    OutcomeUnknown,
    Refused,
    refuse,
)
from guard.inbox import REVIEWERS, Inbox, may_see
from guard.inforce import InForce
from guard.judging import judge, scope_in
from guard.logtext import sha256_of
from guard.notices import Notices
from guard.policy import Hold, Principal
from guard.previews import Previews
from guard.proposals import Proposal, Proposed
from guard.reviewtrail import ReviewTrail
from guard.settlement import GATEHOUSE, Settlement
from guard.shapes import shape_of
from guard.source import Sources
from guard.unattended import Unattended
from guard.underway import UnderWay
from guard.writer import ApprovedChange, Writer, sealed
from store import Connection, IllegalMove, Store, StoreConflict, approvals, changes, turns
from store.changes import NewChange, StoredChange
from store.states import ChangeState

_OPEN = frozenset({"draft", "previewing", "pending", "approved", "executing", "unknown"})


class Review:
    """The desk. One a process; safe to share between threads."""

    def __init__(
        self,
        *,
        store: Store,
        policies: InForce,
        sources: Sources,
        writer: Writer,
        inbox: Inbox,
        previews: Previews,
        settlement: Settlement,
        trail: ReviewTrail,
        notices: Notices,
        unattended: Unattended,
        look_up: Callable[[str], Principal | None],
    ) -> None:
        """`look_up` returns the account with that id as it is now, None when it may not act."""
        self._store = store
        self._policies = policies
        self._sources = sources
        self._writer = writer
        self.inbox = inbox
        self._previews = previews
        self._settlement = settlement
        self._trail = trail
        self._notices = notices
        self._unattended = unattended
        self._look_up = look_up
        self._deciding = Deciding(store, policies, inbox, look_up)

    # Asking ---------------------------------------------------------------------------------------

    def propose(self, proposal: Proposal) -> Proposed:
        """Returns the request made of a held write, previewed and waiting for review.

        Raises:
            Refused: it changes nothing, or cannot be previewed exactly.
            Interrupted, SourceUnavailable: the preview could not be made.
        """
        text = proposal.judgement.statement.text
        caller = proposal.heard.caller
        new = NewChange(
            source=proposal.heard.source,
            author=caller.principal.id,
            statement=text,
            statement_sha=sha256_of(text),
            reason=proposal.reason.strip() or "No reason was given.",
            rule=proposal.hold.rule,
            environment=proposal.hold.environment,
            approvers_needed=proposal.hold.approvers,
            conversation=caller.session,
            turn=caller.request if proposal.call_id else None,
            call_id=proposal.call_id,
            template=shape_of(text, proposal.judgement.statement.dialect).template,
        )
        access = proposal.judgement.access
        change = Change(
            source=new.source, sql=text, targets=access.writes, schema=access.schema is not None
        )
        made = self._previews.request(new, change, caller, proposal.cancel)
        return self._by_rule(made, caller)

    def _by_rule(self, made: Proposed, caller: Caller) -> Proposed:
        """Applies a new request at once where a rule of the policy lets it run without a person."""
        with self._store.read() as conn:
            stored = changes.get(conn, made.change)
        rule = self._unattended.rule_for(stored, caller)
        if made.state != "pending" or rule is None:
            return made
        machine = Caller(principal=GATEHOUSE, channel="console", session=stored.conversation)
        try:
            with self._store.write() as conn:
                if not self._unattended.book(conn, stored, rule):
                    return made
                now = self._store.now()
                changes.approve_by_rule(
                    conn, stored.id, rule, now=now, expires_at=now + self._use_within
                )
                self._trail.decided(machine, stored, "approved", f"No person: {rule}")
                self._notices.queue(conn, "decided", stored.id)
            self._run(stored.id, machine)
        except GuardError:
            # It stands as what became of it: back in review, failed or unknown, with the reason.
            pass
        with self._store.read() as conn:
            return Proposed(
                change=made.change, state=changes.get(conn, made.change).state, rows=made.rows
            )

    @property
    def _use_within(self) -> dt.timedelta:
        return dt.timedelta(minutes=self._policies.current().approvals.apply_within_minutes)

    def stop_preview(self, change: int, caller: Caller) -> bool:
        """Stops the preview of one's own request, and the turn that waits for it.

        False where nothing was there to be stopped. A preview of another process is stopped by its
        turn's next heartbeat.

        Raises:
            Illegal: somebody else's.
        """
        caller = self._current(caller)
        stored = self._load(change, caller)
        if stored.author != caller.principal.id:
            raise Illegal("Only the person who asked for a change can stop its preview.")
        if self._previews.running.stop(change):
            return True
        if stored.state != "previewing" or stored.turn is None:
            return False
        with self._store.write() as conn:
            turns.request_cancel(conn, stored.turn, now=self._store.now())
        return True

    def under_way(self, change: int, caller: Caller) -> UnderWay | None:
        """Returns how far the preview of a request is, None where this process makes none.

        Raises:
            Illegal: not to be seen by this person.
        """
        return self._previews.running.of(self._load(change, caller).id)

    def under_way_in(self, turn: str, caller: Caller) -> UnderWay | None:
        """Returns how far the preview is that one's own turn waits for, None without one."""
        return self._previews.running.in_turn(turn, caller.principal.id)

    def undo(self, change: int, caller: Caller, reason: str) -> Proposed:
        """Returns a new request that takes an executed one back, through the same review.

        Raises:
            Illegal: it was not executed, or an undo of it waits already.
            Refused: rows have changed since, so it cannot be taken back.
        """
        caller = self._current(caller)
        stored = self._load(change, caller)
        with self._store.read() as conn:
            image = changes.undo_image(conn, change)
            open_undo = [u for u in changes.undo_requests(conn, change) if u.state in _OPEN]
        if stored.state != "executed" or image is None:
            raise Illegal(f"Request #{change} is {stored.state}, so there is nothing to undo.")
        if open_undo:
            raise Illegal(f"Request #{open_undo[0].id} would undo it already. Decide on that one.")
        self._may_propose(stored, caller)
        text = f"-- Undo request #{change}: put every row back as it was before."
        new = NewChange(
            source=stored.source,
            author=caller.principal.id,
            statement=text,
            statement_sha=sha256_of(text),
            reason=reason.strip() or f"Undo request #{change}.",
            rule=stored.rule,
            environment=stored.environment,
            approvers_needed=stored.approvers_needed,
            conversation=stored.conversation,
            undo_of=change,
        )
        return self._previews.request(
            new, Change(source=new.source, sql=None, undo_image=image), caller
        )

    # Deciding -------------------------------------------------------------------------------------

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

    def refresh(self) -> tuple[int, ...]:
        """Previews anew what was approved and not applied in time; returns the numbers."""
        with self._store.read() as conn:
            due = changes.lapsed(conn, now=self._store.now())
        for change in due:
            with self._store.read() as conn:
                stored = changes.get(conn, change)
            self._lapsed(stored, Caller(principal=GATEHOUSE, channel="console"))
        return due

    def _lapsed(self, stored: StoredChange, caller: Caller) -> None:
        """Back to review: an approval that waited too long is void, and the rows are read again."""
        try:
            with self._store.write() as conn:
                changes.move(conn, stored.id, "approved", "previewing", now=self._store.now())
        except IllegalMove:
            return  # applied or withdrawn meanwhile
        self._preview_again(stored, caller)

    # Doing ----------------------------------------------------------------------------------------

    def apply(self, change: int, caller: Caller) -> Diff:
        """Commits an approved request, exactly once, and returns what it did.

        Raises:
            Illegal: not approved (any more), or another process applies it.
            Drifted: the rows have changed; nothing ran and it waits for review again.
            Refused: the policy does not allow it any more.
            Interrupted, SourceUnavailable: nothing was committed; it stays approved.
            OutcomeUnknown: a person must look; it stands as unknown.
        """
        caller = self._current(caller)
        self.expire()
        stored = self._load(change, caller)
        if stored.state != "approved":
            raise Illegal(f"Request #{change} is {stored.state}, so it cannot be applied.")
        if not (caller.principal.roles & REVIEWERS or stored.author == caller.principal.id):
            raise refuse("apply.role", "Applying needs the reviewer role.")
        if stored.expires_at <= self._store.now():
            self._lapsed(stored, caller)
            raise Illegal(
                f"The approval of request #{change} was not used in time. It was previewed again "
                "and waits for review."
            )
        return self._run(change, caller)

    def _run(self, change: int, caller: Caller) -> Diff:
        with self._store.read() as conn:
            stored = changes.get(conn, change)
        approved = self._approved(stored, caller)
        try:
            with self._store.write() as conn:
                changes.claim(conn, change, owner=self._store.instance, now=self._store.now())
        except IllegalMove as error:
            raise Illegal(f"Request #{change} is being applied already.") from error
        return self._execute(stored, approved, caller)

    def _approved(self, stored: StoredChange, caller: Caller) -> ApprovedChange:
        """Decides again, with the author's rights of now, and seals what was approved."""
        kept = load(stored)
        with self._store.read() as conn:
            agreed = (
                self._deciding.quorum(conn, stored).met
                if stored.auto is None
                else (self._unattended.still(stored))
            )
            image = changes.undo_image(conn, stored.undo_of) if stored.undo_of else None
        if kept is None or stored.fingerprint is None or not agreed:
            raise Illegal(f"Request #{stored.id} has not been approved by enough people.")
        try:
            targets = self._still_allowed(stored)
        except Refused as refused:
            self._trail.refused(caller, stored, refused.refusal.rule, refused.refusal.reason)
            raise
        decided = tuple((t.table, t.decided) for t in kept.diff.tables if t.decided)
        sql = None if stored.undo_of else stored.statement
        return sealed(
            id=stored.id,
            source=stored.source,
            statement_sha=stored.statement_sha,
            fingerprint=stored.fingerprint,
            change=Change(
                source=stored.source,
                sql=sql,
                undo_image=image,
                targets=targets,
                decided=decided,
                schema=_defines(stored),
            ),
        )

    def _still_allowed(self, stored: StoredChange) -> tuple[str, ...]:
        """Returns the tables the statement writes, none for an undo."""
        author = self._look_up(stored.author)
        if author is None:
            raise refuse("person.disabled", "The author's account may not act any more.")
        caller = Caller(principal=author, channel="console")
        if stored.undo_of is not None:
            self._may_propose(stored, caller)
            return ()
        policy = self._policies.current()
        scope = scope_in(policy, caller, stored.source)
        target = self._sources.get(stored.source)
        if target.settings != scope.settings:
            raise refuse("policy.changed", "The policy changed while this was judged. Try again.")
        judged = judge(stored.statement, policy, scope, caller, target.catalog())
        if not isinstance(judged.decision, Hold):
            raise refuse(
                "apply.not_allowed", "The policy does not let the author propose this any more."
            )
        return judged.access.writes

    def _may_propose(self, stored: StoredChange, caller: Caller) -> None:
        """An undo needs the right to read every table of the change and to propose changes."""
        scope = scope_in(self._policies.current(), caller, stored.source)
        kept = load(stored)
        diff = kept.diff if kept else None
        tables = [t.table for t in diff.tables] + [s.table for s in diff.schema] if diff else []
        blocked = next((t for t in tables if not scope.reads(t)), None)
        may = scope.defines if _defines(stored) else scope.proposes
        proposes = any(may(t) for t in tables)
        if blocked is not None or not proposes or not scope.settings.writes:
            raise refuse(
                "write.not_allowed",
                "You may not propose changes to the tables of this request.",
                part=blocked,
            )

    def _execute(self, stored: StoredChange, approved: ApprovedChange, caller: Caller) -> Diff:
        try:
            intent = self._trail.intent(caller, stored)
        except Exception:
            self._settlement.release(stored.id, "approved", None)
            raise
        try:
            diff = self._writer.apply(approved, self._previews.caps(), Cancel())
        except Drifted as error:
            self._trail.failed(caller, stored, intent, error)
            self._drifted(stored, caller, error)
            raise
        except OutcomeUnknown:
            self._settlement.settle(stored.id, caller, intent)
            raise
        except Refused as error:
            self._trail.failed(caller, stored, intent, error)
            self._settlement.release(stored.id, "failed", str(error))
            raise
        except GuardError as error:
            self._trail.failed(caller, stored, intent, error)
            self._settlement.release(stored.id, "approved", str(error))
            raise
        self._settlement.committed(stored, caller, intent, diff)
        return diff

    def _drifted(self, stored: StoredChange, caller: Caller, error: Drifted) -> None:
        """Back to review with both diffs; the old approvals are void."""
        with self._store.write() as conn:
            now = self._store.now()
            changes.move(conn, stored.id, "executing", "drifted", now=now, error=str(error))
            self._trail.decided(caller, stored, "drifted", str(error))
            changes.move(conn, stored.id, "drifted", "previewing", now=now)
        self._preview_again(stored, caller)

    def _preview_again(self, stored: StoredChange, caller: Caller) -> None:
        kept = load(stored)
        try:
            targets = self._still_allowed(stored)
        except Refused as refused:
            self._trail.refused(caller, stored, refused.refusal.rule, refused.refusal.reason)
            with self._store.write() as conn:
                now, said = self._store.now(), refused.refusal.reason
                changes.move(conn, stored.id, "previewing", "failed", now=now, error=said)
                self._notices.queue(conn, "decided", stored.id)
            return
        with self._store.read() as conn:
            image = changes.undo_image(conn, stored.undo_of) if stored.undo_of else None
        change = Change(
            source=stored.source,
            sql=None if stored.undo_of else stored.statement,
            undo_image=image,
            targets=targets,
            schema=_defines(stored),
        )
        try:
            self._previews.preview(stored, change, caller, kept.diff if kept else None)
        except GuardError:
            # The request stands as failed with the reason; the drift is what the caller hears.
            return

    # Shared ---------------------------------------------------------------------------------------

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


def _defines(stored: StoredChange) -> bool:
    """True when a request changes the schema, by the rule that held it."""
    return stored.rule.startswith("ddl.")
