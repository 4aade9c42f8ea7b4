"""Where the data folder is, and how its store and its log are opened."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version  # noqa: TID251  # reads our own metadata, loads nothing
from pathlib import Path
from typing import TYPE_CHECKING

# What opens a part imports it: a command that only needs the folder waits for nothing.
if TYPE_CHECKING:
    from audit import AuditLog
    from store import Store

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
