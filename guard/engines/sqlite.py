"""The SQLite adapter. Its settings and their order are in `child/sqlite_reader.py`."""

from __future__ import annotations

from pathlib import Path

from guard.engines.embedded import EmbeddedEngine
from guard.engines.worker import WorkerSettings

SETTINGS = WorkerSettings(
    engine="sqlite",
    address_space=1_536 * 1024 * 1024,
    # A database in write-ahead mode needs its shared index: 32 KiB for every 4,096 pages of log.
    file_size=16 * 1024 * 1024,
    # The file that is open for the next statement may be one that was removed.
    idle_ms=1_000,
)


class SqliteEngine(EmbeddedEngine):
    """A SQLite file, read in worker processes through the library's own authorizer.

    Reads through R-tree tables are refused: they prepare writes. A full-text table can be read by
    those who may read all of its columns.
    """

    def __init__(self, path: Path, *, source: str, workers: int = 2) -> None:
        super().__init__(path, source=source, settings=SETTINGS, workers=workers)
