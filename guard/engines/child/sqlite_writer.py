"""SQLite as the write role: runs one order in a transaction and records every row it changes.

A temporary trigger on each table appends the old and the new row to a temporary log, so that rows
changed by triggers, cascades and REPLACE are seen too (`recursive_triggers`, or REPLACE's deletes
are missed). A preview runs on a copy in memory: it blocks nobody and leaves nothing behind, and the
way back is tried on that copy. The library's own change counter is compared with the log.

https://www.sqlite.org/lang_createtrigger.html, https://www.sqlite.org/c3ref/total_changes.html
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from guard.engines.child import sqlite_large as large
from guard.engines.child import sqlite_log as log
from guard.engines.child import sqlite_steps as steps
from guard.engines.child.faults import Fault
from guard.engines.child.names import fold
from guard.engines.child.reader import Stop
from guard.engines.child.schema import performed, standing
from guard.engines.child.sqlite_images import found_in
from guard.engines.child.sqlite_reader import code_of
from guard.engines.child.sqlite_schema import definer
from guard.engines.child.sqlite_session import (
    CACHED,
    RUN_AGAIN,
    RUN_BEGINS,
    Seen,
    is_fixed,
    opened,
    prepare,
)
from guard.engines.child.sqlite_tables import hanging, tables_of
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

_EVERY_ROW = re.compile(r"\s*(update|delete\s+from)\b(?!.*\b(where|from|limit)\b)", re.I | re.S)
"""A statement that names no rows. A word in a name or a text hides it, which costs time only."""


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
            if large.is_large(order.image):
                return self._large(order, stop) or _lost()
            if order.sql is None:
                return self._small(order, stop, None)
            if not self._touches_many(order):
                try:
                    return self._small(order, stop, self._large_steps)
                except sqlite3.IntegrityError as error:
                    _only_too_long(error)
                self._close()
            return self._large(order, stop) or self._small(order, stop, None)

    def _touches_many(self, order: Order) -> bool:
        """True where no condition is named and the table has more rows than are looked at singly.

        To find that out by running it costs as much again. What is right does not depend on it.
        """
        if not _EVERY_ROW.match(order.sql or "") or not self._path.is_file():
            return False
        with contextlib.closing(opened(self._path, order, begin=False)) as connection:
            found = [
                connection.execute(
                    f"SELECT count(*) FROM (SELECT 1 FROM main.{t.quoted} LIMIT ?)",
                    (self._large_steps + 1,),
                ).fetchone()[0]
                for t in tables_of(connection)
                if fold(t.name) in {fold(name) for name in order.targets}
            ]
        return any(rows > self._large_steps for rows in found)

    def _large(self, order: Order, stop: Stop) -> Capture | None:
        """Compares whole tables; None where that does not tell."""
        self._connection = opened(self._path, order, beside=True, ready=large.ready(order))
        found = large.previewed(self._connection, order, stop, self._large_steps)
        self._close()
        return found

    def _small(self, order: Order, stop: Stop, most: int | None) -> Capture:
        """Looks at each step of a change, of which there may be `most`."""
        if self._path.is_file() and self._path.stat().st_size > self._copy_bytes:
            return self._in_place(order, stop, most)
        with contextlib.closing(self._copy(order)) as copy:
            self._connection = copy
            return tried(steps.Trial(copy, stop, most), order)

    def run(self, order: Order, stop: Stop) -> Capture:
        """Runs the order on the file and leaves its transaction open. Raises `Fault`."""
        with self._told(keep=True):
            if large.is_large(order.image):
                return self._run_large(order, stop) or _lost()
            most = None if order.sql is None else self._large_steps
            if most is None or not self._touches_many(order):
                try:
                    self._connection = opened(self._path, order)
                    return steps.executed(self._connection, order, stop, most)
                except sqlite3.IntegrityError as error:
                    _only_too_long(error)
                self._close()
            found = self._run_large(order, stop)
            if found is None:
                self._close()
                self._connection = opened(self._path, order)
                found = steps.executed(self._connection, order, stop)
            return found

    def _run_large(self, order: Order, stop: Stop) -> Capture | None:
        """Leaves its transaction open; None where it has to be done in another way."""
        self._connection = opened(self._path, order, ready=large.ready(order))
        return large.executed(self._connection, order, stop, self._large_steps)

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
            self._connection = opened(self._path, order, begin=False, ready=large.ready(order))
            if order.defines:
                return standing(image, definer(self._connection).state())
            if large.is_large(image):
                return large.found_in(self._connection, image)
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
        seen = Seen()
        connection = self._connection = opened(self._path, order, trial=True)
        connection.execute(RUN_BEGINS)
        done = self._settled(steps.logged(connection, order, stop, seen, most=most), order)
        second = first = done.capture({})
        if order.sql is not None and not is_fixed(connection, seen):
            # The lock is kept: what others commit in between would look as if it moved by itself.
            connection.execute(RUN_AGAIN)
            if carries_now(first):
                time.sleep(1.0 - time.time() % 1.0)
            done = steps.logged(connection, order, stop, most=most)
            second = done.capture({})
        verified = steps.taken_back(connection, done, stop, order.timeout_ms)
        notes = () if verified else (NOT_PROVEN,)
        return with_second(first, second, verified=verified, notes=notes)

    def _settled(self, done: steps.Done, order: Order) -> steps.Done:
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


def _only_too_long(error: sqlite3.IntegrityError) -> None:
    """Raises the error again unless it says that there are more steps than are looked at singly."""
    if log.TOO_LONG not in str(error):
        raise error


def _lost() -> Capture:
    """Raises what is told where the tables of an image no longer tell their rows apart."""
    raise Fault("changed_since")
