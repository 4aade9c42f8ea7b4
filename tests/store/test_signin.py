from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher

from store import Store, accounts, attempts, passwords, signin
from store.accounts import Account
from store.signin import LockedOut, SignedIn, WrongPassword
from tests.store.conftest import PASSWORD, Clock

HERE = "192.0.2.7"


@pytest.fixture(autouse=True)
def cheap_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a check costs does not matter here; its answers do."""
    monkeypatch.setattr(
        passwords,
        "verify",
        lambda stored, given: stored is not None and given == PASSWORD,
    )


def _try(
    store: Store, password: str, *, name: str = "ana", address: str = HERE, demo: bool = False
) -> signin.Outcome:
    return signin.sign_in(store, name, password, address=address, demo_mode=demo)


def _fail(store: Store, times: int, *, name: str = "ana", address: str = HERE) -> signin.Outcome:
    return [_try(store, "wrong", name=name, address=address) for _ in range(times)][-1]


def test_the_right_password_signs_in(store: Store, ana: Account) -> None:
    assert _try(store, PASSWORD, name=" Ana ") == SignedIn(account=ana)


def test_every_way_to_be_wrong_gets_the_same_answer(store: Store, ana: Account) -> None:
    assert _try(store, "wrong") == WrongPassword(account=ana.id)
    assert _try(store, PASSWORD, name="nobody") == WrongPassword(account=None)
    with store.write() as conn:
        accounts.set_disabled(conn, ana.id, disabled=True)
    assert _try(store, PASSWORD) == WrongPassword(account=ana.id)


def test_the_fifth_failure_locks_the_name_even_for_the_right_password(
    store: Store, ana: Account
) -> None:
    assert isinstance(_fail(store, 4), WrongPassword)
    assert _fail(store, 1) == LockedOut(wait_seconds=60, tried=True, account=ana.id)
    assert _try(store, PASSWORD) == LockedOut(wait_seconds=60, tried=False, account=None)
    assert isinstance(_try(store, PASSWORD, address="198.51.100.9"), LockedOut)


def test_a_name_nobody_has_is_locked_just_the_same(store: Store) -> None:
    assert _fail(store, 5, name="nobody") == LockedOut(wait_seconds=60, tried=True, account=None)


def test_the_wait_shrinks_with_time_and_then_one_attempt_is_free(
    store: Store, ana: Account, clock: Clock
) -> None:
    _fail(store, 5)
    clock.pass_(seconds=59)
    assert _try(store, PASSWORD) == LockedOut(wait_seconds=1, tried=False, account=None)
    clock.pass_(seconds=1)
    assert isinstance(_try(store, PASSWORD), SignedIn)


def test_each_further_failure_doubles_the_wait_up_to_a_quarter_hour(
    store: Store, ana: Account, clock: Clock
) -> None:
    outcome = _fail(store, 5)
    waits = []
    for _ in range(6):
        assert isinstance(outcome, LockedOut)
        waits.append(outcome.wait_seconds)
        clock.pass_(seconds=outcome.wait_seconds)
        outcome = _fail(store, 1)
    assert waits == [60, 120, 240, 480, 900, 900]


def test_an_hour_without_an_attempt_is_forgotten(store: Store, ana: Account, clock: Clock) -> None:
    _fail(store, 4)
    clock.pass_(hours=1, seconds=1)
    assert isinstance(_fail(store, 4), WrongPassword)


def test_a_success_gives_the_name_a_fresh_start(store: Store, ana: Account) -> None:
    _fail(store, 4)
    _try(store, PASSWORD)
    assert isinstance(_fail(store, 4), WrongPassword)


def test_one_address_that_tries_many_names_is_locked(store: Store, ana: Account) -> None:
    for number in range(20):
        _fail(store, 1, name=f"guess{number}")
    assert isinstance(_try(store, PASSWORD), LockedOut)
    assert isinstance(_try(store, PASSWORD, address="198.51.100.9"), SignedIn)


def test_signing_in_oneself_does_not_clear_the_address(store: Store, ana: Account) -> None:
    for number in range(19):
        _fail(store, 1, name=f"guess{number}")
        _try(store, PASSWORD)
    assert isinstance(_fail(store, 1, name="another"), LockedOut)


def test_neighbours_in_one_ipv6_household_share_an_address() -> None:
    here, there = "2001:db8:1:2::1", "2001:db8:1:2:ffff::9"
    assert attempts.address_key(here) == attempts.address_key(there)
    assert attempts.address_key(here) != attempts.address_key("2001:db8:1:3::1")
    assert attempts.address_key("192.0.2.1") != attempts.address_key("192.0.2.2")


def test_attempts_survive_a_restart(where: str, store: Store, ana: Account, clock: Clock) -> None:
    _fail(store, 5)
    again = Store.open(where, clock=clock)
    assert isinstance(_try(again, PASSWORD), LockedOut)
    again.close()


def test_attempts_at_once_cannot_all_pass(
    store: Store, ana: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    monkeypatch.setattr(passwords, "verify", lambda *_: looked_at.append(1) is not None)
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda _: _try(store, "wrong"), range(40)))
    assert len(looked_at) == 5
    assert sum(isinstance(o, LockedOut) and not o.tried for o in outcomes) == 35


def test_no_name_and_no_address_is_kept_readable(store: Store) -> None:
    _fail(store, 1, name="maria.typed.her.password")
    with store.read() as conn:
        rows = conn.exec_driver_sql("SELECT * FROM sign_in_attempts").all()
    assert len(rows) == 2
    assert "maria" not in str(rows)
    assert HERE not in str(rows)


def test_demo_accounts_sign_in_in_demo_mode_only(store: Store, password_hash: str) -> None:
    with store.write() as conn:
        accounts.create(
            conn,
            name="guest",
            display_name="Guest",
            roles={"analyst"},
            password_hash=password_hash,
            now=store.now(),
            demo=True,
        )
    assert isinstance(_try(store, PASSWORD, name="guest", demo=True), SignedIn)
    assert isinstance(_try(store, PASSWORD, name="guest", demo=False), WrongPassword)


def test_a_hash_made_with_weaker_settings_is_made_anew(store: Store, ana: Account) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    with store.write() as conn:
        accounts.set_password_hash(conn, ana.id, weak)
    _try(store, PASSWORD)
    with store.read() as conn:
        found = accounts.credentials(conn, "ana")
    assert found is not None
    assert not passwords.is_outdated(found.password_hash)


def test_a_stranger_costs_as_much_as_an_account(
    store: Store, ana: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    hashes = []
    real = passwords._hasher.verify

    class Counting:
        def verify(self, stored: str, given: str) -> bool:
            hashes.append(stored.split("$")[3])
            return real(stored, given)

    monkeypatch.setattr(passwords, "_hasher", Counting())
    _try(store, "wrong")
    _try(store, "wrong", name="nobody")
    assert len(hashes) == 2
    assert hashes[0] == hashes[1]


def test_a_wait_is_told_in_whole_seconds(store: Store, ana: Account, clock: Clock) -> None:
    _fail(store, 5)
    clock.time += dt.timedelta(milliseconds=500)
    assert _try(store, "wrong") == LockedOut(wait_seconds=60, tried=False, account=None)
