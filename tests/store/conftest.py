from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import Store, accounts, passwords
from store.accounts import Account

PASSWORD = "correct horse battery"


class Clock:
    """A clock the test moves."""

    def __init__(self) -> None:
        self.time = dt.datetime(2026, 6, 30, 9, 0, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.time

    def pass_(self, **how_long: float) -> dt.datetime:
        self.time += dt.timedelta(**how_long)
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path, clock: Clock) -> Iterator[Store]:
    opened = Store.open(home, clock=clock)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def password_hash() -> str:
    return passwords.hash_password(PASSWORD)


@pytest.fixture
def ana(store: Store, password_hash: str) -> Account:
    """An analyst."""
    with store.write() as conn:
        return accounts.create(
            conn,
            name="ana",
            display_name="Ana",
            roles={"analyst"},
            password_hash=password_hash,
            now=store.now(),
        )


@pytest.fixture
def rex(store: Store, password_hash: str) -> Account:
    """A reviewer."""
    with store.write() as conn:
        return accounts.create(
            conn,
            name="rex",
            display_name="Rex",
            roles={"reviewer"},
            password_hash=password_hash,
            now=store.now(),
        )
