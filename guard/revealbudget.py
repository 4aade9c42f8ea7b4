"""How many rows of masked values one person may be shown in a day, kept in the store."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import Self

from guard.errors import refuse
from guard.limitpolicy import Limits
from guard.principal import Principal
from store import IllegalMove, Store, ledger


class RevealBudget:
    """The ledger's view of one store, for reveals alone."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def reserve(self, person: Principal, limits: Limits, rows: int) -> Booked:
        """Reserves `rows` rows of today's reveals; use the answer in `with`.

        Raises:
            Refused: `limit.reveals`: fewer are left; the reason says how many.
        """
        now = self._store.now()
        counter = ledger.Counter(
            scope=f"person:{person.id}", window=ledger.day(now), resource="revealed"
        )
        claim = ledger.Claim(counter=counter, amount=rows, limit=limits.reveal_rows_per_day)
        lapses = now + dt.timedelta(seconds=limits.timeout_seconds + 30)
        with self._store.write() as conn:
            granted = ledger.reserve(conn, (claim,), now=now, lapses_at=lapses)
        if isinstance(granted, ledger.Exhausted):
            raise refuse(
                "limit.reveals",
                f"You may reveal {limits.reveal_rows_per_day} rows a day and {granted.left} are "
                "left. Choose fewer rows, or go on tomorrow.",
            )
        return Booked(self._store, granted.reservation, counter, rows)


class Booked:
    """Rows that are settled when the `with` block ends; set `rows` to those that were shown."""

    def __init__(self, store: Store, reservation: str, counter: ledger.Counter, most: int) -> None:
        self.rows = 0
        self._store = store
        self._reservation = reservation
        self._counter = counter
        self._most = most

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        spent = {self._counter: min(self.rows, self._most)}
        # Swept meanwhile: all of it was booked, so nothing is left to settle.
        with suppress(IllegalMove), self._store.write() as conn:
            ledger.settle(conn, self._reservation, spent, now=self._store.now())
