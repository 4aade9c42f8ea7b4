"""Gives events their place: link, hash, sign, all in the transaction that stores them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from audit import checkpoint
from audit import keys as keyfiles
from audit.chain import Frontier, genesis, leaf_hash
from audit.checkpoint import signed_last_by
from audit.encoding import timestamp
from audit.entry import Entry
from audit.errors import Malformed, Overtaken, RolledBack, Tampered
from audit.event import INTENT
from audit.keys import Keys, SigningKey
from audit.mailbox import Mailbox, Post, Results
from audit.record import Receipt, line_of
from audit.rotation import keys_for
from audit.storage import Head, OpenIntent, Row, Storage

KEEP_EVERY: Final = 1000
_HOUR: Final = len("2026-11-20T08")


Take = Callable[[], Sequence[Sequence[Entry]]]


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A durable batch: what became of each group, and the head if there are records."""

    results: Sequence[Sequence[Receipt] | Malformed]
    head: Head | None


class Sequencer:
    """Places entries, one batch a transaction. One thread at a time.

    `birth` becomes the first record of a new log, `folder` holds the key files. `keys` are those
    in use, `seen` is a size that the log is known to have had durably, `logged` when it wrote last.
    What other processes have put into the `mailbox` is written along.
    """

    def __init__(
        self,
        storage: Storage,
        keys: Keys,
        folder: Path,
        birth: Entry,
        mailbox: Mailbox | None = None,
    ) -> None:
        self._mailbox = mailbox
        self._storage = storage
        self.keys = keys
        self._folder = folder
        self._birth = birth
        self._right: Head | None = None
        self.seen = 0
        self.logged = ""

    def place(self, take: Take) -> Placed:
        """Returns what became of each group, once that is durable.

        `take` gives the groups once it is this log's turn, and the same ones if asked again.

        An entry whose event is in the log already gets its old receipt; a group with one that takes
        the id of another event is `Malformed` and left out whole.

        Raises:
            AuditError: nothing of the batch may be relied on.
        """
        answer = self._mailbox.ask(take) if self._mailbox is not None else None
        if answer is not None:
            self.seen, self.logged = max(self.seen, answer.size), max(self.logged, answer.logged)
            return Placed(results=answer.results, head=None)
        try:
            return self._place(take, sure=False)
        except Overtaken:
            return self._place(take, sure=True)
        finally:
            if self._mailbox is not None:
                self._mailbox.call()

    def _place(self, take: Take, *, sure: bool) -> Placed:
        posts: Sequence[Post] = ()
        carried: list[Results] = []
        with self._storage.appending(sure=sure) as transaction:
            head = self._checked(transaction.head())
            groups = take()
            batch = _Batch(head, self.keys, transaction.known(_ids(groups)))
            if head.size == 0:
                batch.add(self._birth)
            placed = [batch.add_all(group) for group in groups]
            # Where own entries are in doubt, nobody else's are put at risk with them.
            if self._mailbox is not None and not sure:
                posts = self._mailbox.collect()
            carried = [[batch.add_all(group) for group in post.groups] for post in posts]
            if batch.rows:
                # Before it is signed: two roots of one size MUST NOT be.
                transaction.insert(batch.rows)
                transaction.track(batch.opened, batch.closed)
                head = batch.head()
                transaction.seal(head, keep=head.kept == head.size)
        self._saw(head)
        if self._mailbox is not None:
            for post, results in zip(posts, carried, strict=True):
                self._mailbox.answer(post, results, head.size, head.logged)
        return Placed(results=placed, head=head if batch.rows else None)

    def _saw(self, head: Head) -> None:
        self.seen, self.logged = max(self.seen, head.size), head.logged
        self._right = head

    def rotate(self, entry: Callable[[SigningKey, SigningKey], Entry]) -> Head:
        """Replaces the signing key; returns the head after the record that says so.

        `entry` makes the record from the old and the new key. The checkpoint over it is signed with
        both; whoever is killed in between goes on with the new key if the record is there, and with
        the old one if it is not.

        Raises:
            AuditError: nobody knows whether the key was replaced; the next opening finds out.
        """
        with self._storage.appending(sure=True) as transaction:
            before = self._checked(transaction.head())
            old, new = self.keys.signing, keyfiles.begin_rotation(self._folder, self.keys)
            batch = _Batch(before, self.keys, {})
            batch.add(entry(old, new))
            batch.sign_with(old, new)
            head = batch.head()
            transaction.insert(batch.rows)
            transaction.seal(head, keep=True)
        self._saw(head)
        self.keys = keyfiles.end_rotation(self._folder, old)
        return head

    def prune(self, upto: int, entry: Entry) -> Head:
        """Removes the records up to number `upto` and adds the one that says so, together.

        Raises:
            AuditError: nothing was removed, or nobody knows.
        """
        with self._storage.appending(sure=True) as transaction:
            head = self._checked(transaction.head())
            transaction.prune(upto)
            batch = _Batch(head, self.keys, {})
            batch.add(entry)
            head = batch.head()
            transaction.insert(batch.rows)
            transaction.seal(head, keep=head.kept == head.size)
        self._saw(head)
        return head

    def _checked(self, head: Head | None) -> Head:
        if head is None:
            if self.seen:
                raise RolledBack("The audit log was emptied while in use. Keep its files.")
            return _beginning(self.keys)
        if head != self._right:  # which was checked, or written here
            if not check_mac(head, self.keys):
                raise Tampered(
                    "The head of the audit log was not written by this log. Keep its files."
                )
            if not signed_last_by(head.note, self.keys.signing):
                self.keys = keys_for(self._folder, head.note)
        if head.size < self.seen:
            raise RolledBack(
                f"The audit log went back from {self.seen} to {head.size} records while in use."
                " Keep its files."
            )
        return head


def _ids(groups: Sequence[Sequence[Entry]]) -> Sequence[str]:
    return [entry.id for group in groups for entry in group]


class _Batch:
    """Links entries one after the other in memory."""

    def __init__(self, head: Head, keys: Keys, placed: Mapping[str, Row]) -> None:
        self._before = head
        self._keys = keys
        self._signers = [keys.signing]
        self._placed = dict(placed)
        self._frontier = Frontier.unpack(head.size, head.frontier)
        self._leaf = head.leaf_hash
        # Time never runs backwards in the log, whatever the clock does.
        self._logged = max(timestamp(datetime.now(UTC)), head.logged)
        self.rows: list[Row] = []
        self.opened: list[OpenIntent] = []
        self.closed: list[str] = []

    def add_all(self, group: Sequence[Entry]) -> Sequence[Receipt] | Malformed:
        """Adds all entries of a group, or none of them."""
        if len(group) == 1 and group[0].id not in self._placed:
            return [self.add(group[0])]
        given: dict[str, Entry] = {}
        for entry in group:
            row = self._placed.get(entry.id)
            first = given.setdefault(entry.id, entry)
            if row is None and first is entry:
                continue
            known = row.record if row else f'{{"event":{first.text}}}'
            if not _same_event(known, entry.text):
                return Malformed("Another event with this id is in the log already.")
        return [self.add(entry) for entry in group]

    def add(self, entry: Entry) -> Receipt:
        row = self._placed.get(entry.id)
        if row is None:
            row = self._placed[entry.id] = self._link(entry)
            if entry.type == INTENT:
                self.opened.append(OpenIntent(seq=row.seq, id=entry.id, boot=entry.boot))
            if entry.closes is not None:
                self.closed.append(entry.closes)
        return Receipt(seq=row.seq, hash=row.leaf_hash.hex(), logged=row.logged)

    def sign_with(self, *signers: SigningKey) -> None:
        """Has the checkpoint signed by each of these keys, which stays for good."""
        self._signers = list(signers)

    def _link(self, entry: Entry) -> Row:
        seq, prev = self._frontier.size + 1, self._leaf
        line = line_of(entry.text, self._logged, prev, seq)
        self._leaf = leaf_hash(line.encode())
        self._frontier.append(self._leaf)
        row = Row(
            seq,
            entry.id,
            prev,
            self._leaf,
            line,
            self._logged,
            entry.type,
            entry.actor,
            entry.session,
            entry.request,
            entry.outcome,
        )
        self.rows.append(row)
        return row

    def head(self) -> Head:
        size = self._frontier.size
        note = checkpoint.sign(self._signers, size, self._frontier.root())
        kept = size if len(self._signers) > 1 or self._keep(size) else self._before.kept
        frontier = self._frontier.pack()
        return Head(
            size=size,
            leaf_hash=self._leaf,
            frontier=frontier,
            logged=self._logged,
            note=note,
            kept=kept,
            mac=self._keys.mac(_sealed(size, kept, self._logged, self._leaf, note, frontier)),
        )

    def _keep(self, size: int) -> bool:
        thousandth = size // KEEP_EVERY > self._before.kept // KEEP_EVERY
        first_of_the_hour = self._logged[:_HOUR] != self._before.logged[:_HOUR]
        return thousandth or first_of_the_hour


def check_mac(head: Head, keys: Keys) -> bool:
    """True when the log with these keys wrote `head`."""
    text = _sealed(head.size, head.kept, head.logged, head.leaf_hash, head.note, head.frontier)
    return hmac.compare_digest(keys.mac(text), head.mac)


def _sealed(
    size: int, kept: int, logged: str, leaf_hash: bytes, note: str, frontier: bytes
) -> bytes:
    return f"{size}\n{kept}\n{logged}\n{leaf_hash.hex()}\n{note}\n".encode() + frontier


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
