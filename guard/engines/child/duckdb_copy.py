"""The copy of a DuckDB file that a preview works on: to be changed, and beside it as it was.

Both are one file under two names, so it is copied once. What changes is never committed while the
other one is read, and the engine writes nothing over blocks that a committed state holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import duckdb

from guard.engines.child.duckdb_fixed import constant
from guard.engines.child.duckdb_folder import Folder
from guard.engines.child.duckdb_reader import ZONE
from guard.engines.child.faults import Fault

Config = Mapping[str, str | bool | int | float | list[str]]
OLD = "gatehouse_old"
"""The name of the copy that stays as it was."""
_COPY = "copy"
_OUTSIDE = "enable_external_access"
ARROW: Config = {"arrow_output_version": "1.5"}
"""Decimals no wider than they have to be (`duckdb_summed.py`)."""
# Nothing on a copy is worth waiting for a disk.
_OF_COPIES: Config = {**ARROW, "fsync_mode": "NONE"}
_PIECE = 1 << 30


class Instance:
    """An engine without a file, opened ahead: that takes as long as to look at a thousand rows."""

    def __init__(self, config: Config) -> None:
        """`config` is what every file is opened with."""
        self._config = config
        self._ready: duckdb.DuckDBPyConnection | None = None

    def prepare(self) -> None:
        """Opens one for the next copy, if the machine lets it."""
        if self._ready is None:
            with contextlib.suppress(duckdb.Error):
                self._ready = self._opened()
                constant(self._ready)

    def take(self) -> duckdb.DuckDBPyConnection:
        """Returns an engine that can still attach files."""
        ready, self._ready = self._ready, None
        return ready or self._opened()

    def drop(self) -> None:
        """Closes the one that waits."""
        if self._ready is not None:
            self.take().close()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        config = {k: v for k, v in self._config.items() if k != _OUTSIDE}
        opened = duckdb.connect(config={**config, **_OF_COPIES})
        opened.execute(ZONE)
        with contextlib.suppress(duckdb.Error):
            opened.execute("SELECT count(*) FROM duckdb_tables()").fetchall()
            # The first look at the functions makes them: it takes 7 ms more than any other.
            opened.execute("SELECT 1 FROM duckdb_functions() LIMIT 1").fetchall()
        return opened


class Copy:
    """A copy of one file, in a folder beside it that is gone when the process is."""

    def __init__(self, path: Path, config: Config) -> None:
        self._path = path
        self._config = config
        self._folder: Folder | None = None

    def open(self, instance: Instance) -> duckdb.DuckDBPyConnection:
        """Returns a connection to the copy that reaches nothing else.

        Raises:
            Fault: there is no such file, or somebody else writes to it.
        """
        if not self._path.is_file():
            raise Fault("missing")
        self._folder = Folder(self._path.parent)
        changed, old = (self._folder.path / f"{name}.duckdb" for name in (_COPY, OLD))
        self._make(changed)
        try:
            os.link(changed, old)
        except OSError:  # a disk that has no second names
            shutil.copyfile(changed, old)
        connection = instance.take()
        try:
            connection.execute(f"ATTACH {_text(changed)} AS {_COPY}")
            connection.execute(f"ATTACH {_text(old)} AS {OLD} (READ_ONLY)")
            connection.execute(f"USE {_COPY}")
            connection.execute(f"SET {_OUTSIDE} = false")
            connection.execute("SET lock_configuration = true")
        except BaseException:
            connection.close()
            raise
        for name in (changed, old):
            name.unlink()
        return connection

    def remove(self) -> None:
        """Removes the folder. What is still open keeps no name."""
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.remove()

    def _make(self, name: Path) -> None:
        with self._path.open("rb") as file:
            # The lock of a reader, as the engine takes it: no other process can write meanwhile.
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                raise Fault("busy") from None
            # From this handle: to close another one on the file would give the lock up.
            with name.open("wb") as copied_to:
                _copied(file, copied_to)
            log = self._path.with_name(self._path.name + ".wal")
            if log.is_file():
                shutil.copyfile(log, name.with_name(name.name + ".wal"))
                # What is only in the log would be missing in the copy that stays as it was.
                with duckdb.connect(str(name), config=dict(self._config)) as whole:
                    whole.execute("CHECKPOINT")


def _copied(file: BinaryIO, copied_to: BinaryIO) -> None:
    """Copies a file inside the system, where it can."""
    with contextlib.suppress(AttributeError, OSError):  # another system, or other kinds of disks
        while os.copy_file_range(file.fileno(), copied_to.fileno(), _PIECE):
            pass
        return
    file.seek(0)
    copied_to.seek(0)
    copied_to.truncate()
    shutil.copyfileobj(file, copied_to, 1 << 20)


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
