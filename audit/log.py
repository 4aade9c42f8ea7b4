"""AuditLog: append, read, search, verify, export. One for a process, shared by its threads."""

from __future__ import annotations

import atexit
import contextlib
import socket
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from audit import export, verify
from audit.courier import Courier
from audit.errors import AuditError, Unavailable
from audit.event import SYSTEM, AuditEvent
from audit.index import SearchIndex
from audit.keys import Keys
from audit.locks import Instance
from audit.opening import Layout, compare, prepare
from audit.parts import AnchorFacts, ErrorFacts, LogFacts
from audit.reconcile import Intent, open_intents, reconcile
from audit.record import FORMAT, Receipt, Record, record_of
from audit.search import Filter, Page, Search
from audit.sequencer import Entry, Sequencer
from audit.sequencer import prepare as prepare_entry
from audit.sinks import Anchor, FileSink, Sink
from audit.storage import Head, Storage
from audit.writer import Writer

APPEND_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class LogHead:
    """Where the log ends now.

    `size` records, the last with `hash` and `logged`; `note` is the signed checkpoint over all of
    them; the newest anchor in the anchors file covers `anchored`. `failing` names sinks that did
    not take the last anchors, with the kind of error: show that.
    """

    size: int
    hash: str
    logged: str
    note: str
    anchored: int
    failing: Mapping[str, str]


class AuditLog:
    """An append-only log that shows when it was changed. Get one from `open`."""

    def __init__(
        self,
        *,
        layout: Layout,
        keys: Keys,
        storage: Storage,
        app_version: str,
        sinks: Sequence[Sink],
    ) -> None:
        self.anchors = layout.anchors
        self.database = layout.database
        self._layout = layout
        self._keys = keys
        self._storage = storage
        self._file_sink = FileSink(layout.anchors)
        self._instance = Instance.start(layout.instances)
        self._app = {
            "boot": self._instance.boot,
            "instance": keys.digest_of(socket.gethostname())[:12],
            "version": app_version,
        }
        self._sequencer = Sequencer(storage, keys, prepare_entry(_created(keys), self._app))
        self._index = SearchIndex(layout.index, storage, keys.signing.name)
        self._search = Search(storage, self._index)
        self._writer = Writer(self._place, APPEND_TIMEOUT_S)
        self._courier = Courier(
            (self._file_sink, *sinks), on_failure=self._anchor_failed, on_idle=self._idle
        )
        atexit.register(self.close)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        app_version: str,
        origin: str | None = None,
        anchors: Path | None = None,
        sinks: Sequence[Sink] = (),
    ) -> Self:
        """Returns the log in `folder`, which is made at first use together with its keys.

        `origin` names a new log (a made-up name by default); `anchors` is the file that takes every
        checkpoint (`anchors.jsonl` in the folder by default; another disk is better), `sinks` take
        them too.

        Raises:
            RolledBack: fewer records are stored than were anchored. Nothing may run.
            AuditError: the log cannot be used. Nothing may run.
        """
        layout = Layout(folder=folder, anchors=anchors or folder / "anchors.jsonl")
        keys, storage = prepare(layout, origin)
        log = cls(layout=layout, keys=keys, storage=storage, app_version=app_version, sinks=sinks)
        try:
            log._begin()
        except BaseException:
            log.close()
            raise
        return log

    @property
    def origin(self) -> str:
        """The name of the log, which stands in every checkpoint."""
        return self._keys.signing.name

    @property
    def vkey(self) -> str:
        """The public key. Whoever will verify should have it before there is a reason to."""
        return self._keys.signing.vkey

    def append(self, event: AuditEvent) -> Receipt:
        """Returns once `event` is durable.

        Raises:
            AuditError: it is not, or nobody knows. The caller MUST NOT do what the event announces.
        """
        return self._writer.append(prepare_entry(event, self._app))

    def digest(self, text: str) -> str:
        """Returns 64 hex digits: equal for equal texts, not to be guessed without the key."""
        return self._keys.digest_of(text)

    def changed(self) -> int:
        """Returns a number that is larger whenever records were added, by whichever process. Cheap.

        Raises:
            Unavailable: the log cannot be read.
        """
        return self._head().size

    def head(self) -> LogHead:
        """Returns where the log ends and how far it is anchored.

        Raises:
            Unavailable: the log or its anchors cannot be read.
        """
        head = self._head()
        try:
            newest = self._file_sink.newest(self._keys.signing)
        except OSError as error:
            raise Unavailable(f"The anchors in {self.anchors} cannot be read.") from error
        return LogHead(
            size=head.size,
            hash=head.leaf_hash.hex(),
            logged=head.logged,
            note=head.note,
            anchored=newest.size if newest else 0,
            failing=self._courier.failing,
        )

    def tail(
        self, limit: int = 30, session: str | None = None, after: int = 0
    ) -> tuple[Record, ...]:
        """Returns the newest records after number `after`, oldest first, of one session or of all.

        Raises:
            Unavailable: the log cannot be read.
        """
        with self._storage.reading() as log:
            rows = log.tail(limit=max(limit, 0), session=session, after=after)
        return tuple(map(record_of, reversed(rows)))

    def record(self, seq: int) -> Record | None:
        """Returns the record with that number, or None.

        Raises:
            Unavailable: the log cannot be read.
        """
        with self._storage.reading() as log:
            rows = log.by_seq([seq])
        return record_of(rows[0]) if rows else None

    def search(self, wanted: Filter, limit: int = 50, offset: int = 0) -> Page:
        """Returns the records that fit `wanted`, newest first.

        Raises:
            Unavailable: the log or its index cannot be read.
        """
        return self._search.page(wanted, limit=max(limit, 0), offset=max(offset, 0))

    def open_intents(self) -> tuple[Intent, ...]:
        """Returns the intents without an outcome, oldest first, alive or left by a dead process.

        Raises:
            Unavailable: the log cannot be read.
        """
        return open_intents(self._storage, self._layout.instances)

    def reconcile(self) -> Sequence[Receipt]:
        """Records `query.outcome_unknown` for every intent a dead process left. Call at start-up.

        Whoever can find out more about an intent records that first.

        Raises:
            AuditError: the log cannot be read or written.
        """
        return reconcile(self._storage, self._layout.instances, self.append)

    def verify(
        self,
        *,
        deep: bool = False,
        since: verify.State | None = None,
        progress: verify.Progress | None = None,
    ) -> verify.Report:
        """Returns what the verifier finds; `since` is the `state` of an earlier report.

        It reads the files like anybody else could, sharing nothing with the writer but the public
        key.

        Raises:
            Unavailable: the database cannot be opened.
        """
        self._courier.flush()
        try:
            return verify.verify_database(
                self.database,
                [verify.parse_vkey(self.vkey)],
                self.anchors,
                deep=deep,
                since=since,
                progress=progress,
            )
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"The audit database cannot be opened: {error}.") from error

    def export(self, target: Path | BinaryIO, wanted: Filter | None = None) -> export.Exported:
        """Writes a bundle with the verifier into a new folder, or as a zip file into a stream.

        With a filter the bundle shows those records only, each with a proof that it is in the log;
        that none was left out only a complete export shows.

        Raises:
            AuditError: something cannot be read or written.
        """
        self._courier.flush()
        seqs = None
        if wanted is not None and wanted.used:
            seqs = self._search.seqs(wanted, self._head().size)
        with self._storage.reading() as log:
            head = log.head()
            if head is None:
                raise Unavailable("The audit log is empty.")
            return export.write(target, log, head, vkey=self.vkey, anchors=self.anchors, seqs=seqs)

    def flush(self) -> bool:
        """Waits until every checkpoint was handed to the sinks; false when that took too long."""
        return self._courier.flush()

    def close(self) -> None:
        """Writes what is queued and ends the log's threads. Appending afterwards is refused."""
        atexit.unregister(self.close)
        self._writer.close()
        self._courier.close()
        self._index.close()
        self._storage.close()
        self._instance.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _begin(self) -> None:
        with self._storage.reading() as reading:
            head = reading.head()
            anchored = compare(reading, head, self._keys, self._file_sink) if head else 0
        if head is None:
            self._place([])
            # From here on a log without any anchor has lost them.
            self._courier.flush()
        elif anchored < head.size:
            # A crash may have come between a commit and its anchor.
            self._courier.send(_anchor(head))
            if anchored == 0 and head.size > 1:
                self._anchor_failed("file", _anchor(head), FileNotFoundError())

    def _place(self, entries: Sequence[Entry]) -> Sequence[Receipt | AuditError]:
        before = self._sequencer.seen
        results, head = self._sequencer.place(entries)
        if head.size != before:
            self._courier.send(_anchor(head))
        return results

    def _head(self) -> Head:
        with self._storage.reading() as log:
            head = log.head()
        if head is None:
            raise Unavailable("The audit log is empty.")
        return head

    def _anchor_failed(self, sink: str, anchor: Anchor, error: Exception) -> None:
        # When this cannot be recorded either, `head().failing` still shows it.
        with contextlib.suppress(AuditError):
            self.append(
                AuditEvent(
                    type="log.anchor_failed",
                    actor=SYSTEM,
                    outcome="failure",
                    summary=f"Checkpoints could not be kept outside the log: {sink}.",
                    parts=(
                        AnchorFacts(sink=sink, size=anchor.size),
                        ErrorFacts(type=type(error).__name__),
                    ),
                )
            )

    def _idle(self) -> None:
        # The next search catches up too, and says what is wrong.
        with contextlib.suppress(AuditError):
            self._index.catch_up()


def _anchor(head: Head) -> Anchor:
    return Anchor(size=head.size, note=head.note, logged=head.logged)


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
