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
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from audit.errors import Unavailable

_BOOT: Final = re.compile(r"[0-9a-f]{32}")


class FileLock:
    """An exclusive lock on a side file, which is never removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = _open(path)

    @contextlib.contextmanager
    def held(self, timeout_s: float) -> Iterator[None]:
        """Holds the lock inside the block. One thread at a time may be inside.

        Raises:
            Unavailable: somebody else kept the lock for longer than `timeout_s`.
        """
        if _try_lock(self._descriptor):
            try:
                yield
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        else:
            descriptor = _Queued(self._path).wait(timeout_s)
            try:
                yield
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


class _Queued:
    """Waits for a lock in the kernel's queue, from a thread, so that the waiting can be given up.

    Polling would be simpler, but lets one process starve another.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = _open(path)
        self._guard = threading.Lock()
        self._got = threading.Event()
        self._given_up = False
        threading.Thread(target=self._run, name="audit-lock", daemon=True).start()

    def wait(self, timeout_s: float) -> int:
        """Returns a descriptor that holds the lock; closing it frees the lock."""
        if not self._got.wait(timeout_s):
            with self._guard:
                self._given_up = not self._got.is_set()
            if self._given_up:
                raise Unavailable(f"Another process keeps {self._path.name} locked. Try again.")
        return self._descriptor

    def _run(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        with self._guard:
            if not self._given_up:
                self._got.set()
                return
        os.close(self._descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


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
        self._descriptor: int | None = descriptor
        self.boot = path.name

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Returns a new instance, locked."""
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / secrets.token_hex(16)
        while True:
            descriptor = _open(path)
            # A sweep may have removed the file between its making and its locking.
            if _try_lock(descriptor) and _same_file(descriptor, path):
                return cls(path, descriptor)
            os.close(descriptor)

    def stop(self) -> None:
        """Ends the instance. Again is harmless."""
        self._path.unlink(missing_ok=True)
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


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
