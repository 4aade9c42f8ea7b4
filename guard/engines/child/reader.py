"""What an engine offers inside its worker process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from guard.engines.child.faults import Fault

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Request:
    """One read. `readable` maps tables to columns, both folded (`names.fold`)."""

    sql: str
    readable: Mapping[str, frozenset[str]] = field(default_factory=dict)
    max_rows: int
    max_bytes: int
    timeout_ms: int


class Role(Protocol):
    """One source, opened as the read role or as the write role."""

    def interrupt(self) -> None:
        """Asks the running statement to stop. Called from another thread; must not wait."""
        ...

    def release(self) -> None:
        """Lets go of the source's file; the next statement opens it again."""
        ...


class Reader(Role, Protocol):
    """One source, opened for reading only."""

    def run(self, request: Request, stop: Stop) -> tuple[pa.Table, bool]:
        """Returns the rows and whether there were more than `max_rows`. Raises `Fault`."""
        ...

    def estimate(self, request: Request, stop: Stop) -> int | None:
        """Returns the most rows the planner expects of any step, None where it does not say.

        Raises:
            Fault: as `run`; the statement is planned and does not run.
        """
        ...

    def reflect(self) -> Mapping[str, object]:
        """Returns the catalog as plain JSON values. Raises `Fault`."""
        ...


_TELL_SECONDS = 0.2

Answer = tuple[dict[str, object], memoryview]
"""The fields of a reply's header and its payload."""


class Stop:
    """Which statement runs and whether it was asked to stop.

    Statements are numbered, so that an interrupt which comes late cannot hit the next statement and
    one which comes early is not lost.
    """

    def __init__(
        self,
        interrupt: Callable[[], None],
        tell: Callable[[Mapping[str, object]], None] = lambda _: None,
    ) -> None:
        """`tell` sends the parent a line about the running statement."""
        self._lock = threading.Lock()
        self._interrupt = interrupt
        self._tell = tell
        self._told_at = 0.0
        self._step = ""
        self._running = 0
        self._stopped = 0

    def begin(self, number: int) -> None:
        """Marks the statement as running. Raises `Fault` when it was already asked to stop."""
        with self._lock:
            self._running = number
            if self._stopped >= number:
                raise Fault("interrupted")

    def end(self) -> None:
        """Marks that nothing runs."""
        with self._lock:
            self._running = 0

    def ask(self, number: int) -> None:
        """Asks the statement of that number to stop."""
        with self._lock:
            self._stopped = max(self._stopped, number)
            if self._running == number:
                self._interrupt()

    def asked(self) -> bool:
        """True when the running statement was asked to stop."""
        return 0 < self._running <= self._stopped

    def reached(self, step: str, rows: int = 0, of: int | None = None) -> None:
        """Tells the parent how far a preview is (`base.Reached`), not more often than it is read.

        Only for the thread that answers.
        """
        now = time.monotonic()
        if step == self._step and now - self._told_at < _TELL_SECONDS:
            return
        self._step, self._told_at = step, now
        self._tell({"n": self._running, "reached": {"step": step, "rows": rows, "of": of}})


Work = Callable[[Stop, Mapping[str, Any]], Answer]
"""What answers one kind of request."""
