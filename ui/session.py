"""The one place where the parts of the console are put together, once in a process."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from importlib.metadata import version  # noqa: TID251  # reads our own metadata, loads nothing
from pathlib import Path

from streamlit import config

from audit import AuditLog
from store import Store, turns
from ui import signintrail
from ui.webparts import SignInEvent, WebParts

ROOT = Path(__file__).resolve().parent.parent

_lock = threading.Lock()
_stores: dict[str, Store] = {}
_logs: dict[Path, AuditLog] = {}


def home() -> Path:
    """Returns the data folder."""
    return Path(os.environ.get("GATEHOUSE_HOME") or ROOT / ".gatehouse")


def store() -> Store:
    """Returns the open store, the same one for every thread.

    Raises:
        StoreError: it cannot be opened; the next call tries again.
    """
    where = os.environ.get("GATEHOUSE_STORE_URL") or str(home())
    with _lock:
        if where not in _stores:
            _stores[where] = Store.open(where)
        return _stores[where]


def audit_log() -> AuditLog:
    """Returns the open audit log, the same one for every thread.

    Raises:
        AuditError: it cannot be opened; nothing may run.
    """
    folder = home() / "audit"
    with _lock:
        if folder not in _logs:
            home().mkdir(mode=0o700, parents=True, exist_ok=True)
            _logs[folder] = AuditLog.open(folder, app_version=version("gatehouse"))
        return _logs[folder]


def web_parts() -> WebParts:
    """Returns what the web layer needs."""
    return WebParts(
        home=home(),
        store=store,
        record=_record,
        allowed_hosts=_allowed_hosts,
        on_start=_start,
        on_stop=_stop,
    )


def _record(event: SignInEvent) -> None:
    signintrail.record(audit_log(), event)


def _allowed_hosts() -> Sequence[str]:
    # Read late: reading settles Streamlit's configuration, and `st.App` must come first.
    hosts: list[str] = config.get_option("server.allowedHosts")
    return hosts


def _start() -> None:
    audit_log()
    opened = store()
    with opened.write() as conn:
        turns.interrupt_stale(conn, now=opened.now(), is_alive=opened.is_alive)


def _stop() -> None:
    with _lock:
        while _logs:
            _logs.popitem()[1].close()
        while _stores:
            _stores.popitem()[1].close()
