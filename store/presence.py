"""Whether the process that owns a lease is still alive, told by a lock the kernel drops with it.

A process id would not do: ids are used again, and a container cannot see its neighbour's. A lock
file in the data folder is right in both cases.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from store.ids import new_id


class Presence:
    """This process's claim to be alive. `folder` is None where the data folder is not shared."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._id = new_id()
        self._held: int | None = None
        self._lock = threading.Lock()

    @property
    def id(self) -> str:
        """The owner id; from the first reading on, the lock file of that name is held."""
        with self._lock:
            if self._folder is not None and self._held is None:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                self._held = _hold(self._folder / self._id)
        return self._id

    def is_alive(self, owner: str) -> bool | None:
        """True or False where a lock file can tell, None where it cannot (another machine)."""
        if owner == self._id:
            return True
        if self._folder is None:
            return None
        return _is_held(self._folder / owner)

    def leave(self) -> None:
        """Gives the claim up."""
        with self._lock:
            if self._held is not None and self._folder is not None:
                (self._folder / self._id).unlink(missing_ok=True)
                os.close(self._held)
                self._held = None


def _hold(path: Path) -> int:
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def _is_held(path: Path) -> bool:
    """True while another open handle holds the lock; removes the file of a process that died."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(handle)
