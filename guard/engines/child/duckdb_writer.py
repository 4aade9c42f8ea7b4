"""DuckDB as the write role: runs one order in a transaction, compares its table before and after.

The engine has neither triggers nor cascades, so only the target table changes. Values are compared
and kept as the engine's own text, which it reads back. A preview runs on a copy of the file; the
way back is tried on that copy.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from guard.engines.child.duckdb_capture import executed
from guard.engines.child.duckdb_folder import Folder
from guard.engines.child.duckdb_images import found_in
from guard.engines.child.duckdb_large import OLD, Large, large
from guard.engines.child.duckdb_once import once
from guard.engines.child.duckdb_quick import is_fixed
from guard.engines.child.duckdb_reader import SETTINGS, code_of
from guard.engines.child.duckdb_schema import definer
from guard.engines.child.duckdb_tables import (
    checksum,
    table_of,
)
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
        self._folder: Folder | None = None
        self._kept: BinaryIO | None = None

    def preview(self, order: Order, stop: Stop) -> Capture:
        """Returns what the order would do. Raises `Fault`."""
        with self._told():
            if order.defines:
                self._connection = self._open(read_only=False)
                self._connection.execute("BEGIN TRANSACTION")
                return performed(definer(self._connection), order, prove=True)
            if self._path.is_file() and self._path.stat().st_size > COPY_BYTES:
                return self._in_place(order, stop)
            self._connection = self._copy()
            try:
                done = once(self._connection, order, stop)
            except Large:
                done = large(self._twins(), order, stop)
                if done is None:
                    self._close()
                    self._connection = self._copy()
            if done is not None:
                return done
            return tried(_Trial(self._connection, stop), order)

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
        """Nothing is held between orders."""

    def interrupt(self) -> None:
        """Stops the running statement where the engine listens."""
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if not self._path.is_file():
            raise Fault("missing")
        config = {**self._config, "lock_configuration": True}
        return duckdb.connect(str(self._path), read_only=read_only, config=config)

    def _copy(self) -> duckdb.DuckDBPyConnection:
        if not self._path.is_file():
            raise Fault("missing")
        self._folder = Folder(self._path.parent)
        name = self._folder.path / "copy.duckdb"
        with self._path.open("rb") as file:
            # The lock of a reader, as the engine takes it: no other process can write meanwhile.
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                raise Fault("busy") from None
            # From this handle: to close another one on the file would give the lock up.
            with name.open("wb") as copied_to:
                shutil.copyfileobj(file, copied_to, 1 << 20)
            log = self._path.with_name(self._path.name + ".wal")
            if log.is_file():
                copied = name.with_name(name.name + ".wal")
                shutil.copyfile(log, copied)
                # What is only in the log would be missing in another copy of this one.
                with duckdb.connect(str(name), config=self._config) as whole:
                    whole.execute("CHECKPOINT")
        copy = duckdb.connect(str(name), config=self._config)
        # Nothing on the copy is worth waiting for a disk.
        copy.execute("SET fsync_mode = 'NONE'")
        copy.execute("SET lock_configuration = true")
        # It stays readable for this process alone, and is gone when the process is.
        self._kept = name.open("rb")
        name.unlink()
        return copy

    def _twins(self) -> duckdb.DuckDBPyConnection:
        """Returns the copy opened anew, with another one beside it that stays as it is."""
        if self._connection is None or self._folder is None or self._kept is None:
            raise Fault("engine")
        self._connection.close()
        changed, old = (self._folder.path / f"{name}.duckdb" for name in ("changed", "old"))
        for path in (changed, old):
            self._kept.seek(0)
            with path.open("wb") as file:
                shutil.copyfileobj(self._kept, file, 1 << 20)
        outside = "enable_external_access"
        config = {k: v for k, v in self._config.items() if k != outside}
        self._connection = duckdb.connect(str(changed), config=config)
        place = str(old).replace("'", "''")
        self._connection.execute(f"ATTACH '{place}' AS {OLD} (READ_ONLY)")
        self._connection.execute(f"SET {outside} = false")
        self._connection.execute("SET lock_configuration = true")
        for path in (changed, old):
            path.unlink()
        return self._connection

    def _in_place(self, order: Order, stop: Stop) -> Capture:
        self._connection = self._open(read_only=False)
        first = executed(self._connection, order, stop)
        self._connection.execute("ROLLBACK")
        second = executed(self._connection, order, stop)
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

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(duckdb.Error):
                connection.close()
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.remove()


class _Trial:
    """A copy in memory on which an order is tried for good."""

    def __init__(self, copy: duckdb.DuckDBPyConnection, stop: Stop) -> None:
        self._copy = copy
        self._stop = stop

    def run(self, order: Order) -> Capture:
        """Runs the order in a new transaction."""
        return executed(self._copy, order, self._stop)

    def end(self, word: str) -> None:
        """Commits or rolls back."""
        self._copy.execute(word)

    def checksums(self, tables: Sequence[str]) -> list[str]:
        """Returns one checksum a table."""
        return [checksum(self._copy, table_of(self._copy, name)) for name in tables]

    def is_fixed(self, order: Order) -> bool:
        """True when a second run cannot give other values."""
        tables = [table_of(self._copy, name) for name in order.targets]
        return order.sql is None or is_fixed(self._copy, order.sql, tables)
