"""What became of writes that were cut off: the source is asked, a person where it cannot tell."""

from __future__ import annotations

from guard.caller import Caller
from guard.changes import load
from guard.diff import Diff
from guard.errors import GuardError
from guard.policy import Principal
from guard.reviewtrail import ReviewTrail
from guard.source import Sources
from guard.writer import Writer
from store import Store, changes
from store.changes import StoredChange
from store.states import ChangeState

_RECOVERY = Principal(id="gatehouse", name="gatehouse", display_name="Gatehouse", roles=frozenset())


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
        with self._store.read() as conn:
            left = changes.executing(conn)
        dead = [c for c in left if self._store.is_alive(c.exec_token or "") is False]
        for stored in dead:
            caller = Caller(principal=_RECOVERY, channel="console", session=stored.conversation)
            self.settle(stored.id, caller, self._trail.open_intent(stored.id))
        return tuple(c.id for c in dead)

    def settle(self, change: int, caller: Caller, intent: str | None) -> None:
        """Asks the source what became of a write whose process died."""
        stored = self._stored(change)
        with self._store.read() as conn:
            image = changes.undo_image(conn, change)
        found = "before" if image is None else self._writer.find(stored.source, image)
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
