"""The review desk: propose, approve, reject, withdraw, apply, undo. The only way a write happens.

A request never runs because somebody asked. A different person approves one fingerprint; what runs
is judged again, captured again and compared with that fingerprint inside its transaction. Each
state change and its audit event are written together: without the event, the state does not change.
"""

from __future__ import annotations

from collections.abc import Callable

from guard.caller import Caller
from guard.changes import load
from guard.decision import Hold
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
from guard.inbox import REVIEWERS, Inbox
from guard.inforce import InForce
from guard.judging import judge, scope_in
from guard.logtext import sha256_of
from guard.notices import Notices
from guard.previews import Previews
from guard.principal import Principal
from guard.proposals import Proposal, Proposed
from guard.reviewtrail import ReviewTrail
from guard.settlement import GATEHOUSE, Settlement
from guard.shapes import shape_of
from guard.source import Sources
from guard.unattended import Unattended
from guard.underway import UnderWay
from guard.voting import Voting
from guard.writer import ApprovedChange, Writer, sealed
from store import IllegalMove, Store, changes, turns
from store.changes import NewChange, StoredChange

_OPEN = frozenset({"draft", "previewing", "pending", "approved", "executing", "unknown"})


class Review(Voting):
    """The desk: what `Voting` decides is previewed, run and taken back here. One a process."""

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
        super().__init__(
            store=store,
            policies=policies,
            inbox=inbox,
            trail=trail,
            notices=notices,
            look_up=look_up,
        )
        self._sources = sources
        self._writer = writer
        self._previews = previews
        self._settlement = settlement
        self._unattended = unattended

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
        return self._previews.request(*self._undoing(change, caller, reason), caller)

    def begin_undo(self, change: int, caller: Caller, reason: str) -> int:
        """Returns the number of the request that `undo` makes; its preview is made meanwhile.

        Raises:
            Illegal: it was not executed, or an undo of it waits already.
            Refused: the policy does not let this person propose it.
        """
        caller = self._current(caller)
        return self._previews.begin(*self._undoing(change, caller, reason), caller)

    def close(self) -> None:
        """Stops the previews that nobody waits for."""
        self._previews.close()

    def _undoing(self, change: int, caller: Caller, reason: str) -> tuple[NewChange, Change]:
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
        return new, Change(source=new.source, sql=None, undo_image=image)

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
            Refused: an agent asks, or the policy does not allow it any more.
            Interrupted, SourceUnavailable: nothing was committed; it stays approved.
            OutcomeUnknown: a person must look; it stands as unknown.
        """
        caller = self._current(caller)
        self.expire()
        stored = self._load(change, caller)
        if caller.channel == "agent":
            raise refuse("apply.agent", "An agent never applies a change.")
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


def _defines(stored: StoredChange) -> bool:
    """True when a request changes the schema, by the rule that held it."""
    return stored.rule.startswith("ddl.")
