"""The log in PostgreSQL: several instances write, one at a time, under the lock of the head row.

An append is two round trips under that lock, to read the head and to add what follows it, and one
after it, to wait until the disk has it: so the next one is not kept waiting for the disk, and those
who wait share its flushes. What follows the head is linked and signed here, with keys that the
database never sees, and checked there by `audit.append` before it is stored.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import psycopg
from psycopg import sql

from audit import pgschema
from audit.errors import NewerFormat, Unavailable
from audit.pgconnect import Connection, connect, translated
from audit.storage import Head, KeptCheckpoint, OpenIntent, Row

_ROW_NAMES: Final = tuple(f.name for f in fields(Row))
_ROW: Final = sql.SQL(", ").join(map(sql.Identifier, _ROW_NAMES))
_HEAD_NAMES: Final = tuple(f.name for f in fields(Head))
_HEAD: Final = sql.SQL(", ").join(map(sql.Identifier, _HEAD_NAMES))
_SELECT_ROWS: Final = sql.SQL("SELECT {} FROM audit.event ").format(_ROW)
_BEGIN_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_FETCH: Final = 500
_IDLE_MS: Final = 20_000
"""A process that hangs while it holds the lock of the head loses it after this."""
_LANE_S: Final = 5.0
_LANES: Final = 4
"""Batches of one instance that may wait for the disk at once."""
_ARGUMENTS: Final = 20
_LOCK: Final = sql.SQL(
    "BEGIN; SET LOCAL synchronous_commit = off; SELECT * FROM audit.lock_head(); {}"
).format(_SELECT_ROWS + sql.SQL("WHERE id = ANY (%s::text[])"))
_APPEND: Final = sql.SQL("SELECT audit.append({}); COMMIT").format(
    sql.SQL(", ").join([sql.Placeholder()] * _ARGUMENTS)
)
# A commit of its own, which is not done before all that was committed earlier is on the disk.
_SETTLE: Final = "SELECT pg_logical_emit_message(true, 'gatehouse audit', '')"


class PostgresStorage:
    """A log in the schema `audit` of the database `url`."""

    def __init__(self, url: str, on_reconnect: Callable[[], None]) -> None:
        """`on_reconnect` is called after a connection for appending was made."""
        self._url = url
        self._on_reconnect = on_reconnect
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._lanes = threading.BoundedSemaphore(_LANES)
        self._writers: list[Connection] = []
        self._idle: list[Connection] = []
        self._closed = False

    def create(self) -> None:
        """Makes the schema where it is absent and this role may; checks its version.

        Raises:
            NewerFormat: a newer version made the schema.
            Unavailable: it is absent and this role may not make it, or nobody answers.
        """
        with translated(), contextlib.closing(connect(self._url)) as connection:
            install(connection)

    @contextlib.contextmanager
    def appending(self, ids: Sequence[str] = ()) -> Iterator[_Appending]:
        """See `Storage.appending`. One thread at a time is inside; others wait."""
        with translated(), self._turn:
            lane = self._lane()
            with lane.failing():
                appending = _Appending(lane, ids)
                yield appending
                appending.finish()

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
            idle, self._idle, self._writers = [*self._idle, *self._writers], [], []
        for connection in idle:
            connection.close()

    def _settle(self) -> None:
        with contextlib.closing(connect(self._url)) as connection:
            connection.execute(_SETTLE)

    def _lane(self) -> _Lane:
        if not self._lanes.acquire(timeout=_LANE_S):
            raise Unavailable("The audit database does not write to its disk. Nothing may run.")
        try:
            return _Lane(self._writing(), self._leave)
        except BaseException:
            self._lanes.release()
            raise

    def _writing(self) -> Connection:
        with self._guard:
            if self._closed:
                raise Unavailable("The audit log is closed.")
            connection = self._writers.pop() if self._writers else None
        if connection is None or connection.broken or connection.closed:
            connection = connect(self._url, idle_ms=_IDLE_MS)
            connection.cursor_factory = psycopg.ClientCursor
            self._on_reconnect()
        return connection

    def _leave(self, connection: Connection, *, failed: bool) -> None:
        """Takes a lane's connection back. After a failure none is kept: the server may be gone."""
        with self._guard:
            idle: list[Connection] = []
            if failed or self._closed:
                idle, self._writers = [connection, *self._writers], []
            else:
                self._writers.append(connection)
        for one in idle:
            one.close()
        self._lanes.release()

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


class _Lane:
    """A connection for one append, until what it committed is on the disk or has failed.

    The same connection does both: when the server was started anew in between, it is lost, and
    nobody takes what the disk never had for written.
    """

    def __init__(self, connection: Connection, leave: Callable[..., None]) -> None:
        self.db = connection
        self._leave: Callable[..., None] | None = leave

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """Ends the lane if the block fails; the server ends what was begun with the connection."""
        try:
            yield
        except BaseException:
            self.end(failed=True)
            raise

    def end(self, *, failed: bool) -> None:
        leave, self._leave = self._leave, None
        if leave is not None:
            leave(self.db, failed=failed)


class _Appending:
    """Takes the lock at once and keeps what is to be written until `finish` sends it all."""

    def __init__(self, lane: _Lane, ids: Sequence[str]) -> None:
        self._lane = lane
        self._db = lane.db
        cursor = self._db.execute(_LOCK, (_array(ids),))
        cursor.nextset()
        cursor.nextset()
        found = cursor.fetchone()
        if found is None:
            raise Unavailable("The audit database has lost its head row. Keep it as it is.")
        head = Head(**dict(zip(_HEAD_NAMES, found[1:], strict=True)))
        self._head = head if head.size else None
        cursor.nextset()
        self._known = {str(row[1]): _row(row) for row in cursor}
        self._rows: Sequence[Row] = ()
        self._sealed: tuple[Head, bool] | None = None
        self._tracked: tuple[Sequence[OpenIntent], Sequence[str]] = ((), ())

    def head(self) -> Head | None:
        return self._head

    def known(self) -> Mapping[str, Row]:
        return self._known

    def insert(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def seal(self, head: Head, *, keep: bool) -> None:
        self._sealed = (head, keep)

    def track(self, opened: Sequence[OpenIntent], closed: Sequence[str]) -> None:
        self._tracked = (opened, closed)

    def prune(self, upto: int) -> None:
        self._db.execute("SELECT audit.prune(%s)", (upto,))

    def finish(self) -> None:
        if self._sealed is None:
            self._db.execute("ROLLBACK")
            return
        (head, keep), (opened, closed) = self._sealed, self._tracked
        names = ("etype", "actor", "session", "request", "outcome")
        # Records go as one text, which is quoted much faster than a list of texts full of quotes:
        # there is no line end in canonical JSON.
        self._db.execute(
            _APPEND,
            (
                _array([r.id for r in self._rows]),
                self._rows[0].prev_hash,
                "\n".join(r.record for r in self._rows),
                *(_array([getattr(r, name) for r in self._rows]) for name in names),
                head.size,
                head.leaf_hash,
                head.frontier,
                head.logged,
                head.note,
                head.kept,
                head.mac,
                keep,
                _array([i.id for i in opened]),
                [i.seq for i in opened],
                _array([i.boot for i in opened]),
                _array(closed),
            ),
        )

    def settle(self) -> None:
        with translated(), self._lane.failing():
            self._db.execute(_SETTLE)
        self._lane.end(failed=False)


def _array(values: Sequence[str | None]) -> str:
    """Returns the spelling of a list of texts; the driver takes ten times as long to find it."""
    return "{" + ",".join(map(_item, values)) + "}"


def _item(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Reading:
    def __init__(self, connection: Connection, settle: Callable[[], None]) -> None:
        self._db = connection
        self._settle = settle

    def head(self) -> Head | None:
        query = sql.SQL("SELECT {} FROM audit.head WHERE size > 0").format(_HEAD)
        found = self._db.execute(query).fetchone()
        return Head(**dict(zip(_HEAD_NAMES, found, strict=True))) if found else None

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
        query = _SELECT_ROWS + sql.SQL(where)
        values = {"after": after, "limit": limit, "session": session}
        return [_row(found) for found in self._db.execute(query, values)]

    def by_seq(self, seqs: Sequence[int]) -> Sequence[Row]:
        query = _SELECT_ROWS + sql.SQL("WHERE seq = ANY (%s)")
        found = {row.seq: row for row in map(_row, self._db.execute(query, (list(seqs),)))}
        return [found[seq] for seq in seqs if seq in found]

    def scan(self, first: int, last: int) -> Iterator[Row]:
        query = _SELECT_ROWS + sql.SQL("WHERE seq BETWEEN %s AND %s ORDER BY seq LIMIT %s")
        while first <= last:
            rows = [_row(found) for found in self._db.execute(query, (first, last, _FETCH))]
            yield from rows
            if len(rows) < _FETCH:
                return
            first = rows[-1].seq + 1

    def marks(self) -> Sequence[Row]:
        where = sql.SQL("WHERE etype IN ('key.rotated', 'log.pruned') ORDER BY seq")
        return [_row(found) for found in self._db.execute(_SELECT_ROWS + where)]

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


def _row(values: Sequence[Any]) -> Row:
    return Row(**dict(zip(_ROW_NAMES, values, strict=True)))


def _kept(values: Sequence[Any]) -> KeptCheckpoint:
    size, note, frontier = values
    return KeptCheckpoint(size=size, note=note, frontier=frontier)
