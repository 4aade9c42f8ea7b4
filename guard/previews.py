"""Drafts -> previewed requests: run as the write role, captured, weighed, rolled back."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from contextlib import suppress
from dataclasses import replace

from guard.approvalpolicy import Approvals
from guard.caller import Caller
from guard.changes import Kept, counts, dump, load, pack
from guard.diff import Diff
from guard.engines.base import Cancel, Change, ChangeCaps
from guard.errors import GuardError, Illegal, Interrupted, refuse
from guard.inforce import InForce
from guard.notices import Notices
from guard.proposals import Proposed
from guard.reviewtrail import ReviewTrail
from guard.risk import Risk, assess, dump_reasons
from guard.shapes import shape_of
from guard.source import Sources
from guard.underway import Running
from guard.writer import Writer
from store import IllegalMove, Store, StoreConflict, StoreError, changes
from store.changes import NewChange, Preview, StoredChange

_log = logging.getLogger(__name__)

STOPPED = "The preview was stopped before its end. Nothing was changed."
"""What a request says whose preview somebody stopped."""
_GIVEN_UP = "The preview failed. Nothing was changed; the console's own log says why."
_SOON_SECONDS = 1.0
"""What a small preview takes at most; nobody needs to see how far that is."""
_LEAVING_SECONDS = 5.0


def _stopped(error: GuardError) -> bool:
    return isinstance(error, Interrupted) and error.cause == "cancelled"


class Previews:
    """Makes requests and their previews."""

    def __init__(
        self,
        *,
        store: Store,
        writer: Writer,
        sources: Sources,
        trail: ReviewTrail,
        notices: Notices,
        policies: InForce,
    ) -> None:
        self._store = store
        self._writer = writer
        self._sources = sources
        self._trail = trail
        self._notices = notices
        self._policies = policies
        self.running = Running()
        self._behind: dict[threading.Thread, Cancel] = {}
        self._lock = threading.Lock()

    @property
    def _settings(self) -> Approvals:
        return self._policies.current().approvals

    def request(
        self, new: NewChange, change: Change, caller: Caller, cancel: Cancel | None = None
    ) -> Proposed:
        """Returns the new request, waiting for review; the same call asks for the same request.

        Raises:
            GuardError: it could not be previewed; it stands as failed with the reason.
        """
        try:
            stored = self._made(new)
        except StoreConflict:
            return self._again(new, change, caller, cancel)
        return self.preview(stored, change, caller, cancel=cancel)

    def begin(self, new: NewChange, change: Change, caller: Caller) -> int:
        """Returns the number of a new request, whose preview is made meanwhile.

        `running` says how far it is and stops it. What fails stands on the request, as ever.
        """
        stored, cancel = self._made(new), Cancel()
        thread = threading.Thread(
            target=self._follow,
            args=(stored, change, caller, cancel),
            name=f"preview-{stored.id}",
            daemon=True,
        )
        with self._lock:
            self._behind[thread] = cancel
        thread.start()
        thread.join(_SOON_SECONDS)
        return stored.id

    def close(self) -> None:
        """Stops the previews that `begin` began; each is rolled back and says so."""
        with self._lock:
            left = dict(self._behind)
        for cancel in left.values():
            cancel.set()
        for thread in left:
            thread.join(_LEAVING_SECONDS)

    def _follow(self, stored: StoredChange, change: Change, caller: Caller, cancel: Cancel) -> None:
        try:
            self.preview(stored, change, caller, cancel=cancel)
        except GuardError:
            pass  # the request says why
        except Exception:  # nobody waits for it, so this is where it can be read
            _log.exception("the preview of request %d was given up", stored.id)
            with suppress(StoreError, IllegalMove), self._store.write() as conn:
                now = self._store.now()
                changes.move(conn, stored.id, "previewing", "failed", now=now, error=_GIVEN_UP)
        finally:
            with self._lock:
                self._behind.pop(threading.current_thread(), None)

    def _made(self, new: NewChange) -> StoredChange:
        now = self._store.now()
        expires = now + dt.timedelta(hours=self._settings.expires_hours)
        with self._store.write() as conn:
            stored = changes.create(conn, new, now=now, expires_at=expires)
            changes.move(conn, stored.id, "draft", "previewing", now=now)
        return stored

    def _again(
        self, new: NewChange, change: Change, caller: Caller, cancel: Cancel | None
    ) -> Proposed:
        """The same call of the same turn has proposed before: that request is the answer.

        A preview that a restart cut off is made anew; one that failed has failed for good.
        """
        with self._store.read() as conn:
            stored = changes.by_call(conn, new.turn or "", new.call_id or "")
        if stored is None:
            raise Illegal("The request could not be stored. Ask again.")
        if stored.state == "previewing" and self.running.of(stored.id) is None:
            return self.preview(stored, change, caller, cancel=cancel)
        if stored.state == "failed":
            raise refuse("preview.failed", stored.error or "It could not be previewed.")
        kept = load(stored)
        return Proposed(change=stored.id, state=stored.state, rows=kept.diff.total if kept else 0)

    def preview(
        self,
        stored: StoredChange,
        change: Change,
        caller: Caller,
        earlier: Diff | None = None,
        cancel: Cancel | None = None,
    ) -> Proposed:
        """Takes a request that is `previewing` to `pending`, or to `failed` with the reason.

        Raises:
            GuardError: why no preview could be made; the request stands as failed, or as begun
                where this process goes away.
        """
        cancel = cancel or Cancel()
        try:
            intent = self._trail.intent(caller, stored, preview=True)
            diff = self._captured(stored, change, caller, intent, cancel)
            risk = self._risk(stored, diff)
        except GuardError as error:
            if cancel.leaving and _stopped(error):
                raise  # it stands as begun, and the call that is made again previews it anew
            with self._store.write() as conn:
                changes.move(
                    conn,
                    stored.id,
                    "previewing",
                    "failed",
                    now=self._store.now(),
                    error=STOPPED if _stopped(error) else str(error),
                )
                self._notices.queue(conn, "decided", stored.id)
            raise
        preview = self._preview(stored, diff, risk, earlier)
        with self._store.write() as conn:
            now = self._store.now()
            changes.record_preview(conn, stored.id, preview, now=now)
            expires = now + dt.timedelta(hours=self._settings.expires_hours)
            changes.move(conn, stored.id, "previewing", "pending", now=now, expires_at=expires)
            self._notices.queue(conn, "new" if earlier is None else "drifted", stored.id)
            self._trail.requested(caller, changes.get(conn, stored.id), diff, risk)
        return Proposed(change=stored.id, state="pending", rows=diff.total)

    def _preview(
        self, stored: StoredChange, diff: Diff, risk: Risk, earlier: Diff | None
    ) -> Preview:
        most = self._settings.max_diff_rows
        shown = replace(diff, tables=tuple(replace(t, rows=t.rows[:most]) for t in diff.tables))
        cut = any(len(t.rows) > most for t in diff.tables)
        return Preview(
            summary_json=counts(diff),
            preview_json=dump(Kept(diff=shown, earlier=earlier)),
            fingerprint=diff.fingerprint(stored.statement_sha),
            undo_kind=diff.undo,
            rows_packed=pack(diff) if cut else None,
            tier=risk.tier,
            tier_reasons_json=dump_reasons(risk),
            approvers_needed=risk.approvers,
            admins_needed=risk.admins,
        )

    def _risk(self, stored: StoredChange, diff: Diff) -> Risk:
        catalog = self._sources.get(stored.source).catalog()
        undo = stored.undo_of is not None
        return assess(
            diff,
            settings=self._settings,
            environment=self._policies.current().sources[stored.source].environment,
            catalog=catalog,
            shape=None if undo else shape_of(stored.statement, catalog.dialect),
        )

    def _captured(
        self, stored: StoredChange, change: Change, caller: Caller, intent: str, cancel: Cancel
    ) -> Diff:
        try:
            with self.running.entered(stored, cancel) as told:
                diff = self._writer.preview(change, self.preview_caps(), cancel, told)
            if diff.is_empty:
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

    def preview_caps(self) -> ChangeCaps:
        """Returns what a preview may cost: more rows are counted than may be changed.

        Every row that a change may touch is captured, so that all of them can be taken along.
        """
        caps = self.caps()
        return replace(caps, max_rows=self._settings.counted_rows, shown_rows=caps.max_rows)

    def caps(self) -> ChangeCaps:
        """Returns what running a change may cost."""
        return ChangeCaps(
            max_rows=self._settings.max_rows,
            shown_rows=self._settings.max_diff_rows,
            timeout_ms=self._settings.timeout_seconds * 1000,
            lock_timeout_ms=self._settings.lock_timeout_seconds * 1000,
        )
