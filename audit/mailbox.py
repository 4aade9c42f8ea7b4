"""Processes that wait for the append lock let the one that has it write for them, in one commit.

Whoever finds the lock taken posts its entries in a file of its own and waits. The holder collects
all posts, writes them with its own entries, and answers once that is durable. Then it calls one of
those who have posted since, who will hold the lock next and collect the rest.

A post only saves time. Whoever hears nothing, or nothing it can believe, takes the lock and writes
by itself; what had been written for it is then found by its id. Posts and answers carry a code that
only this log's keys make, and posts are good for a few seconds.

1 post, and look whether the lock is free: from here on whoever holds it will see the post
2 wait for the answer, or for a call
3 take the post back
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import select
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from audit.entry import Entry
from audit.errors import Malformed
from audit.locks import FileLock, is_alive
from audit.record import Receipt

_WAIT_S: Final = 0.02
"""How long somebody waits for an answer, where a commit takes less than a millisecond."""
_FRESH_S: Final = 5.0
_MAC: Final = 32
_HEAD: Final = 4 + _MAC
_EMPTY: Final = bytes(_HEAD)
_MOST_ENTRIES: Final = 16
"""More are written by whoever has them: the answer must fit into one write to a pipe."""
_MOST_BYTES: Final = 128 * 1024
_CALL: Final = bytes(2)
_UNSETTLED_S: Final = 0.05
"""As long after a change of the folder another one may leave the same time on it."""

Groups = Sequence[Sequence[Entry]]
Results = Sequence[Sequence[Receipt] | Malformed]


class Answer(NamedTuple):
    """What became of each group, and the size and time of the log after it."""

    results: Results
    size: int
    logged: str


@dataclass(frozen=True, kw_only=True)
class Post:
    """Entries of another process. `number` tells its posts apart."""

    boot: str
    number: int
    groups: Groups


class Mailbox:
    """The posts in `folder`, for the instance `boot`. One thread at a time.

    `instances` has a locked file for each running instance, `mac` is made with a key of the log.
    """

    def __init__(
        self,
        folder: Path,
        instances: Path,
        boot: str,
        lock: FileLock,
        mac: Callable[[bytes], bytes],
    ) -> None:
        self._folder = folder
        self._instances = instances
        self._boot = boot
        self._lock = lock
        self._mac = mac
        self._own: tuple[int, int] | None = None
        self._number = 0
        self._others: dict[str, tuple[int, int]] = {}
        self._looked = (0, 0.0)

    def ask(self, take: Callable[[], Groups]) -> Answer | None:
        """Returns what another process wrote of the groups that `take` gives, durably.

        None when this one has to write them: nobody else has the lock, or nobody answered.
        """
        if self._lock.is_free():
            return None
        groups = take()
        if sum(map(len, groups)) > _MOST_ENTRIES:
            return None
        self._number += 1
        text = json.dumps([self._boot, self._number, time.monotonic(), groups]).encode()
        if len(text) > _MOST_BYTES:
            return None
        try:
            post, wake = self._own = self._own or self._begin()
            with contextlib.suppress(BlockingIOError):
                while os.read(wake, _MOST_BYTES):
                    pass  # what came too late for an earlier post
            try:
                os.pwrite(post, len(text).to_bytes(4) + self._code("post", text) + text, 0)
                return None if self._lock.is_free() else self._answered(post, wake)
            finally:
                os.pwrite(post, _EMPTY, 0)
        except OSError:
            return None  # no room or no rights for it: this process writes by itself

    def collect(self) -> Sequence[Post]:
        """Returns what others have posted, taken away. Call with the append lock held."""
        found = []
        for boot, (post, _) in self._peers().items():
            if not (text := self._read(post)):
                continue
            os.pwrite(post, _EMPTY, 0)
            if (read := self._opened(boot, text)) is not None:
                found.append(read)
        return found

    def answer(self, post: Post, results: Results, size: int, logged: str) -> None:
        """Tells the process that posted what became of it, which is durable now."""
        told = [
            str(r) if isinstance(r, Malformed) else [tuple(vars(x).values()) for x in r]
            for r in results
        ]
        text = json.dumps([post.number, size, logged, told]).encode()
        frame = self._code("answer", post.boot.encode() + text) + text
        if len(frame) + 2 <= select.PIPE_BUF:
            self._send(post.boot, len(frame).to_bytes(2) + frame)

    def call(self) -> None:
        """Calls one of those whose posts are still there. Call once the lock is free."""
        for boot, (post, _) in self._peers().items():
            if self._read(post):
                self._send(boot, _CALL)
                return

    def close(self) -> None:
        """Removes what this instance posted with."""
        own, self._own = self._own, None
        others, self._others = self._others, {}
        for descriptor in (*(own or ()), *(d for pair in others.values() for d in pair)):
            os.close(descriptor)
        if own is not None:
            self._remove(self._boot)

    def _begin(self) -> tuple[int, int]:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        wake = self._folder / f"{self._boot}.wake"
        os.mkfifo(wake, 0o600)
        # Read and write, so that it stays open while nobody writes.
        pipe = os.open(wake, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        post = self._folder / f"{self._boot}.post"
        return os.open(post, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), pipe

    def _answered(self, post: int, wake: int) -> Answer | None:
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        deadline = time.monotonic() + _WAIT_S
        while (left := deadline - time.monotonic()) > 0:
            if not poll.poll(left * 1000):
                return None
            for frame in _frames(os.read(wake, _MOST_BYTES)):
                if not frame:
                    if self._read(post):
                        return None
                    continue  # somebody was quicker than the call and writes it now
                if (answer := self._believed(frame)) is not None:
                    return answer
        return None

    def _believed(self, frame: bytes) -> Answer | None:
        code, text = frame[:_MAC], frame[_MAC:]
        if not hmac.compare_digest(code, self._code("answer", self._boot.encode() + text)):
            return None
        number, size, logged, told = json.loads(text)
        if number != self._number:
            return None
        results: list[Sequence[Receipt] | Malformed] = [
            Malformed(r)
            if isinstance(r, str)
            else [Receipt(seq=seq, hash=digest, logged=at) for seq, digest, at in r]
            for r in told
        ]
        return Answer(results, size, logged)

    def _opened(self, boot: str, text: bytes) -> Post | None:
        code, text = text[:_MAC], text[_MAC:]
        if not hmac.compare_digest(code, self._code("post", text)):
            return None  # half written, or somebody else's
        owner, number, at, groups = json.loads(text)
        if owner != boot or not 0 <= time.monotonic() - at <= _FRESH_S:
            return None
        read = [[Entry(*entry) for entry in group] for group in groups]
        return Post(boot=boot, number=number, groups=read)

    def _read(self, post: int) -> bytes:
        raw = os.pread(post, _HEAD + _MOST_BYTES, 0)
        length = int.from_bytes(raw[:4])
        return raw[4 : _HEAD + length] if length else b""

    def _send(self, boot: str, frame: bytes) -> None:
        # Whoever is gone or does not read hears nothing, and helps itself.
        with contextlib.suppress(OSError):
            os.write(self._others[boot][1], frame)

    def _peers(self) -> dict[str, tuple[int, int]]:
        try:
            changed = self._folder.stat().st_mtime_ns
        except OSError:
            return {}  # nobody has ever waited
        if changed != self._looked[0] or self._looked[1] < _UNSETTLED_S:
            self._look()
            self._looked = (changed, time.time() - changed / 1e9)
        return self._others

    def _look(self) -> None:
        there = {p.name.removesuffix(".post") for p in self._folder.glob("*.post")} - {self._boot}
        for boot in self._others.keys() - there:
            for descriptor in self._others.pop(boot):
                os.close(descriptor)
        for boot in there - self._others.keys():
            if not is_alive(self._instances, boot):
                self._remove(boot)
                continue
            with contextlib.suppress(OSError):
                wake = os.open(
                    self._folder / f"{boot}.wake", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
                )
                try:
                    post = os.open(self._folder / f"{boot}.post", os.O_RDWR | os.O_CLOEXEC)
                except OSError:
                    os.close(wake)
                    raise
                self._others[boot] = (post, wake)

    def _remove(self, boot: str) -> None:
        for kind in ("post", "wake"):
            (self._folder / f"{boot}.{kind}").unlink(missing_ok=True)

    def _code(self, kind: str, text: bytes) -> bytes:
        return self._mac(f"mail {kind}\n".encode() + text)


def _frames(raw: bytes) -> Iterator[bytes]:
    """Yields what was written at once; an empty one is a call."""
    at = 0
    while at + 2 <= len(raw):
        length = int.from_bytes(raw[at : at + 2])
        yield raw[at + 2 : at + 2 + length]
        at += 2 + length
