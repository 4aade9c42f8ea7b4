"""A few warm workers of one source, each lent to one statement, and the way to take all back."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from guard.engines.base import Cancel
from guard.engines.worker import TICK_SECONDS, Stopped, Worker


class Suspended(Exception):
    """The source is being written to, and the wait for the end of that was too long."""


class AllBusy(Exception):
    """Every worker ran other statements for as long as this one would have waited."""


class Displaced(Exception):
    """The worker was taken away in the middle of a statement, for a write."""


class Pool:
    """At most `size` workers, started when needed. All methods may be called from any thread."""

    def __init__(self, start: Callable[[], Worker], *, size: int) -> None:
        self._start = start
        self._size = size
        self._changed = threading.Condition()
        self._idle: list[Worker] = []
        self._busy = 0
        self._lent: set[Worker] = set()
        self._taken: set[Worker] = set()
        self._suspensions = 0
        self._emptied = False

    @contextlib.contextmanager
    def lend(self, *, wait_seconds: float, cancel: Cancel) -> Iterator[Worker]:
        """Lends a worker, starting one if none is idle.

        Raises:
            Stopped: `cancel` was set while waiting.
            AllBusy: no worker became free for `wait_seconds`.
            Suspended: the source was written to for `wait_seconds`.
            Displaced: a write took the worker away before the statement ended.
            WorkerDied: a worker could not be started, or ended by itself.
        """
        worker = self._take(wait_seconds, cancel)
        try:
            worker = worker or self._fresh()
            yield worker
        except Exception:
            if worker is not None and worker in self._taken:
                raise Displaced from None
            raise
        finally:
            self._give_back(worker)

    def suspend(self, *, drain_seconds: float) -> None:
        """Ends every worker, after their statements or `drain_seconds`; new statements wait.

        Statements that still ran then raise `Displaced`. Counted: as many `resume` undo it.
        """
        with self._changed:
            self._suspensions += 1
            self._changed.wait_for(lambda: self._busy == 0, drain_seconds)
            self._emptied = True
            self._end_all()

    def resume(self) -> None:
        """Lets statements run again."""
        with self._changed:
            self._suspensions = max(0, self._suspensions - 1)
            self._emptied = self._emptied and self._suspensions > 0
            self._changed.notify_all()

    def close(self) -> None:
        """Ends every worker now. The pool may be used again and then starts fresh ones."""
        with self._changed:
            self._end_all()

    def _take(self, wait_seconds: float, cancel: Cancel) -> Worker | None:
        """Returns an idle worker, or None with the right to start one."""
        deadline = time.monotonic() + wait_seconds
        with self._changed:
            while self._suspensions or self._busy >= self._size:
                if cancel.is_set():
                    raise Stopped("cancelled")
                if time.monotonic() >= deadline:
                    raise Suspended if self._suspensions else AllBusy
                self._changed.wait(TICK_SECONDS)
            self._busy += 1
            worker = None
            while self._idle and worker is None:
                worker = self._usable(self._idle.pop())
            if worker is not None:
                self._lent.add(worker)
            return worker

    @staticmethod
    def _usable(worker: Worker) -> Worker | None:
        if worker.alive:
            return worker
        worker.discard()
        return None

    def _fresh(self) -> Worker:
        worker = self._start()
        with self._changed:
            self._lent.add(worker)
            if self._emptied:  # the write did not wait for this process to start
                self._taken.add(worker)
                worker.kill()
        return worker

    def _give_back(self, worker: Worker | None) -> None:
        with self._changed:
            self._busy -= 1
            if worker is not None:
                self._lent.discard(worker)
                if worker in self._taken or not worker.alive:
                    worker.discard()
                else:
                    self._idle.append(worker)
                self._taken.discard(worker)
            self._changed.notify_all()

    def _end_all(self) -> None:
        # A lent worker's lines belong to the thread that uses it: it sees them end.
        self._taken |= self._lent
        for worker in self._lent:
            worker.kill()
        for worker in self._idle:
            worker.discard()
        self._idle.clear()
