"""The one place where the parts of the console are put together, once in a process."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from streamlit import config

from audit import AuditError, AuditLog
from redaction import warm_up
from store import Store
from ui import servicetrail, signintrail
from ui.exports import exporters
from ui.home import data_folder, open_log, open_store
from ui.keeper import Keeper
from ui.parts import Parts, open_parts
from ui.webparts import UNUSABLE, SignInEvent, WebParts

_log = logging.getLogger(__name__)
_lock = threading.RLock()
_stores: dict[str, Store] = {}
_logs: dict[Path, AuditLog] = {}
_parts: dict[Path, Parts] = {}
_keepers: list[Keeper] = []
_serving: list[AuditLog] = []


def home() -> Path:
    """Returns the data folder."""
    return data_folder()


def store() -> Store:
    """Returns the open store, the same one for every thread.

    Raises:
        StoreError: it cannot be opened; the next call tries again.
    """
    where = os.environ.get("GATEHOUSE_STORE_URL") or str(home())
    with _lock:
        if where not in _stores:
            _stores[where] = open_store(home())
        return _stores[where]


def audit_log() -> AuditLog:
    """Returns the open audit log, the same one for every thread.

    Raises:
        AuditError: it cannot be opened; nothing may run.
    """
    with _lock:
        if home() not in _logs:
            _logs[home()] = open_log(home())
        return _logs[home()]


def parts() -> Parts:
    """Returns the gate, the desks and the rest; the policy in force is looked up at each call.

    Raises:
        ConfigurationError: the policy cannot be used; the next call tries again.
        StoreError, AuditError: the store or the log cannot be used.
    """
    with _lock:
        if home() not in _parts:
            opened = open_parts(home(), store(), audit_log())
            opened.recover()
            _parts[home()] = opened
        return _parts[home()]


def web_parts() -> WebParts:
    """Returns what the web layer needs."""
    return WebParts(
        home=home(),
        store=store,
        record=_record,
        allowed_hosts=_allowed_hosts,
        exporters=exporters(parts, audit_log, store),
        on_start=_start,
        on_stop=close,
    )


def close() -> None:
    """Ends everything, last opened first. Tests call it between homes."""
    while _keepers:
        _keepers.pop().stop()
    with _lock:
        while _parts:
            _parts.popitem()[1].close()
        while _serving:
            _ended(_serving.pop())
        while _logs:
            _logs.popitem()[1].close()
        while _stores:
            _stores.popitem()[1].close()


def _ended(log: AuditLog) -> None:
    try:
        servicetrail.record(log, "log.closed")
    except AuditError as error:
        # Nothing hangs on it: a begin without an end says that nobody knows how it ended.
        _log.warning("%s", error)


def _record(event: SignInEvent) -> None:
    signintrail.record(audit_log(), event)


def _allowed_hosts() -> Sequence[str]:
    # Read late: reading settles Streamlit's configuration, and `st.App` must come first.
    hosts: list[str] = config.get_option("server.allowedHosts")
    return hosts


def _start() -> None:
    # What the first result would wait for a second or two; nothing depends on it being done.
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
    keeper = Keeper(parts)
    _keepers.append(keeper)
    keeper.start()
    try:
        servicetrail.record(audit_log(), "log.opened")
        _serving.append(audit_log())
        parts()
    except UNUSABLE as error:
        # The console still starts: every page says what is wrong until it is mended.
        _log.warning("%s", error)
