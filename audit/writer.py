"""Appends for all threads of a process: one of those that wait writes for all of them.

There is no thread of its own. A caller who finds nobody writing writes at once; whoever comes
meanwhile waits, and the first of them then writes the whole queue as one batch.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from audit.errors import AuditError, Unavailable
from audit.record import Receipt
from audit.sequencer import Entry

MAX_BATCH: Final = 128


class _Ticket:
    """One entry on its way. `lead` means: nobody writes now, do it."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.lead = False
        self.result: Receipt | AuditError | None = None
        self._signal = threading.Lock()
        self._signal.acquire()

    def wake(self) -> None:
        self._signal.release()

    def wait(self, timeout_s: float) -> bool:
        return self._signal.acquire(timeout=max(timeout_s, 0))


class Writer:
    """Hands entries to `place` in batches, in the order they came.

    A caller waits at most `timeout_s` for its turn; `place` itself must not wait longer for locks.
    """

    def __init__(
        self, place: Callable[[Sequence[Entry]], Sequence[Receipt | AuditError]], timeout_s: float
    ) -> None:
        self._place = place
        self._timeout_s = timeout_s
        self._guard = threading.Lock()
        self._queue: deque[_Ticket] = deque()
        self._leading = False
        self._closed = False
        self._pid = os.getpid()

    def append(self, entry: Entry) -> Receipt:
        """Returns once the entry is durable.

        Raises:
            AuditError: it is not, or nobody knows: the caller MUST NOT go on.
        """
        ticket = _Ticket(entry)
        self._join(ticket)
        if not ticket.lead and not ticket.wait(self._timeout_s):
            self._give_up(ticket)
        if ticket.lead:
            self._lead()
        if isinstance(ticket.result, Receipt):
            return ticket.result
        raise ticket.result or Unavailable("The audit log was interrupted. Nothing may run.")

    def close(self) -> None:
        """Refuses what comes later and waits until what came before is written, but not forever."""
        with self._guard:
            self._closed = True
        deadline = time.monotonic() + self._timeout_s
        while self._leading and self._pid == os.getpid() and time.monotonic() < deadline:
            time.sleep(0.001)

    def _join(self, ticket: _Ticket) -> None:
        if self._pid != os.getpid():
            raise Unavailable("The audit log was opened before this process was forked. Open it.")
        with self._guard:
            if self._closed:
                raise Unavailable("The audit log is closed.")
            self._queue.append(ticket)
            ticket.lead, self._leading = not self._leading, True

    def _lead(self) -> None:
        with self._guard:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
        try:
            self._write(batch)
        finally:
            with self._guard:
                self._leading = bool(self._queue)
                if self._queue:
                    self._queue[0].lead = True
                    self._queue[0].wake()
            for ticket in batch:
                ticket.wake()

    def _write(self, batch: Sequence[_Ticket]) -> None:
        try:
            results = self._place([ticket.entry for ticket in batch])
        except AuditError as error:
            self._fail(batch, error, error)
        except Exception as error:  # every caller is told, or the others would wait in vain
            self._fail(batch, Unavailable(f"The audit log failed: {type(error).__name__}."), error)
        else:
            for ticket, result in zip(batch, results, strict=True):
                ticket.result = result

    def _fail(self, batch: Sequence[_Ticket], error: AuditError, cause: Exception) -> None:
        for ticket in batch:
            ticket.result = type(error)(*error.args)
            ticket.result.__cause__ = cause

    def _give_up(self, ticket: _Ticket) -> None:
        """Takes the ticket back when nobody has begun to write it; raises unless it is to lead."""
        with self._guard:
            if ticket.lead:
                return
            waiting = ticket in self._queue
            if waiting:
                self._queue.remove(ticket)
        written = "It was not written." if waiting else "It may be written later."
        raise Unavailable(
            f"The audit log did not answer within {self._timeout_s:g} s. {written}"
            " Nothing may run; try again."
        )
