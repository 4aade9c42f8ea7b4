"""AuditLog: opened, kept and closed here; it appends and reads by its halves. One for a process."""

from __future__ import annotations

import atexit
import contextlib
import socket
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from audit.appending import LogAppender
from audit.courier import Courier
from audit.entry import prepare as prepare_entry
from audit.errors import AuditError
from audit.event import SYSTEM, Actor, AuditEvent, Outcome
from audit.flood import Flood
from audit.index import SearchIndex
from audit.keys import Keys
from audit.opening import Layout, Opened, compare, newest_anchor, prepare
from audit.parts import ConfigFacts, LogFacts
from audit.payloads import Payloads
from audit.reading import anchor_of
from audit.reconcile import reconcile
from audit.record import FORMAT, Receipt
from audit.remotes import Remotes
from audit.retention import Retention
from audit.room import Gauge, Watermark
from audit.rotation import keys_for, rotated
from audit.sealing import Archive, Segment
from audit.search import Search
from audit.sequencer import Sequencer, check_mac
from audit.sinks import FileSink, Sink
from audit.writer import Writer

APPEND_TIMEOUT_S: Final = 5.0


class AuditLog(LogAppender):
    """An append-only log that shows when it was changed. Get one from `open`."""

    def __init__(
        self,
        *,
        layout: Layout,
        opened: Opened,
        app_version: str,
        sinks: Sequence[Sink],
        flood: Flood | None,
        watermark: Watermark,
    ) -> None:
        self.anchors = layout.anchors
        self.database = layout.database
        self.url = layout.url
        self._flood = flood
        self._vault = opened.vault
        self._payloads = Payloads(opened.vault, opened.keys.payload)
        self._gauge = Gauge(layout.folder, watermark)
        self._layout = layout
        keys = opened.keys
        self._storage = storage = opened.storage
        self._file_sink = FileSink(layout.anchors)
        self._instance = opened.presence
        self._mailbox = opened.mailbox
        self._app = {
            "boot": self._instance.boot,
            "instance": keys.digest_of(socket.gethostname())[:12],
            "version": app_version,
        }
        birth = prepare_entry(_created(keys), self._app)
        self._sequencer = Sequencer(storage, keys, layout.folder, birth, opened.mailbox)
        self._index = SearchIndex(layout.index, storage, keys.signing.name)
        self._search = Search(storage, self._index)
        self._turn = threading.Lock()
        self._writer = Writer(self._place, APPEND_TIMEOUT_S)
        self._archive = Archive(layout.segments, keys.signing.name)
        self._retention = Retention(
            storage, self._archive, keys.signing.name, self.append, self._remove
        )
        self._courier = Courier(
            (self._file_sink, *sinks), on_failure=self._anchor_failed, on_idle=self._idle
        )
        self._remotes = Remotes((), on_failure=self._anchor_failed)
        atexit.register(self.close)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        app_version: str,
        url: str | None = None,
        origin: str | None = None,
        anchors: Path | None = None,
        sinks: Sequence[Sink] = (),
        flood: Flood | None = None,
        watermark: Watermark = Watermark(),  # noqa: B008  # immutable
    ) -> Self:
        """Returns the log in `folder`, which is made at first use together with its keys.

        With `url` the records are in that PostgreSQL database, where several instances may write;
        `folder` then holds this instance's keys, which are the same for all, and its anchors.
        `origin` names a new log (a made-up name by default); `anchors` is the file that takes every
        checkpoint (`anchors.jsonl` in the folder by default; another disk is better), `sinks` take
        them too. `flood` bounds what one person can write, `watermark` says when the disk is full.

        Raises:
            RolledBack: fewer records are stored than were anchored. Nothing may run.
            AuditError: the log cannot be used. Nothing may run.
        """
        layout = Layout(folder=folder, anchors=anchors or folder / "anchors.jsonl", url=url)
        opened = prepare(layout, origin)
        log = cls(
            layout=layout,
            opened=opened,
            app_version=app_version,
            sinks=sinks,
            flood=flood,
            watermark=watermark,
        )
        try:
            log._begin()
        except BaseException:
            log.close()
            raise
        return log

    def more_than_append(self) -> tuple[str, ...]:
        """Returns what this login can do to the records besides appending and reading, in words.

        Only PostgreSQL knows logins; a file belongs to whoever runs the console.

        Raises:
            Unavailable: the database cannot be asked.
        """
        if self.url is None:
            return ()
        from audit.postgres import privileges

        return privileges(self.url)

    def rotate_key(self, actor: Actor = SYSTEM) -> str:
        """Returns the new public key after the log began to sign with a new one.

        The old key can be destroyed then: it signs nothing any more, and its public half is kept.
        Other processes on this folder find the new key by themselves; instances elsewhere must be
        given it.

        Raises:
            AuditError: the key was not changed, or nobody knows; opening the log again finds out.
        """
        with self._turn:
            head = self._sequencer.rotate(
                lambda old, new: prepare_entry(rotated(old, new, actor), self._app)
            )
            self._sent(head)
        return self.vkey

    def erase(self, subject: str, actor: Actor = SYSTEM) -> int:
        """Returns how many payloads about a person can never be read again.

        `subject` is the person's pseudonym in the log; what resolves it to a name is not kept here.
        The chain stays valid. It is recorded before and after.

        Raises:
            AuditError: it could not be recorded or done; do it again.
        """
        self.append(_erasure(subject, actor, "pending", "Erasing the payloads of a person."))
        gone = self._payloads.erase(subject)
        self.append(_erasure(subject, actor, "success", f"Erased {gone} payloads of a person."))
        return gone

    def seal(self, before: datetime, actor: Actor = SYSTEM) -> Sequence[Segment]:
        """Returns the segments that were made of the records written before that moment.

        They are compressed files with a manifest each, in the folder `segments`; their records
        leave the database. The log verifies with them, and without them from where they end.

        Raises:
            AuditError: a step failed. Nothing is lost; do it again.
        """
        made = self._retention.seal(before, self._anchored(), actor)
        self._retention.prune(self._anchored(), actor)
        return made

    def expire(self, years: float, actor: Actor = SYSTEM) -> Sequence[Segment]:
        """Returns the segments whose records were removed for good, being older than `years`.

        Their manifests stay, so that what follows them remains provable.

        Raises:
            AuditError: a step failed. Do it again.
        """
        gone = self._retention.expire(years, actor)
        if gone:
            self._index.forget()
        return gone

    def reconcile(self) -> Sequence[Receipt]:
        """Records `query.outcome_unknown` for every intent a dead process left. Call at start-up.

        Whoever can find out more about an intent records that first.

        Raises:
            AuditError: the log cannot be read or written.
        """
        return reconcile(self._storage, self._instance, self.append)

    def close(self) -> None:
        """Writes what is queued and ends the log's threads. Appending afterwards is refused."""
        atexit.unregister(self.close)
        if self._flood is not None and (counts := self._flood.over(all_of_them=True)):
            with contextlib.suppress(AuditError):
                self._write(counts)
        self._writer.close()
        if self._mailbox is not None:
            self._mailbox.close()
        self._remotes.close()
        self._courier.close()
        self._index.close()
        self._storage.close()
        self._vault.close()
        self._instance.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _begin(self) -> None:
        with self._storage.reading() as reading:
            head = reading.head()
        if head is not None and check_mac(head, self._keys):
            self._sequencer.keys = keys_for(self._layout.folder, head.note)
        newest = newest_anchor(self._keys, self._file_sink)
        with self._storage.reading() as reading:
            head = reading.settled()
            anchored = compare(reading, head, self._keys, newest) if head else 0
        if head is None:
            self._place(tuple)
            # From here on a log without any anchor has lost them.
            self._courier.flush()
        elif anchored < head.size:
            # A crash may have come between a commit and its anchor.
            self._courier.send(anchor_of(head))
            if anchored == 0 and head.size > 1 and not self._layout.is_new_instance:
                self._anchor_failed("file", anchor_of(head), FileNotFoundError())
        self._layout.joined.touch(mode=0o600)

    def _remove(self, upto: int, event: AuditEvent) -> None:
        entry = prepare_entry(event, self._app)
        with self._turn:
            self._sent(self._sequencer.prune(upto, entry))

    def _anchored(self) -> int:
        self._courier.flush()
        return self.head().anchored


def _erasure(subject: str, actor: Actor, outcome: Outcome, summary: str) -> AuditEvent:
    return AuditEvent(
        type="erasure.performed",
        actor=actor,
        outcome=outcome,
        summary=summary,
        parts=(ConfigFacts(kind="person", name=subject, change="erased"),),
    )


def _created(keys: Keys) -> AuditEvent:
    return AuditEvent(
        type="log.created",
        actor=SYSTEM,
        outcome="success",
        summary="The audit log begins.",
        parts=(
            LogFacts(
                origin=keys.signing.name,
                vkey=keys.signing.vkey,
                hash="SHA-256, RFC 6962 leaves",
                canonicalization="RFC 8785, integers only",
                format=FORMAT,
            ),
        ),
    )
