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
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from guard.engines.child import sqlite_log as log
from guard.engines.child import sqlite_words as words
from guard.engines.child.faults import Fault
from guard.engines.child.names import quoted
from guard.engines.child.reader import Stop
from guard.engines.child.schema import performed, standing
from guard.engines.child.sqlite_images import found_in, image_of, put_back, replay
from guard.engines.child.sqlite_reader import LIMITS, code_of
from guard.engines.child.sqlite_schema import definer
from guard.engines.child.sqlite_tables import Table, checksums, hanging, schema_hash, tables_of
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
_MOVING = frozenset(
    {
        *("random", "randomblob", "changes", "total_changes", "last_insert_rowid"),
        *("date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"),
        *("current_date", "current_time", "current_timestamp"),
    }
)
"""Functions that may give another value the second time."""
_STEPS = 2_000
_CACHED = 64
"""Statements are compiled again, and so looked at again, whenever the authorizer is set."""
_WRITES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_READ})


class SqliteWriter:
    """One database file. Opened for each order, closed after it."""

    def __init__(self, path: Path, *, copy_bytes: int = COPY_BYTES) -> None:
        """Opens nothing yet. Files larger than `copy_bytes` are previewed in place."""
        self._path = path
        self._copy_bytes = copy_bytes
        self._connection: sqlite3.Connection | None = None

    def preview(self, order: Order, stop: Stop) -> Capture:
        """Returns what the order would do. Raises `Fault`."""
        with self._told():
            if order.defines:
                self._connection = _open(self._path, order)
                return performed(definer(self._connection), order, prove=True)
            if self._path.is_file() and self._path.stat().st_size > self._copy_bytes:
                return self._in_place(order, stop)
            with contextlib.closing(self._copy(order)) as copy:
                self._connection = copy
                return tried(_Trial(copy, stop), order)

    def run(self, order: Order, stop: Stop) -> Capture:
        """Runs the order on the file and leaves its transaction open. Raises `Fault`."""
        with self._told(keep=True):
            self._connection = _open(self._path, order)
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
            self._connection = _open(self._path, order, begin=False)
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

    def _in_place(self, order: Order, stop: Stop) -> Capture:
        """Runs the order in the file, takes it back in the same transaction, rolls both back."""
        called: set[str] = set()
        self._connection = _open(self._path, order)
        done = self._settled(_logged(self._connection, order, stop, called), order)
        second = first = done.capture({})
        if order.sql is not None and not _is_fixed(self._connection, called):
            self._close()
            if carries_now(first):
                time.sleep(1.0 - time.time() % 1.0)
            self._connection = _open(self._path, order)
            done = _logged(self._connection, order, stop)
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
            with contextlib.closing(_open(self._path, order, begin=False)) as other:
                if hung - hanging(other, names, deferred=True):
                    raise Fault("constraint")
        return done

    def _copy(self, order: Order) -> sqlite3.Connection:
        source = _open(self._path, order, begin=False)
        try:
            copy = sqlite3.connect(
                ":memory:", isolation_level=None, check_same_thread=False, cached_statements=_CACHED
            )
            source.backup(copy)
        finally:
            source.close()
        _prepare(copy, order)
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


def _open(path: Path, order: Order, *, begin: bool = True) -> sqlite3.Connection:
    if not path.is_file():
        raise Fault("missing")
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=order.lock_timeout_ms / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED,
    )
    try:
        _prepare(connection, order)
        if begin:
            connection.execute("BEGIN IMMEDIATE")
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, order: Order) -> None:
    for which, value in LIMITS:
        if which != sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH:
            connection.setlimit(which, value)
    connection.execute("PRAGMA trusted_schema=0")
    connection.execute("PRAGMA temp_store=2")
    # Taking back is a replay of rows: what cascades once did is in the log.
    connection.execute(f"PRAGMA foreign_keys={'off' if order.image else 'on'}")
    connection.execute("PRAGMA recursive_triggers=on")


class _Trial:
    """A copy in memory on which an order is tried for good."""

    def __init__(self, copy: sqlite3.Connection, stop: Stop) -> None:
        self._copy = copy
        self._stop = stop

    def run(self, order: Order) -> Capture:
        """Runs the order in a new transaction, rows being put back without cascades."""
        self._copy.execute(f"PRAGMA foreign_keys={'off' if order.image else 'on'}")
        self._copy.execute("BEGIN IMMEDIATE")
        return _executed(self._copy, order, self._stop)

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


def _is_fixed(connection: sqlite3.Connection, called: set[str]) -> bool:
    """True when a second run cannot give other values: by what it called, and by the defaults."""
    if called & _MOVING:
        return False
    for table in tables_of(connection):
        for column in connection.execute(f"PRAGMA main.table_xinfo({table.quoted})").fetchall():
            default = str(column[4] or "").lower()
            if "(" in default or "current_" in default:
                return False
    return True


def _taken_back(connection: sqlite3.Connection, done: _Done, stop: Stop, timeout_ms: int) -> bool:
    """True when the way back, run in the open transaction, leaves no row different.

    Every step must hit the row it names, nothing else may be counted, and the rows are looked at.
    References are checked row by row here, which can refuse what the real way back may do.
    """
    connection.execute("PRAGMA defer_foreign_keys=on")
    log.uninstall(connection, done.tables)
    names = {done.tables[step[1]].name for step in done.log.steps}
    _drop_triggers(connection, names)
    counted = connection.total_changes
    deadline = time.monotonic() + timeout_ms / 1000
    connection.set_progress_handler(lambda: stop.asked() or time.monotonic() > deadline, _STEPS)
    stop.reached("back", of=len(done.log.steps))
    try:
        put_back(connection, done.log.steps, done.tables)
    except Fault:
        return False
    except sqlite3.Error as error:
        if code_of(error) == "interrupted":
            raise
        return False
    finally:
        connection.set_progress_handler(None, 0)
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


def _executed(connection: sqlite3.Connection, order: Order, stop: Stop) -> Capture:
    """Runs the order inside the open transaction; returns what it did and the way back."""
    if order.defines:
        return performed(definer(connection), order, prove=False)
    done = _logged(connection, order, stop)
    return done.capture(image_of(done.log.steps, done.tables))


def _logged(
    connection: sqlite3.Connection, order: Order, stop: Stop, called: set[str] | None = None
) -> _Done:
    """Runs the order inside the open transaction and reads its log.

    `called` takes the names of the functions that the statement and its triggers call.
    """
    tables = tables_of(connection)
    log.install(connection, tables)
    deadline = time.monotonic() + order.timeout_ms / 1000
    # The engine looks at no reference while rows are put back.
    undone = {step[0] for step in order.image["steps"]} if order.image else set[str]()
    dropped = _drop_triggers(connection, undone)
    hung = hanging(connection, undone)
    counted = connection.total_changes
    connection.set_progress_handler(lambda: stop.asked() or time.monotonic() > deadline, _STEPS)
    calls = called if called is not None else set[str]()

    def authorize(
        action: int, first: str | None, second: str | None, database: str | None, inner: str | None
    ) -> int:
        if action == sqlite3.SQLITE_FUNCTION:
            calls.add((second or "").lower())
        return _authorize(action, first, second, database, inner)

    connection.set_authorizer(authorize)
    stop.reached("run" if order.sql is not None else "back")
    try:
        if order.sql is not None:
            connection.execute(order.sql).fetchall()
        else:
            replay(connection, order.image or {}, tables)
    finally:
        connection.set_authorizer(None)
        connection.set_progress_handler(None, 0)
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


def _authorize(
    action: int, first: str | None, second: str | None, database: str | None, inner: str | None
) -> int:
    """Returns what `set_authorizer` asks: rows of real tables may change, nothing else."""
    name = (first or "").lower()
    if action in _READS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = (second or "").lower() in words.FUNCTIONS
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
    if name == log.LOG:
        # Only the capturing triggers write the log: a statement that could would hide its rows.
        logs = action == sqlite3.SQLITE_INSERT and (inner or "").startswith("gatehouse_")
        return sqlite3.SQLITE_OK if logs else sqlite3.SQLITE_DENY
    real = database == "main" and not name.startswith("sqlite_")
    return sqlite3.SQLITE_OK if action in _WRITES and real else sqlite3.SQLITE_DENY


def _drop_triggers(connection: sqlite3.Connection, names: Collection[str]) -> list[str]:
    """Silences the tables' own triggers while rows are put back; returns how to make them again."""
    found = connection.execute(
        "SELECT name, tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger'"
    ).fetchall()
    wanted = [(name, sql) for name, table, sql in found if table in names]
    for name, _ in wanted:
        connection.execute(f"DROP TRIGGER main.{quoted(name)}")
    return [sql for _, sql in wanted]
