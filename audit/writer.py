"""Appends for all threads of a process: one of those that wait writes for all of them.

There is no thread of its own. A caller who finds nobody writing writes at once; whoever comes
meanwhile waits, and the first of them then writes the whole queue as one batch. It waits a little
for those who wrote the last one, whose answers are on their way: small batches cost more than they
gain.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from audit.entry import Entry
from audit.errors import AuditError, Unavailable
from audit.record import Receipt
from audit.sequencer import Take

MAX_BATCH: Final = 128
"""Entries in one commit; a larger group is a batch of its own."""
_PATIENCE_S: Final = 0.01
"""How long a batch counts as having taken, at most."""
_CHAINS: Final = 2
"""Into how many those who wait for a batch are parted."""
Results = Sequence[Sequence[Receipt] | AuditError]
Place = Callable[[Take], Results]
"""Writes the groups that it is given once it is its turn; returns what became of each once that is
durable."""


class _Ticket:
    """Entries of one caller on their way. `lead` means: nobody writes now, do it.

    `told` is that the caller knows of the result, or is just being woken for it, and `gone` that it
    waits no longer; then `after` is to be told.
    """

    __slots__ = ("_signal", "after", "entries", "gone", "lead", "result", "told")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.lead = self.told = self.gone = False
        self.after: _Ticket | None = None
        self.result: Sequence[Receipt] | AuditError | None = None
        self._signal = threading.Lock()
        self._signal.acquire()

    def wake(self) -> None:
        self._signal.release()

    def wait(self, timeout_s: float) -> bool:
        return self._signal.acquire(timeout=max(timeout_s, 0))


class Writer:
    """Hands groups of entries to `place` in batches, in the order they came.

    A group stays together in one batch. A caller waits at most `timeout_s` for its turn; `place`
    itself must not wait longer for locks.
    """

    def __init__(self, place: Place, timeout_s: float) -> None:
        self._place = place
        self._timeout_s = timeout_s
        self._guard = threading.Lock()
        self._more = threading.Condition(self._guard)
        self._queue: deque[_Ticket] = deque()
        self._leading = False
        self._open = self._last = 0
        self._gathering = False
        self._took_s = 0.0
        self._closed = False
        self._pid = os.getpid()

    def append(self, entries: Sequence[Entry]) -> Sequence[Receipt]:
        """Returns once all the entries are durable, by one commit.

        Raises:
            AuditError: none of them is, or nobody knows: the caller MUST NOT go on.
        """
        ticket = _Ticket(entries)
        self._join(ticket)
        try:
            if not ticket.lead and not ticket.wait(self._timeout_s):
                self._give_up(ticket)
            if ticket.lead:
                self._lead()
        finally:
            self._leave(ticket)
        if isinstance(ticket.result, AuditError):
            raise ticket.result
        if ticket.result is None:
            raise Unavailable("The audit log was interrupted. Nothing may run.")
        return ticket.result

    def close(self) -> None:
        """Refuses what comes later and waits until what came before is written, but not forever."""
        with self._guard:
            self._closed = True
        deadline = time.monotonic() + self._timeout_s
        while self._open and self._pid == os.getpid() and time.monotonic() < deadline:
            time.sleep(0.001)

    def _join(self, ticket: _Ticket) -> None:
        if self._pid != os.getpid():
            raise Unavailable("The audit log was opened before this process was forked. Open it.")
        with self._guard:
            if self._closed:
                raise Unavailable("The audit log is closed.")
            self._queue.append(ticket)
            self._open += 1
            ticket.lead, self._leading = not self._leading, True
            if self._gathering and len(self._queue) >= self._last:
                self._more.notify()

    def _lead(self) -> None:
        self._gather()
        batch: list[_Ticket] = []
        begun = time.monotonic()
        try:
            results = self._place(lambda: self._take(batch))
        except AuditError as error:
            self._fail(self._taken(batch), error, error)
        except Exception as error:  # every caller is told, or the others would wait in vain
            unknown = Unavailable(f"The audit log failed: {type(error).__name__}.")
            self._fail(self._taken(batch), unknown, error)
        else:
            for ticket, result in zip(batch, results, strict=True):
                ticket.result = result
        finally:
            self._took_s = min(time.monotonic() - begun, _PATIENCE_S)
            self._taken(batch)
            self._hand_over(batch)

    def _gather(self) -> None:
        """Waits for a queue as long as the last batch, but only half as long as that one took."""
        with self._guard:
            if len(self._queue) < self._last:
                self._gathering = True
                self._more.wait_for(lambda: len(self._queue) >= self._last, self._took_s / 2)
                self._gathering = False

    def _take(self, batch: list[_Ticket]) -> Sequence[Sequence[Entry]]:
        return [ticket.entries for ticket in self._taken(batch)]

    def _taken(self, batch: list[_Ticket]) -> Sequence[_Ticket]:
        """Moves what waits into `batch`, unless that was done."""
        with self._guard:
            if not batch:
                batch.append(self._queue.popleft())
                count = len(batch[0].entries)
                while self._queue and count + len(self._queue[0].entries) <= MAX_BATCH:
                    batch.append(self._queue.popleft())
                    count += len(batch[-1].entries)
                self._last = len(batch)
        return batch

    def _hand_over(self, batch: Sequence[_Ticket]) -> None:
        """Lets the next one lead, and tells those of `batch`, the first of which led.

        Each of a chain is told by the one before, for those who are woken together only fight for
        the interpreter.
        """
        with self._guard:
            self._elect()
            batch[0].told = True
            for place, ticket in enumerate(batch[1:], 1):
                if place + _CHAINS < len(batch):
                    ticket.after = batch[place + _CHAINS]
            for ticket in batch[1 : _CHAINS + 1]:
                _tell(ticket)

    def _elect(self) -> None:
        self._leading = bool(self._queue)
        if self._queue:
            self._queue[0].lead = True
            self._queue[0].wake()

    def _leave(self, ticket: _Ticket) -> None:
        with self._guard:
            self._open -= 1
            ticket.gone = True
            if ticket.told:
                _tell(ticket.after)
            elif ticket in self._queue:  # interrupted: nobody is there to lead or to be told
                self._queue.remove(ticket)
                if ticket.lead:
                    self._elect()

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


def _tell(ticket: _Ticket | None) -> None:
    """Wakes the first one from `ticket` on that still waits."""
    while ticket is not None and ticket.gone:
        ticket = ticket.after
    if ticket is not None:
        ticket.told = True
        ticket.wake()
