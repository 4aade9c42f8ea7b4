"""Drafts -> previewed requests: run as the write role, captured, rolled back."""

from __future__ import annotations

import datetime as dt

from guard.caller import Caller
from guard.changes import Kept, counts, dump, load
from guard.diff import Diff
from guard.engines.base import Cancel, Change, ChangeCaps
from guard.errors import GuardError, Illegal, refuse
from guard.gate import Proposed
from guard.policyfile import Approvals
from guard.reviewtrail import ReviewTrail
from guard.writer import Writer
from store import Store, StoreConflict, changes
from store.changes import NewChange, Preview, StoredChange


class Previews:
    """Makes requests and their previews."""

    def __init__(
        self, store: Store, writer: Writer, trail: ReviewTrail, settings: Approvals
    ) -> None:
        self._store = store
        self._writer = writer
        self._trail = trail
        self._settings = settings

    def request(self, new: NewChange, change: Change, caller: Caller) -> Proposed:
        """Returns the new request, waiting for review; the same call asks for the same request.

        Raises:
            GuardError: it could not be previewed; it stands as failed with the reason.
        """
        now = self._store.now()
        expires = now + dt.timedelta(hours=self._settings.expires_hours)
        try:
            with self._store.write() as conn:
                stored = changes.create(conn, new, now=now, expires_at=expires)
                changes.move(conn, stored.id, "draft", "previewing", now=now)
        except StoreConflict:
            return self._again(new)
        return self.preview(stored, change, caller)

    def _again(self, new: NewChange) -> Proposed:
        """The same call of the same turn has proposed before: that request is the answer."""
        with self._store.read() as conn:
            stored = changes.by_call(conn, new.turn or "", new.call_id or "")
        if stored is None:
            raise Illegal("The request could not be stored. Ask again.")
        kept = load(stored)
        return Proposed(change=stored.id, state=stored.state, rows=kept.diff.total if kept else 0)

    def preview(
        self, stored: StoredChange, change: Change, caller: Caller, earlier: Diff | None = None
    ) -> Proposed:
        """Takes a request that is `previewing` to `pending`, or to `failed` with the reason.

        Raises:
            GuardError: why no preview could be made; the request stands as failed.
        """
        try:
            intent = self._trail.intent(caller, stored, preview=True)
            diff = self._captured(stored, change, caller, intent)
        except GuardError as error:
            with self._store.write() as conn:
                changes.move(
                    conn,
                    stored.id,
                    "previewing",
                    "failed",
                    now=self._store.now(),
                    error=str(error),
                )
            raise
        preview = Preview(
            summary_json=counts(diff),
            preview_json=dump(Kept(diff=diff, earlier=earlier)),
            fingerprint=diff.fingerprint(stored.statement_sha),
            undo_kind=diff.undo,
        )
        with self._store.write() as conn:
            now = self._store.now()
            changes.record_preview(conn, stored.id, preview, now=now)
            expires = now + dt.timedelta(hours=self._settings.expires_hours)
            changes.move(conn, stored.id, "previewing", "pending", now=now, expires_at=expires)
            self._trail.requested(caller, changes.get(conn, stored.id), diff)
        return Proposed(change=stored.id, state="pending", rows=diff.total)

    def _captured(self, stored: StoredChange, change: Change, caller: Caller, intent: str) -> Diff:
        try:
            diff = self._writer.preview(change, self.caps(), Cancel())
            if diff.total == 0:
                raise refuse(
                    "preview.no_rows",
                    "This would change no row, so there is nothing to approve.",
                    alternative="Check the condition with a SELECT.",
                )
        except GuardError as error:
            self._trail.failed(caller, stored, intent, error)
            raise
        self._trail.previewed(caller, stored, intent, diff)
        return diff

    def caps(self) -> ChangeCaps:
        """Returns what running a change may cost."""
        return ChangeCaps(
            max_rows=self._settings.max_rows,
            shown_rows=self._settings.max_diff_rows,
            timeout_ms=self._settings.timeout_seconds * 1000,
            lock_timeout_ms=self._settings.lock_timeout_seconds * 1000,
        )
