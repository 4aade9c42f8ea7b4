"""Opens a data folder for one command and closes it again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version  # noqa: TID251  # reads our own metadata, loads nothing
from pathlib import Path

from audit import AuditLog
from store import Store
from ui.parts import Parts, open_parts

ROOT = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """Returns `GATEHOUSE_HOME`, or `.gatehouse` beside the program."""
    return Path(os.environ.get("GATEHOUSE_HOME") or ROOT / ".gatehouse")


def open_store(home: Path) -> Store:
    """Returns the store that `GATEHOUSE_STORE_URL` names, or the one in `home`."""
    return Store.open(os.environ.get("GATEHOUSE_STORE_URL") or home)


def open_log(home: Path) -> AuditLog:
    """Returns the audit log in `home`."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return AuditLog.open(home / "audit", app_version=version("gatehouse"))


@contextmanager
def open_home(home: Path) -> Iterator[Parts]:
    """Yields the parts of `home` after settling what a crash left, and closes them.

    Raises:
        GuardError, StoreError, AuditError: something cannot be used; each message says what to do.
    """
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
