"""The embedded storage: one SQLite file, one writer at a time, readers that wait for nobody."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Self

from audit.errors import AuditError, NewerFormat, Overtaken, Tampered, Unavailable
from audit.locks import FileLock
from audit.schema import DDL, MARKS, NO_DELETE, PAGE_SIZE, VERSION
from audit.storage import Head, KeptCheckpoint, OpenIntent, Row

_ROW: Final = ", ".join(Row._fields)
_HEAD_NAMES: Final = tuple(f.name for f in fields(Head))
_HEAD: Final = ", ".join(_HEAD_NAMES)
# Column names and marks only, here and below: no value is ever part of a statement's text.
_ROW_MARKS: Final = ",".join("?" * len(Row._fields))
_INSERT_ROW: Final = f"INSERT INTO audit_event ({_ROW}) VALUES ({_ROW_MARKS})"  # noqa: S608  # as said
_SELECT_HEAD: Final = f"SELECT {_HEAD} FROM audit_head"  # noqa: S608  # as said
_HEAD_MARKS: Final = ",".join("?" * len(_HEAD_NAMES))
_INSERT_HEAD: Final = f"INSERT INTO audit_head (one, {_HEAD}) VALUES (1, {_HEAD_MARKS})"  # noqa: S608  # as said
_HEAD_UPDATES: Final = ", ".join(f"{name} = ?" for name in _HEAD_NAMES)
_UPDATE_HEAD: Final = f"UPDATE audit_head SET {_HEAD_UPDATES}"  # noqa: S608  # as said
_NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "fuse.s3fs", "ceph"}
)
_BUSY_MS: Final = 5000
_LOCK_S: Final = 5.0
_FETCH: Final = 500


class SqliteStorage:
    """A log in the file `path`. Safe to use from many threads and processes at once."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self._path = path
        self._lock = lock
        self._writer: sqlite3.Connection | None = None
        self._file: os.stat_result | None = None
        self.sealed: tuple[tuple[object, ...], Head] | None = None
        """The head as this process wrote it last, and its row."""
        self._idle: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._closed = False

    def create(self) -> None:
        """Makes the file and its tables where they are absent. Call with the append lock held.

        Raises:
            NewerFormat: a newer version made the file.
            Unavailable: the file cannot be made or opened, or lies on a network file system.
        """
        kind = _file_system(self._path.parent)
        if kind in _NETWORK_FILE_SYSTEMS:
            raise Unavailable(
                f"The audit log cannot live on a network file system ({kind}). Choose a local"
                " folder."
            )
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with _translated(), contextlib.closing(_connect_writer(self._path)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise NewerFormat(
                    "A newer version of Gatehouse wrote this audit log. Use that one."
                )
            if version == 0:
                connection.executescript(
                    f"BEGIN IMMEDIATE; {DDL} PRAGMA user_version = {VERSION}; COMMIT;"
                )
            elif version == 1:
                connection.executescript(
                    f"BEGIN IMMEDIATE; {MARKS}; PRAGMA user_version = {VERSION}; COMMIT;"
                )

    def appending(self, *, sure: bool) -> _Appending:
        """See `Storage.appending`: only which events are known it must be told to be sure of."""
        return _Appending(self, sure=sure)

    @contextlib.contextmanager
    def reading(self) -> Iterator[_Reading]:
        """See `Storage.reading`."""
        with _translated():
            connection = self._borrow()
            try:
                connection.execute("BEGIN")
                yield _Reading(connection)
                connection.execute("ROLLBACK")
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)

    def close(self) -> None:
        """Closes the lock's file and every idle connection; one in use is closed on its return."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._lock.close()

    def begin(self) -> tuple[sqlite3.Connection, int]:
        """Takes the append lock and returns the connection for writing, and what frees the lock.

        Raises:
            Unavailable: the lock is not to be had, or the file was moved.
        """
        held = self._lock.take(_LOCK_S)
        try:
            connection = self._writing()
            connection.execute("BEGIN IMMEDIATE")
        except AuditError:
            self._lock.free(held)
            raise
        except BaseException:
            self.drop()
            self._lock.free(held)
            raise
        return connection, held

    def drop(self) -> None:
        """Closes the connection for writing.

        What a failed commit left behind, the database finds out on a new one.
        """
        connection, self._writer = self._writer, None
        if connection is not None:
            connection.close()

    def free(self, held: int) -> None:
        """Frees the append lock."""
        self._lock.free(held)

    def _writing(self) -> sqlite3.Connection:
        if self._closed:
            raise Unavailable("The audit log is closed.")
        if self._writer is None:
            self._writer = _connect_writer(self._path)
            self._file = self._path.stat()
        elif self._file is None or not _is_file(self._path, self._file):
            raise Unavailable(f"{self._path} was moved or replaced while in use. Restart.")
        return self._writer

    def _borrow(self) -> sqlite3.Connection:
        with self._guard:
            if self._closed:
                raise Unavailable("The audit log is closed.")
            if self._idle:
                return self._idle.pop()
        return _connect_reader(self._path)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._guard:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()


class _Appending:
    """One append. As a class it takes half the time of nested generators, on the way of every one.

    Leaving it commits; an error in the block undoes all of it.
    """

    def __init__(self, storage: SqliteStorage, *, sure: bool) -> None:
        self._storage = storage
        self._sure = sure

    def __enter__(self) -> Self:
        try:
            self._db, self._held = self._storage.begin()
        except (sqlite3.Error, OSError) as error:
            raise _as_audit_error(error) from error
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            if error is None:
                self._db.execute("COMMIT")
            elif isinstance(error, sqlite3.Error):
                self._storage.drop()
            else:
                self._db.execute("ROLLBACK")
        except BaseException as failed:
            self._storage.drop()
            if not isinstance(failed, sqlite3.Error):
                raise
            error = failed
        finally:
            self._storage.free(self._held)
        if isinstance(error, sqlite3.IntegrityError) and not self._sure:
            raise Overtaken("The audit log may hold the event already. Try again.") from error
        if isinstance(error, (sqlite3.Error, OSError)):
            raise _as_audit_error(error) from error

    def head(self) -> Head | None:
        found = self._db.execute(_SELECT_HEAD).fetchone()
        if self._storage.sealed is not None and found == self._storage.sealed[0]:
            return self._storage.sealed[1]
        return _head_of(found)

    def known(self, ids: Sequence[str]) -> Mapping[str, Row]:
        if not self._sure:
            return {}  # their column takes an id once
        marks = ",".join("?" * len(ids))
        found = self._db.execute(
            f"SELECT {_ROW} FROM audit_event WHERE id IN ({marks})",  # noqa: S608  # as said
            ids,
        )
        return {row.id: row for row in map(Row._make, found)}

    def insert(self, rows: Sequence[Row]) -> None:
        self._db.executemany(_INSERT_ROW, rows)

    def seal(self, head: Head, *, keep: bool) -> None:
        values = tuple(vars(head).values())
        if self._db.execute(_UPDATE_HEAD, values).rowcount == 0:
            self._db.execute(_INSERT_HEAD, values)
        self._storage.sealed = (values, head)
        if keep:
            self._db.execute(
                "INSERT INTO audit_checkpoint (size, note, frontier) VALUES (?, ?, ?)",
                (head.size, head.note, head.frontier),
            )

    def track(self, opened: Sequence[OpenIntent], closed: Sequence[str]) -> None:
        for intent in opened:
            self._db.execute(
                "INSERT INTO audit_open_intent (id, seq, boot) VALUES (?, ?, ?)",
                (intent.id, intent.seq, intent.boot),
            )
        for intent_id in closed:
            self._db.execute("DELETE FROM audit_open_intent WHERE id = ?", (intent_id,))

    def prune(self, upto: int) -> None:
        self._db.execute("DROP TRIGGER audit_event_no_delete")
        self._db.execute("DELETE FROM audit_event WHERE seq <= ?", (upto,))
        self._db.execute(NO_DELETE)


class _Reading:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def head(self) -> Head | None:
        return _head(self._db)

    def settled(self) -> Head | None:
        return _head(self._db)  # in WAL mode nobody sees what is not durable

    def first(self) -> int:
        return int(self._db.execute("SELECT min(seq) FROM audit_event").fetchone()[0] or 1)

    def tail(self, *, limit: int, session: str | None, after: int) -> Sequence[Row]:
        where = "seq > ?" if session is None else "seq > ? AND session = ?"
        values = (after, limit) if session is None else (after, session, limit)
        found = self._db.execute(
            f"SELECT {_ROW} FROM audit_event WHERE {where} ORDER BY seq DESC LIMIT ?",  # noqa: S608  # as said
            values,
        )
        return [Row._make(row) for row in found]

    def by_seq(self, seqs: Sequence[int]) -> Sequence[Row]:
        one = f"SELECT {_ROW} FROM audit_event WHERE seq = ?"  # noqa: S608  # as said
        found = (self._db.execute(one, (seq,)).fetchone() for seq in seqs)
        return [Row._make(row) for row in found if row is not None]

    def scan(self, first: int, last: int) -> Iterator[Row]:
        cursor = self._db.execute(
            f"SELECT {_ROW} FROM audit_event WHERE seq BETWEEN ? AND ? ORDER BY seq",  # noqa: S608  # as said
            (first, last),
        )
        while rows := cursor.fetchmany(_FETCH):
            yield from map(Row._make, rows)

    def marks(self) -> Sequence[Row]:
        found = self._db.execute(
            f"SELECT {_ROW} FROM audit_event WHERE etype IN ('key.rotated', 'log.pruned')"  # noqa: S608  # as said
            " ORDER BY seq"
        )
        return [Row._make(row) for row in found]

    def leaves(self, first: int, last: int) -> Iterator[bytes]:
        cursor = self._db.execute(
            "SELECT leaf_hash FROM audit_event WHERE seq BETWEEN ? AND ? ORDER BY seq",
            (first, last),
        )
        while rows := cursor.fetchmany(_FETCH):
            yield from (row[0] for row in rows)

    def logged(self, seq: int) -> str | None:
        found = self._db.execute("SELECT logged FROM audit_event WHERE seq = ?", (seq,)).fetchone()
        return None if found is None else str(found[0])

    def open_intents(self) -> Sequence[OpenIntent]:
        found = self._db.execute("SELECT seq, id, boot FROM audit_open_intent ORDER BY seq")
        return [OpenIntent(seq=seq, id=key, boot=boot) for seq, key, boot in found]

    def checkpoints(self) -> Iterator[KeptCheckpoint]:
        found = self._db.execute("SELECT size, note, frontier FROM audit_checkpoint ORDER BY size")
        for size, note, frontier in found:
            yield KeptCheckpoint(size=size, note=note, frontier=frontier)

    def checkpoint_before(self, size: int) -> KeptCheckpoint | None:
        found = self._db.execute(
            "SELECT size, note, frontier FROM audit_checkpoint WHERE size <= ?"
            " ORDER BY size DESC LIMIT 1",
            (size,),
        ).fetchone()
        return found and KeptCheckpoint(size=found[0], note=found[1], frontier=found[2])


def _head(connection: sqlite3.Connection) -> Head | None:
    return _head_of(connection.execute(_SELECT_HEAD).fetchone())


def _head_of(found: tuple[Any, ...] | None) -> Head | None:
    return Head(**dict(zip(_HEAD_NAMES, found, strict=True))) if found else None


def _connect_writer(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA recursive_triggers = ON")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    connection.execute("PRAGMA synchronous = FULL")
    level = connection.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", 2):
        connection.close()
        raise Unavailable(f"SQLite would not make {path.name} durable (WAL, synchronous=FULL).")
    return connection


def _connect_reader(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    return connection


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise _as_audit_error(error) from error


def _as_audit_error(error: sqlite3.Error | OSError) -> AuditError:
    if isinstance(error, sqlite3.IntegrityError):
        return Tampered("The audit database refused a record that follows the head.")
    return Unavailable(f"The audit database cannot be used: {error}. Nothing may run until it can.")


def _is_file(path: Path, known: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), known)
    except FileNotFoundError:
        return False


def _file_system(folder: Path) -> str:
    """Returns the type of the file system that holds `folder`, empty where nobody tells."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    target = str(folder.resolve())
    mounts = [line.split()[1:3] for line in lines]
    holding = [m for m in mounts if target == m[0] or target.startswith(m[0].rstrip("/") + "/")]
    return max(holding, key=lambda m: len(m[0]), default=["", ""])[1]
