"""Locks between processes, and how one process knows that another is alive.

flock(2) belongs to the open file description: the kernel frees it when the holder dies, however it
dies, and two logs opened in one process exclude each other like two processes do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from audit.errors import Unavailable

_POLL_SECONDS: Final = 0.01
_BOOT: Final = re.compile(r"[0-9a-f]{32}")


class FileLock:
    """An exclusive lock on a side file, which is never removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextlib.contextmanager
    def held(self, timeout_s: float | None = None) -> Iterator[None]:
        """Holds the lock inside the block; without `timeout_s` it waits in the kernel's queue.

        Raises:
            Unavailable: somebody else kept the lock for longer than `timeout_s`.
        """
        if timeout_s is None:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        else:
            self._poll(time.monotonic() + timeout_s)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _poll(self, deadline: float) -> None:
        while not _try_lock(self._descriptor):
            if time.monotonic() > deadline:
                raise Unavailable(f"Another process keeps {self._path.name} locked. Try again.")
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Closes the file; a held lock is freed."""
        os.close(self._descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Instance:
    """One opening of the log, alive as long as its file in `folder` is locked.

    `boot` stands in every event this instance writes, so that a later one can tell whose intents
    were left.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self.boot = path.name

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Returns a new instance, locked."""
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / secrets.token_hex(16)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            # A sweep may have removed the file between its making and its locking.
            if _try_lock(descriptor) and _same_file(descriptor, path):
                return cls(path, descriptor)
            os.close(descriptor)

    def stop(self) -> None:
        """Ends the instance."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def is_alive(folder: Path, boot: str) -> bool:
    """True when the instance `boot` still runs. A dead one's file is removed."""
    if not _BOOT.fullmatch(boot):
        return False
    path = folder / boot
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        if not _try_lock(descriptor):
            return True
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Removes the files of instances that died."""
    for path in folder.iterdir():
        is_alive(folder, path.name)


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
