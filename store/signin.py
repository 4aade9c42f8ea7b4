"""Name and password in, an account or a refusal out. Never says which of the two was wrong."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

from store import accounts, attempts, passwords
from store.accounts import Account, Credentials
from store.database import Store


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """The password was right."""

    account: Account


@dataclass(frozen=True, kw_only=True)
class WrongPassword:
    """No account, a wrong password, or an account that may not sign in: one answer for all.

    `account` is the id of the account of that name, for the audit trail and never for the screen.
    """

    account: str | None


@dataclass(frozen=True, kw_only=True)
class LockedOut:
    """Too many attempts failed. Nothing is looked at until `wait_seconds` have passed.

    `tried` is True for the attempt that brought the wait about, False for those during it.
    """

    wait_seconds: int
    tried: bool
    account: str | None


Outcome = SignedIn | WrongPassword | LockedOut


def sign_in(store: Store, name: str, password: str, *, address: str, demo_mode: bool) -> Outcome:
    """Returns who this is, or why not. Takes about as long whether or not the name exists.

    Args:
        store: where accounts and attempts are.
        name: as typed; case does not matter.
        password: as typed.
        address: the client's address, which has attempts of its own.
        demo_mode: False shuts the demo accounts out.

    Raises:
        StoreError: the attempt could not be recorded, so it was not looked at.
    """
    name = accounts.normal(name)
    keys = (attempts.account_key(name), attempts.address_key(address))
    with store.write() as conn:
        wait = attempts.admit(conn, keys, now=store.now())
    if wait is not None:
        return LockedOut(wait_seconds=_seconds(wait), tried=False, account=None)
    with store.read() as conn:
        found = accounts.credentials(conn, name)
    matches = passwords.verify(found.password_hash if found else None, password)
    if found is None or not matches or not _may_sign_in(found.account, demo_mode):
        return _failed(store, keys, found.account.id if found else None)
    _welcome(store, found, password, keys)
    return SignedIn(account=found.account)


def _may_sign_in(account: Account, demo_mode: bool) -> bool:
    return not account.disabled and (demo_mode or not account.demo)


def _failed(store: Store, keys: tuple[attempts.Key, ...], account: str | None) -> Outcome:
    with store.read() as conn:
        waits = [attempts.waiting(conn, key, now=store.now()) for key in keys]
    longest = max((w for w in waits if w is not None), default=None)
    if longest is None:
        return WrongPassword(account=account)
    return LockedOut(wait_seconds=_seconds(longest), tried=True, account=account)


def _seconds(wait: dt.timedelta) -> int:
    return math.ceil(wait.total_seconds())


def _welcome(
    store: Store, found: Credentials, password: str, keys: tuple[attempts.Key, attempts.Key]
) -> None:
    fresh = None
    if passwords.is_outdated(found.password_hash):
        fresh = passwords.hash_password(password)
    with store.write() as conn:
        attempts.forgive(conn, *keys)
        if fresh is not None:
            accounts.set_password_hash(conn, found.account.id, fresh)
