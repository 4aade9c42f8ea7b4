"""SQLite as the write role: runs one order in a transaction and records every row it changes.

A temporary trigger on each table appends the old and the new row to a temporary log, so that rows
changed by triggers, cascades and REPLACE are seen too (`recursive_triggers`, or REPLACE's deletes
are missed). A preview runs on a copy in memory: it blocks nobody and leaves nothing behind, and the
way back is tried on that copy. The library's own change counter is compared with the log.

https://www.sqlite.org/lang_createtrigger.html, https://www.sqlite.org/c3ref/total_changes.html
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guard.engines.child import sqlite_log as log
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Stop
from guard.engines.child.schema import performed, standing
from guard.engines.child.sqlite_images import found_in, image_of, put_back, replay
from guard.engines.child.sqlite_large import large
from guard.engines.child.sqlite_reader import code_of
from guard.engines.child.sqlite_schema import definer
from guard.engines.child.sqlite_session import (
    CACHED,
    drop_triggers,
    guarded,
    is_fixed,
    opened,
    prepare,
    watched,
)
from guard.engines.child.sqlite_tables import Table, checksums, hanging, schema_hash, tables_of
from guard.engines.child.summed import LARGE
from guard.engines.child.writing import (
    NOT_PROVEN,
    Capture,
    Order,
    carries_now,
    tried,
    with_second,
)

COPY_BYTES = 16 * 1024 * 1024
"""Larger files are previewed in place, in a transaction that is rolled back: copying them takes
longer than the writers have to wait for it.
"""


class SqliteWriter:
    """One database file. Opened for each order, closed after it."""

    def __init__(
        self, path: Path, *, copy_bytes: int = COPY_BYTES, large_steps: int = LARGE
    ) -> None:
        """Opens nothing yet. Files larger than `copy_bytes` are previewed in place.

        Changes of more than `large_steps` rows are compared and hashed in the engine.
        """
        self._path = path
        self._large_steps = large_steps
        self._copy_bytes = copy_bytes
        self._connection: sqlite3.Connection | None = None

    def preview(self, order: Order, stop: Stop) -> Capture:
        """Returns what the order would do. Raises `Fault`."""
        with self._told():
            if order.defines:
                self._connection = opened(self._path, order, trial=True)
                return performed(definer(self._connection), order, prove=True)
            if order.sql is None:
                return self._small(order, stop, None)
            try:
                return self._small(order, stop, self._large_steps)
            except sqlite3.IntegrityError as error:
                if log.TOO_LONG not in str(error):
                    raise
            self._close()
            self._connection = opened(self._path, order, beside=True)
            found = large(self._connection, order, stop)
            self._close()
            return found or self._small(order, stop, None)

    def _small(self, order: Order, stop: Stop, most: int | None) -> Capture:
        """Looks at each step of a change, of which there may be `most`."""
        if self._path.is_file() and self._path.stat().st_size > self._copy_bytes:
            return self._in_place(order, stop, most)
        with contextlib.closing(self._copy(order)) as copy:
            self._connection = copy
            return tried(_Trial(copy, stop, most), order)

    def run(self, order: Order, stop: Stop) -> Capture:
        """Runs the order on the file and leaves its transaction open. Raises `Fault`."""
        with self._told(keep=True):
            self._connection = opened(self._path, order)
            return _executed(self._connection, order, stop)

    def commit(self) -> None:
        """Ends the open transaction for good. Raises `Fault`."""
        with self._told():
            if self._connection is None:
                raise Fault("engine")
            self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Ends the open transaction without a trace."""
        self._close()

    def find(self, image: Mapping[str, Any]) -> str:
        """Returns whether the rows of the image are as before the change or as after it."""
        order = Order(
            sql=None, image=image, targets=(), max_rows=0, timeout_ms=60_000, lock_timeout_ms=2_000
        )
        with self._told():
            self._connection = opened(self._path, order, begin=False)
            if order.defines:
                return standing(image, definer(self._connection).state())
            return found_in(self._connection, image)

    def release(self) -> None:
        """Nothing is held between orders."""

    def interrupt(self) -> None:
        """Stops the running statement at its next step."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed a moment ago
                connection.interrupt()

    def _in_place(self, order: Order, stop: Stop, most: int | None) -> Capture:
        """Runs the order in the file, takes it back in the same transaction, rolls both back."""
        called: set[str] = set()
        self._connection = opened(self._path, order, trial=True)
        done = self._settled(_logged(self._connection, order, stop, called, most=most), order)
        second = first = done.capture({})
        if order.sql is not None and not is_fixed(self._connection, called):
            self._close()
            if carries_now(first):
                time.sleep(1.0 - time.time() % 1.0)
            self._connection = opened(self._path, order, trial=True)
            done = _logged(self._connection, order, stop, most=most)
            second = done.capture({})
        verified = _taken_back(self._connection, done, stop, order.timeout_ms)
        notes = () if verified else (NOT_PROVEN,)
        return with_second(first, second, verified=verified, notes=notes)

    def _settled(self, done: _Done, order: Order) -> _Done:
        """Returns what was done. Raises `Fault` where the commit would find a reference hanging."""
        if self._connection is None or order.sql is None:
            return done
        names = [t.name for t in done.tables if t.name in done.log.olds]
        hung = hanging(self._connection, names, deferred=True)
        if hung:
            with contextlib.closing(opened(self._path, order, begin=False)) as other:
                if hung - hanging(other, names, deferred=True):
                    raise Fault("constraint")
        return done

    def _copy(self, order: Order) -> sqlite3.Connection:
        source = opened(self._path, order, begin=False)
        try:
            copy = sqlite3.connect(
                ":memory:", isolation_level=None, check_same_thread=False, cached_statements=CACHED
            )
            source.backup(copy)
        finally:
            source.close()
        prepare(copy, order)
        return copy

    @contextlib.contextmanager
    def _told(self, *, keep: bool = False) -> Iterator[None]:
        """Turns the driver's errors into faults; closes what is open, unless it is to be kept."""
        try:
            yield
        except sqlite3.IntegrityError:
            self._close()
            raise Fault("constraint") from None
        except sqlite3.Error as error:
            self._close()
            raise Fault(code_of(error)) from None
        except BaseException:
            self._close()
            raise
        if not keep:
            self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _Trial:
    """A copy in memory on which an order is tried for good."""

    def __init__(self, copy: sqlite3.Connection, stop: Stop, most: int | None) -> None:
        self._copy = copy
        self._stop = stop
        self._most = most

    def run(self, order: Order) -> Capture:
        """Runs the order in a new transaction, rows being put back without cascades."""
        self._copy.execute(f"PRAGMA foreign_keys={'off' if order.image else 'on'}")
        self._copy.execute("BEGIN IMMEDIATE")
        return _executed(self._copy, order, self._stop, self._most if order.sql else None)

    def end(self, word: str) -> None:
        """Commits or rolls back."""
        self._copy.execute(word)

    def is_fixed(self, order: Order) -> bool:
        """Returns False: small files are run twice, which tells for sure."""
        del order
        return False

    def checksums(self, tables: Sequence[str]) -> list[str]:
        """Returns one checksum a table."""
        return checksums(self._copy, tables)


def _taken_back(connection: sqlite3.Connection, done: _Done, stop: Stop, timeout_ms: int) -> bool:
    """True when the way back, run in the open transaction, leaves no row different.

    Every step must hit the row it names, nothing else may be counted, and the rows are looked at.
    References are checked row by row here, which can refuse what the real way back may do.
    """
    connection.execute("PRAGMA defer_foreign_keys=on")
    log.uninstall(connection, done.tables)
    names = {done.tables[step[1]].name for step in done.log.steps}
    drop_triggers(connection, names)
    counted = connection.total_changes
    stop.reached("back", of=len(done.log.steps))
    try:
        with watched(connection, stop, timeout_ms):
            put_back(connection, done.log.steps, done.tables)
    except Fault:
        return False
    except sqlite3.Error as error:
        if code_of(error) == "interrupted":
            raise
        return False
    alone = connection.total_changes - counted == len(done.log.steps)
    return alone and log.is_back(connection, done.tables, done.log)


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What ran in the open transaction: its log, the tables that the log's numbers mean."""

    log: log.Read
    tables: Sequence[Table]
    schema_hash: str

    def capture(self, image: Mapping[str, object]) -> Capture:
        return Capture(tables=self.log.changes, image=image, schema_hash=self.schema_hash)


def _executed(
    connection: sqlite3.Connection, order: Order, stop: Stop, most: int | None = None
) -> Capture:
    """Runs the order inside the open transaction; returns what it did and the way back."""
    if order.defines:
        return performed(definer(connection), order, prove=False)
    done = _logged(connection, order, stop, most=most)
    return done.capture(image_of(done.log.steps, done.tables))


def _logged(
    connection: sqlite3.Connection,
    order: Order,
    stop: Stop,
    called: set[str] | None = None,
    *,
    most: int | None = None,
) -> _Done:
    """Runs the order inside the open transaction and reads its log.

    `called` takes the names of the functions that the statement and its triggers call.
    """
    tables = tables_of(connection)
    log.install(connection, tables, most)
    # The engine looks at no reference while rows are put back.
    undone = {step[0] for step in order.image["steps"]} if order.image else set[str]()
    dropped = drop_triggers(connection, undone)
    hung = hanging(connection, undone)
    counted = connection.total_changes
    stop.reached("run" if order.sql is not None else "back")
    calls = called if called is not None else set[str]()
    with watched(connection, stop, order.timeout_ms), guarded(connection, calls):
        if order.sql is not None:
            connection.execute(order.sql).fetchall()
        else:
            replay(connection, order.image or {}, tables)
    counted = connection.total_changes - counted
    for text in dropped:
        connection.execute(text)
    if hanging(connection, undone) - hung:
        raise Fault("constraint")
    # Each row was counted as itself and as its line in the log.
    found = log.read(
        connection,
        tables,
        counted,
        order.max_rows,
        lambda rows: stop.reached("rows", rows, max(rows, counted // 2)),
    )
    names = [c.table for c in found.changes]
    return _Done(log=found, tables=tables, schema_hash=schema_hash(connection, names))
