"""Applies an approved change as the write role, exactly once, or says that it does not know.

1 claim the request  2 record the intent  3 run it in one transaction  4 compare the fingerprint
5 store the way back  6 commit  7 record the outcome

A crash between any two of them is found by `Review.recover`, which asks the source what it holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from guard.diff import Diff
from guard.engines.base import (
    Cancel,
    Captured,
    Change,
    ChangeCaps,
    ChangeEngine,
    Engine,
    Found,
    Told,
    unheard,
)
from guard.errors import Drifted
from guard.source import Sources
from store import Store, changes

_SEAL = object()


@dataclass(frozen=True, kw_only=True)
class ApprovedChange:
    """A change that enough other people have approved. Only `review.py` builds one."""

    id: int
    source: str
    statement_sha: str
    fingerprint: str
    change: Change
    seal: object

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("an ApprovedChange is built by guard.review only")


def sealed(
    *, id: int, source: str, statement_sha: str, fingerprint: str, change: Change
) -> ApprovedChange:
    """Returns an approved change. Only `guard.review` may call this; a test holds the line."""
    return ApprovedChange(
        id=id,
        source=source,
        statement_sha=statement_sha,
        fingerprint=fingerprint,
        change=change,
        seal=_SEAL,
    )


class Writer:
    """Holds the write role's engines, opened on first use."""

    def __init__(
        self, store: Store, sources: Sources, open_engine: Callable[[str, Engine], ChangeEngine]
    ) -> None:
        self._store = store
        self._sources = sources
        self._open = open_engine
        self._lock = threading.Lock()
        self._engines: dict[str, tuple[Engine, ChangeEngine]] = {}

    def preview(
        self, change: Change, caps: ChangeCaps, cancel: Cancel, told: Told = unheard
    ) -> Diff:
        """Returns the exact diff; the change was run and rolled back. Raises as the engine does."""
        return self._engine(change.source).preview(change, caps, cancel, told)

    def apply(self, approved: ApprovedChange, caps: ChangeCaps, cancel: Cancel) -> Diff:
        """Commits the change and returns what it did.

        Raises:
            Drifted: it would not do what was approved; rolled back.
            Refused, Interrupted, SourceUnavailable: rolled back.
            OutcomeUnknown: see `Review.recover`.
        """

        def ready(captured: Captured) -> None:
            fingerprint = captured.diff.fingerprint(approved.statement_sha)
            if fingerprint != approved.fingerprint:
                raise Drifted(
                    "The rows have changed since this was reviewed. Nothing was run; it is back in "
                    "review with both versions."
                )
            with self._store.write() as conn:
                changes.record_execution(
                    conn,
                    approved.id,
                    owner=self._store.instance,
                    before_fingerprint=approved.fingerprint,
                    after_fingerprint=fingerprint,
                    undo_image=captured.undo_image,
                    now=self._store.now(),
                )

        engine = self._engine(approved.source)
        return engine.apply(approved.change, caps, ready, cancel).diff

    def find(self, source: str, undo_image: bytes) -> Found:
        """Says whether the rows are as before the change, as after it, or neither."""
        return self._engine(source).find(undo_image)

    def close(self) -> None:
        """Ends the write role's processes."""
        with self._lock:
            for _, engine in self._engines.values():
                engine.close()
            self._engines.clear()

    def _engine(self, source: str) -> ChangeEngine:
        reader = self._sources.get(source).engine
        with self._lock:
            kept = self._engines.get(source)
            if kept is not None and kept[0] is reader:
                return kept[1]
            if kept is not None:
                kept[1].close()  # the policy names another database or login since
                del self._engines[source]
            opened = self._open(source, reader)
            self._engines[source] = (reader, opened)
            return opened
