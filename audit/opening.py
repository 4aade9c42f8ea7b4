"""Before the first append: make or find the log, and compare it with what was anchored."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit import keys
from audit.chain import Frontier
from audit.checkpoint import Checkpoint
from audit.errors import AuditError, KeyUnusable, RolledBack, Tampered
from audit.keys import Keys
from audit.locks import FileLock, Instance
from audit.mailbox import Mailbox
from audit.payloads import Vault
from audit.presence import Presence
from audit.sequencer import check_mac
from audit.sinks import FileSink
from audit.sqlite import SqliteStorage
from audit.storage import Head, Reading, Storage
from audit.vaults import PgVault, SqliteVault

_WAIT_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the parts of a log lie. `anchors` is best on another disk."""

    folder: Path
    anchors: Path
    url: str | None = None
    """The PostgreSQL database that holds the records; None for the file."""

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
    def segments(self) -> Path:
        """Sealed records."""
        return self.folder / "segments"

    @property
    def payloads(self) -> Path:
        """What was too long for a record, and can be erased."""
        return self.folder / "payloads.sqlite"

    @property
    def joined(self) -> Path:
        """There once an instance has opened the log from this folder."""
        return self.folder / "joined"

    @property
    def is_new_instance(self) -> bool:
        """True where others write the log too and none ever did from this folder."""
        return self.url is not None and not self.joined.exists()

    @property
    def mail(self) -> Path:
        """What processes that wait for the lock want written."""
        return self.folder / "mail"

    @property
    def instances(self) -> Path:
        """One locked file for each running instance."""
        return self.folder / "instances"


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a log is made of."""

    keys: Keys
    storage: Storage
    presence: Presence
    vault: Vault
    mailbox: Mailbox | None = None


def prepare(layout: Layout, origin: str | None) -> Opened:
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
    try:
        with lock.held(_WAIT_S):
            if layout.url is None:
                return _prepare_file(layout, origin, lock)
            opened = _prepare_postgres(layout, layout.url, origin)
    except BaseException:
        lock.close()
        raise
    lock.close()  # a server has a queue of its own
    return opened


def _prepare_file(layout: Layout, origin: str | None, lock: FileLock) -> Opened:
    if not layout.database.exists():
        _refuse_after_loss(layout)
        _make_keys(layout, origin)
    found = _load_keys(layout, origin)
    storage = SqliteStorage(layout.database, lock)
    storage.create()
    instance = Instance.start(layout.instances)
    return Opened(
        keys=found,
        storage=storage,
        presence=instance,
        vault=SqliteVault(layout.payloads),
        mailbox=Mailbox(layout.mail, layout.instances, instance.boot, lock, found.mac),
    )


def _prepare_postgres(layout: Layout, url: str, origin: str | None) -> Opened:
    # The driver is an optional dependency.
    from audit.pgpresence import PgPresence
    from audit.postgres import PostgresStorage

    presence: PgPresence | None = None

    def renew() -> None:
        if presence is not None:
            presence.renew()

    storage = PostgresStorage(url, renew)
    storage.create()
    with storage.reading() as log:
        empty = log.head() is None
    if empty:
        _refuse_after_loss(layout)
        _make_keys(layout, origin)
    elif not (layout.folder / "signing.key").exists():
        raise KeyUnusable(
            f"Another instance made this audit log. Copy signing.key, head.key, digest.key,"
            f" payload.key and log.vkey from its audit folder into {layout.folder}."
        )
    found = _load_keys(layout, origin)
    presence = PgPresence(url)
    return Opened(keys=found, storage=storage, presence=presence, vault=PgVault(url))


def _make_keys(layout: Layout, origin: str | None) -> None:
    keys.create(layout.folder, origin or f"gatehouse/{secrets.token_hex(6)}")


def _load_keys(layout: Layout, origin: str | None) -> Keys:
    found = keys.load(layout.folder)
    if origin is not None and origin != found.signing.name:
        raise AuditError(f"This audit log is named {found.signing.name}, not {origin}.")
    return found


def _refuse_after_loss(layout: Layout) -> None:
    if not FileSink(layout.anchors).empty():
        raise RolledBack(
            f"The records of this audit log are missing, but {layout.anchors} holds anchors of"
            " them. Put the database back, or move the whole audit folder and the anchors away to"
            " begin a new log."
        )


def newest_anchor(found: Keys, anchors: FileSink) -> Checkpoint | None:
    """Returns the largest checkpoint among the anchors that this log signed, or None.

    Raises:
        AuditError: the anchors cannot be read.
    """
    try:
        return anchors.newest(found.known)
    except OSError as error:
        raise AuditError(f"The anchors in {anchors.path} cannot be read.") from error


def compare(log: Reading, head: Head, found: Keys, newest: Checkpoint | None) -> int:
    """Returns how many records the newest anchor covers, after comparing the log with it.

    The anchor MUST have been read before the view of the log was taken: somebody else may be
    appending, and what is anchored by then is stored.

    Raises:
        RolledBack: records that were anchored are missing.
        Tampered: the log is not the one that was anchored, or its head is not its own.
    """
    if not check_mac(head, found):
        raise Tampered("The head of the audit log was not written by this log. Keep its files.")
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
