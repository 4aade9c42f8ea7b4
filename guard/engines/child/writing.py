"""What the write role of an engine offers inside its worker process, and how a capture is told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from guard.engines.child import images
from guard.engines.child.reader import Role, Stop


@dataclass(frozen=True, kw_only=True)
class Order:
    """One change: a statement on its `targets`, or the image of an earlier change to take back."""

    sql: str | None
    image: Mapping[str, Any] | None
    targets: tuple[str, ...]
    max_rows: int
    timeout_ms: int
    lock_timeout_ms: int


@dataclass(frozen=True, kw_only=True)
class Capture:
    """What an order did: the tables it touched, the way back, the definitions it rested on.

    `verified` says that the way back was tried and every touched table was the same afterwards.
    """

    tables: Sequence[images.TableChange]
    image: Mapping[str, object]
    schema_hash: str
    notes: Sequence[str] = ()
    verified: bool = False
    decided: Mapping[str, Sequence[str]] | None = None


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


def told(
    capture: Capture, decided: Mapping[str, Sequence[str]], shown_rows: int, elapsed_us: int
) -> bytes:
    """Returns the JSON that the console reads: the diff and the undo image."""
    value = {
        "diff": {
            "tables": images.describe(capture.tables, decided, shown_rows),
            "schema_hash": capture.schema_hash,
            "undo": "exact" if capture.verified or not capture.notes else "partial",
            "undo_notes": list(capture.notes),
            "undo_verified": capture.verified,
            "elapsed_us": elapsed_us,
        },
        "image": capture.image,
    }
    return json.dumps(value, separators=(",", ":"), default=str).encode()
