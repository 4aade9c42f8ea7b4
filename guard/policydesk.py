"""How another policy comes into force: one admin proposes it, a different admin activates it.

The second admin decides on exactly what was shown: the hash of the proposal, the hash of the policy
in force it was compared with, and a replay of recorded statements between those two. Every version
is kept; going back is proposing an older text. A lone operator has one way of their own, which the
policy in force can switch off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from audit import (
    Action,
    AuditEvent,
    AuditLog,
    ConfigFacts,
    EventType,
    Outcome,
    PolicyFacts,
    shorten,
)
from guard.activation import follow, record_activation
from guard.caller import Caller
from guard.errors import ConfigurationError, Illegal, refuse
from guard.explaining import Explained, explain
from guard.inforce import InForce
from guard.logtext import log_safe, without_literals
from guard.policyfile import Policy, load_policy, parse_policy
from guard.principal import Principal
from guard.replay import Replay, Replayer
from guard.source import Sources
from store import Store, candidates, policies
from store.candidates import Candidate
from store.ids import digest
from store.policies import PolicyVersion
from store.states import CandidateOrigin

MOST_BYTES = 1_000_000
"""A policy text may have this many bytes."""
_LONGEST_NOTE = 500


@dataclass(frozen=True, kw_only=True)
class OnDisk:
    """The policy file beside the one in force. `text` is None where the file cannot be used.

    `older` is the number of an earlier version with the same text; `problem` says what is wrong.
    """

    same: bool
    text: str | None = None
    older: int | None = None
    problem: str | None = None


class PolicyDesk:
    """One a process; safe to share between threads."""

    def __init__(
        self,
        *,
        store: Store,
        log: AuditLog,
        policies: InForce,
        sources: Sources,
        replayer: Replayer,
        look_up: Callable[[str], Principal | None],
    ) -> None:
        """`look_up` returns the account with that id as it is now, None when it may not act."""
        self._store = store
        self._log = log
        self._policies = policies
        self._sources = sources
        self._replayer = replayer
        self._look_up = look_up

    # Looking --------------------------------------------------------------------------------------

    def on_disk(self) -> OnDisk:
        """Returns what the file says; nothing of it is in force unless it is the same text.

        Raises:
            ConfigurationError, StoreError: no policy is in force, or it cannot be looked up.
        """
        current = self._policies.current()
        try:
            found = load_policy(self._policies.file)
        except ConfigurationError as error:
            return OnDisk(same=False, problem=str(error))
        if found.sha256 == current.sha256:
            return OnDisk(same=True, text=found.text)
        with self._store.read() as conn:
            earlier = policies.find(conn, found.sha256)
        return OnDisk(same=False, text=found.text, older=earlier.id if earlier else None)

    def waiting(self) -> tuple[Candidate, ...]:
        """Returns the proposals nobody has decided on, newest first."""
        with self._store.read() as conn:
            return candidates.list_all(conn, state="pending")

    def count(self, caller: Caller) -> int:
        """Returns how many proposals of others wait for this admin; 0 for everybody else."""
        if "admin" not in caller.principal.roles:
            return 0
        with self._store.read() as conn:
            return candidates.count_waiting(conn, caller.principal.id)

    def versions(self, *, limit: int = 100) -> tuple[PolicyVersion, ...]:
        """Returns what has been in force, newest first."""
        with self._store.read() as conn:
            return policies.list_all(conn, limit=limit)

    def parsed(self, text: str) -> Policy:
        """Returns the policy in a text, as if it stood in the policy file.

        Raises:
            ConfigurationError: a key is wrong; the message names it.
        """
        if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
            raise ConfigurationError(f"A policy has at most {MOST_BYTES:,} bytes.")
        try:
            return parse_policy(text.encode("utf-8"), self._policies.file)
        except UnicodeEncodeError as error:
            raise ConfigurationError("The text is not valid Unicode.") from error

    def try_as(self, caller: Caller, person: str, source: str, sql: str) -> Explained:
        """Returns what would become of a statement of the account `person`; nothing runs.

        Raises:
            Refused: not an admin.
            Illegal: that account may not act.
            SourceUnavailable, ConfigurationError: the source cannot say what it holds.
            audit.AuditError: the trial cannot be recorded, so nothing is said.
        """
        caller = self._admin(caller)
        somebody = self._look_up(person)
        if somebody is None:
            raise Illegal("That account may not act, so nothing it sends is judged.")
        policy = self._policies.current()
        settings = policy.sources.get(source)
        explained = explain(
            sql,
            source,
            Caller(principal=somebody, channel="console"),
            policy,
            lambda: self._sources.get(source).catalog(),
        )
        dialect = settings.engine if settings else "sqlite"
        shape = log_safe(without_literals(sql, dialect))
        refusal = explained.refusal
        self._log.append(
            AuditEvent(
                type="policy.tried",
                actor=caller.actor(),
                outcome="success",
                summary="Tried a statement as somebody else: nothing ran",
                request=caller.request,
                parts=(
                    Action(
                        kind="trial",
                        source=source,
                        statement=shape,
                        statement_hmac=self._log.digest(sql),
                    ),
                    PolicyFacts(
                        rule=refusal.rule if refusal else None,
                        version=str(policy.version),
                        bundle_sha256=policy.sha256,
                    ),
                    ConfigFacts(kind="account", name=person, change="tried as"),
                ),
            )
        )
        return explained

    # Proposing ------------------------------------------------------------------------------------

    def propose(self, caller: Caller, text: str, *, origin: CandidateOrigin, note: str = "") -> int:
        """Returns the number of the proposal, which waits for another admin.

        Raises:
            ConfigurationError: the text cannot be used; the message names the key.
            Illegal: it is the policy in force, or waits already.
            Refused: not an admin, or an agent.
        """
        caller = self._admin(caller)
        policy = self.parsed(text)
        if policy.sha256 == self._policies.current().sha256:
            raise Illegal("This is the policy in force; there is nothing to propose.")
        with self._store.write() as conn:
            same = [c for c in candidates.list_all(conn, state="pending") if c.text == text]
            if same:
                raise Illegal(f"Proposal {same[0].id} has exactly this text and waits already.")
            made = candidates.create(
                conn,
                text=text,
                origin=origin,
                note=note.strip()[:_LONGEST_NOTE],
                proposed_by=caller.principal.id,
                now=self._store.now(),
            )
            self._record("policy.proposed", caller, made, "pending", "proposed")
        return made.id

    def roll_back(self, caller: Caller, version: int, *, note: str = "") -> int:
        """Returns the number of a proposal with the text of an older version.

        Raises:
            Illegal: there is no such version, or as for `propose`.
            ConfigurationError: this program cannot use that text any more.
            Refused: as for `propose`.
        """
        with self._store.read() as conn:
            found = policies.get(conn, version)
        if found is None:
            raise Illegal(f"There is no policy version {version}.")
        note = note or f"Back to version {version}."
        return self.propose(caller, found.text, origin="rollback", note=note)

    def replay(
        self,
        candidate: int,
        caller: Caller,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Replay:
        """Returns how recorded statements turn out under a proposal, and keeps it with it.

        What `progress` raises ends it, and nothing is kept.

        Raises:
            Illegal: the proposal is not waiting any more.
            Refused: not an admin.
        """
        caller = self._admin(caller)
        stored = self._pending(candidate)
        last = self._policies.current().activation.replay_last
        found = self._replayer.run(self.parsed(stored.text), last=last, progress=progress)
        with self._store.write() as conn:
            candidates.record_replay(
                conn,
                candidate,
                replay_json=found.as_json(),
                base=found.base,
                now=self._store.now(),
            )
            self._record("policy.replayed", caller, stored, "success", "replayed")
        return found

    # Deciding -------------------------------------------------------------------------------------

    def activate(self, candidate: int, caller: Caller, *, seen: str, base: str) -> PolicyVersion:
        """Puts a proposal into force; every process judges its next statement by it.

        `seen` and `base` are the SHA-256 of the proposal and of the policy in force as they were
        shown to this admin.

        Raises:
            Illegal: not waiting any more, something else was shown, or no replay of the two.
            Refused: the admin who proposed it, or not an admin.
            ConfigurationError: this program cannot use it.
        """
        caller = self._admin(caller)
        stored = self._pending(candidate)
        if stored.proposed_by == caller.principal.id:
            self._refused(caller, stored, "policy.author")
            raise refuse(
                "policy.author", "You proposed this policy, so a different admin must activate it."
            )
        self.parsed(stored.text)
        with self._store.write() as conn:
            stored, head = candidates.get(conn, candidate), policies.head(conn)
            if head is None or (stored.sha256, head.sha256) != (seen, base):
                raise Illegal("The policy has changed since this was shown. Look at it again.")
            if stored.replay_json is None or stored.replay_base != base:
                raise Illegal(
                    "Replay recorded statements against the policy in force first, and look at "
                    "what would turn out differently."
                )
            now = self._store.now()
            candidates.decide(
                conn, candidate, "activated", by=caller.principal.id, comment="", now=now
            )
            version = policies.activate(
                conn,
                stored.text,
                activated_by=caller.principal.id,
                candidate=candidate,
                now=now,
                os_account=caller.os_account,
            )
            record_activation(self._log, caller.actor(), caller.request, base, version)
        follow(self._policies.file, base, version.text)
        return version

    def reject(self, candidate: int, caller: Caller, reason: str) -> None:
        """Ends a proposal; one's own is withdrawn.

        Raises:
            Illegal: no reason, or not waiting any more.
            Refused: not an admin.
        """
        caller = self._admin(caller)
        stored = self._pending(candidate)
        own = stored.proposed_by == caller.principal.id
        if not own and not reason.strip():
            raise Illegal("Say why you reject it; the admin who proposed it reads that.")
        with self._store.write() as conn:
            candidates.decide(
                conn,
                candidate,
                "withdrawn" if own else "rejected",
                by=caller.principal.id,
                comment=reason.strip()[:_LONGEST_NOTE],
                now=self._store.now(),
            )
            done = "withdrawn" if own else "rejected"
            self._record("policy.proposed", caller, stored, "denied", done)

    # Shared ---------------------------------------------------------------------------------------

    def _admin(self, caller: Caller) -> Caller:
        person = self._look_up(caller.principal.id)
        if person is None:
            raise refuse("person.disabled", "This account may not act any more. Ask an admin.")
        if caller.channel == "agent":
            raise refuse("policy.agent", "An agent never changes the policy.")
        if "admin" not in person.roles:
            raise refuse("policy.role", "Changing the policy needs the admin role.")
        return caller.acting_as(person)

    def _pending(self, candidate: int) -> Candidate:
        with self._store.read() as conn:
            stored = candidates.get(conn, candidate)
        if stored.state != "pending":
            raise Illegal(f"Proposal {candidate} is {stored.state}; there is nothing to decide.")
        if digest(stored.text) != stored.sha256:
            raise Illegal(f"The stored text of proposal {candidate} was changed. Do not use it.")
        return stored

    def _refused(self, caller: Caller, stored: Candidate, rule: str) -> None:
        self._record("policy.decided", caller, stored, "denied", f"not activated ({rule})")

    def _record(
        self,
        type_: EventType,
        caller: Caller,
        stored: Candidate,
        outcome: Outcome,
        change: str,
    ) -> None:
        note = f": {log_safe(stored.note)}" if stored.note and change == "proposed" else ""
        self._log.append(
            AuditEvent(
                type=type_,
                actor=caller.actor(),
                outcome=outcome,
                summary=shorten(f"Policy proposal {stored.id} {change}{note}"),
                request=caller.request,
                parts=(
                    ConfigFacts(
                        kind="policy",
                        name=f"proposal-{stored.id}",
                        change=change,
                        before_sha256=self._policies.current().sha256,
                        after_sha256=stored.sha256,
                    ),
                ),
            )
        )
