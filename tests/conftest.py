"""What every test shares: no model is ever asked, and a small company with canaries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pydantic_ai.models
import pytest

from tests.company import Company, make_company
from tests.servers import mariadb, postgres

__all__ = ["mariadb", "postgres"]

pydantic_ai.models.ALLOW_MODEL_REQUESTS = False

# Every run of the tests tries the same examples; `make exhaustive` looks for new ones.
hypothesis.settings.register_profile("same", derandomize=True, database=None)
hypothesis.settings.register_profile("new", derandomize=False)
hypothesis.settings.load_profile("same")


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """A data folder with a small shop, people and a policy, opened."""
    opened = make_company(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the data folder of whoever runs it."""
    if "GATEHOUSE_TEST_HOME" not in os.environ:
        monkeypatch.setenv("GATEHOUSE_HOME", str(tmp_path / "unused-home"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the exhaustive tests unless they are asked for; marks and runs browser tests last.

    Playwright leaves an event loop behind in the thread.
    """
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
    if "exhaustive" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("exhaustive")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
