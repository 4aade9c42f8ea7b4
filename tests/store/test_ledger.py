from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import text

from store import IllegalMove, Store, ledger
from store.ledger import Claim, Counter, Exhausted, Granted
from tests.store import processes
from tests.store.conftest import Clock

ROWS = Counter(scope="person:a", window="day:2026-06-30", resource="rows")
CALLS = Counter(scope="person:a", window=ledger.NOW, resource="calls")
HOUR = dt.timedelta(hours=1)


def _reserve(store: Store, *claims: Claim) -> Granted | Exhausted:
    with store.write() as conn:
        return ledger.reserve(conn, claims, now=store.now(), lapses_at=store.now() + HOUR)


def _granted(store: Store, *claims: Claim) -> str:
    outcome = _reserve(store, *claims)
    assert isinstance(outcome, Granted)
    return outcome.reservation


def _balance(store: Store, counter: Counter) -> tuple[int, int]:
    with store.read() as conn:
        stands = ledger.balance(conn, counter)
    return stands.reserved, stands.spent


def test_what_is_reserved_counts_until_it_is_settled(store: Store) -> None:
    reservation = _granted(store, Claim(counter=ROWS, amount=60, limit=100))
    assert _reserve(store, Claim(counter=ROWS, amount=60, limit=100)) == Exhausted(
        claim=Claim(counter=ROWS, amount=60, limit=100), left=40
    )
    with store.write() as conn:
        ledger.settle(conn, reservation, {ROWS: 5}, now=store.now())
    assert _balance(store, ROWS) == (0, 5)
    _granted(store, Claim(counter=ROWS, amount=95, limit=100))


def test_a_limit_is_reached_exactly(store: Store) -> None:
    claim = Claim(counter=ROWS, amount=3, limit=10)
    outcomes = [_reserve(store, claim) for _ in range(4)]
    assert [type(outcome) for outcome in outcomes] == [Granted, Granted, Granted, Exhausted]
    assert outcomes[-1] == Exhausted(claim=claim, left=1)


def test_several_claims_are_granted_together_or_not_at_all(store: Store) -> None:
    _granted(store, Claim(counter=ROWS, amount=90, limit=100))
    outcome = _reserve(
        store, Claim(counter=CALLS, amount=1, limit=4), Claim(counter=ROWS, amount=20, limit=100)
    )
    assert isinstance(outcome, Exhausted)
    assert outcome.claim.counter == ROWS
    assert _balance(store, CALLS) == (0, 0)


def test_a_reservation_is_settled_once(store: Store) -> None:
    reservation = _granted(store, Claim(counter=ROWS, amount=10, limit=100))
    with store.write() as conn:
        ledger.settle(conn, reservation, {ROWS: 10}, now=store.now())
    with pytest.raises(IllegalMove, match="settled before"), store.write() as conn:
        ledger.settle(conn, reservation, {ROWS: 10}, now=store.now())
    assert _balance(store, ROWS) == (0, 10)


def test_nothing_is_spent_on_a_counter_that_was_not_reserved(store: Store) -> None:
    reservation = _granted(store, Claim(counter=ROWS, amount=10, limit=100))
    with pytest.raises(IllegalMove, match="not what was reserved"), store.write() as conn:
        ledger.settle(conn, reservation, {CALLS: 1}, now=store.now())
    assert _balance(store, ROWS) == (10, 0)


def test_what_nobody_settles_lapses_by_its_own_rule(store: Store, clock: Clock) -> None:
    _granted(
        store,
        Claim(counter=ROWS, amount=10, limit=100, on_lapse="spend"),
        Claim(counter=CALLS, amount=1, limit=1, on_lapse="release"),
    )
    with store.write() as conn:
        assert ledger.sweep(conn, now=clock()) == 0
    clock.pass_(hours=1)
    with store.write() as conn:
        assert ledger.sweep(conn, now=clock()) == 2
    assert _balance(store, ROWS) == (0, 10)
    assert _balance(store, CALLS) == (0, 0)


def test_old_counters_are_pruned_but_never_one_in_use(store: Store, clock: Clock) -> None:
    old = ROWS
    with store.write() as conn:
        ledger.settle(
            conn,
            ledger.reserve(
                conn, [Claim(counter=old, amount=1, limit=9)], now=clock(), lapses_at=clock()
            ).reservation,  # type: ignore[union-attr]  # granted: the limit is far away
            {old: 1},
            now=clock(),
        )
    _granted(store, Claim(counter=CALLS, amount=1, limit=9))
    clock.pass_(days=2)
    with store.write() as conn:
        assert ledger.prune(conn, before=clock()) == 1
    assert _balance(store, old) == (0, 0)
    assert _balance(store, CALLS) == (1, 0)


def test_windows_are_named_by_utc_time() -> None:
    late = dt.datetime(2026, 7, 1, 1, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert ledger.minute(late) == "minute:2026-06-30T23:30"
    assert ledger.day(late) == "day:2026-06-30"
    assert ledger.month(late) == "month:2026-06"


def _try_often(home: str, number: int) -> int:
    store = Store.open(home)
    claim = Claim(counter=ROWS, amount=3, limit=100)
    granted = sum(isinstance(_reserve(store, claim), Granted) for _ in range(20))
    store.close()
    return granted


def test_racing_processes_never_pass_the_limit(home: Path, store: Store) -> None:
    granted = processes.run_in_processes(4, _try_often, home)
    assert sum(granted) == 33
    assert _balance(store, ROWS) == (99, 0)
    with store.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM reservations")).scalar_one() == 33
