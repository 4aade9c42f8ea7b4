"""What every engine adapter offers. Drivers are imported only beside this file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from guard.catalog import Catalog
    from guard.diff import Diff
    from guard.rewrite import GuardedQuery


class Cancel:
    """A flag that stops a running statement; safe to set from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.leaving = False
        """True where whoever runs it goes away and the work is left to another process."""

    def set(self) -> None:
        """Asks whatever watches this flag to stop."""
        self._event.set()

    def leave(self) -> None:
        """Asks to stop because this process goes away: what was begun is to be made again."""
        self.leaving = True
        self._event.set()

    def is_set(self) -> bool:
        """True once `set` was called."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits up to `seconds`; true when the flag was set."""
        return self._event.wait(seconds)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What a read gave, not yet redacted: never leaves `guard/`.

    `table` has one column per output column, names as the engine gave them (duplicates allowed).
    `truncated` is true when more rows existed than `max_rows`. `elapsed_us` is what the engine's
    process took, in microseconds.
    """

    table: pa.Table
    truncated: bool
    elapsed_us: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What the engine's own planner expects of a read, before it runs; None where it says nothing.

    `rows` is the most rows any step of the plan reads or makes, `bytes` what the step that moves
    most of them takes. A guess: statistics may be old, so it never stands in for a cap.
    """

    rows: int | None
    bytes: int | None


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One safety check tried for real on an adapter: what was tried, whether the engine held."""

    name: str
    passed: bool
    detail: str


class Engine(Protocol):
    """A source as the read role: it holds no credential that can write."""

    dialect: str

    def reflect(self) -> Catalog:
        """Returns the catalog, untagged.

        Raises:
            SourceUnavailable: with a sentence for an operator.
        """
        ...

    def run(self, query: GuardedQuery, cancel: Cancel) -> Rows:
        """Returns the rows of a guarded read.

        Raises:
            Interrupted: `cancel` was set, the time or the memory was used up.
            Refused: the engine itself refused (`engine.*` rules); its own text is not passed on.
            SourceUnavailable: the engine's process could not be used.
        """
        ...

    def estimate(self, query: GuardedQuery) -> Estimate | None:
        """Returns what the read is expected to cost, None where the engine cannot tell.

        The statement is planned and does not run.

        Raises:
            Refused, Interrupted, SourceUnavailable: as `run`.
        """
        ...

    def probe(self) -> Sequence[Probe]:
        """Attacks the adapter itself (writes, files, settings) and says what held."""
        ...

    def close(self) -> None:
        """Ends the worker process and frees the source."""
        ...


@dataclass(frozen=True, kw_only=True)
class ChangeCaps:
    """What a preview may cost: rows touched, rows kept for the screen, time, lock waiting."""

    max_rows: int
    shown_rows: int
    timeout_ms: int
    lock_timeout_ms: int


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is to be run as the write role: a statement, or an undo image of an earlier change.

    `targets` are the tables the statement writes, as the guard found them; triggers may reach more.
    `decided` maps tables to the columns left out of the comparison, as the preview found them.
    `schema` says that the statement changes definitions.
    """

    source: str
    sql: str | None
    undo_image: bytes | None = None
    targets: tuple[str, ...] = ()
    decided: tuple[tuple[str, tuple[str, ...]], ...] = ()
    schema: bool = False


@dataclass(frozen=True, kw_only=True)
class Captured:
    """What ran in the open transaction: its diff, and the image that takes it back."""

    diff: Diff
    undo_image: bytes


Found = Literal["before", "after", "neither"]
Step = Literal["run", "rows", "before", "after", "back"]
"""What a preview does: it runs the change, reads the rows it touched (as they were `before` and as
they are `after`, where those are two things to read), takes it back. It may run the change twice.
"""


@dataclass(frozen=True, kw_only=True)
class Reached:
    """How far a preview is: the step, the rows it has seen to, and of about how many.

    `of` is None where nobody knows before the step has ended.
    """

    step: Step
    rows: int = 0
    of: int | None = None


Told = Callable[[Reached], None]
"""Hears how far a preview is, from the thread that makes it. MUST return at once."""


def unheard(_: Reached) -> None:
    """Hears nothing."""


class ChangeEngine(Protocol):
    """A source as the write role. Reads never go through it."""

    def preview(
        self, change: Change, caps: ChangeCaps, cancel: Cancel, told: Told = unheard
    ) -> Diff:
        """Returns the exact diff of a change; it was run and rolled back.

        `told` hears how far it is; `cancel` stops it where it is, on the server too.

        Raises:
            Refused: no exact preview is possible, a cap was passed, or the engine refused
                (`preview.*`, `engine.*`); nothing is left behind.
            Interrupted: stopped or too slow.
            SourceUnavailable: the source cannot be written now (locked, missing).
        """
        ...

    def apply(
        self,
        change: Change,
        caps: ChangeCaps,
        ready: Callable[[Captured], None],
        cancel: Cancel,
    ) -> Captured:
        """Runs the change in one transaction and returns what was committed.

        `ready` is called inside it, before the commit. When it raises, the transaction is rolled
        back and the exception goes on.

        Raises:
            Refused, Interrupted, SourceUnavailable: as `preview`; nothing was committed.
            OutcomeUnknown: the process died between `ready` and the end of the commit; ask `find`.
        """
        ...

    def find(self, undo_image: bytes) -> Found:
        """Says whether the touched rows are as before the change, as after it, or neither."""
        ...

    def close(self) -> None:
        """Ends the worker process."""
        ...
