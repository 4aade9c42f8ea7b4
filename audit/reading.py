"""What an open log answers: its records, where it ends, what a verifier finds, an export of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from audit import export, verify
from audit.courier import Courier
from audit.errors import Tampered, Unavailable
from audit.index import SearchIndex
from audit.keys import Keys
from audit.opening import Layout
from audit.parts import BlobFacts, ConfigFacts
from audit.payloads import Payloads, subject_of
from audit.presence import Presence
from audit.proofs import tlog_proof
from audit.reconcile import Intent, open_intents
from audit.record import Record, record_of
from audit.remotes import Remotes, RemoteState
from audit.sealedsearch import Progress, SealedPage, SealedSearch
from audit.sealing import Archive, Segment
from audit.search import Filter, Hour, Page, Search
from audit.sequencer import Sequencer
from audit.sinks import Anchor, FileSink
from audit.storage import Head, Storage


@dataclass(frozen=True, kw_only=True)
class LogHead:
    """Where the log ends now.

    `size` records, the last with `hash` and `logged`; `note` is the signed checkpoint over all of
    them; the newest anchor in the anchors file covers `anchored`. `failing` names sinks that did
    not take the last anchors, with the kind of error: show that. `remote` says how far the sinks on
    other machines are; when the demand on them is not met, `overdue`, nothing runs.
    """

    size: int
    hash: str
    logged: str
    note: str
    anchored: int
    failing: Mapping[str, str]
    remote: Mapping[str, RemoteState]
    overdue: bool


class LogReader:
    """The reading half of `AuditLog`, which makes the parts it reads from."""

    anchors: Path
    database: Path
    url: str | None
    _layout: Layout
    _storage: Storage
    _sequencer: Sequencer
    _instance: Presence
    _payloads: Payloads
    _index: SearchIndex
    _search: Search
    _archive: Archive
    _file_sink: FileSink
    _courier: Courier
    _remotes: Remotes

    @property
    def _keys(self) -> Keys:
        return self._sequencer.keys

    @property
    def origin(self) -> str:
        """The name of the log, which stands in every checkpoint."""
        return self._keys.signing.name

    @property
    def vkey(self) -> str:
        """The public key. Whoever will verify should have it before there is a reason to."""
        return self._keys.signing.vkey

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The public keys the log ever signed with, the newest first."""
        return tuple(key.vkey for key in self._keys.known)

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
            newest = self._file_sink.newest(self._keys.known)
        except OSError as error:
            raise Unavailable(f"The anchors in {self.anchors} cannot be read.") from error
        return LogHead(
            size=head.size,
            hash=head.leaf_hash.hex(),
            logged=head.logged,
            note=head.note,
            anchored=newest.size if newest else 0,
            failing=self._courier.failing,
            remote=self._remotes.states(),
            overdue=self._remotes.overdue(),
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

    def search_sealed(
        self,
        wanted: Filter,
        limit: int = 50,
        before: int | None = None,
        progress: Progress | None = None,
        reached: Callable[[SealedPage], None] | None = None,
    ) -> SealedPage:
        """Returns the newest sealed records older than number `before` that fit `wanted`.

        It reads the segments, so it takes seconds; what `progress` raises ends it. `reached` is
        given what was found after each segment, from where a later search can go on.

        Raises:
            Tampered: a segment is not what its manifest says. Run the verifier.
            Unavailable: a segment cannot be read.
        """
        found = SealedSearch(self._archive)
        return found.page(
            wanted, limit=max(limit, 1), before=before, progress=progress, reached=reached
        )

    def sealed_within(self, wanted: Filter) -> Sequence[Segment]:
        """Returns the segments that `search_sealed` would read, newest first.

        Raises:
            Tampered: a manifest is damaged.
        """
        return SealedSearch(self._archive).within(wanted)

    def decisions(self, wanted: Filter) -> Sequence[Hour]:
        """Returns the hours in which records that fit `wanted` decided something, with counts.

        Raises:
            Unavailable: the log or its index cannot be read.
        """
        return self._search.decisions(wanted)

    def numbers(self, wanted: Filter) -> Sequence[int]:
        """Returns the numbers of all records that fit `wanted`, oldest first, without reading them.

        Raises:
            Unavailable: the log or its index cannot be read.
        """
        return self._search.seqs(wanted, self._head().size)

    def records(self, seqs: Sequence[int]) -> tuple[Record, ...]:
        """Returns the records with those numbers, in that order, without those that are not here.

        Raises:
            Unavailable: the log cannot be read.
        """
        with self._storage.reading() as log:
            return tuple(map(record_of, log.by_seq(seqs)))

    def sealed_segments(self) -> Sequence[Segment]:
        """Returns the segments that old records were moved into, expired ones too, oldest first.

        Raises:
            Tampered: a manifest is damaged.
        """
        return self._archive.segments()

    def holds(self, segment: Segment) -> bool:
        """True while the records of that segment have not expired."""
        return self._archive.holds(segment)

    def payload(self, record: Record) -> str | None:
        """Returns the whole text of an event that was too long for its record.

        None when it was not too long, or was erased.

        Raises:
            Tampered: what is kept is not what was recorded, or is gone though nobody erased it.
            Unavailable: it cannot be read now.
        """
        facts = record.event.part(BlobFacts)
        if facts is None:
            return None
        found = self._payloads.open(facts)
        if found is None and not self._erased_after(record):
            raise Tampered(
                f"The whole text of event {record.seq} is gone, and the log does not say that it"
                " was erased. Put back a copy of the payloads."
            )
        return found

    def _erased_after(self, record: Record) -> bool:
        subject = subject_of(record.event)
        seqs = [n for n in self.numbers(Filter(types=("erasure.performed",))) if n > record.seq]
        facts = (one.event.part(ConfigFacts) for one in self.records(seqs))
        return any(one is not None and one.name == subject for one in facts)

    def renew_search(self) -> None:
        """Makes the search index anew from the records. What it finds is then what is there.

        Raises:
            Unavailable: the log or its index cannot be used.
        """
        self._index.renew()

    def open_intents(self) -> tuple[Intent, ...]:
        """Returns the intents without an outcome, oldest first, alive or left by a dead process.

        Raises:
            Unavailable: the log cannot be read.
        """
        return open_intents(self._storage, self._instance)

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
        if self.url is not None:
            # What other instances wrote last, they anchored in files of their own.
            self._courier.send(anchor_of(self._settled()))
        self._courier.flush()
        keys = [verify.parse_vkey(vkey) for vkey in self.vkeys]
        check = partial(verify.verify_database, self.database)
        if self.url is not None:
            from audit.verifypg import verify_postgres

            check = partial(verify_postgres, self.url)
        try:
            return check(
                keys,
                self.anchors,
                deep=deep,
                since=since,
                progress=progress,
                segments=self._layout.segments,
            )
        except (sqlite3.Error, OSError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"The audit log cannot be verified: {error}.") from error

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
            head = log.settled()
            if head is None:
                raise Unavailable("The audit log is empty.")
            return export.write(
                target,
                log,
                head,
                vkey=self.vkey,
                anchors=self.anchors,
                archive=self._archive,
                seqs=seqs,
            )

    def prove(self, seq: int) -> str | None:
        """Returns the proof that record `seq` is in the log, as text, None if it is not here.

        The text holds the newest checkpoint: https://c2sp.org/tlog-proof

        Raises:
            Unavailable: the log cannot be read.
        """
        with self._storage.reading() as log:
            head = log.settled()
            if head is None or not log.first() <= seq <= head.size:
                return None
            path = export.prove(log, head, [seq])[seq]
        return tlog_proof(seq - 1, path, head.note)

    def flush(self) -> bool:
        """Waits until every checkpoint was handed to the sinks; false when that took too long."""
        return self._courier.flush()

    def _head(self) -> Head:
        with self._storage.reading() as log:
            head = log.head()
        if head is None:
            raise Unavailable("The audit log is empty.")
        return head

    def _settled(self) -> Head:
        with self._storage.reading() as log:
            head = log.settled()
        if head is None:
            raise Unavailable("The audit log is empty.")
        return head


def anchor_of(head: Head) -> Anchor:
    """Returns the checkpoint of `head`, which MUST be durable, on its way out."""
    return Anchor(size=head.size, note=head.note, logged=head.logged)
