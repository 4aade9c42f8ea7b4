"""The DuckDB adapter. Its settings and their order are in `child/duckdb_reader.py`."""

from __future__ import annotations

from pathlib import Path

from guard.engines.embedded import EmbeddedEngine
from guard.engines.worker import WorkerSettings

SETTINGS = WorkerSettings(
    engine="duckdb",
    # The engine maps about a gigabyte before it holds any data.
    address_space=2_560 * 1024 * 1024,
    memory=768 * 1024 * 1024,
    threads=2,
    # A file open for reading cannot be opened for writing by any other process.
    idle_ms=2_000,
)


class DuckdbEngine(EmbeddedEngine):
    """A DuckDB file, read in worker processes.

    The adapter decides about tables, columns and functions on the engine's own parse tree. Refused
    though harmless: PIVOT without a list of values, which the engine runs as several statements,
    and tables outside the schema `main` of which some columns are hidden.
    """

    def __init__(self, path: Path, *, source: str, workers: int = 2) -> None:
        super().__init__(path, source=source, settings=SETTINGS, workers=workers)
