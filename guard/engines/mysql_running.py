"""Pooled sessions, lent to one statement each, and the watch that ends it on the server.

A session whose statement ended in the ordinary way is reset and lent again. Any other is killed by
its number through a second connection and thrown away, so that nothing runs on.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

import pymysql
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from guard.engines.base import Cancel
from guard.engines.child.faults import Fault
from guard.engines.mysql_session import Session, TooLarge

_log = logging.getLogger(__name__)

TICK_SECONDS = 0.05
_LATE_SECONDS = 5.0
"""How long after KILL QUERY a connection may go on before the connection itself is killed."""


class SessionPool:
    """At most `size` sessions, opened when needed. All methods may be called from any thread."""

    def __init__(self, connect: Callable[[], Session], *, size: int) -> None:
        self._connect = connect
        self._size = size
        self._pool = self._fresh()

    def _fresh(self) -> QueuePool:
        return QueuePool(
            self._connect,
            pool_size=self._size,
            max_overflow=0,
            timeout=TICK_SECONDS,
            use_lifo=True,
            reset_on_return=None,
        )

    @contextlib.contextmanager
    def lend(
        self, ready: Callable[[Session], None], *, wait_seconds: float, cancel: Cancel
    ) -> Iterator[Session]:
        """Lends a session on which `ready` has run; one that the server had closed is replaced.

        Raises:
            Fault: `interrupted` when `cancel` was set while waiting, `busy` when none became free.
            pymysql.err.MySQLError: no connection could be made, or `ready` failed.
        """
        lent, session = self._ready(ready, wait_seconds, cancel)
        try:
            yield session
            if session.open:
                session.reset()
            else:
                lent.invalidate()
        except BaseException:
            if session.open:
                session.abandon()
            lent.invalidate()
            raise
        finally:
            lent.close()

    def close(self) -> None:
        """Closes what is not lent; the pool may be used again."""
        self._pool.dispose()
        self._pool = self._fresh()

    def _ready(
        self, ready: Callable[[Session], None], wait_seconds: float, cancel: Cancel
    ) -> tuple[PoolProxiedConnection, Session]:
        for attempt in range(self._size + 1):
            lent = self._take(wait_seconds, cancel)
            session = lent.dbapi_connection
            if not isinstance(session, Session):
                raise Fault("engine")
            try:
                ready(session)
            except (pymysql.err.OperationalError, pymysql.err.InterfaceError):
                # A server that was restarted has closed every connection the pool kept.
                session.abandon()
                lent.invalidate()
                lent.close()
                if attempt == self._size:
                    raise
                continue
            except BaseException:
                session.abandon()
                lent.invalidate()
                lent.close()
                raise
            return lent, session
        raise Fault("engine")

    def _take(self, wait_seconds: float, cancel: Cancel) -> PoolProxiedConnection:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                return self._pool.connect()
            except PoolTimeout:
                if cancel.is_set():
                    raise Fault("interrupted") from None
                if time.monotonic() > deadline:
                    raise Fault("busy") from None


@contextlib.contextmanager
def watched(
    session: Session, connect: Callable[[], Session], *, timeout_ms: int, cancel: Cancel
) -> Iterator[None]:
    """Ends what the session runs once `cancel` is set or the time is up.

    Raises:
        Fault: `interrupted` after either; the session must not be used again.
        TooLarge: passed on, after the statement was ended on the server.
    """
    done = threading.Event()
    ended: list[str] = []
    deadline = time.monotonic() + timeout_ms / 1000

    def watch() -> None:
        while not done.wait(TICK_SECONDS):
            if cancel.is_set() or time.monotonic() > deadline:
                ended.append("cancelled" if cancel.is_set() else "timeout")
                _end(session, connect, done)
                return

    watcher = threading.Thread(target=watch, name="guard-mysql-watch", daemon=True)
    watcher.start()
    try:
        yield
    except TooLarge:
        kill(session.number, connect)
        raise
    except Exception:
        if ended:
            raise Stopped(ended[0]) from None
        raise
    finally:
        done.set()
        watcher.join()
    if ended:
        raise Stopped(ended[0])


class Stopped(Exception):
    """A statement was ended from here: `cancelled` or `timeout`."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def _end(session: Session, connect: Callable[[], Session], done: threading.Event) -> None:
    """Kills the statement, then the connection where that did not help."""
    kill(session.number, connect, what="QUERY")
    if not done.wait(_LATE_SECONDS):
        kill(session.number, connect)
        if not done.wait(_LATE_SECONDS):
            session.abandon()


def kill(number: int, connect: Callable[[], Session], *, what: str = "CONNECTION") -> None:
    """Ends a statement or a connection of this login, through a connection of its own."""
    try:
        with contextlib.closing(connect()) as other:
            other.query(f"KILL {what} {number:d}")
    except pymysql.err.MySQLError as error:
        # 1094: it has ended by itself. Else the server's own time limit ends it.
        if error.args and error.args[0] != 1094:
            _log.warning("a statement could not be killed from a second connection")
