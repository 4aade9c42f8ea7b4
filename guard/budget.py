"""What people may use: rates, parallel statements, rows, seconds and money, kept in the store.

The counters live in the store, so that they hold across threads, tabs, processes and instances.
All of one call are reserved at their worst in one transaction before it, and settled in one after
it. These transactions do not wait for the disk (`Store.write_unsynced`): a killed process loses
nothing, a power cut at most the last moments of counting.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from guard.engines.base import Cancel
from guard.engines.faults import stopped
from guard.errors import Refused
from guard.limitrules import PARALLEL, Asked, claims, cost_claims, exhausted
from store import IllegalMove, Store, StoreError, ledger
from store.ledger import Balance, Claim, Counter

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.2
_SWEEP_SECONDS = 10.0
_PRUNE_SECONDS = 3_600.0
_SLACK = dt.timedelta(minutes=5)
"""How much longer than it may run a statement may take with waiting and redaction, until it counts
as lost."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """What one person has used and holds now of one resource, today and this month."""

    today: int = 0
    month: int = 0


@dataclass(frozen=True, kw_only=True)
class Left:
    """What is left of the limits a person meets first; None without a limit."""

    calls: int | None = None
    rows: int | None = None


NOT_COUNTED = Left()


class Budget:
    """The ledger's view of one store. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._swept_at = self._pruned_at = float("-inf")

    def reserve(
        self, asked: Asked, *, patience_s: float = 0.0, cancel: Cancel | None = None
    ) -> Spending:
        """Reserves all that `asked` may use; use the answer in `with`.

        Where as many statements of the person run as may, it waits up to `patience_s` seconds for
        one to end. `cancel` ends the wait.

        Raises:
            Refused: a limit is reached (`limit.*`); the reason says which, what is left of it and
                when there is more. Nothing was reserved.
            Interrupted: `cancel` was set during the wait.
            store.StoreError: the counters cannot be written; the caller MUST NOT go on.
        """
        cancel, until = cancel or Cancel(), time.monotonic() + patience_s
        while True:
            now = self._store.now()
            try:
                return Spending(self._store, asked, self._granted(asked, claims(asked, now), now))
            except Refused as refused:
                if refused.refusal.rule != PARALLEL or time.monotonic() >= until:
                    raise
            if cancel.wait(_POLL_SECONDS):
                raise stopped("cancelled")

    def count(self, asked: Asked) -> None:
        """Counts a call of a tool that sends no statement.

        Raises:
            Refused, store.StoreError: as for `reserve`.
        """
        now = self._store.now()
        wanted = [c for c in claims(asked, now) if c.counter.scope.startswith("tool:")]
        if not wanted:
            return
        with Spending(self._store, asked, self._granted(asked, wanted, now)):
            return

    def use(self, people: Collection[str]) -> Mapping[tuple[str, str], Use]:
        """Returns what people (account ids) used, keyed (id, resource); reservations count."""
        now = self._store.now()
        scopes = {ledger.scope("person", person): person for person in people}
        today, month = ledger.day(now), ledger.month(now)
        with self._store.read() as conn:
            stands = ledger.balances(conn, scopes, (today, month))
        found: dict[tuple[str, str], dict[str, int]] = {}
        for counter, balance in stands.items():
            key = (scopes[counter.scope], counter.resource)
            part = "today" if counter.window == today else "month"
            found.setdefault(key, {})[part] = balance.reserved + balance.spent
        return {key: Use(**parts) for key, parts in found.items()}

    def _granted(self, asked: Asked, wanted: Sequence[Claim], now: dt.datetime) -> _Held:
        self._tidy()
        outcome = _reserve(self._store, asked, wanted, now)
        if isinstance(outcome, ledger.Exhausted) and self._swept(now):
            outcome = _reserve(self._store, asked, wanted, now)
        if isinstance(outcome, ledger.Exhausted):
            raise exhausted(outcome.claim, outcome.left, asked, now)
        return outcome

    def _swept(self, now: dt.datetime) -> int:
        """Ends what nobody holds any more; in a transaction of its own, so that none waits."""
        with self._store.write_unsynced() as conn:
            return ledger.sweep(conn, now=now, is_alive=self._store.is_alive)

    def _tidy(self) -> None:
        """Sweeps and prunes now and then; what is not swept only counts against its owner."""
        moment = time.monotonic()
        with self._lock:
            sweep = moment - self._swept_at > _SWEEP_SECONDS
            prune = moment - self._pruned_at > _PRUNE_SECONDS
            self._swept_at = moment if sweep else self._swept_at
            self._pruned_at = moment if prune else self._pruned_at
        if sweep:
            self._swept(self._store.now())
        if prune:
            with self._store.write_unsynced() as conn:
                ledger.prune(conn, now=self._store.now())


class Spending:
    """A reservation, settled when its `with` block ends.

    Set `rows` to what was shown and `ms` to what the source took; without `ms` the time in the
    block counts. What was reserved is the most that is spent.
    """

    def __init__(self, store: Store, asked: Asked, held: _Held) -> None:
        self.rows = 0
        self.ms: int | None = None
        self.left = held.left
        self._asked = asked
        self._store = store
        self._held = held
        self._scan: _Held | None = None
        self._started = time.monotonic()

    def scans(self, size: int) -> None:
        """Reserves the price of reading `size` bytes, once that is known.

        Raises:
            Refused, store.StoreError: as for `Budget.reserve`; settle what is held all the same.
        """
        micros = self._asked.price.of(0, size)
        now = self._store.now()
        wanted = cost_claims(self._asked, micros, now)
        if not micros or not wanted:
            return
        outcome = _reserve(self._store, self._asked, wanted, now)
        if isinstance(outcome, ledger.Exhausted):
            raise exhausted(outcome.claim, outcome.left, self._asked, now)
        self._scan = outcome

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        ms = self.ms
        if ms is None:
            ms = round((time.monotonic() - self._started) * 1_000)
        self._settle(
            self._held, {c.counter: min(c.amount, self._used(c, ms)) for c in self._held.claims}
        )
        if self._scan is not None:
            self._settle(self._scan, {c.counter: c.amount for c in self._scan.claims})

    def _settle(self, held: _Held, spent: Mapping[Counter, int]) -> None:
        try:
            # Swept meanwhile: the worst was booked, so nothing is left to settle.
            with suppress(IllegalMove), self._store.write_unsynced() as conn:
                ledger.settle(conn, held.reservation, spent, now=self._store.now())
        except StoreError:
            _log.warning("a reservation could not be settled; the worst case stays booked")

    def _used(self, claim: Claim, ms: int) -> int:
        match claim.counter.resource:
            case "parallel":
                return 0
            case "rows":
                return self.rows
            case "ms":
                return ms
            case "cost_micros":
                return self._asked.price.of(ms, 0)
            case _:
                return claim.amount


@dataclass(frozen=True, kw_only=True)
class _Held:
    reservation: str
    claims: tuple[Claim, ...]
    left: Left


def _reserve(
    store: Store, asked: Asked, wanted: Sequence[Claim], now: dt.datetime
) -> _Held | ledger.Exhausted:
    lapses = now + dt.timedelta(milliseconds=2 * asked.ms) + _SLACK
    with store.write_unsynced() as conn:
        outcome = ledger.reserve(conn, wanted, now=now, lapses_at=lapses, owner=store.instance)
    if isinstance(outcome, ledger.Exhausted):
        return outcome
    left = _left(wanted, outcome.stands, ledger.scope("person", asked.person.id))
    return _Held(reservation=outcome.reservation, claims=tuple(wanted), left=left)


def _left(wanted: Sequence[Claim], stands: Mapping[Counter, Balance], person: str) -> Left:
    left = {
        c.counter.resource: max(0, c.limit - stands[c.counter].reserved - stands[c.counter].spent)
        for c in wanted
        if c.limit is not None
        and c.counter.scope == person
        and c.counter.window.startswith(("minute:", "day:"))
    }
    return Left(calls=left.get("calls"), rows=left.get("rows"))
