"""One worker process of an embedded engine, as the console holds it.

A crafted SELECT can crash or hang an engine, so engines never run in the console itself. The
process is started, not forked; it has its own entry, no inherited environment and hard limits on
memory and files. What comes back is JSON and Arrow, both checked; nothing is ever unpickled.

Not closed: Arrow's reader decompresses what it is given, so a worker that a statement had taken
over could make the console allocate more than `max_bytes`.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from guard.engines.base import Cancel, Reached, Step, Told, unheard
from guard.engines.child import entry, wire
from guard.engines.child.faults import FaultCode
from guard.engines.child.serve import CONTROL, Hello

TICK_SECONDS = 0.02
"""How often a running statement's cancel flag is looked at."""
GRACE_SECONDS = 0.12
"""How long a statement may take to follow an interrupt before its process is killed."""
START_SECONDS = 30.0


class WorkerDied(Exception):
    """The process ended or broke the agreed form. It is gone; start another one."""


class Stopped(Exception):
    """The statement was stopped from outside; the process may still be usable."""

    def __init__(self, cause: Literal["cancelled", "timeout"]) -> None:
        super().__init__(cause)
        self.cause: Literal["cancelled", "timeout"] = cause


class _Line(BaseModel):
    """How far a preview is, as a worker tells it (`base.Reached`)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    step: Step
    rows: int = Field(ge=0)
    of: int | None = Field(default=None, ge=0)


class Header(BaseModel):
    """The JSON half of a reply. With `reached` it is a line on the way and the reply follows."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    n: int
    fault: FaultCode | None = None
    kind: str | None = Field(default=None, max_length=100, pattern=r"^\w+$")
    retire: bool = False
    truncated: bool = False
    elapsed_us: int = 0
    reached: _Line | None = None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A checked header and the bytes that came with it."""

    header: Header
    payload: bytearray


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """How a worker process is limited. Sizes in bytes.

    `address_space` caps everything the process maps, `memory` what the engine may use for data
    (where it can be told), `file_size` what it may write to any file. After `idle_ms` without a
    statement it lets go of the database file; 0 keeps it. `writes` makes it the write role.
    """

    engine: Literal["sqlite", "duckdb"]
    address_space: int
    file_size: int = 0
    memory: int = 0
    threads: int = 1
    idle_ms: int = 0
    writes: bool = False


class Worker:
    """One process. Used by one thread at a time; the pool sees to that."""

    def __init__(self, path: Path, settings: WorkerSettings) -> None:
        self._number = 0
        ours, theirs = socket.socketpair()
        listen, self._control = os.pipe()
        self._sock = ours
        ours.settimeout(START_SECONDS)  # for sending; reading waits in poll
        with theirs, _closing(listen):
            self._process = _start(theirs.fileno(), listen)
        self._poll = select.poll()
        self._poll.register(ours, select.POLLIN)
        try:
            wire.send(ours, asdict(_hello(path, settings)))
            ready = self._receive(0, START_SECONDS, 0, Cancel())
        except (OSError, Stopped) as error:
            self.discard()
            raise WorkerDied("the worker did not start") from error
        if ready.header.fault is not None:
            self.discard()
            raise WorkerDied(f"the worker could not load its engine: {ready.header.kind}")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    def call(
        self,
        request: Mapping[str, object],
        *,
        timeout_ms: int,
        max_payload: int,
        cancel: Cancel,
        told: Told = unheard,
    ) -> Reply:
        """Sends one request and returns its reply; `told` hears what comes before it.

        Raises:
            Stopped: `cancel` was set or the time was up; the statement no longer runs.
            WorkerDied: the process ended by itself. It is already reaped.
        """
        self._number += 1
        try:
            wire.send(self._sock, {**request, "n": self._number})
        except OSError as error:
            self.discard()
            raise WorkerDied from error
        return self._receive(self._number, timeout_ms / 1000, max_payload, cancel, told)

    def kill(self) -> None:
        """Ends the process at once, whatever it does. Safe to call again and from any thread."""
        self._process.kill()
        self._process.wait()

    def discard(self) -> None:
        """Ends the process and closes the lines to it. Only for the thread that uses the worker."""
        self.kill()
        self._sock.close()
        control, self._control = self._control, -1
        if control >= 0:
            os.close(control)

    def _receive(
        self,
        number: int,
        seconds: float,
        max_payload: int,
        cancel: Cancel,
        told: Told = unheard,
    ) -> Reply:
        frames = _Frames(number, max_payload, told)
        try:
            cause = self._wait(frames, number, seconds, cancel)
        except (OSError, ValueError, wire.BrokenFrame) as error:
            self.discard()
            raise WorkerDied from error
        if cause is not None:
            raise Stopped(cause)
        return self._checked(frames, number)

    def _wait(
        self, frames: _Frames, number: int, seconds: float, cancel: Cancel
    ) -> Literal["cancelled", "timeout"] | None:
        """Reads until the reply is complete; returns why the statement was stopped, if it was."""
        deadline = time.monotonic() + seconds
        cause: Literal["cancelled", "timeout"] | None = None
        while True:
            left = deadline - time.monotonic()
            if cause is None and (cancel.is_set() or left <= 0):
                cause = "cancelled" if cancel.is_set() else "timeout"
                left = GRACE_SECONDS
                deadline = time.monotonic() + left
            if left <= 0:
                self.discard()
                return cause
            if cause is not None:
                self._interrupt(number)
            if self._poll.poll(min(left, TICK_SECONDS) * 1000) and frames.read(self._sock):
                return cause

    def _interrupt(self, number: int) -> None:
        # Repeated at every tick: an engine forgets an interrupt that comes just before it starts.
        with contextlib.suppress(OSError):  # the process is gone, which the next read tells
            os.write(self._control, CONTROL.pack(number))

    def _checked(self, frames: _Frames, number: int) -> Reply:
        header = frames.header
        if header is None or header.n != number:
            self.discard()
            raise WorkerDied
        if header.retire:
            self.discard()
        return Reply(header=header, payload=frames.frame.payload)


class _Frames:
    """The frames of one reply: lines on the way, which are passed on, and the reply itself."""

    def __init__(self, number: int, max_payload: int, told: Told) -> None:
        self._number, self._max_payload, self._told = number, max_payload, told
        self.frame = self._next()
        self.header: Header | None = None

    def read(self, sock: socket.socket) -> bool:
        """Reads what is there; true when the reply is complete. Raises as `FrameReader.read`.

        Raises:
            ValueError: a header is not in the agreed form.
        """
        if not self.frame.read(sock):
            return False
        header = Header.model_validate_json(self.frame.header)
        line = header.reached
        if line is None or header.n != self._number:
            self.header = header
            return True
        self.frame = self._next()
        self._told(Reached(step=line.step, rows=line.rows, of=line.of))
        return False

    def _next(self) -> wire.FrameReader:
        return wire.FrameReader(
            max_header=wire.MAX_REPLY_HEADER_BYTES, max_payload=self._max_payload
        )


@contextlib.contextmanager
def _closing(fd: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(fd)


def _start(data_fd: int, control_fd: int) -> subprocess.Popen[bytes]:
    # -I and -S: no user site, no PYTHON* variables, no .pth files. A session of its own, so that
    # Ctrl-C in the terminal reaches the console only.
    return subprocess.Popen(  # noqa: S603 - fixed arguments, no shell
        [sys.executable, "-I", "-S", entry.__file__, str(data_fd), str(control_fd)],
        pass_fds=(data_fd, control_fd),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**{n: os.environ[n] for n in _LOADER if n in os.environ}, **ENVIRONMENT},
        cwd="/",
        start_new_session=True,
    )


ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    # Few arenas and the plain allocator, because the address space is capped.
    "MALLOC_ARENA_MAX": "2",
    # A fresh SQLite connection gives its page cache back: keep the pages for the next one.
    "MALLOC_TRIM_THRESHOLD_": str(64 * 1024 * 1024),
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""All the worker's environment: no secret of the console is in it."""
_LOADER = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Passed on where set: without them some builds of Python do not start."""


def _hello(path: Path, settings: WorkerSettings) -> Hello:
    packages = dict.fromkeys(
        [str(Path(pa.__file__).resolve().parent.parent)]
        + [p for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    )
    return Hello(
        engine=settings.engine,
        path=str(path.resolve()),
        packages=tuple(packages),
        address_space=settings.address_space,
        file_size=settings.file_size,
        memory=settings.memory,
        threads=settings.threads,
        idle_ms=settings.idle_ms,
        writes=settings.writes,
    )
