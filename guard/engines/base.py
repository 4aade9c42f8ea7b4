"""What every engine adapter offers. Drivers are imported only beside this file."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from guard.catalog import Catalog
from guard.rewrite import GuardedQuery


class Cancel:
    """A flag that stops a running statement; safe to set from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Asks whatever watches this flag to stop."""
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

    def probe(self) -> Sequence[Probe]:
        """Attacks the adapter itself (writes, files, settings) and says what held."""
        ...

    def close(self) -> None:
        """Ends the worker process and frees the source."""
        ...
