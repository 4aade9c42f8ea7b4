"""Previews that this process makes right now: how far each is, and the flag that stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from guard.engines.base import Cancel, Reached, Told
from store.changes import StoredChange


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """How far the preview of a request is, after how many seconds.

    `reached` is None until the source has said something; `stopping` is true once it was asked to
    stop.
    """

    change: int
    reached: Reached | None
    seconds: float
    stopping: bool


@dataclass(kw_only=True)
class _Running:
    stored: StoredChange
    cancel: Cancel
    started: float = field(default_factory=time.monotonic)
    reached: Reached | None = None

    def hear(self, reached: Reached) -> None:
        self.reached = reached

    def told(self) -> UnderWay:
        return UnderWay(
            change=self.stored.id,
            reached=self.reached,
            seconds=time.monotonic() - self.started,
            stopping=self.cancel.is_set(),
        )


class Running:
    """The previews of this process. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, _Running] = {}

    @contextmanager
    def entered(self, stored: StoredChange, cancel: Cancel) -> Iterator[Told]:
        """Lists a preview while the block lasts, and gives what hears how far it is."""
        running = _Running(stored=stored, cancel=cancel)
        with self._lock:
            self._running[stored.id] = running
        try:
            yield running.hear
        finally:
            with self._lock:
                self._running.pop(stored.id, None)

    def of(self, change: int) -> UnderWay | None:
        """Returns the preview of a request, None where this process makes none."""
        return self._find(lambda stored: stored.id == change)

    def in_turn(self, turn: str, author: str) -> UnderWay | None:
        """Returns the preview that a turn of this author waits for, None where there is none."""
        return self._find(lambda stored: (stored.turn, stored.author) == (turn, author))

    def stop(self, change: int) -> bool:
        """Stops a preview; False where this process makes none of that request."""
        with self._lock:
            running = self._running.get(change)
        if running is not None:
            running.cancel.set()
        return running is not None

    def _find(self, wanted: Callable[[StoredChange], bool]) -> UnderWay | None:
        with self._lock:
            return next((r.told() for r in self._running.values() if wanted(r.stored)), None)
