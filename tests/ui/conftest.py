from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import Store, accounts, passwords, websessions
from store.accounts import Account
from ui.webparts import Export, Exporter, ExportRequest, SignInEvent, WebParts

PASSWORD = "correct horse battery"


class Clock:
    """A clock the test moves."""

    def __init__(self) -> None:
        self.time = dt.datetime(2026, 6, 30, 9, 0, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.time

    def pass_(self, **how_long: float) -> None:
        self.time += dt.timedelta(**how_long)


class Console:
    """A store with one account for each role, and what the trail was told."""

    def __init__(self, home: Path, password_hash: str) -> None:
        self.home = home
        self.clock = Clock()
        self.store = Store.open(home, clock=self.clock)
        self.events: list[SignInEvent] = []
        self.accounts = {
            name: self._create(name, roles, password_hash)
            for name, roles in (
                ("analyst", {"analyst"}),
                ("reviewer", {"reviewer"}),
                ("admin", {"admin"}),
                ("norole", set()),
            )
        }

    def _create(self, name: str, roles: set[accounts.ConsoleRole], password_hash: str) -> Account:
        with self.store.write() as conn:
            return accounts.create(
                conn,
                name=name,
                display_name=f"{name.title()} Person",
                roles=roles,
                password_hash=password_hash,
                now=self.clock(),
            )

    def token(self, name: str) -> str:
        """The token of a new session of that account."""
        with self.store.write() as conn:
            return websessions.start(conn, self.accounts[name].id, now=self.clock())

    def revoke(self, token: str) -> None:
        with self.store.write() as conn:
            websessions.revoke(conn, token, now=self.clock())

    def parts(self) -> WebParts:
        return WebParts(
            home=self.home,
            store=lambda: self.store,
            record=self.events.append,
            allowed_hosts=lambda: ("localhost", "127.0.0.1", "*.example.org"),
            exporters={"audit": Exporter(roles=frozenset({"admin"}), make=_export)},
        )


def _export(request: ExportRequest) -> Export | None:
    if request.name != "all.csv":
        return None
    chunks = (f"{request.principal.name},{request.query.get('find', '')}\n".encode(), b"1,2\n")
    return Export(file_name="log é.csv", media_type="text/csv", chunks=chunks)


@pytest.fixture(scope="session")
def password_hash() -> str:
    return passwords.hash_password(PASSWORD)


@pytest.fixture
def console(tmp_path: Path, password_hash: str) -> Iterator[Console]:
    made = Console(tmp_path / "home", password_hash)
    yield made
    made.store.close()


CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    if CHROMIUM is None:
        pytest.skip("chromium is not on the PATH")
    return {
        "executable_path": CHROMIUM,
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    }


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, object]:
    return {
        "viewport": {"width": 1440, "height": 900},
        "reduced_motion": "reduce",
        "timezone_id": "UTC",
        "locale": "en-GB",
    }
