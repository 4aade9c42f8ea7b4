"""Carries anchors to the sinks, behind the appends and without holding them up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from audit.sinks import Anchor, Sink

_QUEUE: Final = 4096
_GATHER_S: Final = 0.02
"""How long anchors gather before they go out together: a thread that woke for each would slow the
appends down."""
_IDLE_S: Final = 1.0
_CLOSE_S: Final = 10.0


class Courier:
    """One thread for all sinks.

    A newer anchor commits to all older ones, so a full queue drops the oldest. `on_failure` is
    called once when a sink begins to fail, with its name, the anchor and the error; `on_idle` once
    when nothing was to be sent for a second.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        on_failure: Callable[[str, Anchor, Exception], None],
        on_idle: Callable[[], None],
    ) -> None:
        self._sinks = tuple(sinks)
        self._on_failure = on_failure
        self._on_idle = on_idle
        self._queue: deque[Anchor] = deque(maxlen=_QUEUE)
        self._wake = threading.Condition()
        self._asleep = False
        self._busy = False
        self._urgent = False
        self._closing = False
        self._thread: threading.Thread | None = None
        self._failing: dict[str, str] = {}

    @property
    def failing(self) -> Mapping[str, str]:
        """The sinks that did not take the last anchors, with the kind of error."""
        return dict(self._failing)

    def send(self, anchor: Anchor) -> None:
        """Queues an anchor; returns at once."""
        with self._wake:
            if self._closing:
                return
            self._queue.append(anchor)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="audit-anchors", daemon=True)
                self._thread.start()
            elif self._asleep:
                self._asleep = False
                self._wake.notify_all()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Waits until all queued anchors were handed over; false when that took too long."""
        with self._wake:
            self._urgent = True
            self._wake.notify_all()
            return self._wake.wait_for(lambda: not self._queue and not self._busy, timeout_s)

    def close(self) -> None:
        """Sends what is queued, then ends the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_S)

    def _run(self) -> None:
        idle = False
        while True:
            anchors = self._take(None if idle else _IDLE_S)
            if anchors:
                self._deliver(anchors)
                idle = False
            elif self._closing:
                return
            elif not idle:
                idle = True
                self._on_idle()

    def _take(self, wait_s: float | None) -> Sequence[Anchor]:
        """Returns what is to be sent now: nothing after `wait_s` without anchors, or on closing."""
        with self._wake:
            self._busy = False
            self._wake.notify_all()
            self._asleep = not self._queue
            if self._wake.wait_for(lambda: self._queue or self._closing, wait_s):
                self._wake.wait_for(lambda: self._urgent or self._closing, _GATHER_S)
            self._asleep = False
            anchors = list(self._queue)
            self._queue.clear()
            self._urgent = False
            self._busy = bool(anchors)
        return anchors

    def _deliver(self, anchors: Sequence[Anchor]) -> None:
        for sink in self._sinks:
            try:
                sink.send(anchors)
            except Exception as error:  # whatever a sink raises becomes a record and a badge
                first = sink.name not in self._failing
                self._failing[sink.name] = type(error).__name__
                if first:
                    self._on_failure(sink.name, anchors[-1], error)
            else:
                self._failing.pop(sink.name, None)
