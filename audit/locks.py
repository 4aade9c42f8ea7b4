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
        self._queue = _Queue(path)
        self._inside = threading.Lock()

    @contextlib.contextmanager
    def held(self, timeout_s: float) -> Iterator[None]:
        """Holds the lock inside the block. One thread at a time may be inside.

        Raises what `take` raises.
        """
        held = self.take(timeout_s)
        try:
            yield
        finally:
            self.free(held)

    def take(self, timeout_s: float) -> int:
        """Returns what `free` MUST be called with, by the same thread, once the lock is held.

        Raises:
            Unavailable: somebody else kept the lock for longer than `timeout_s`, or it is closed.
        """
        self._inside.acquire()
        try:
            descriptor = self._descriptor
            if descriptor < 0:
                raise Unavailable("The audit log is closed.")
            return descriptor if _try_lock(descriptor) else self._queue.wait(timeout_s)
        except BaseException:
            self._inside.release()
            raise

    def free(self, held: int) -> None:
        """Lets go of the lock that `take` gave."""
        try:
            fcntl.flock(held, fcntl.LOCK_UN)
        finally:
            self._inside.release()

    def is_free(self) -> bool:
        """True when nobody held the lock a moment ago. Not for a thread that is inside."""
        with self._inside:
            free = self._descriptor >= 0 and _try_lock(self._descriptor)
            if free:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            return free

    def close(self) -> None:
        """Closes the file, once nobody is inside; can be called again."""
        with self._inside:
            if self._descriptor < 0:
                return
            os.close(self._descriptor)
            self._descriptor = -1
            self._queue.close()


class _Queue:
    """Stands in the kernel's queue for a lock, in a thread, so that whoever waits can give up.

    Polling would be simpler, but lets one process starve another. One thread at a time may wait.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._state = threading.Lock()
        self._wanted = self._sent = self._closed = False
        # Bare locks wake the other side in a fraction of the time that a condition takes.
        self._errand, self._answer = threading.Lock(), threading.Lock()
        self._errand.acquire()
        self._answer.acquire()

    def wait(self, timeout_s: float) -> int:
        """Returns a descriptor that holds the lock; unlock it to free the lock.

        Raises:
            Unavailable: the lock did not come within `timeout_s`.
        """
        with self._state:
            if self._descriptor < 0:
                self._descriptor = _open(self._path)
                threading.Thread(target=self._run, name="audit-lock", daemon=True).start()
            self._wanted = True
            self._send()
        try:
            came = self._answer.acquire(timeout=max(timeout_s, 0))
        except BaseException:
            if self._came_after_all():
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            raise
        if not came and not self._came_after_all():
            raise Unavailable(f"Another process keeps {self._path.name} locked. Try again.")
        return self._descriptor

    def close(self) -> None:
        """Ends the thread, as soon as it is not in the queue."""
        with self._state:
            self._closed = True
            if self._descriptor >= 0:
                self._send()

    def _send(self) -> None:
        if not self._sent:
            self._sent = True
            self._errand.release()

    def _came_after_all(self) -> bool:
        """Gives up, unless the lock came in the last moment."""
        with self._state:
            came, self._wanted = not self._wanted, False
            if came:
                self._answer.acquire(blocking=False)
        return came

    def _run(self) -> None:
        while True:
            self._errand.acquire()
            with self._state:
                if self._closed:
                    os.close(self._descriptor)
                    return
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._hand_over()

    def _hand_over(self) -> None:
        with self._state:
            self._sent = False
            if self._wanted:
                self._wanted = False
                self._answer.release()
            else:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # whoever wanted it has given up
            if self._closed:
                self._send()


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
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

    def is_alive(self, boot: str) -> bool:
        """See `Presence.is_alive`."""
        return is_alive(self._path.parent, boot)

    @contextlib.contextmanager
    def alone(self, timeout_s: float) -> Iterator[None]:
        """See `Presence.alone`."""
        lock = FileLock(self._path.with_name("reconcile.lock"))
        try:
            with lock.held(timeout_s):
                yield
        finally:
            lock.close()

    def sweep(self) -> None:
        """See `Presence.sweep`."""
        sweep(self._path.parent)

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
        # Shared, so that two who look at the same time do not take each other for the instance.
        if not _try_lock(descriptor, fcntl.LOCK_SH):
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
