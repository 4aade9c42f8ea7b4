"""Gives events their place: link, hash, sign, all in the transaction that stores them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from audit import checkpoint
from audit.chain import Frontier, genesis, leaf_hash
from audit.encoding import fit, timestamp
from audit.errors import Malformed, RolledBack, Tampered
from audit.event import INTENT, AuditEvent
from audit.keys import Keys
from audit.record import MAX_EVENT, Receipt, line_of
from audit.storage import Head, OpenIntent, Row, Storage

KEEP_EVERY: Final = 1000
_HOUR: Final = len("2026-11-20T08")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An event with its canonical text and the instance that writes it."""

    event: AuditEvent
    text: str
    boot: str


def prepare(event: AuditEvent, app: Mapping[str, str]) -> Entry:
    """Returns `event` ready to be placed; `app` needs the key `boot`.

    Raises:
        Malformed: the event has a shape the log does not accept.
    """
    return Entry(event=event, text=fit(event.document(app), MAX_EVENT), boot=app["boot"])


class Sequencer:
    """Places entries, one batch a transaction. One thread at a time.

    `birth` becomes the first record of a new log. `seen` is the size after the last batch.
    """

    def __init__(self, storage: Storage, keys: Keys, birth: Entry) -> None:
        self._storage = storage
        self._keys = keys
        self._birth = birth
        self.seen = 0

    def place(self, entries: Sequence[Entry]) -> tuple[list[Receipt | Malformed], Head]:
        """Returns what became of each entry, and the head after them. All is durable by then.

        An entry whose event is in the log already gets its old receipt; one that takes the id of
        another event is `Malformed` and left out.

        Raises:
            AuditError: nothing of the batch may be relied on.
        """
        with self._storage.appending() as transaction:
            head = self._checked(transaction.head())
            batch = _Batch(head, self._keys, transaction.by_id([e.event.id for e in entries]))
            if head.size == 0:
                batch.add(self._birth)
            placed = [batch.add(entry) for entry in entries]
            if batch.rows:
                head = batch.head()
                transaction.insert(batch.rows)
                transaction.track(batch.opened, batch.closed)
                transaction.seal(head, keep=head.kept == head.size)
        self.seen = head.size
        return placed, head

    def _checked(self, head: Head | None) -> Head:
        if head is None:
            if self.seen:
                raise RolledBack("The audit log was emptied while in use. Keep its files.")
            return _beginning(self._keys)
        if not check_mac(head, self._keys):
            raise Tampered("The head of the audit log was not written by this log. Keep its files.")
        if head.size < self.seen:
            raise RolledBack(
                f"The audit log went back from {self.seen} to {head.size} records while in use."
                " Keep its files."
            )
        return head


class _Batch:
    """Links entries one after the other in memory."""

    def __init__(self, head: Head, keys: Keys, placed: Mapping[str, Row]) -> None:
        self._before = head
        self._keys = keys
        self._placed = dict(placed)
        self._frontier = Frontier.unpack(head.size, head.frontier)
        self._leaf = head.leaf_hash
        # Time never runs backwards in the log, whatever the clock does.
        self._logged = max(timestamp(datetime.now(UTC)), head.logged)
        self.rows: list[Row] = []
        self.opened: list[OpenIntent] = []
        self.closed: list[str] = []

    def add(self, entry: Entry) -> Receipt | Malformed:
        event = entry.event
        row = self._placed.get(event.id)
        if row is None:
            row = self._placed[event.id] = self._link(entry)
            if event.type == INTENT:
                self.opened.append(OpenIntent(seq=row.seq, id=event.id, boot=entry.boot))
            if event.closes is not None:
                self.closed.append(event.closes)
        elif not _same_event(row.record, entry.text):
            return Malformed("Another event with this id is in the log already.")
        return Receipt(seq=row.seq, hash=row.leaf_hash.hex(), logged=row.logged)

    def _link(self, entry: Entry) -> Row:
        seq, prev = self._frontier.size + 1, self._leaf
        line = line_of(entry.text, self._logged, prev, seq)
        self._leaf = leaf_hash(line.encode())
        self._frontier.append(self._leaf)
        row = Row(
            seq=seq,
            id=entry.event.id,
            prev_hash=prev,
            leaf_hash=self._leaf,
            record=line,
            logged=self._logged,
            etype=entry.event.type,
            actor=entry.event.actor.id,
            session=entry.event.session,
            request=entry.event.request,
            outcome=entry.event.outcome,
        )
        self.rows.append(row)
        return row

    def head(self) -> Head:
        size = self._frontier.size
        head = Head(
            size=size,
            leaf_hash=self._leaf,
            frontier=self._frontier.pack(),
            logged=self._logged,
            note=checkpoint.sign(self._keys.signing, size, self._frontier.root()),
            kept=size if self._keep(size) else self._before.kept,
            mac=b"",
        )
        return replace(head, mac=_mac(head, self._keys))

    def _keep(self, size: int) -> bool:
        thousandth = size // KEEP_EVERY > self._before.kept // KEEP_EVERY
        first_of_the_hour = self._logged[:_HOUR] != self._before.logged[:_HOUR]
        return thousandth or first_of_the_hour


def check_mac(head: Head, keys: Keys) -> bool:
    """True when the log with these keys wrote `head`."""
    return hmac.compare_digest(_mac(head, keys), head.mac)


def _mac(head: Head, keys: Keys) -> bytes:
    text = f"{head.size}\n{head.kept}\n{head.logged}\n{head.leaf_hash.hex()}\n{head.note}\n"
    return keys.mac(text.encode() + head.frontier)


def _beginning(keys: Keys) -> Head:
    return Head(
        size=0,
        leaf_hash=genesis(keys.signing.name),
        frontier=b"",
        logged="",
        note="",
        kept=0,
        mac=b"",
    )


def _same_event(line: str, text: str) -> bool:
    """True when the stored line holds the event in `text`, whichever process wrote it."""
    stored, given = json.loads(line)["event"], json.loads(text)
    return {**stored, "app": None} == {**given, "app": None}
