"""Statement templates that have earned to run without a person, within narrow bounds.

Off unless the policy says otherwise. The console proposes a template after enough clean reviews in
a row; two admins enable it; one undo, drift, failure or change of the schema ends it. What a
template covers is small (tier 1), exactly undoable, on the same tables, a few times a day, in set
hours, and was typed by a person: a proposal of the agent is never covered.
"""

from __future__ import annotations

import datetime as dt
import json

from guard.approvalpolicy import Earned
from guard.caller import Caller
from guard.changes import Kept, load
from guard.errors import Illegal, Refused, refuse
from guard.inforce import InForce
from guard.principal import Principal
from guard.reviewtrail import ReviewTrail
from guard.settlement import GATEHOUSE
from guard.shapes import Shape, shape_of
from guard.source import Sources
from store import Connection, IllegalMove, Store, StoreConflict, changes, promotions
from store.changes import StoredChange
from store.promotions import NewPromotion, Promotion, Record
from store.states import PromotionState

ADMINS_NEEDED = 2
_PREFIX = "template:"
_LOOK_EVERY = dt.timedelta(minutes=1)
_MACHINE = Caller(principal=GATEHOUSE, channel="console")


class EarnedTrust:
    """Finds, enables, uses and ends templates. One a process; safe to share between threads."""

    def __init__(
        self, store: Store, policies: InForce, sources: Sources, trail: ReviewTrail
    ) -> None:
        self._store = store
        self._policies = policies
        self._sources = sources
        self._trail = trail
        self._looked: dt.datetime | None = None

    @property
    def _settings(self) -> Earned:
        return self._policies.current().approvals.earned

    # Using ----------------------------------------------------------------------------------------

    def rule_for(self, stored: StoredChange) -> str | None:
        """Returns the enabled template that covers the request now, as it is stored, or None."""
        settings, kept = self._settings, load(stored)
        if not settings.enabled or stored.template is None or kept is None or stored.undo_of:
            return None
        with self._store.read() as conn:
            found = promotions.find_open(conn, stored.source, stored.template)
        if found is None or found.state != "active" or self._is_over(found, kept):
            return None
        return f"{_PREFIX}{found.id}" if self._within(stored, kept, found, settings) else None

    def book(self, conn: Connection, stored: StoredChange, rule: str) -> bool:
        """True when the daily cap has room for this use, decided in the caller's transaction."""
        if not rule.startswith(_PREFIX):
            return True
        number = int(rule.removeprefix(_PREFIX))
        promotions.lock(conn, number)
        found = promotions.find(conn, number)
        if found is None or found.state != "active" or stored.template != found.template:
            return False
        midnight = self._store.now().replace(hour=0, minute=0, second=0, microsecond=0)
        most = min(found.per_day, self._settings.per_day)
        return promotions.used_since(conn, rule, since=midnight) < most

    def _within(self, stored: StoredChange, kept: Kept, found: Promotion, settings: Earned) -> bool:
        diff, hour = kept.diff, self._store.now().hour
        return (
            stored.tier == 1
            and stored.drifts == 0
            and diff.undo == "exact"
            and diff.undo_verified
            and diff.total <= min(found.max_rows, settings.max_rows)
            and {t.table for t in diff.tables} == set(json.loads(found.tables_json))
            and max(found.hour_from, settings.hour_from) <= hour
            and hour < min(found.hour_to, settings.hour_to)
        )

    def _is_over(self, found: Promotion, kept: Kept | None = None) -> bool:
        """Ends a template that has lost its leave; True when it has."""
        now = self._store.now()
        with self._store.read() as conn:
            wrong = promotions.went_wrong(conn, found)
        if found.expires_at is not None and found.expires_at <= now:
            self._end(found, "expired", "Its time is over.")
        elif wrong is not None:
            self._end(found, "revoked", f"Request #{wrong} failed, drifted or was taken back.")
        elif kept is not None and kept.diff.schema_hash != found.schema_hash:
            self._end(found, "revoked", "The schema of its tables has changed.")
        else:
            return False
        return True

    def _end(
        self, found: Promotion, state: PromotionState, reason: str, caller: Caller = _MACHINE
    ) -> None:
        with self._store.write() as conn:
            if promotions.end(conn, found.id, state, reason, now=self._store.now()):
                self._trail.template(caller, found.id, found.source, state, reason)

    # Earning --------------------------------------------------------------------------------------

    def tend(self) -> tuple[int, ...]:
        """Ends what has lost its leave and proposes what has earned it; returns the new numbers."""
        now = self._store.now()
        if not self._settings.enabled or (self._looked and now - self._looked < _LOOK_EVERY):
            return ()
        self._looked = now
        for found in self.open():
            self._is_over(found)
        with self._store.read() as conn:
            earned = promotions.records(conn, at_least=self._settings.runs)
        made = (self._proposed(record) for record in earned)
        return tuple(number for number in made if number is not None)

    def _proposed(self, record: Record) -> int | None:
        settings = self._settings
        if record.authors < settings.authors or record.approvers < settings.approvers:
            return None
        new = self._bounded(record, settings)
        if new is None:
            return None
        try:
            with self._store.write() as conn:
                number = promotions.propose(conn, new, now=self._store.now())
                self._trail.template(_MACHINE, number, new.source, "proposed", "")
        except StoreConflict:
            return None
        return number

    def _bounded(self, record: Record, settings: Earned) -> NewPromotion | None:
        """The bounds that the clean requests have kept to; None where they differ in what matters.

        A template whose requests were not all of tier 1, on the same tables, has earned nothing.
        """
        with self._store.read() as conn:
            stored = [changes.get(conn, change) for change in record.changes]
        kept = [k for s in stored if (k := load(s)) is not None]
        tables = {frozenset(t.table for t in k.diff.tables) for k in kept}
        if len(kept) < len(stored) or len(tables) != 1 or any(s.tier != 1 for s in stored):
            return None
        shape = self._shape(stored[-1])
        if shape is None or shape.template != record.template or shape.changes_schema:
            return None
        return NewPromotion(
            source=record.source,
            template=record.template,
            shape=shape.text,
            tables_json=json.dumps(sorted(next(iter(tables)))),
            columns_json=json.dumps(sorted(shape.assigned or ())),
            schema_hash=kept[-1].diff.schema_hash,
            max_rows=min(settings.max_rows, max(k.diff.total for k in kept)),
            per_day=settings.per_day,
            hour_from=settings.hour_from,
            hour_to=settings.hour_to,
            runs=len(stored),
            authors=record.authors,
            approvers=record.approvers,
        )

    def _shape(self, stored: StoredChange) -> Shape | None:
        try:
            catalog = self._sources.get(stored.source).catalog()
            return shape_of(stored.statement, catalog.dialect)
        except Refused:
            return None

    # Enabling -------------------------------------------------------------------------------------

    def open(self) -> tuple[Promotion, ...]:
        """Returns what is proposed or active."""
        with self._store.read() as conn:
            return promotions.list_all(conn, open_only=True)

    def votes(self, promotion: int) -> tuple[str, ...]:
        """Returns the account ids of the admins who have said yes."""
        with self._store.read() as conn:
            return promotions.votes(conn, promotion)

    def enable(self, promotion: int, caller: Caller) -> bool:
        """Records an admin's yes; True when that was the second and it is enabled now.

        Raises:
            Refused: not an admin, or the policy does not allow templates.
            Illegal: not proposed any more, or this admin has said yes already.
        """
        self._admin(caller)
        try:
            with self._store.write() as conn:
                now = self._store.now()
                yes = promotions.vote(conn, promotion, caller.principal.id, now=now)
                found = promotions.find(conn, promotion)
                source = found.source if found else ""
                enough = len(yes) >= ADMINS_NEEDED
                if enough:
                    until = now + dt.timedelta(days=self._settings.days)
                    promotions.activate(conn, promotion, now=now, expires_at=until)
                word = "enabled" if enough else "approved by one admin"
                self._trail.template(caller, promotion, source, word, "")
        except StoreConflict as error:
            raise Illegal("You have said yes already; another admin must too.") from error
        except IllegalMove as error:
            raise Illegal(str(error)) from error
        return enough

    def end(self, promotion: int, caller: Caller, reason: str) -> None:
        """Declines a proposed template or revokes an enabled one; one admin is enough.

        Raises:
            Refused: not an admin.
            Illegal: no reason, or it has ended already.
        """
        self._admin(caller)
        if not reason.strip():
            raise Illegal("Say why; the other admins read that.")
        with self._store.read() as conn:
            found = promotions.find(conn, promotion)
        if found is None or found.state not in ("proposed", "active"):
            raise Illegal(f"Template {promotion} has ended already.")
        state: PromotionState = "revoked" if found.state == "active" else "declined"
        self._end(found, state, reason.strip(), caller)

    def _admin(self, caller: Caller) -> None:
        person: Principal = caller.principal
        if caller.channel == "agent" or "admin" not in person.roles:
            raise refuse("template.role", "Templates are enabled and ended by admins.")
        if not self._settings.enabled:
            raise refuse(
                "template.off", "The policy does not allow templates to run by themselves."
            )
