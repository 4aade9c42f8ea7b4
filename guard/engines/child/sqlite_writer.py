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
from pathlib import Path
from typing import Any
from urllib.parse import quote

from guard.engines.child import sqlite_words as words
from guard.engines.child.faults import Fault
from guard.engines.child.images import Net, TableChange
from guard.engines.child.names import quoted
from guard.engines.child.reader import Stop
from guard.engines.child.sqlite_images import found_in, image_of, replay
from guard.engines.child.sqlite_reader import LIMITS, code_of
from guard.engines.child.sqlite_tables import Table, checksums, schema_hash, tables_of
from guard.engines.child.writing import Capture, Order, tried, with_second

COPY_BYTES = 200 * 1024 * 1024
"""Larger files are previewed in place, in a transaction that is rolled back."""
_STEPS = 2_000
_LOG = "gatehouse_log"
_WRITES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_READ})


class SqliteWriter:
    """One database file. Opened for each order, closed after it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def preview(self, order: Order, stop: Stop) -> Capture:
        """Returns what the order would do. Raises `Fault`."""
        with self._told():
            if self._path.is_file() and self._path.stat().st_size > COPY_BYTES:
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
        self._connection = _open(self._path, order)
        first = _executed(self._connection, order, stop)
        self._connection.execute("ROLLBACK")
        self._close()
        self._connection = _open(self._path, order)
        second = _executed(self._connection, order, stop)
        notes = ("The file is large, so taking this back was not tried in the preview.",)
        return with_second(first, second, verified=False, notes=notes)

    def _copy(self, order: Order) -> sqlite3.Connection:
        source = _open(self._path, order, begin=False)
        try:
            copy = sqlite3.connect(
                ":memory:", isolation_level=None, check_same_thread=False, cached_statements=0
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
        cached_statements=0,
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

    def checksums(self, tables: Sequence[str]) -> list[str]:
        """Returns one checksum a table."""
        return checksums(self._copy, tables)


def _executed(connection: sqlite3.Connection, order: Order, stop: Stop) -> Capture:
    """Runs the order inside the open transaction and reads its log."""
    tables = tables_of(connection)
    _install(connection, tables)
    deadline = time.monotonic() + order.timeout_ms / 1000
    dropped = _drop_triggers(connection, order)
    counted = connection.total_changes
    connection.set_progress_handler(lambda: stop.asked() or time.monotonic() > deadline, _STEPS)
    connection.set_authorizer(_authorize)
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
    return _read_log(connection, tables, counted, order)


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
    if name == _LOG:
        # Only the capturing triggers write the log: a statement that could would hide its rows.
        logs = action == sqlite3.SQLITE_INSERT and (inner or "").startswith("gatehouse_")
        return sqlite3.SQLITE_OK if logs else sqlite3.SQLITE_DENY
    real = database == "main" and not name.startswith("sqlite_")
    return sqlite3.SQLITE_OK if action in _WRITES and real else sqlite3.SQLITE_DENY


def _install(connection: sqlite3.Connection, tables: Sequence[Table]) -> None:
    width = 2 * max((len(t.columns) for t in tables), default=0)
    cells = "".join(f", c{i}" for i in range(width))
    connection.execute(f"DROP TABLE IF EXISTS temp.{_LOG}")
    connection.execute(
        f"CREATE TEMP TABLE {_LOG}(seq INTEGER PRIMARY KEY, tbl, op, o_id, n_id{cells})"
    )
    for number, table in enumerate(tables):
        for op in ("insert", "update", "delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS temp.gatehouse_{number}_{op}")
            connection.execute(_trigger(number, table, op))


def _trigger(number: int, table: Table, op: str) -> str:
    old = [f"OLD.{quoted(c)}" if op != "insert" else "NULL" for c in table.columns]
    new = [f"NEW.{quoted(c)}" if op != "delete" else "NULL" for c in table.columns]
    old_id = f"OLD.{table.rowid}" if table.rowid and op != "insert" else "NULL"
    new_id = f"NEW.{table.rowid}" if table.rowid and op != "delete" else "NULL"
    names = ", ".join(f"c{i}" for i in range(2 * len(table.columns)))
    values = ", ".join([str(number), f"'{op}'", old_id, new_id, *old, *new])
    return (
        f"CREATE TEMP TRIGGER gatehouse_{number}_{op} AFTER {op.upper()} ON {table.quoted} "
        f"BEGIN INSERT INTO {_LOG}(tbl, op, o_id, n_id, {names}) VALUES ({values}); END"
    )


def _read_log(
    connection: sqlite3.Connection, tables: Sequence[Table], counted: int, order: Order
) -> Capture:
    steps = connection.execute(f"SELECT * FROM temp.{_LOG} ORDER BY seq").fetchall()
    if len(steps) > order.max_rows:
        raise Fault("too_many_rows")
    # Each logged change adds one row to the log. Rows that REPLACE removes are logged and not
    # counted; anything counted beyond that went past the log, so the preview would not be exact.
    if counted - len(steps) > len(steps):
        raise Fault("not_exact")
    nets = {number: Net() for number in range(len(tables))}
    for _, number, op, old_id, new_id, *cells in steps:
        table = tables[number]
        width = len(table.columns)
        old, new = tuple(cells[:width]), tuple(cells[width : 2 * width])
        before = None if op == "insert" else (table.key_of(old_id, old), old)
        after = None if op == "delete" else (table.key_of(new_id, new), new)
        nets[number].step(before, after)
    changes = []
    for number, table in enumerate(tables):
        rows = nets[number].rows()
        if rows:
            changes.append(
                TableChange(
                    table=table.name,
                    columns=table.columns,
                    primary_key=table.primary_key,
                    rows=rows,
                )
            )
    names = [c.table for c in changes]
    return Capture(
        tables=changes,
        image=image_of(steps, tables),
        schema_hash=schema_hash(connection, names),
    )


def _drop_triggers(connection: sqlite3.Connection, order: Order) -> list[str]:
    """Silences the tables' own triggers while rows are put back; returns how to make them again."""
    if order.image is None:
        return []
    names = {step[0] for step in order.image["steps"]}
    found = connection.execute(
        "SELECT name, tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger'"
    ).fetchall()
    wanted = [(name, sql) for name, table, sql in found if table in names]
    for name, _ in wanted:
        connection.execute(f"DROP TRIGGER main.{quoted(name)}")
    return [sql for _, sql in wanted]
