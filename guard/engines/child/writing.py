"""What the write role of an engine offers inside its worker process, and how a capture is told."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from guard.engines.child import images
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Role, Stop


@dataclass(frozen=True, kw_only=True)
class Order:
    """One change: a statement on its `targets`, or the image of an earlier change to take back.

    `shown_rows` is how many rows of each table somebody wants to see. `decided` maps tables to the
    columns that are left out of the comparison, where it runs for good.
    """

    sql: str | None
    image: Mapping[str, Any] | None
    targets: tuple[str, ...]
    max_rows: int
    timeout_ms: int
    lock_timeout_ms: int
    shown_rows: int = 0
    schema: bool = False
    decided: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def defines(self) -> bool:
        """True when it changes the schema, or takes such a change back."""
        return self.schema or bool(self.image and "ddl" in self.image)


@dataclass(frozen=True, kw_only=True)
class Capture:
    """What an order did: the tables it touched, the way back, the definitions it rested on.

    `verified` says that the way back was tried and every touched table was the same afterwards.
    `schema` holds the fields of one `SchemaDiff` a table whose definition changed; `undo` says what
    the way back is worth where `verified` and `notes` do not.
    """

    tables: Sequence[images.TableChange]
    image: Mapping[str, object]
    schema_hash: str
    notes: Sequence[str] = ()
    verified: bool = False
    decided: Mapping[str, Sequence[str]] | None = None
    schema: Sequence[Mapping[str, object]] = ()
    undo: Literal["exact", "partial", "none"] | None = None

    @property
    def total(self) -> int:
        """How many rows were touched on all tables."""
        return sum(t.total for t in self.tables)


class WriteRole(Role, Protocol):
    """One source, opened for writing for the length of one order."""

    def preview(self, order: Order, stop: Stop) -> Capture:
        """Returns what the order would do, tried on a copy or rolled back. Raises `Fault`."""
        ...

    def run(self, order: Order, stop: Stop) -> Capture:
        """Runs the order and leaves the transaction open. Raises `Fault` after rolling back."""
        ...

    def commit(self) -> None:
        """Ends the open transaction for good. Raises `Fault`."""
        ...

    def rollback(self) -> None:
        """Ends the open transaction without a trace; harmless where there is none."""
        ...

    def find(self, image: Mapping[str, Any]) -> str:
        """Returns whether the rows of an image are as `before` it, `after` it or `neither`."""
        ...


class Trial(Protocol):
    """A copy of the source on which an order can be tried for good."""

    def run(self, order: Order) -> Capture:
        """Runs the order in a new transaction and leaves it open. Raises `Fault`."""
        ...

    def end(self, word: Literal["COMMIT", "ROLLBACK"]) -> None:
        """Ends the open transaction."""
        ...

    def checksums(self, tables: Sequence[str]) -> list[str]:
        """Returns one checksum a table."""
        ...

    def is_fixed(self, order: Order) -> bool:
        """True when a second run cannot give other values; asked after the first."""
        ...


def tried(trial: Trial, order: Order) -> Capture:
    """Returns what the order does: run twice, committed to the copy, taken back and compared."""
    if order.sql is not None and trial.is_fixed(order):
        return _tried_once(trial, order)
    first = trial.run(order)
    trial.end("ROLLBACK")
    if carries_now(first):
        next_second()
    touched = [t.table for t in first.tables]
    before = trial.checksums(touched)
    second = trial.run(order)
    trial.end("COMMIT")
    return _taken_back(trial, order, (first, second), touched, before)


def _tried_once(trial: Trial, order: Order) -> Capture:
    """Only the touched rows are compared: the engine names every row that a change reaches."""
    done = trial.run(order)
    trial.end("COMMIT")
    try:
        undone = trial.run(replace(order, sql=None, image=done.image))
        trial.end("COMMIT")
        verified = _cancels(done, undone)
    except Fault:
        verified = False
    notes = () if verified else (NOT_PROVEN,)
    return with_second(done, done, verified=verified, notes=notes)


def _cancels(done: Capture, undone: Capture) -> bool:
    """True when the second change is exactly the first one backwards."""
    if [t.table for t in done.tables] != [t.table for t in undone.tables]:
        return False
    return all(
        sorted((repr(r.before), repr(r.after)) for r in one.rows)
        == sorted((repr(r.after), repr(r.before)) for r in other.rows)
        for one, other in zip(done.tables, undone.tables, strict=True)
    )


NOT_PROVEN = "Taking this back was tried and did not give the same rows."


def _taken_back(
    trial: Trial,
    order: Order,
    runs: tuple[Capture, Capture],
    tables: Sequence[str],
    before: Sequence[str],
) -> Capture:
    first, second = runs
    try:
        trial.run(replace(order, sql=None, image=second.image))
        trial.end("COMMIT")
        verified = trial.checksums(tables) == before
    except Fault:
        verified = False
    notes = () if verified else (NOT_PROVEN,)
    return with_second(first, second, verified=verified, notes=notes)


def with_second(
    first: Capture, second: Capture, *, verified: bool, notes: Sequence[str]
) -> Capture:
    """Returns the first run with the columns in which a second one differed."""
    return replace(
        first,
        notes=tuple(notes),
        verified=verified,
        decided=images.decided(first.tables, second.tables),
    )


def next_second() -> None:
    """Waits until the values of this moment are others."""
    time.sleep(1.0 - time.time() % 1.0)


def carries_now(capture: Capture) -> bool:
    """True when a new value looks like this moment: then a second run must see another second."""
    now = dt.datetime.now(dt.UTC)
    starts = tuple(now.strftime(form) for form in ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%H:%M:"))
    seconds = int(now.timestamp())
    for table in capture.tables:
        for row in table.rows:
            for value in row.after or ():
                if isinstance(value, str) and value.startswith(starts):
                    return True
                if isinstance(value, int) and abs(value - seconds) < 60:
                    return True
    return False


def told(
    capture: Capture, decided: Mapping[str, Sequence[str]], shown_rows: int, elapsed_us: int
) -> bytes:
    """Returns the JSON that the console reads: the diff and the undo image."""
    value = {
        "diff": {
            "tables": images.describe(capture.tables, decided, shown_rows),
            "schema_hash": capture.schema_hash,
            "schema": list(capture.schema),
            "undo": capture.undo
            or ("exact" if capture.verified or not capture.notes else "partial"),
            "undo_notes": list(capture.notes),
            "undo_verified": capture.verified,
            "elapsed_us": elapsed_us,
        },
        "image": capture.image,
    }
    return json.dumps(value, separators=(",", ":"), default=str).encode()
