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
    clock.pass_(days=63)
    with store.write() as conn:
        assert ledger.prune(conn, now=clock()) == 1
    assert _balance(store, old) == (0, 0)
    assert _balance(store, CALLS) == (1, 0)


def test_an_old_counter_that_is_used_again_is_not_pruned(store: Store, clock: Clock) -> None:
    claim = Claim(counter=ROWS, amount=1, limit=9)
    for _ in range(2):
        held = _granted(store, claim)
        with store.write() as conn:
            assert ledger.prune(conn, now=clock()) == 0
            ledger.settle(conn, held, {ROWS: 1}, now=clock())
            assert ledger.prune(conn, now=clock()) == 0
        clock.pass_(days=63)
    _granted(store, claim)
    with store.write() as conn:
        assert ledger.sweep(conn, now=clock() + dt.timedelta(days=1)) == 1
        assert ledger.prune(conn, now=clock() + dt.timedelta(days=1)) == 0
    assert _balance(store, ROWS) == (0, 3)


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


def test_racing_processes_never_pass_the_limit(where: str, store: Store) -> None:
    granted = processes.run_in_processes(4, _try_often, where)
    assert sum(granted) == 33
    assert _balance(store, ROWS) == (99, 0)
    with store.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM reservations")).scalar_one() == 33


_HOLDS_AND_DIES = """
import datetime as dt, sys
from store import Store, ledger
from tests.store.test_ledger import CALLS, ROWS
store = Store.open(sys.argv[1])
with store.write_unsynced() as conn:
    ledger.reserve(
        conn,
        [
            ledger.Claim(counter=ROWS, amount=30, limit=100),
            ledger.Claim(counter=CALLS, amount=1, limit=1, on_lapse="release"),
        ],
        now=store.now(),
        lapses_at=store.now() + dt.timedelta(hours=1),
        owner=store.instance,
    )
print("held", flush=True)
sys.stdin.readline()
"""


def test_promise_12_what_a_killed_process_held_is_spent_once_and_freed(
    home: Path, store: Store
) -> None:
    with processes.process(_HOLDS_AND_DIES, home) as running:
        assert processes.line(running) == "held"
        with store.write_unsynced() as conn:
            assert ledger.sweep(conn, now=store.now(), is_alive=store.is_alive) == 0
        processes.kill(running)
    assert _balance(store, ROWS) == (30, 0)
    for ended in (2, 0):
        with store.write_unsynced() as conn:
            assert ledger.sweep(conn, now=store.now(), is_alive=store.is_alive) == ended
        assert _balance(store, ROWS) == (0, 30)
        assert _balance(store, CALLS) == (0, 0)


def test_promise_12_where_nobody_can_tell_what_was_held_lapses(
    where: str, store: Store, clock: Clock
) -> None:
    with processes.process(_HOLDS_AND_DIES, where) as running:
        assert processes.line(running) == "held"
        processes.kill(running)
    clock.time = dt.datetime.now(dt.UTC)
    with store.write_unsynced() as conn:
        assert ledger.sweep(conn, now=clock()) == 0
    clock.pass_(hours=2)
    with store.write_unsynced() as conn:
        assert ledger.sweep(conn, now=clock()) == 2
    assert _balance(store, ROWS) == (0, 30)
    assert _balance(store, CALLS) == (0, 0)


def _use_often(where: str, number: int) -> int:
    """Reserves and settles several counters at once, from two threads; returns what it used."""
    from concurrent.futures import ThreadPoolExecutor

    store = Store.open(where)
    month = Counter(scope="person:a", window="month:2026-06", resource="rows")

    def use(_: int) -> int:
        claims = [Claim(counter=c, amount=5, limit=150) for c in (month, ROWS)]
        with store.write_unsynced() as conn:
            outcome = ledger.reserve(conn, claims, now=store.now(), lapses_at=store.now() + HOUR)
        if isinstance(outcome, Exhausted):
            return 0
        with store.write_unsynced() as conn:
            ledger.settle(conn, outcome.reservation, {month: 4, ROWS: 4}, now=store.now())
        return 4

    with ThreadPoolExecutor(2) as pool:
        used = sum(pool.map(use, range(12)))
    store.close()
    return used


def test_four_processes_with_two_threads_overshoot_by_nothing(where: str, store: Store) -> None:
    used = sum(processes.run_in_processes(4, _use_often, where))
    reserved, spent = _balance(store, ROWS)
    assert (reserved, spent) == (0, used)
    assert 140 < spent <= 150


def test_it_is_known_when_a_window_is_over() -> None:
    now = dt.datetime(2026, 12, 31, 23, 59, 30, tzinfo=dt.UTC)
    new_year = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    for window in (ledger.minute(now), ledger.day(now), ledger.month(now)):
        assert ledger.opens_at(window, now) == new_year
    assert ledger.opens_at(ledger.NOW, now) is None
    assert ledger.opens_at(ledger.TASK, now) is None
