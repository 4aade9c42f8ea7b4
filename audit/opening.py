"""Before the first append: make or find the log, and compare it with what was anchored."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit import keys
from audit.chain import Frontier
from audit.errors import AuditError, RolledBack, Tampered
from audit.keys import Keys
from audit.locks import FileLock
from audit.sequencer import check_mac
from audit.sinks import FileSink
from audit.sqlite import SqliteStorage
from audit.storage import Head, Reading

_WAIT_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the parts of a log lie. `anchors` is best on another disk."""

    folder: Path
    anchors: Path

    @property
    def database(self) -> Path:
        """The records."""
        return self.folder / "audit.sqlite"

    @property
    def lock(self) -> Path:
        """What appending processes queue on."""
        return self.folder / "append.lock"

    @property
    def index(self) -> Path:
        """The search index, made anew when it is missing."""
        return self.folder / "search.sqlite"

    @property
    def instances(self) -> Path:
        """One locked file for each running instance."""
        return self.folder / "instances"


def prepare(layout: Layout, origin: str | None) -> tuple[Keys, SqliteStorage]:
    """Returns the keys and the storage of the log, both made where there is no log yet.

    Raises:
        RolledBack: the database is gone though records of it were anchored.
        AuditError: the folder, the keys or the database cannot be used.
    """
    try:
        layout.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        layout.instances.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(layout.lock)
    except OSError as error:
        raise AuditError(f"The audit folder {layout.folder} cannot be used: {error}.") from error
    with lock.held(_WAIT_S):
        if not layout.database.exists():
            _refuse_after_loss(layout)
            keys.create(layout.folder, origin or f"gatehouse/{secrets.token_hex(6)}")
        found = keys.load(layout.folder)
        if origin is not None and origin != found.signing.name:
            raise AuditError(f"This audit log is named {found.signing.name}, not {origin}.")
        storage = SqliteStorage(layout.database, lock)
        storage.create()
    return found, storage


def _refuse_after_loss(layout: Layout) -> None:
    if not FileSink(layout.anchors).empty():
        raise RolledBack(
            f"{layout.database} is missing, but {layout.anchors} holds anchors of its records."
            " Put the database back, or move the whole audit folder and the anchors away to begin"
            " a new log."
        )


def compare(log: Reading, head: Head, found: Keys, anchors: FileSink) -> int:
    """Returns how many records the newest anchor covers, after comparing the log with it.

    Raises:
        RolledBack: records that were anchored are missing.
        Tampered: the log is not the one that was anchored, or its head is not its own.
    """
    if not check_mac(head, found):
        raise Tampered("The head of the audit log was not written by this log. Keep its files.")
    try:
        newest = anchors.newest(found.signing)
    except OSError as error:
        raise AuditError(f"The anchors in {anchors.path} cannot be read.") from error
    if newest is None:
        return 0
    if newest.size > head.size:
        raise RolledBack(
            f"The audit log holds {head.size} records, but {newest.size} were anchored: an older"
            " copy was put back, or the end was cut off. Nothing runs until that is settled. Keep"
            " all files."
        )
    if _root_at(log, head, newest.size) != newest.root:
        raise Tampered(
            f"The first {newest.size} records are not those that were anchored. Nothing runs until"
            " that is settled. Keep all files and run the verifier."
        )
    return newest.size


def _root_at(log: Reading, head: Head, size: int) -> bytes:
    if size == head.size:
        return Frontier.unpack(size, head.frontier).root()
    kept = log.checkpoint_before(size)
    frontier = Frontier.unpack(kept.size, kept.frontier) if kept else Frontier()
    frontier.extend(log.leaves(frontier.size + 1, size))
    return frontier.root()
