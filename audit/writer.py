"""One thread that appends for all: callers wait for their receipt, the database sees batches."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from audit.errors import AuditError, Unavailable
from audit.record import Receipt
from audit.sequencer import Entry

MAX_BATCH: Final = 128
_CLOSE_SECONDS: Final = 10.0

Ticket = tuple[Entry, "Future[Receipt]"]


class Writer:
    """Hands entries to `place` in batches, in the order they came.

    A caller waits at most `timeout_s`, even while the thread stands in the queue for a lock that
    somebody does not give back.
    """

    def __init__(
        self, place: Callable[[Sequence[Entry]], Sequence[Receipt | AuditError]], timeout_s: float
    ) -> None:
        self._place = place
        self._timeout_s = timeout_s
        self._queue: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._pid = os.getpid()

    def append(self, entry: Entry) -> Receipt:
        """Returns once the entry is durable.

        Raises:
            AuditError: it is not, or nobody knows: the caller MUST NOT go on.
        """
        ticket: Future[Receipt] = Future()
        self._submit((entry, ticket))
        try:
            return ticket.result(self._timeout_s)
        except TimeoutError:
            written = "It was not written." if ticket.cancel() else "It may be written later."
            raise Unavailable(
                f"The audit log did not answer within {self._timeout_s:g} s. {written}"
                " Nothing may run; try again."
            ) from None

    def close(self) -> None:
        """Lets what is queued be written, then ends the thread."""
        with self._guard:
            self._closed = True
            thread = self._thread
        if thread is not None and self._pid == os.getpid():
            self._queue.put(None)
            thread.join(_CLOSE_SECONDS)

    def _submit(self, ticket: Ticket) -> None:
        if self._pid != os.getpid():
            raise Unavailable("The audit log was opened before this process was forked. Open it.")
        with self._guard:
            if self._closed:
                raise Unavailable("The audit log is closed.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)
                self._thread.start()
            self._queue.put(ticket)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = self._gather(first)
            live = [t for t in batch if t[1].set_running_or_notify_cancel()]
            if live:
                self._write(live)
            if last:
                return

    def _gather(self, first: Ticket) -> tuple[list[Ticket], bool]:
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                ticket = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
            if ticket is None:
                return batch, True
            batch.append(ticket)
        return batch, False

    def _write(self, batch: Sequence[Ticket]) -> None:
        try:
            placed = self._place([entry for entry, _ in batch])
        except AuditError as error:
            self._fail(batch, error)
        except Exception as error:  # the callers are told; a dead thread would leave them waiting
            self._fail(batch, Unavailable(f"The audit log failed: {type(error).__name__}."), error)
        else:
            for (_, ticket), result in zip(batch, placed, strict=True):
                if isinstance(result, AuditError):
                    ticket.set_exception(result)
                else:
                    ticket.set_result(result)

    def _fail(
        self, batch: Sequence[Ticket], error: AuditError, cause: Exception | None = None
    ) -> None:
        for _, ticket in batch:
            each = type(error)(*error.args)
            each.__cause__ = cause or error
            ticket.set_exception(each)
