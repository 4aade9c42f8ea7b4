"""Opens a data folder for one command and closes it again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version  # noqa: TID251  # reads our own metadata, loads nothing
from pathlib import Path
from typing import TYPE_CHECKING

# What opens a part imports it: a command that only needs the folder waits for nothing, and accounts
# and the trail do without the model framework that `ui.parts` brings.
if TYPE_CHECKING:
    from audit import AuditLog
    from store import Store
    from ui.parts import Parts

ROOT = Path(__file__).resolve().parent.parent
POLICY_FILE = "policy.toml"


def data_folder() -> Path:
    """Returns `GATEHOUSE_HOME`, or `.gatehouse` beside the program."""
    return Path(os.environ.get("GATEHOUSE_HOME") or ROOT / ".gatehouse")


def open_store(home: Path) -> Store:
    """Returns the store that `GATEHOUSE_STORE_URL` names, or the one in `home`."""
    from store import Store

    return Store.open(os.environ.get("GATEHOUSE_STORE_URL") or home)


def open_log(home: Path, owner_url: str | None = None) -> AuditLog:
    """Returns the audit log in `home`, or in the PostgreSQL that `GATEHOUSE_STORE_URL` names.

    `owner_url` replaces that address where more than appending is to be done.

    Raises:
        ConfigurationError: the folder cannot be made.
        audit.AuditError: the log cannot be used. Nothing may run.
    """
    from audit import AuditLog, Flood, StreamSink
    from guard import ConfigurationError

    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {home} cannot be made ({error.strerror}). Set GATEHOUSE_HOME to a "
            "folder that you may write to."
        ) from error
    # Who keeps what a service prints, keeps the checkpoints: `gatehouse serve` asks for it.
    printed = os.environ.get("GATEHOUSE_AUDIT_STDOUT") == "1"
    url = owner_url or os.environ.get("GATEHOUSE_STORE_URL", "")
    return AuditLog.open(
        home / "audit",
        app_version=version("gatehouse"),
        url=url if url.startswith("postgresql") else None,
        flood=Flood(),
        sinks=[StreamSink(sys.stdout)] if printed else [],
    )


@contextmanager
def open_home(home: Path) -> Iterator[Parts]:
    """Yields the parts of `home` after settling what a crash left, and closes them.

    Raises:
        GuardError, StoreError, AuditError: something cannot be used; each message says what to do.
    """
    from ui.parts import open_parts

    store = open_store(home)
    try:
        with open_log(home) as log:
            parts = open_parts(home, store, log)
            try:
                parts.recover()
                yield parts
            finally:
                parts.close()
    finally:
        store.close()
