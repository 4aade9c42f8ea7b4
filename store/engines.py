"""The connections of a store: which engines there are, and how each of their connections is set."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from store.errors import StoreError
from store.prepared import driver_cursor

_READERS = 4


class Line:
    """One kind of connection. Up to `kept` of them wait open between transactions.

    SQLAlchemy takes longer to take a connection out of its pool and to put it back than SQLite does
    for what a call on the door asks. Safe to share between threads.
    """

    def __init__(self, engine: Engine, *, kept: int = 0) -> None:
        """With 0, a connection goes through the engine's pool every time, which tries it first."""
        self.engine = engine
        self._kept = kept
        self._waiting: deque[Connection] = deque()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yields a connection in a transaction. One on which anything failed is not used again."""
        try:
            conn = self._waiting.pop()
        except IndexError:
            conn = self.engine.connect()
        try:
            with conn.begin():
                yield conn
        except BaseException:
            conn.close()
            raise
        if len(self._waiting) < self._kept:
            self._waiting.append(conn)
        else:
            conn.close()

    def close(self) -> None:
        """Closes the connections that wait."""
        while self._waiting:
            self._waiting.pop().close()
        self.engine.dispose()


Lines = tuple[Line, Line, Line]
"""Those of the writer, of the readers and of the counters."""


def on_sqlite(url: URL, busy_seconds: float) -> Lines:
    """Returns the connections to a file."""
    return (
        Line(_writer(url, busy_seconds, sync="FULL"), kept=1),
        Line(_reader(url, busy_seconds), kept=_READERS),
        Line(_writer(url, busy_seconds, sync="NORMAL"), kept=1),
    )


def on_server(url: URL, busy_seconds: float) -> Lines:
    """Returns the connections to a server, which may end them at any time."""
    return (
        Line(_server_writer(url, busy_seconds)),
        Line(_server_reader(url, busy_seconds)),
        Line(_server_counter(url, busy_seconds)),
    )


def _server(url: URL, busy_seconds: float) -> Engine:
    engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)

    @event.listens_for(engine, "connect")
    def settings(raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # Twice, as for threads on SQLite: a queue of writers moves on in between.
        _run(raw, f"SET lock_timeout = {round(2_000 * busy_seconds)}")

    return engine


def _server_writer(url: URL, busy_seconds: float) -> Engine:
    engine = _server(url, busy_seconds)

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        _say(conn, f"SELECT pg_advisory_xact_lock({_QUEUE})")

    return engine


def _server_reader(url: URL, busy_seconds: float) -> Engine:
    return _server(url, busy_seconds).execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


def _server_counter(url: URL, busy_seconds: float) -> Engine:
    engine = _server(url, busy_seconds)

    @event.listens_for(engine, "connect")
    def settings(raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        _run(raw, "SET synchronous_commit = off")

    return engine


def _say(conn: Connection, text: str) -> None:
    with driver_cursor(conn) as cursor:
        cursor.execute(text)


def _run(raw: DBAPIConnection, text: str) -> None:
    cursor = raw.cursor()
    cursor.execute(text)
    cursor.close()
    raw.commit()


_QUEUE = 0x67617465
"""The advisory lock that the writers of one PostgreSQL store queue behind."""


def _writer(url: URL, busy_seconds: float, *, sync: str) -> Engine:
    engine = _sqlite(url, busy_seconds, pool_size=1, max_overflow=0)

    @event.listens_for(engine, "connect")
    def pragmas(raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        mode = _pragma(raw, "journal_mode=WAL")
        if mode != "wal":
            raise StoreError(
                f"{url.database} is on a file system without shared memory, where several "
                "processes would damage it. Put GATEHOUSE_HOME on a local disk."
            )
        _pragma(raw, f"synchronous={sync}")
        _pragma(raw, "foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        _say(conn, "BEGIN IMMEDIATE")

    return engine


def _reader(url: URL, busy_seconds: float) -> Engine:
    engine = _sqlite(url, busy_seconds, pool_size=_READERS, max_overflow=32 - _READERS)

    @event.listens_for(engine, "connect")
    def pragmas(raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        _pragma(raw, "query_only=ON")

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        _say(conn, "BEGIN")

    return engine


def _sqlite(url: URL, busy_seconds: float, *, pool_size: int, max_overflow: int) -> Engine:
    # isolation_level None keeps the driver from opening transactions by itself.
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        hide_parameters=True,
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": busy_seconds,
        },
    )


def _pragma(raw: DBAPIConnection, text: str) -> object:
    cursor = raw.cursor()
    try:
        cursor.execute(f"PRAGMA {text}")
        row = cursor.fetchone()
    finally:
        cursor.close()
    return row[0] if row else None
