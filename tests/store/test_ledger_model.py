"""Whatever happens in whatever order: never over a limit, and unused amounts come back."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from store import Store, ledger
from store.ledger import Claim, Counter, Granted

_LIMITS = {"rows": 50, "ms": 900, "parallel": 3}
_COUNTERS = tuple(
    Counter(scope=scope, window="day:2026-06-30", resource=resource)  # type: ignore[arg-type]
    for scope in ("person:a", "task:b")
    for resource in _LIMITS
)
_AMOUNTS = st.dictionaries(st.sampled_from(_COUNTERS), st.integers(0, 60), min_size=1)


class LedgerModel(RuleBasedStateMachine):
    """The ledger beside a model of it in plain dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = dt.datetime(2026, 6, 30, 9, tzinfo=dt.UTC)
        self.store = Store.open(Path(self.folder.name) / "home", clock=lambda: self.now)
        self.spent = dict.fromkeys(_COUNTERS, 0)
        self.held: dict[str, dict[Counter, int]] = {}
        self.lapses: dict[str, dt.datetime] = {}

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def _reserved(self, counter: Counter) -> int:
        return sum(held.get(counter, 0) for held in self.held.values())

    @rule(wanted=_AMOUNTS, minutes=st.integers(1, 30))
    def reserve(self, wanted: dict[Counter, int], minutes: int) -> None:
        claims = [
            Claim(
                counter=c,
                amount=n,
                limit=_LIMITS[c.resource],
                on_lapse="release" if c.resource == "parallel" else "spend",
            )
            for c, n in wanted.items()
        ]
        until = self.now + dt.timedelta(minutes=minutes)
        with self.store.write_unsynced() as conn:
            outcome = ledger.reserve(conn, claims, now=self.now, lapses_at=until)
        fits = all(
            self.spent[c] + self._reserved(c) + n <= _LIMITS[c.resource] for c, n in wanted.items()
        )
        assert isinstance(outcome, Granted) is fits
        if isinstance(outcome, Granted):
            self.held[outcome.reservation] = dict(wanted)
            self.lapses[outcome.reservation] = until
        else:
            counter = outcome.claim.counter
            left = _LIMITS[counter.resource] - self.spent[counter] - self._reserved(counter)
            assert outcome.left == left < wanted[counter]

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        reservation = data.draw(st.sampled_from(sorted(self.held)))
        held = self.held.pop(reservation)
        used = {c: data.draw(st.integers(0, n)) for c, n in held.items()}
        with self.store.write_unsynced() as conn:
            ledger.settle(conn, reservation, used, now=self.now)
        for counter, amount in used.items():
            self.spent[counter] += amount

    @rule(minutes=st.integers(1, 20))
    def sweep(self, minutes: int) -> None:
        self.now += dt.timedelta(minutes=minutes)
        with self.store.write_unsynced() as conn:
            ledger.sweep(conn, now=self.now)
        for reservation in [r for r, until in self.lapses.items() if until <= self.now]:
            del self.lapses[reservation]
            for counter, amount in self.held.pop(reservation, {}).items():
                self.spent[counter] += 0 if counter.resource == "parallel" else amount

    @invariant()
    def stands_as_the_model_says(self) -> None:
        with self.store.read() as conn:
            found = ledger.balances(conn, {c.scope for c in _COUNTERS}, ["day:2026-06-30"])
        for counter in _COUNTERS:
            stands = found.get(counter, ledger.Balance(reserved=0, spent=0))
            assert stands.reserved + stands.spent <= _LIMITS[counter.resource]
            assert (stands.reserved, stands.spent) == (
                self._reserved(counter),
                self.spent[counter],
            )


TestLedgerModel = LedgerModel.TestCase
TestLedgerModel.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
