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

from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

from store import clock
from store.engines import Line, on_server, on_sqlite
from store.errors import StoreBusy, StoreConflict, StoreError
from store.files import prepare
from store.migrate import bring_up_to_date
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
            on_sqlite(url, busy_seconds) if self._embedded else on_server(url, busy_seconds)
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
                bring_up_to_date(store._reader.engine, store._writer.engine, store.name)
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
        with _plain_errors(self.name), self._reader.transaction() as conn:
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
        self._reader.close()
        self._writer.close()
        self._counter.close()
        self._presence.leave()

    @contextmanager
    def _writing_to(self, line: Line) -> Iterator[Connection]:
        self._same_process()
        with _plain_errors(self.name), self._alone(), line.transaction() as conn:
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
