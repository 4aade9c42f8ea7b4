"""Caps on what one person may ask for: calls, parallel statements and rows.

The counters live in the store, so that they hold across threads, tabs and instances.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import Self

from guard.errors import refuse
from guard.policy import Principal
from guard.policyfile import Limits
from store import IllegalMove, Store, ledger

_SENTENCES = {
    "calls": (
        "limit.calls",
        "You may run {limit} statements a minute; {left} are left. Wait a minute.",
    ),
    "parallel": ("limit.parallel", "{limit} of your statements are running. Wait for one to end."),
    "rows": (
        "limit.rows",
        "You may be shown {limit} rows a day and {left} are left, fewer than this may return. "
        "Ask for fewer rows with LIMIT {left}, or tomorrow.",
    ),
}


class Budget:
    """The ledger's view of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def reserve(self, person: Principal, limits: Limits, max_rows: int) -> Spending:
        """Reserves one call, one running statement and `max_rows` rows; use the answer in `with`.

        Raises:
            Refused: a cap is reached (`limit.*`); the reason says what is left.
        """
        now = self._store.now()
        calls, running, rows = _counters(person, now)
        claims = (
            ledger.Claim(counter=calls, amount=1, limit=limits.calls_per_minute),
            ledger.Claim(counter=running, amount=1, limit=limits.parallel, on_lapse="release"),
            ledger.Claim(counter=rows, amount=max_rows, limit=limits.rows_per_day),
        )
        lapses = now + dt.timedelta(seconds=limits.timeout_seconds + 30)
        with self._store.write() as conn:
            ledger.sweep(conn, now=now)
            granted = ledger.reserve(conn, claims, now=now, lapses_at=lapses)
        if isinstance(granted, ledger.Exhausted):
            rule, sentence = _SENTENCES[granted.claim.counter.resource]
            reason = sentence.format(limit=granted.claim.limit, left=granted.left)
            raise refuse(rule, reason)
        return Spending(self._store, granted.reservation, calls, rows, max_rows)


class Spending:
    """A reservation that is settled when its `with` block ends; set `rows` to what was shown."""

    def __init__(
        self,
        store: Store,
        reservation: str,
        calls: ledger.Counter,
        counter: ledger.Counter,
        max_rows: int,
    ) -> None:
        self.rows = 0
        self._store = store
        self._reservation = reservation
        self._calls = calls
        self._counter = counter
        self._max_rows = max_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        spent = {self._calls: 1, self._counter: min(self.rows, self._max_rows)}
        # Swept meanwhile: the worst case was booked, so nothing is left to settle.
        with suppress(IllegalMove), self._store.write() as conn:
            ledger.settle(conn, self._reservation, spent, now=self._store.now())


def _counters(
    person: Principal, now: dt.datetime
) -> tuple[ledger.Counter, ledger.Counter, ledger.Counter]:
    scope = f"person:{person.id}"
    return (
        ledger.Counter(scope=scope, window=ledger.minute(now), resource="calls"),
        ledger.Counter(scope=scope, window=ledger.NOW, resource="parallel"),
        ledger.Counter(scope=scope, window=ledger.day(now), resource="rows"),
    )
