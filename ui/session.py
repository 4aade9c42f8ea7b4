"""The one place where the parts of the console are put together, once in a process."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from streamlit import config

from store import Store
from ui.webparts import SignInEvent, WebParts

ROOT = Path(__file__).resolve().parent.parent

_lock = threading.Lock()
_stores: dict[str, Store] = {}


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


def web_parts() -> WebParts:
    """Returns what the web layer needs."""
    return WebParts(
        home=home(),
        store=store,
        record=_record,
        allowed_hosts=_allowed_hosts,
    )


def _allowed_hosts() -> Sequence[str]:
    # Read late: reading settles Streamlit's configuration, and `st.App` must come first.
    hosts: list[str] = config.get_option("server.allowedHosts")
    return hosts


def _record(event: SignInEvent) -> None:
    raise NotImplementedError("the audit log is joined here")
