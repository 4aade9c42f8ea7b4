"""SQLite, opened for reading only, a fresh connection for each statement.

A connection is opened and set up once the statement before was answered. Nothing is read on it
until its statement comes, so it holds no lock and knows nothing of the file.

The order of the settings is part of the protection:
1 open with mode=ro  2 limits  3 query_only, trusted_schema  4 authorizer  5 progress handler
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from guard.engines.child import columns, sqlite_catalog
from guard.engines.child.faults import Fault, FaultCode
from guard.engines.child.reader import Request, Stop
from guard.engines.child.sqlite_authorizer import Authorizer, Grants, second_look

_STEPS = 2_000
"""Virtual-machine steps between two looks at the clock: well under a millisecond."""
_BUSY_SECONDS = 1.0
_FIRST_ROWS = 128
_MAX_CHUNK_BYTES = 4_000_000

LIMITS = (
    (sqlite3.SQLITE_LIMIT_LENGTH, 10_000_000),
    # Row filters make a statement longer than the 64 KiB that a person may send.
    (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 1_000_000),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
)


class SqliteReader:
    """One database file, a connection for each statement. None of them waits with a lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._waiting: _Waiting | None = None
        columns.part([1])  # the first conversion loads what all others need

    def run(self, request: Request, stop: Stop) -> tuple[pa.Table, bool]:
        """Returns the rows and whether there were more. Raises `Fault`."""
        try:
            return self._run(request, stop, tolerant=False)
        except _Undecodable:
            return self._run(request, stop, tolerant=True)

    def _run(self, request: Request, stop: Stop, *, tolerant: bool) -> tuple[pa.Table, bool]:
        deadline = time.monotonic() + request.timeout_ms / 1000
        grants = Grants(readable=request.readable)
        authorizer = Authorizer(grants)
        with self._opened() as connection:
            try:
                return _read(connection, request, authorizer, stop, deadline, tolerant)
            except (sqlite3.Error, Fault):
                if not authorizer.denied:
                    raise
        with self._opened() as connection:
            wider = second_look(connection, grants, {name for _, name in authorizer.denied})
            if wider is None:
                raise Fault("not_allowed")
            authorizer = Authorizer(wider)
            return _read(connection, request, authorizer, stop, deadline, tolerant)

    def estimate(self, request: Request, stop: Stop) -> int | None:
        """Returns None: SQLite's planner tells an order of steps and no numbers."""
        del request, stop
        return None

    def reflect(self) -> Mapping[str, object]:
        """Returns tables, views and keys. Raises `Fault`."""
        with self._opened() as connection:
            return sqlite_catalog.reflect(connection)

    def interrupt(self) -> None:
        """Stops the running statement at its next step."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed a moment ago
                connection.interrupt()

    def ready(self) -> None:
        """Opens the file for the next statement, which then need not wait; reads nothing of it."""
        with contextlib.suppress(Fault, sqlite3.Error, OSError):
            self._waiting = self._waiting or _opened_at(self._path)

    def release(self) -> None:
        """Lets go of the file, which the next statement opens again."""
        if self._waiting is not None:
            self._waiting.connection.close()
        self._waiting = None

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._waiting is None or self._waiting.place != _place(self._path):
                self.release()  # another file has its name now
                self._waiting = _opened_at(self._path)
            self._connection, self._waiting = self._waiting.connection, None
            yield self._connection
        except sqlite3.Error as error:
            raise Fault(code_of(error)) from None
        finally:
            if self._connection is not None:
                self._connection.close()
            self._connection = None


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    """An open connection on which nothing was done, and which file it is of."""

    connection: sqlite3.Connection
    place: tuple[int, int]


def _opened_at(path: Path) -> _Waiting:
    """Opens the file that has this name; no other can have had it in between."""
    place = _place(path)
    connection = _open(path)
    if _place(path) != place:
        connection.close()
        raise Fault("busy")
    return _Waiting(connection=connection, place=place)


def _place(path: Path) -> tuple[int, int]:
    """Returns which file this is: as long as it is open, no other has the same numbers."""
    try:
        found = os.stat(path)
    except OSError:
        raise Fault("missing") from None
    if not stat.S_ISREG(found.st_mode):
        raise Fault("missing")
    return found.st_dev, found.st_ino


class _Undecodable(Exception):
    """Some text is not UTF-8; read again, more slowly."""


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=0,
    )
    for which, value in LIMITS:
        connection.setlimit(which, value)
    connection.execute("PRAGMA query_only=1")
    connection.execute("PRAGMA trusted_schema=0")
    connection.execute("PRAGMA temp_store=2")
    return connection


def _read(
    connection: sqlite3.Connection,
    request: Request,
    authorizer: Authorizer,
    stop: Stop,
    deadline: float,
    tolerant: bool,
) -> tuple[pa.Table, bool]:
    if tolerant:
        connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
    connection.set_authorizer(authorizer)
    connection.set_progress_handler(lambda: stop.asked() or time.monotonic() > deadline, _STEPS)
    try:
        cursor = connection.execute(request.sql)
        if cursor.description is None:  # no statement that gives rows
            raise Fault("not_allowed")
        return _collect(cursor, request)
    except sqlite3.OperationalError as error:
        if not tolerant and str(error).startswith("Could not decode to UTF-8"):
            raise _Undecodable from None
        raise


def _collect(cursor: sqlite3.Cursor, request: Request) -> tuple[pa.Table, bool]:
    names = [d[0] for d in cursor.description]
    parts: list[list[columns.Part]] = [[] for _ in names]
    count = used = 0
    chunk = _FIRST_ROWS
    while count <= request.max_rows and (rows := cursor.fetchmany(_least(chunk, count, request))):
        for column, values in zip(parts, zip(*rows, strict=True), strict=True):
            column.append(columns.part(values))
            used += columns.size(column[-1])
        count += len(rows)
        if used > request.max_bytes:
            raise Fault("result_too_large")
        chunk = max(1, min(16_384, _MAX_CHUNK_BYTES * count // max(used, 1)))
    table = pa.table([columns.column(p) for p in parts], names=names)
    return table.slice(0, request.max_rows), count > request.max_rows


def _least(chunk: int, count: int, request: Request) -> int:
    return min(chunk, request.max_rows + 1 - count)


_BY_NAME: tuple[tuple[str, FaultCode], ...] = (
    ("SQLITE_AUTH", "not_allowed"),
    ("SQLITE_READONLY_ROLLBACK", "unfinished"),
    ("SQLITE_READONLY_RECOVERY", "unfinished"),
    ("SQLITE_READONLY", "not_allowed"),
    ("SQLITE_PERM", "unreadable"),
    ("SQLITE_CANTOPEN", "unreadable"),
    ("SQLITE_INTERRUPT", "interrupted"),
    ("SQLITE_BUSY", "busy"),
    ("SQLITE_LOCKED", "busy"),
    ("SQLITE_PROTOCOL", "busy"),
    ("SQLITE_NOMEM", "memory"),
    ("SQLITE_TOOBIG", "value_too_large"),
    ("SQLITE_NOTADB", "not_a_database"),
    ("SQLITE_CORRUPT", "damaged"),
    ("SQLITE_IOERR", "unreadable"),
    ("SQLITE_MISMATCH", "types"),
    ("SQLITE_RANGE", "syntax"),
)

_BY_TEXT: tuple[tuple[str, FaultCode], ...] = (
    ("no such", "no_such_name"),
    ("ambiguous column", "meaning"),
    ("misuse of", "meaning"),
    ("wrong number of arguments", "meaning"),
    ("do not have the same number", "meaning"),
    ("overflow", "arithmetic"),
    ("json", "types"),
    ("datatype mismatch", "types"),
    ("not authorized", "not_allowed"),
    ("prohibited", "not_allowed"),
    ("unsupported file format", "newer_format"),
    ("malformed database schema", "damaged"),
    ("file is not a database", "not_a_database"),
    ("too big", "value_too_large"),
    ("too large", "value_too_large"),
    ("too many", "not_supported"),
    ("too complex", "not_supported"),
    ("one statement", "not_allowed"),
)


def code_of(error: sqlite3.Error) -> FaultCode:
    """Returns the code that tells a person what went wrong, and nothing else of the error."""
    name = getattr(error, "sqlite_errorname", "")
    known = next((code for prefix, code in _BY_NAME if name.startswith(prefix)), None)
    if known is not None:
        return known
    text = str(error).lower()
    return next((code for words, code in _BY_TEXT if words in text), "syntax")
