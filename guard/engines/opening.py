"""Which adapter reads a source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from guard.engines.duckdb import DuckdbEngine
from guard.engines.embedded import EmbeddedEngine
from guard.engines.sqlite import SqliteEngine

if TYPE_CHECKING:
    from guard.policyfile import EngineName


def open_engine(name: EngineName, path: Path, *, source: str) -> EmbeddedEngine:
    """Returns the adapter for the database file at `path`. Opens nothing yet.

    A missing or broken file shows at the first statement, which raises `SourceUnavailable`.
    """
    match name:
        case "sqlite":
            return SqliteEngine(path, source=source)
        case "duckdb":
            return DuckdbEngine(path, source=source)
        case _:
            assert_never(name)
