"""What the log needs of a database: small enough that another engine can stand in.

A storage keeps rows and one head; it links, hashes and signs nothing and judges nothing. Every
error of the engine leaves as `Unavailable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Row(NamedTuple):
    """One record as stored. `record` is the line that was hashed; the rest serves to find it."""

    seq: int
    id: str
    prev_hash: bytes
    leaf_hash: bytes
    record: str
    logged: str
    etype: str
    actor: str
    session: str | None
    request: str | None
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Head:
    """Where the log ends.

    `frontier` is packed, `note` the checkpoint of `size`, `kept` the size of the last checkpoint
    that is kept for good, `mac` shows that the log itself wrote all this.
    """

    size: int
    leaf_hash: bytes
    frontier: bytes
    logged: str
    note: str
    kept: int
    mac: bytes


@dataclass(frozen=True, kw_only=True)
class KeptCheckpoint:
    """A checkpoint that stays, with the packed frontier of its size."""

    size: int
    note: str
    frontier: bytes


@dataclass(frozen=True, kw_only=True)
class OpenIntent:
    """An intent without an outcome: its place, its id and the instance that wrote it."""

    seq: int
    id: str
    boot: str


class Appending(Protocol):
    """An append in progress; nobody else appends meanwhile."""

    def head(self) -> Head | None:
        """Returns where the log ends, None for a new one."""
        ...

    def known(self, ids: Sequence[str]) -> Mapping[str, Row]:
        """Returns the records of the events with these ids, by id.

        A storage that was not told to be `sure` may return none of them; adding them again, or
        leaving the block, then raises `Overtaken`.
        """
        ...

    def insert(self, rows: Sequence[Row]) -> None:
        """Adds rows that follow the head."""
        ...

    def seal(self, head: Head, *, keep: bool) -> None:
        """Replaces the head; with `keep` its checkpoint stays for good."""
        ...

    def track(self, opened: Sequence[OpenIntent], closed: Sequence[str]) -> None:
        """Notes intents that were opened, and the ids of those that were closed."""
        ...

    def prune(self, upto: int) -> None:
        """Removes the records up to number `upto`, which a kept checkpoint covers.

        The only delete there is. The same append MUST record it.
        """
        ...


class Reading(Protocol):
    """A view of the log at one moment."""

    def head(self) -> Head | None:
        """Returns where the log ends, None for a new one."""
        ...

    def settled(self) -> Head | None:
        """Returns the head once it is durable: only such a checkpoint may leave.

        Raises:
            Unavailable: nobody knows whether it is.
        """
        ...

    def first(self) -> int:
        """Returns the number of the first record that is here; earlier ones were sealed."""
        ...

    def tail(self, *, limit: int, session: str | None, after: int) -> Sequence[Row]:
        """Returns the newest rows after `after`, newest first."""
        ...

    def by_seq(self, seqs: Sequence[int]) -> Sequence[Row]:
        """Returns the rows with those numbers, in that order; absent ones are left out."""
        ...

    def scan(self, first: int, last: int) -> Iterator[Row]:
        """Returns the rows from `first` to `last`, in order, a few at a time."""
        ...

    def marks(self) -> Sequence[Row]:
        """Returns the records of changes of the key and of removals, in order."""
        ...

    def leaves(self, first: int, last: int) -> Iterator[bytes]:
        """Returns the leaf hashes from `first` to `last`, in order."""
        ...

    def logged(self, seq: int) -> str | None:
        """Returns when that record was written, None when there is none."""
        ...

    def open_intents(self) -> Sequence[OpenIntent]:
        """Returns the intents without an outcome, oldest first."""
        ...

    def checkpoints(self) -> Iterator[KeptCheckpoint]:
        """Returns the kept checkpoints, smallest first."""
        ...

    def checkpoint_before(self, size: int) -> KeptCheckpoint | None:
        """Returns the largest kept checkpoint of at most `size`."""
        ...


class Storage(Protocol):
    """A database that holds one log."""

    def appending(self, *, sure: bool) -> AbstractContextManager[Appending]:
        """Takes the append lock and starts a transaction; when the block is left, it is durable.

        A storage that is not to be `sure` may go by what it wrote last instead of asking for the
        lock and the head, and find out when it commits.

        Raises:
            Overtaken: somebody else wrote; nothing of the block is stored. Do it again, `sure`.
            Unavailable: the database cannot be written; nothing of the block may be relied on.
        """
        ...

    def reading(self) -> AbstractContextManager[Reading]:
        """Gives a consistent view. Never waits for an append and never holds one up.

        Raises:
            Unavailable: the database cannot be read.
        """
        ...

    def close(self) -> None:
        """Frees what the storage holds."""
        ...
