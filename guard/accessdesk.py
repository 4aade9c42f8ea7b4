"""The access desk: a missing permission is asked for, and a different person opens it for a while.

What a grant opens is judged again at every call (`guard.rights.scope_of`): time and revocation end
it at the next statement, and the policy in force may narrow it at any moment. It never unmasks,
never lifts a row filter and never reaches what the policy says can never be granted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from guard.accessgrants import TableGrant, dump_needs, dump_tables, granted, needs_of
from guard.accesstrail import AccessTrail
from guard.caller import Caller
from guard.errors import Illegal, Refused, refuse
from guard.inforce import InForce
from guard.needs import Need
from guard.plans import Plan, beyond, plan
from guard.policyfile import Policy
from guard.principal import Principal
from guard.rights import scope_of
from guard.settlement import GATEHOUSE
from guard.source import Sources
from store import Connection, Store, access, accounts
from store.access import AccessRequest
from store.states import AccessState

CHOICES_HOURS = (1, 24, 168)
"""How long one may ask for: an hour, a day, a week."""
_LONGEST_REASON, _LONGEST_NAME = 500, 128
_MOST_WAITING, _MOST_NEEDS = 20, 20


@dataclass(frozen=True, kw_only=True)
class AccessCard:
    """One request as the person who made it and the admins see it."""

    id: int
    person: str
    person_name: str
    source: str
    needs: tuple[Need, ...]
    reason: str
    hours: int
    state: AccessState
    created_at: dt.datetime
    expires_at: dt.datetime
    decided_by_name: str | None
    comment: str
    granted: tuple[TableGrant, ...]
    until: dt.datetime | None

    def live(self, now: dt.datetime) -> bool:
        """True while the grant holds."""
        return self.state == "granted" and self.until is not None and self.until > now


class AccessDesk:
    """One a process; safe to share between threads."""

    def __init__(
        self,
        *,
        store: Store,
        policies: InForce,
        sources: Sources,
        trail: AccessTrail,
        look_up: Callable[[str], Principal | None],
    ) -> None:
        """`look_up` returns the account with that id as it is now, None when it may not act."""
        self._store = store
        self._policies = policies
        self._sources = sources
        self._trail = trail
        self._look_up = look_up

    # Asking ---------------------------------------------------------------------------------------

    def request(self, caller: Caller, needs: Sequence[Need], *, reason: str, hours: int) -> int:
        """Returns the number of the request; it opens nothing until an admin grants it.

        Raises:
            Illegal: no reason, too long, asked already, or too many are waiting.
            Refused: the policy says that this can never be granted.
        """
        caller = self._current(caller)
        if caller.channel == "agent":
            raise refuse("access.agent", "An agent never asks for access; the person does.")
        policy = self._policies.current()
        reason = reason.strip()
        _check(needs, reason, hours, policy)
        source, person = needs[0].source, caller.principal.id
        now = self._store.now()
        with self._store.write() as conn:
            waiting = access.list_all(conn, states={"pending"}, person=person)
            if any(needs_of(w) == tuple(needs) for w in waiting if w.expires_at > now):
                raise Illegal("You have asked for this already; an admin has not decided yet.")
            if len(waiting) >= _MOST_WAITING:
                raise Illegal(f"{_MOST_WAITING} of your requests are waiting. Withdraw one first.")
            made = access.create(
                conn,
                person=person,
                source=source,
                needs_json=dump_needs(needs),
                reason=reason,
                hours=hours,
                now=now,
                expires_at=now + dt.timedelta(hours=policy.access.expires_hours),
            )
            self._trail.requested(caller, made)
        return made.id

    def withdraw(self, request: int, caller: Caller) -> None:
        """Takes one's own waiting request back.

        Raises:
            Illegal: somebody else's, or not waiting any more.
        """
        caller = self._current(caller)
        with self._store.write() as conn:
            stored = access.find(conn, request)
            if stored is None or stored.person != caller.principal.id:
                raise _missing(request)
            _expect(stored, "pending")
            access.withdraw(conn, request, now=self._store.now())
            self._trail.ended(caller, stored, "withdrawn")

    # Looking --------------------------------------------------------------------------------------

    def mine(self, caller: Caller, *, limit: int = 20) -> tuple[AccessCard, ...]:
        """Returns the person's own requests, newest first."""
        with self._store.read() as conn:
            return self._cards(conn, access.list_all(conn, person=caller.principal.id, limit=limit))

    def all(self, caller: Caller, *, limit: int = 100) -> tuple[AccessCard, ...]:
        """Returns everybody's requests, newest first.

        Raises:
            Refused: not an admin.
        """
        _admin(self._current(caller))
        with self._store.read() as conn:
            return self._cards(conn, access.list_all(conn, limit=limit))

    def waiting(self, caller: Caller) -> int:
        """Returns how many requests of others wait for this admin; 0 for everybody else."""
        if "admin" not in caller.principal.roles:
            return 0
        with self._store.read() as conn:
            return access.count_waiting(conn, caller.principal.id, now=self._store.now())

    def card(self, request: int, caller: Caller) -> AccessCard:
        """Returns one request.

        Raises:
            Illegal: there is none, or it is not this person's to see; the same sentence for both.
        """
        caller = self._current(caller)
        with self._store.read() as conn:
            stored = access.find(conn, request)
            own = stored is not None and stored.person == caller.principal.id
            if stored is None or not (own or "admin" in caller.principal.roles):
                raise _missing(request)
            return self._cards(conn, (stored,))[0]

    def plan(self, request: int, caller: Caller) -> Plan:
        """Returns exactly what granting the request as it was asked would open.

        Raises:
            Refused: not an admin.
            Illegal: there is no such request, or its author may not act any more.
            SourceUnavailable, ConfigurationError: the source cannot say what it holds.
        """
        _admin(self._current(caller))
        with self._store.read() as conn:
            stored = access.find(conn, request)
        if stored is None:
            raise _missing(request)
        return self._plan(stored)

    def _plan(self, stored: AccessRequest) -> Plan:
        policy, person = self._policies.current(), self._look_up(stored.person)
        if person is None:
            raise Illegal("The person who asked may not act any more, so there is nothing to open.")
        catalog = self._sources.get(stored.source).catalog()
        scope = scope_of(policy, person, stored.source)
        return plan(needs_of(stored), policy, stored.source, scope, catalog)

    # Deciding -------------------------------------------------------------------------------------

    def grant(
        self,
        request: int,
        caller: Caller,
        tables: Sequence[TableGrant],
        *,
        hours: int,
        comment: str = "",
    ) -> None:
        """Opens `tables` for `hours`: at most what was asked, and at most what the policy allows.

        Raises:
            Refused: the person who asked, not an admin, an agent, or never to be granted.
            Illegal: not waiting any more, more than was asked, or nothing that exists.
            SourceUnavailable: the source cannot say whether the names exist.
        """
        caller = self._current(caller)
        stored = self._deciding(request, caller)
        tables = tuple(t for t in tables if not t.empty)
        most = min(stored.hours, self._policies.current().access.max_hours)
        if not 1 <= hours <= most:
            raise Illegal(f"A grant for this request lasts 1 to {most} hours.")
        problem = beyond(tables, self._plan(stored))
        if problem is not None:
            raise Illegal(problem)
        with self._store.write() as conn:
            now = self._store.now()
            stored = self._standing(conn, request, now)
            access.grant(
                conn,
                request,
                by=caller.principal.id,
                granted_json=dump_tables(tables),
                until=now + dt.timedelta(hours=hours),
                comment=comment.strip()[:_LONGEST_REASON],
                now=now,
            )
            self._trail.granted(caller, access.get(conn, request), tables)

    def reject(self, request: int, caller: Caller, reason: str) -> None:
        """Ends a request with a reason, which the person reads.

        Raises:
            Illegal: no reason, or not waiting any more.
            Refused: as for `grant`.
        """
        caller = self._current(caller)
        if not reason.strip():
            raise Illegal("Say why you reject it; the person who asked reads that.")
        self._deciding(request, caller)
        with self._store.write() as conn:
            now = self._store.now()
            stored = self._standing(conn, request, now)
            comment = reason.strip()[:_LONGEST_REASON]
            access.reject(conn, request, by=caller.principal.id, comment=comment, now=now)
            self._trail.ended(caller, stored, "rejected", comment)

    def revoke(self, request: int, caller: Caller, reason: str) -> None:
        """Ends a grant before its time; the next statement is judged without it.

        Raises:
            Illegal: no reason, or no live grant.
            Refused: not an admin.
        """
        caller = self._current(caller)
        if not reason.strip():
            raise Illegal("Say why you revoke it; the person reads that.")
        _admin(caller)
        with self._store.write() as conn:
            stored = access.find(conn, request)
            if stored is None:
                raise _missing(request)
            _expect(stored, "granted")
            now, comment = self._store.now(), reason.strip()[:_LONGEST_REASON]
            access.revoke(conn, request, by=caller.principal.id, comment=comment, now=now)
            self._trail.revoked(caller, stored, comment)

    def expire(self) -> tuple[int, ...]:
        """Writes down what time has ended, and returns the numbers. Nothing waits for this."""
        with self._store.write() as conn:
            due = access.expire_due(conn, now=self._store.now())
            for one in due:
                self._trail.ended(Caller(principal=GATEHOUSE, channel="console"), one, "expired")
        return tuple(one.id for one in due)

    # Shared ---------------------------------------------------------------------------------------

    def _deciding(self, request: int, caller: Caller) -> AccessRequest:
        """The request, if this person may decide on it."""
        with self._store.read() as conn:
            stored = access.find(conn, request)
        if stored is None:
            raise _missing(request)
        try:
            _admin(caller)
            if stored.person == caller.principal.id:
                raise refuse(
                    "access.author", "You asked for this access, so another admin must decide."
                )
            if (
                caller.channel == "command_line"
                and not self._policies.current().access.command_line
            ):
                raise refuse(
                    "access.command_line",
                    "The policy allows these decisions on the admin page only "
                    "(access.command_line).",
                )
        except Refused as refused:
            self._trail.refused(caller, stored, refused.refusal)
            raise
        return stored

    def _standing(self, conn: Connection, request: int, now: dt.datetime) -> AccessRequest:
        stored = access.get(conn, request)
        _expect(stored, "pending")
        if stored.expires_at <= now:
            raise Illegal(f"Access request #{request} has lapsed. It must be asked for again.")
        return stored

    def _current(self, caller: Caller) -> Caller:
        person = self._look_up(caller.principal.id)
        if person is None:
            raise refuse("person.disabled", "This account may not act any more. Ask an admin.")
        return caller.acting_as(person)

    def _cards(self, conn: Connection, found: Sequence[AccessRequest]) -> tuple[AccessCard, ...]:
        names = {a.id: a.display_name for a in accounts.list_all(conn)}
        return tuple(
            AccessCard(
                id=r.id,
                person=r.person,
                person_name=names.get(r.person, "somebody"),
                source=r.source,
                needs=needs_of(r),
                reason=r.reason,
                hours=r.hours,
                state=r.state,
                created_at=r.created_at,
                expires_at=r.expires_at,
                decided_by_name=names.get(r.ended_by or r.decided_by or ""),
                comment=r.comment,
                granted=granted(r),
                until=r.until,
            )
            for r in found
        )


def _check(needs: Sequence[Need], reason: str, hours: int, policy: Policy) -> None:
    if not reason:
        raise Illegal("Say what you need it for; the admin decides on that.")
    if len(reason) > _LONGEST_REASON:
        raise Illegal(f"Give the reason in at most {_LONGEST_REASON} characters.")
    if not 1 <= hours <= policy.access.max_hours:
        raise Illegal(f"Access can be asked for 1 to {policy.access.max_hours} hours.")
    if not 1 <= len(needs) <= _MOST_NEEDS or len({n.source for n in needs}) > 1:
        raise Illegal(f"Ask for 1 to {_MOST_NEEDS} things of one source at a time.")
    for need in needs:
        if not all(0 < len(n) <= _LONGEST_NAME and n.isprintable() for n in _names(need)):
            raise Illegal("A name in the request is empty, too long or not printable.")
        complete = {"source": 1, "table": 2, "propose": 2, "column": 3, "lookup": 3}[need.kind]
        if len(_names(need)) != complete:
            raise Illegal(f"A request of the kind {need.kind} needs {complete} names.")
        if not policy.access.may_open(need.source, need.table):
            raise refuse(
                "access.never",
                f"The policy says that access to {need.name} cannot be asked for.",
                part=need.name,
            )


def _names(need: Need) -> list[str]:
    return [n for n in (need.source, need.table, need.column) if n is not None]


def _admin(caller: Caller) -> None:
    if caller.channel == "agent":
        raise refuse("access.agent", "An agent never decides on access.")
    if "admin" not in caller.principal.roles:
        raise refuse("access.role", "Deciding on access needs the admin role.")


def _expect(stored: AccessRequest, state: AccessState) -> None:
    if stored.state != state:
        raise Illegal(f"Access request #{stored.id} is {stored.state}, not {state} any more.")


def _missing(request: int) -> Illegal:
    return Illegal(f"There is no access request #{request} that you can see.")
