"""What became of writes that were cut off: the source is asked, a person where it cannot tell."""

from __future__ import annotations

import datetime as dt
import logging

from guard.caller import Caller
from guard.changes import load
from guard.diff import Diff
from guard.errors import GuardError, SourceUnavailable
from guard.principal import Principal
from guard.reviewtrail import ReviewTrail
from guard.source import Sources
from guard.writer import Writer
from store import Store, changes
from store.changes import StoredChange
from store.states import ChangeState

_log = logging.getLogger(__name__)

GATEHOUSE = Principal(id="gatehouse", name="gatehouse", display_name="Gatehouse", roles=frozenset())
"""Who acts when nobody does: start-up and the clock."""
NO_IMAGE = b'{"steps":[],"tables":{}}'
"""The undo image of a change that touched nothing, in the form of every engine."""
ABANDONED = dt.timedelta(minutes=15)
"""A preview that is older than this has no process any more: no preview may take as long."""


class Settlement:
    """Moves a request in execution to where it belongs."""

    def __init__(self, store: Store, writer: Writer, sources: Sources, trail: ReviewTrail) -> None:
        self._store = store
        self._writer = writer
        self._sources = sources
        self._trail = trail

    def recover(self) -> tuple[int, ...]:
        """Settles what dead processes left in execution; returns the numbers. Run it at start-up.

        Run it before `AuditLog.reconcile`, which calls every open intent unknown.
        """
        self._abandoned()
        with self._store.read() as conn:
            left = changes.executing(conn)
        dead = [c for c in left if self._store.is_alive(c.exec_token or "") is False]
        settled = []
        for stored in dead:
            caller = Caller(principal=GATEHOUSE, channel="console", session=stored.conversation)
            try:
                self.settle(stored.id, caller, self._trail.open_intent(stored.id))
            except SourceUnavailable:
                # It stays in execution, and the next start asks the source again.
                _log.warning("request %d cannot be settled: its source is not there", stored.id)
                continue
            settled.append(stored.id)
        return tuple(settled)

    def _abandoned(self) -> None:
        """Fails requests whose preview was cut off; nothing of them was run for good."""
        now = self._store.now()
        with self._store.write() as conn:
            for card in changes.list_all(conn, states={"draft", "previewing"}, limit=1_000):
                if now - card.updated_at < ABANDONED:
                    continue
                if card.state == "draft":
                    changes.move(conn, card.id, "draft", "previewing", now=now)
                sentence = "A restart stopped the preview. Nothing was changed; propose it again."
                changes.move(conn, card.id, "previewing", "failed", now=now, error=sentence)

    def settle(self, change: int, caller: Caller, intent: str | None) -> None:
        """Asks the source what became of a write whose process died."""
        stored = self._stored(change)
        with self._store.read() as conn:
            image = changes.undo_image(conn, change)
        # Without an image nothing was committed; asking all the same lets the engine roll back what
        # a killed writer left in its journal.
        found = self._writer.find(stored.source, image or NO_IMAGE)
        if image is None:
            found = "before"
        kept = load(stored)
        if found == "after" and kept is not None:
            self.committed(stored, caller, intent, kept.diff)
        elif found == "before":
            self.release(change, "approved", "A restart stopped this. Nothing was applied.")
            if intent is not None:
                error = GuardError("A restart stopped this before the commit.")
                self._trail.failed(caller, stored, intent, error)
        else:
            self.release(change, "unknown", "It is not known whether this was applied.")
            if intent is not None:
                self._trail.unknown(caller, stored, intent)

    def committed(
        self, stored: StoredChange, caller: Caller, intent: str | None, diff: Diff
    ) -> None:
        """Records that a change, and with it perhaps an undo, is in the source."""
        now = self._store.now()
        with self._store.write() as conn:
            changes.move(conn, stored.id, "executing", "executed", now=now)
            if stored.undo_of is not None:
                changes.move(conn, stored.undo_of, "executed", "undoing", now=now)
                changes.move(conn, stored.undo_of, "undoing", "undone", now=now)
        self._sources.get(stored.source).refresh()
        if intent is not None:
            self._trail.applied(caller, stored, intent, diff)
        if stored.undo_of is not None:
            self._trail.undone(caller, self._stored(stored.undo_of), stored.id)

    def release(self, change: int, state: ChangeState, error: str | None) -> None:
        """Takes a request out of execution; nothing of it was committed, as far as is known."""
        with self._store.write() as conn:
            changes.move(conn, change, "executing", state, now=self._store.now(), error=error)

    def _stored(self, change: int) -> StoredChange:
        with self._store.read() as conn:
            return changes.get(conn, change)
