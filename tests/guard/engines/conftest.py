"""One small company on each embedded engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.engines.embedded import EmbeddedEngine
from tests.guard.engines.support import ENGINES, EngineName, make, opened


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> EngineName:
    """The name of an embedded engine."""
    name: EngineName = request.param
    return name


@pytest.fixture
def database(engine: EngineName, tmp_path: Path) -> Path:
    """A database file in a folder of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    return make(engine, folder / f"shop.{engine}")


@pytest.fixture
def adapter(engine: EngineName, database: Path) -> Iterator[EmbeddedEngine]:
    """An adapter for the database, with one worker."""
    with opened(engine, database) as opened_adapter:
        yield opened_adapter
