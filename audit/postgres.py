"""The log in PostgreSQL: several instances write, one at a time, under the lock of the head row.

What follows the head is linked and signed here, with keys that the database never sees, and checked
there by `audit.append` before it is stored. `audit/pgappend.py` says what is sent when.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import psycopg
from psycopg import sql

from audit import pgschema
from audit.errors import NewerFormat, Overtaken, Unavailable
from audit.pgappend import HEAD_NAMES, SELECT_ROWS, SETTLE, PgAppending
from audit.pgconnect import Connection, connect, translated
from audit.storage import Head, KeptCheckpoint, OpenIntent, Row

_HEAD: Final = sql.SQL(", ").join(map(sql.Identifier, HEAD_NAMES))
_BEGIN_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_FETCH: Final = 500
_IDLE_MS: Final = 20_000
"""A process that hangs while it holds the lock of the head loses it after this."""


class PostgresStorage:
    """A log in the schema `audit` of the database `url`."""

    def __init__(self, url: str, on_reconnect: Callable[[], None]) -> None:
        """`on_reconnect` is called after a connection for appending was made."""
        self._url = url
        self._on_reconnect = on_reconnect
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._writer: Connection | None = None
        self._idle: list[Connection] = []
        self._closed = False
        self._last: Head | None = None
        self._alone = False

    def create(self) -> None:
        """Makes the schema where it is absent and this role may; checks its version.

        Raises:
            NewerFormat: a newer version made the schema.
            Unavailable: it is absent and this role may not make it, or nobody answers.
        """
        with translated(), contextlib.closing(connect(self._url)) as connection:
            install(connection)

    @contextlib.contextmanager
    def appending(self, *, sure: bool) -> Iterator[PgAppending]:
        """See `Storage.appending`. One thread at a time is inside; others wait."""
        with translated(), self._turn:
            before, after = self._last, self._last if self._alone and not sure else None
            self._last, self._alone = None, False
            connection = self._writing()
            try:
                appending = PgAppending(connection, after, sure=sure)
                yield appending
                appending.finish()
            except Overtaken:
                self._keep(connection)
                raise
            except BaseException:
                connection.close()  # the server ends what was begun with it
                raise
            self._keep(connection)
            self._last, self._alone = appending.written, appending.head() == before

    @contextlib.contextmanager
    def reading(self) -> Iterator[_Reading]:
        """See `Storage.reading`."""
        with translated():
            connection = self._borrow()
            try:
                yield _Reading(connection, self._settle)
                connection.execute("ROLLBACK")
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)

    def close(self) -> None:
        """Closes every idle connection; one in use is closed when it comes back."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
            if self._writer is not None:
                idle, self._writer = [*idle, self._writer], None
        for connection in idle:
            connection.close()

    def _settle(self) -> None:
        with contextlib.closing(connect(self._url)) as connection:
            connection.execute(SETTLE)

    def _writing(self) -> Connection:
        with self._guard:
            if self._closed:
                raise Unavailable("The audit log is closed.")
            connection, self._writer = self._writer, None
        if connection is None or connection.broken or connection.closed:
            connection = connect(self._url, idle_ms=_IDLE_MS)
            self._on_reconnect()
        return connection

    def _keep(self, connection: Connection) -> None:
        with self._guard:
            if not self._closed:
                self._writer = connection
                return
        connection.close()

    def _borrow(self) -> Connection:
        with self._guard:
            if self._closed:
                raise Unavailable("The audit log is closed.")
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            try:
                connection.execute(_BEGIN_READ)
            except psycopg.OperationalError:
                connection.close()  # it was lost while idle
            else:
                return connection
        connection = connect(self._url)
        connection.execute(_BEGIN_READ)
        return connection

    def _give_back(self, connection: Connection) -> None:
        with self._guard:
            if not self._closed and len(self._idle) < 4:
                self._idle.append(connection)
                return
        connection.close()


def privileges(url: str) -> tuple[str, ...]:
    """Returns what the login of `url` can do to the records besides appending and reading.

    Raises:
        Unavailable: the database cannot be asked.
    """
    with translated(), contextlib.closing(connect(url)) as connection:
        found = connection.execute(
            "SELECT rolsuper, pg_has_role(nspowner, 'USAGE'),"
            " has_table_privilege('audit.event', 'UPDATE'),"
            " has_table_privilege('audit.event', 'DELETE'),"
            " has_table_privilege('audit.event', 'TRUNCATE'),"
            " has_table_privilege('audit.event', 'INSERT'),"
            " has_function_privilege('audit.prune(bigint)', 'EXECUTE')"
            " FROM pg_roles, pg_namespace WHERE rolname = current_user AND nspname = 'audit'"
        ).fetchone()
    if found is None:
        raise Unavailable("The audit log's schema is not in this database.")
    words = (
        "do anything, as a superuser",
        "change the schema",
        "change records",
        "delete records",
        "empty the log",
        "insert records past the chain",
        "remove sealed records",
    )
    return tuple(word for word, may in zip(words, found, strict=True) if may)


def install(connection: Connection) -> None:
    """Makes the schema where it is absent, in one transaction.

    Raises:
        NewerFormat: a newer version made it.
        Unavailable: it is absent and this role may not make it.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('gatehouse audit schema'))")
        found = connection.execute(
            "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'audit'"
        ).fetchone()
        if found is None:
            _make(connection)
        elif str(found[0]) != f"gatehouse audit log, version {pgschema.VERSION}":
            raise NewerFormat(
                "The schema `audit` in this database is not an audit log of this version of"
                " Gatehouse. Use the version that made it, or another database."
            )


def _make(connection: Connection) -> None:
    may = connection.execute(
        "SELECT has_database_privilege(current_database(), 'CREATE')"
    ).fetchone()
    if not may or not may[0]:
        raise Unavailable(
            "The audit log's schema is not in this database, and this role may not make it. As the"
            " owner run what `gatehouse audit schema --role ROLE` prints."
        )
    connection.execute(sql.SQL(pgschema.DDL))


class _Reading:
    def __init__(self, connection: Connection, settle: Callable[[], None]) -> None:
        self._db = connection
        self._settle = settle

    def head(self) -> Head | None:
        query = sql.SQL("SELECT {} FROM audit.head WHERE size > 0").format(_HEAD)
        found = self._db.execute(query).fetchone()
        return Head(**dict(zip(HEAD_NAMES, found, strict=True))) if found else None

    def settled(self) -> Head | None:
        head = self.head()
        self._settle()
        # Still connected: the server was not started anew without what was read.
        self._db.execute("SELECT 1")
        return head

    def first(self) -> int:
        found = self._db.execute("SELECT min(seq) FROM audit.event").fetchone()
        return int(found[0]) if found and found[0] is not None else 1

    def tail(self, *, limit: int, session: str | None, after: int) -> Sequence[Row]:
        where = "WHERE seq > %(after)s ORDER BY seq DESC LIMIT %(limit)s"
        if session is not None:
            where = where.replace("seq > ", "session = %(session)s AND seq > ", 1)
        query = SELECT_ROWS + sql.SQL(where)
        values = {"after": after, "limit": limit, "session": session}
        return [Row._make(found) for found in self._db.execute(query, values)]

    def by_seq(self, seqs: Sequence[int]) -> Sequence[Row]:
        query = SELECT_ROWS + sql.SQL("WHERE seq = ANY (%s)")
        found = {row.seq: row for row in map(Row._make, self._db.execute(query, (list(seqs),)))}
        return [found[seq] for seq in seqs if seq in found]

    def scan(self, first: int, last: int) -> Iterator[Row]:
        query = SELECT_ROWS + sql.SQL("WHERE seq BETWEEN %s AND %s ORDER BY seq LIMIT %s")
        while first <= last:
            rows = [Row._make(found) for found in self._db.execute(query, (first, last, _FETCH))]
            yield from rows
            if len(rows) < _FETCH:
                return
            first = rows[-1].seq + 1

    def marks(self) -> Sequence[Row]:
        where = sql.SQL("WHERE etype IN ('key.rotated', 'log.pruned') ORDER BY seq")
        return [Row._make(found) for found in self._db.execute(SELECT_ROWS + where)]

    def leaves(self, first: int, last: int) -> Iterator[bytes]:
        with self._db.cursor(name="leaves") as cursor:
            cursor.itersize = _FETCH * 20
            cursor.execute(
                "SELECT leaf_hash FROM audit.event WHERE seq BETWEEN %s AND %s ORDER BY seq",
                (first, last),
            )
            for found in cursor:
                yield bytes(found[0])

    def logged(self, seq: int) -> str | None:
        found = self._db.execute("SELECT logged FROM audit.event WHERE seq = %s", (seq,)).fetchone()
        return None if found is None else str(found[0])

    def open_intents(self) -> Sequence[OpenIntent]:
        found = self._db.execute("SELECT seq, id, boot FROM audit.open_intent ORDER BY seq")
        return [OpenIntent(seq=seq, id=id_, boot=boot) for seq, id_, boot in found]

    def checkpoints(self) -> Iterator[KeptCheckpoint]:
        found = self._db.execute("SELECT size, note, frontier FROM audit.checkpoint ORDER BY size")
        yield from map(_kept, found)

    def checkpoint_before(self, size: int) -> KeptCheckpoint | None:
        found = self._db.execute(
            "SELECT size, note, frontier FROM audit.checkpoint WHERE size <= %s"
            " ORDER BY size DESC LIMIT 1",
            (size,),
        ).fetchone()
        return _kept(found) if found else None


def _kept(values: Sequence[Any]) -> KeptCheckpoint:
    size, note, frontier = values
    return KeptCheckpoint(size=size, note=note, frontier=frontier)
