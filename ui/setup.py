"""Makes a data folder: store, keys and, for the demo, the company and its accounts."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from audit import SYSTEM, AuditEvent, AuditLog, ConfigFacts
from guard import ConfigurationError
from store import Store, accounts, passwords
from ui import demo_mode

OPERATOR_SECRET = "operator.secret"  # noqa: S105  # the name of a file
Progress = Callable[[str, float], None]


def make_home(home: Path, *, demo: bool, log: AuditLog, store: Store, progress: Progress) -> None:
    """Makes what is missing in `home`; running it again is harmless.

    Raises:
        ConfigurationError: the folder cannot be written.
        store.StoreError, audit.AuditError: the store or the log cannot be used.
    """
    _operator_secret(home)
    if demo:
        _demo(home, log, store, progress)


def require_operator(home: Path) -> None:
    """Returns when the caller can read the data folder's secret, as an operator can.

    Raises:
        ConfigurationError: it is missing or not theirs to read.
    """
    path = home / OPERATOR_SECRET
    try:
        held = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        missing = f"{path} is not there" if home.exists() else f"There is no data folder at {home}"
        raise ConfigurationError(
            f"{missing}. Run `gatehouse init` first, or set GATEHOUSE_HOME."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"You cannot read {path}, so you may not act for others. Run this as the operator."
        ) from error
    if not held:
        raise ConfigurationError(f"{path} is empty. Remove it and run `gatehouse init`.")


def _operator_secret(home: Path) -> None:
    path = home / OPERATOR_SECRET
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(32), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{home} cannot be written: {error.strerror}.") from error


def _demo(home: Path, log: AuditLog, store: Store, progress: Progress) -> None:
    # Only the demo needs the generator and what it imports.
    from demo import ACCOUNTS, make

    try:
        make(home, progress)
    except OSError as error:
        raise ConfigurationError(
            f"The demo company could not be written to {home} ({error.strerror}). Free some space "
            "or make it writable, then run this again."
        ) from error
    with store.read() as conn:
        known = {a.name for a in accounts.list_all(conn)}
    for wanted in ACCOUNTS:
        if wanted.name in known:
            continue
        hashed = passwords.hash_password(wanted.password)
        with store.write() as conn:
            made = accounts.create(
                conn,
                name=wanted.name,
                display_name=wanted.display_name,
                roles=wanted.roles,
                password_hash=hashed,
                now=store.now(),
                demo=True,
            )
            log.append(_account_event(made.id))
    demo_mode.write(
        home,
        [
            demo_mode.DemoAccount(
                name=a.name, password=a.password, display_name=a.display_name, note=a.note
            )
            for a in ACCOUNTS
        ],
    )


def _account_event(account: str) -> AuditEvent:
    return AuditEvent(
        type="config.changed",
        actor=SYSTEM,
        outcome="success",
        summary="Made a demo account",
        parts=(ConfigFacts(kind="account", name=account, change="created"),),
    )
