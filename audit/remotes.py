"""Carries the newest anchor to other machines every few minutes, and knows how far each one is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audit.sinks import Anchor, Sink

INTERVAL_S: Final = 300.0
_RETRY_S: Final = 5.0
_CLOSE_S: Final = 15.0


@dataclass(frozen=True, kw_only=True)
class RemoteState:
    """How far a remote sink is: it holds a checkpoint of `size` records, 0 when none was taken yet.

    `waiting_s` is how long the oldest record it does not cover has waited; `failing` the kind of
    error of the last attempt, or None.
    """

    size: int
    waiting_s: float
    failing: str | None


class _Remote:
    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.size = 0
        self.waiting_since: float | None = None
        self.failing: str | None = None
        self.retries = 0
        self.next_try = 0.0


class Remotes:
    """One thread for all remote sinks. A newer anchor commits to all older ones: only it is sent.

    A sink that fails is tried again, later and later, at most `interval_s` apart. `on_failure` is
    called once when a sink begins to fail.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        interval_s: float = INTERVAL_S,
        within_s: float | None = None,
        on_failure: Callable[[str, Anchor, Exception], None],
    ) -> None:
        """`within_s` is how long records may wait for at least one of the sinks."""
        self._remotes = [_Remote(sink) for sink in sinks]
        self._interval_s = interval_s
        self._within_s = within_s
        self._on_failure = on_failure
        self._newest: Anchor | None = None
        self._wake = threading.Condition()
        self._urgent = self._closing = False
        self._thread: threading.Thread | None = None

    def offer(self, anchor: Anchor) -> None:
        """Takes note of an anchor; returns at once."""
        if not self._remotes:
            return
        with self._wake:
            if self._newest is None or anchor.size > self._newest.size:
                self._newest = anchor
            for remote in self._remotes:
                if remote.waiting_since is None and remote.size < anchor.size:
                    remote.waiting_since = time.monotonic()
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="audit-remotes", daemon=True)
                self._thread.start()

    def states(self) -> Mapping[str, RemoteState]:
        """Returns how far each sink is, by its name."""
        with self._wake:
            return {
                remote.sink.name: RemoteState(
                    size=remote.size, waiting_s=_waited(remote), failing=remote.failing
                )
                for remote in self._remotes
            }

    def overdue(self) -> bool:
        """True when records wait for longer than they may and no remote sink has taken them."""
        if self._within_s is None:
            return False
        with self._wake:
            waits = [_waited(remote) for remote in self._remotes]
        return not waits or min(waits) > self._within_s

    def flush(self, timeout_s: float = _CLOSE_S) -> bool:
        """Tries every sink now; false when one did not take the newest anchor in time."""
        with self._wake:
            self._urgent = True
            self._wake.notify_all()
            self._wake.wait_for(lambda: not self._urgent or self._thread is None, timeout_s)
            return all(remote.waiting_since is None for remote in self._remotes)

    def close(self, *, send: bool = True) -> None:
        """Ends the thread; with `send` every sink is tried once more before."""
        with self._wake:
            self._closing, self._urgent = True, send and self._thread is not None
            self._wake.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_S if send else 0)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._urgent or self._closing, self._pause())
                urgent, closing, newest = self._urgent, self._closing, self._newest
            if newest is not None and (urgent or not closing):
                for remote in self._remotes:
                    due = urgent or time.monotonic() >= remote.next_try
                    if due and remote.waiting_since is not None:
                        self._try(remote, newest)
            with self._wake:
                self._urgent = False
                self._wake.notify_all()
            if closing:
                return

    def _pause(self) -> float:
        waiting = [r.next_try for r in self._remotes if r.waiting_since is not None]
        soonest = min(waiting, default=time.monotonic() + self._interval_s)
        return max(0.01, min(soonest - time.monotonic(), self._interval_s, 1.0))

    def _try(self, remote: _Remote, anchor: Anchor) -> None:
        begun = time.monotonic()
        try:
            remote.sink.send((anchor,))
        except Exception as error:  # whatever a sink raises becomes a record and a badge
            first, remote.failing = remote.failing is None, type(error).__name__
            pause = min(_RETRY_S * 2**remote.retries, self._interval_s)
            remote.retries, remote.next_try = remote.retries + 1, time.monotonic() + pause
            if first:
                self._on_failure(remote.sink.name, anchor, error)
            return
        with self._wake:
            remote.size, remote.failing, remote.retries = anchor.size, None, 0
            remote.next_try = begun + self._interval_s
            newer = self._newest is not None and self._newest.size > anchor.size
            remote.waiting_since = begun if newer else None


def _waited(remote: _Remote) -> float:
    return 0.0 if remote.waiting_since is None else time.monotonic() - remote.waiting_since
