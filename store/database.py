"""The store itself: opened once in a process, then transactions from any thread.

SQLite has two engines on one file, because `BEGIN IMMEDIATE` everywhere would let one unclosed
reader block all writers:

- the writer: one connection, `BEGIN IMMEDIATE`, whose lock spans the whole transaction, so that two
  threads can never interleave a begin and a commit;
- the readers: a few connections, deferred transactions (one snapshot each), `query_only`.

A third one beside the writer, for counters that change at every statement, does not wait for the
disk at each commit (`write_unsynced`).

PostgreSQL keeps the same doors: the writer's transactions queue behind one advisory lock, because
what is read before a write must hold until the commit there too; the reader's are read-only
snapshots; counters need no queue, each of their statements stands alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import ConnectionPoolEntry

from store import clock
from store.errors import StoreBusy, StoreConflict, StoreError
from store.files import prepare
from store.migrate import bring_up_to_date
from store.prepared import driver_cursor
from store.presence import Presence

FILE_NAME = "state.sqlite"
BUSY_SECONDS = 5.0


class Store:
    """What survives a restart. Safe to share between threads, not between processes."""

    def __init__(
        self,
        url: URL,
        home: Path | None,
        *,
        clock: clock.Clock = clock.now,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        """Connects nothing yet. Use `Store.open`, which also checks and migrates."""
        self.now = clock
        self.url = url
        self._embedded = url.get_backend_name() == "sqlite"
        self._busy_seconds = busy_seconds
        self._pid = os.getpid()
        self._turn = threading.Lock()
        self._mine = threading.local()
        self._writer, self._reader, self._counter = (
            _on_sqlite(url, busy_seconds) if self._embedded else _on_server(url, busy_seconds)
        )
        self._presence = Presence(home / "instances" if home else None)

    @classmethod
    def open(
        cls,
        where: str | Path,
        *,
        clock: clock.Clock = clock.now,
        busy_seconds: float = BUSY_SECONDS,
    ) -> Store:
        """Returns the store at `where`, brought up to the version this program knows.

        Args:
            where: a data folder, made if it is missing (SQLite, `state.sqlite`), or a database URL.
            clock: where the time comes from.
            busy_seconds: how long to wait for another process that writes.

        Raises:
            StoreError: not a store, not writable, or from a newer version, which touches nothing.
            StoreBusy: another process held it too long.
        """
        if isinstance(where, str) and "://" in where:
            store = cls(make_url(where), None, clock=clock, busy_seconds=busy_seconds)
        else:
            home = Path(where)
            prepare(home, FILE_NAME)
            url = URL.create("sqlite+pysqlite", database=str((home / FILE_NAME).absolute()))
            store = cls(url, home, clock=clock, busy_seconds=busy_seconds)
        try:
            with _plain_errors(store.name):
                bring_up_to_date(store._reader, store._writer, store.name)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def name(self) -> str:
        """What to call this store in a sentence: the file or the URL, without a password."""
        if self._embedded and self.url.database:
            return self.url.database
        return self.url.render_as_string(hide_password=True)

    @property
    def instance(self) -> str:
        """The id of this process as an owner of leases, alive as long as the process is."""
        return self._presence.id

    def is_alive(self, owner: str) -> bool | None:
        """True or False where this machine can tell whether that owner lives, else None."""
        return self._presence.is_alive(owner)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yields a connection that sees one snapshot and cannot write.

        Raises:
            StoreError: the store cannot be read.
        """
        self._same_process()
        with _plain_errors(self.name), self._reader.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yields a connection in a write transaction; any error rolls it back.

        Keep it short and call nothing slow inside: on SQLite every other writer waits.

        Raises:
            StoreBusy: another writer held the store too long; nothing was written.
            StoreConflict: a constraint said no; nothing of the transaction was kept.
            StoreError: the store cannot be written.
        """
        with self._writing_to(self._writer) as conn:
            yield conn

    @contextmanager
    def write_unsynced(self) -> Iterator[Connection]:
        """Yields a write transaction that is not forced to disk by itself: for counters only.

        A process that dies loses nothing that was committed, kill -9 included. The machine losing
        power may lose the last moments, up to the last commit of `write`, which forces everything
        before it to disk too; the store stays whole. On SQLite that is `synchronous=NORMAL` in WAL
        mode, on PostgreSQL `synchronous_commit=off`.

        Raises:
            StoreBusy, StoreConflict, StoreError: as for `write`.
        """
        with self._writing_to(self._counter) as conn:
            yield conn

    def close(self) -> None:
        """Frees the connections and this process's leases."""
        self._reader.dispose()
        self._writer.dispose()
        self._counter.dispose()
        self._presence.leave()

    @contextmanager
    def _writing_to(self, engine: Engine) -> Iterator[Connection]:
        self._same_process()
        with _plain_errors(self.name), self._alone(), engine.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds this thread's place among the writers; a write inside a write would never end."""
        if getattr(self._mine, "writing", False):
            raise RuntimeError("this thread is already inside store.write()")
        if self._embedded and not self._turn.acquire(timeout=2 * self._busy_seconds):
            raise StoreBusy(_BUSY.format(name=self.name))
        self._mine.writing = True
        try:
            yield
        finally:
            self._mine.writing = False
            if self._embedded:
                self._turn.release()

    def _same_process(self) -> None:
        if os.getpid() != self._pid:
            raise StoreError("The store was opened by another process. Open it again in this one.")


_BUSY = "The store {name} is in use by another process. Nothing was written. Try again."
_BROKEN = (
    "The store {name} could not be used. Check that the file is there, is not damaged, that its "
    "folder is writable and that the disk is not full."
)


_WAITED_TOO_LONG = ("40001", "40P01", "55P03")
"""PostgreSQL's serialization_failure, deadlock_detected and lock_not_available."""


@contextmanager
def _plain_errors(name: str) -> Iterator[None]:
    """Turns the driver's exceptions into this package's, without the driver's text."""
    try:
        yield
    except IntegrityError as error:
        raise StoreConflict("The store refused this row. Nothing was written.") from _quiet(error)
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorname", "")
        state = getattr(error.orig, "sqlstate", None)
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or state in _WAITED_TOO_LONG:
            raise StoreBusy(_BUSY.format(name=name)) from _quiet(error)
        raise StoreError(_BROKEN.format(name=name)) from _quiet(error)


def _quiet(error: DBAPIError) -> DBAPIError | None:
    """Returns what may stand in a traceback: a server's own text quotes the rows it refused."""
    return error if hasattr(error.orig, "sqlite_errorname") else None


def _on_sqlite(url: URL, busy_seconds: float) -> tuple[Engine, Engine, Engine]:
    return (
        _writer(url, busy_seconds, sync="FULL"),
        _reader(url, busy_seconds),
        _writer(url, busy_seconds, sync="NORMAL"),
    )


def _on_server(url: URL, busy_seconds: float) -> tuple[Engine, Engine, Engine]:
    return (
        _server_writer(url, busy_seconds),
        _server_reader(url, busy_seconds),
        _server_counter(url, busy_seconds),
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
    engine = _sqlite(url, busy_seconds, pool_size=4, max_overflow=28)

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
