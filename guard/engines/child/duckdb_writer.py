"""DuckDB as the write role: runs one order in a transaction, compares its table before and after.

The engine has no cascades, and a table with triggers is refused, so only the target table changes.
Values are compared and kept as the engine's own text, which it reads back. A preview runs on a copy
of the file; the way back is tried on that copy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from guard.engines.child import duckdb_large as large
from guard.engines.child.duckdb_capture import executed
from guard.engines.child.duckdb_change import is_large
from guard.engines.child.duckdb_copy import ARROW, Copy, Instance
from guard.engines.child.duckdb_fixed import is_fixed
from guard.engines.child.duckdb_images import found_in
from guard.engines.child.duckdb_large import Large
from guard.engines.child.duckdb_once import once
from guard.engines.child.duckdb_reader import SETTINGS, ZONE, code_of
from guard.engines.child.duckdb_schema import definer
from guard.engines.child.duckdb_tables import checksum, table_of, target_of
from guard.engines.child.duckdb_words import check_macros
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Stop
from guard.engines.child.schema import performed, standing
from guard.engines.child.writing import Capture, Order, tried, with_second

COPY_BYTES = 200 * 1024 * 1024
"""Larger files are previewed in place, in a transaction that is rolled back."""


class DuckdbWriter:
    """One database file. Opened for each order, closed after it."""

    def __init__(self, path: Path, *, memory: int, threads: int) -> None:
        self._path = path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            **SETTINGS,
            "memory_limit": f"{memory}B",
            "threads": str(threads),
        }
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._instance = Instance(self._config)
        self._copy: Copy | None = None
        self._spent: list[duckdb.DuckDBPyConnection] = []

    def preview(self, order: Order, stop: Stop) -> Capture:
        """Returns what the order would do. Raises `Fault`."""
        self._clear()
        with self._told():
            if order.defines:
                self._connection = self._open(read_only=False)
                self._connection.execute("BEGIN TRANSACTION")
                return performed(definer(self._connection), order, prove=True)
            if self._path.is_file() and self._path.stat().st_size > COPY_BYTES:
                return self._in_place(order, stop)
            self._connection = self._copied()
            try:
                done = _quickly(self._connection, order, stop)
            except Large as found:
                done = large.previewed(self._connection, found.table, order, stop)
            return done or tried(_Trial(self._connection, stop), order)

    def run(self, order: Order, stop: Stop) -> Capture:
        """Runs the order on the file and leaves its transaction open. Raises `Fault`."""
        with self._told(keep=True):
            self._connection = self._open(read_only=False)
            return executed(self._connection, order, stop)

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
        with self._told():
            self._connection = self._open(read_only=True)
            if "ddl" in image:
                return standing(image, definer(self._connection).state())
            return found_in(self._connection, image)

    def release(self) -> None:
        """Clears up after the last preview and makes ready for the next one."""
        self._clear()
        if self._connection is None:
            self._instance.prepare()

    def interrupt(self) -> None:
        """Stops the running statement where the engine listens."""
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if not self._path.is_file():
            raise Fault("missing")
        self._instance.drop()
        config = {**self._config, **ARROW}
        connection = duckdb.connect(str(self._path), read_only=read_only, config=config)
        connection.execute(ZONE)
        connection.execute("SET lock_configuration = true")
        return _unshadowed(connection)

    def _copied(self) -> duckdb.DuckDBPyConnection:
        self._copy = Copy(self._path, self._config)
        return _unshadowed(self._copy.open(self._instance))

    def _in_place(self, order: Order, stop: Stop) -> Capture:
        self._connection = self._open(read_only=False)
        fixed = _is_same_again(self._connection, order)
        first = second = executed(self._connection, order, stop, at_once=fixed)
        self._connection.execute("ROLLBACK")
        if not fixed:
            second = executed(self._connection, order, stop, at_once=False)
            self._connection.execute("ROLLBACK")
        notes = ("The file is large, so taking this back was not tried in the preview.",)
        return with_second(first, second, verified=False, notes=notes)

    @contextlib.contextmanager
    def _told(self, *, keep: bool = False) -> Iterator[None]:
        try:
            yield
        except duckdb.ConstraintException:
            self._close()
            raise Fault("constraint") from None
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            self._close()
            raise Fault(code_of(error)) from None
        except BaseException:
            self._close()
            raise
        if not keep:
            self._close()

    def _clear(self) -> None:
        for connection in self._spent:
            with contextlib.suppress(duckdb.Error):
                connection.close()
        self._spent.clear()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._copy is not None:
            self._spent.append(connection)
        elif connection is not None:
            with contextlib.suppress(duckdb.Error):
                connection.close()
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.remove()


def _quickly(connection: duckdb.DuckDBPyConnection, order: Order, stop: Stop) -> Capture | None:
    """Returns what one transaction tells of an order, None where it does not. Raises `Large`."""
    if is_large(order.image):
        raise Large(target_of(connection, next(iter((order.image or {})["tables"]))))
    return once(connection, order, stop)


def _unshadowed(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    try:
        check_macros(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_same_again(connection: duckdb.DuckDBPyConnection, order: Order) -> bool:
    """True when the order does the same when it runs once more."""
    tables = [table_of(connection, name) for name in order.targets]
    return order.sql is None or is_fixed(connection, order.sql, tables)


class _Trial:
    """A copy in memory on which an order is tried for good."""

    def __init__(self, copy: duckdb.DuckDBPyConnection, stop: Stop) -> None:
        self._copy = copy
        self._stop = stop

    def run(self, order: Order) -> Capture:
        """Runs the order in a new transaction."""
        return executed(self._copy, order, self._stop, at_once=False)

    def end(self, word: str) -> None:
        """Commits or rolls back."""
        self._copy.execute(word)

    def checksums(self, tables: Sequence[str]) -> list[str]:
        """Returns one checksum a table."""
        return [checksum(self._copy, table_of(self._copy, name)) for name in tables]

    def is_fixed(self, order: Order) -> bool:
        """True when a second run cannot give other values."""
        return _is_same_again(self._copy, order)
