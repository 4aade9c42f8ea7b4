from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from store import Store, accounts, passwords
from store.accounts import Account
from tests.servers import ServerDatabase, fresh_database

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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of the store runs on both databases; one that names `home` is about SQLite."""
    if "where" in metafunc.fixturenames:
        kinds = ["sqlite"] if "home" in metafunc.fixturenames else ["sqlite", "postgres"]
        metafunc.parametrize("where", kinds, indirect=True)


@pytest.fixture(scope="session")
def migrated() -> Iterator[ServerDatabase]:
    """A PostgreSQL store that tests copy: making one anew takes half a second."""
    with fresh_database("postgres") as database:
        Store.open(database.url()).close()
        yield database


@pytest.fixture
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The place of a store, as `Store.open` takes it."""
    if request.param == "sqlite":
        yield str(tmp_path / "home")
        return
    template: ServerDatabase = request.getfixturevalue("migrated")
    server, copy = replace(template, name="postgres"), f"t_{secrets.token_hex(6)}"
    server.execute(f"CREATE DATABASE {copy} TEMPLATE {template.name}")
    try:
        yield replace(template, name=copy).url()
    finally:
        server.execute(f"DROP DATABASE {copy} WITH (FORCE)")


@pytest.fixture
def store(where: str, clock: Clock) -> Iterator[Store]:
    opened = Store.open(where, clock=clock)
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
