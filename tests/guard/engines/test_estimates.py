"""What an engine expects of a read before it runs; the statement itself does not run."""

from __future__ import annotations

import pytest

from guard.engines.embedded import EmbeddedEngine
from guard.errors import Refused
from tests.guard.engines.support import ENDLESS, EngineName, unjudged


def test_an_estimate_is_a_number_of_rows_or_nothing(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    found = adapter.estimate(unjudged("SELECT name FROM people", engine))
    if engine == "sqlite":
        assert found is None
    else:
        assert found is not None
        assert (found.rows or 0) >= 1
        assert found.bytes is None


def test_an_estimate_runs_nothing(adapter: EmbeddedEngine, engine: EngineName) -> None:
    found = adapter.estimate(unjudged(ENDLESS[engine], engine, timeout_ms=5_000))
    assert found is None or (found.rows or 0) > 0


def test_an_estimate_tells_nothing_of_a_table_out_of_scope(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    if engine == "sqlite":
        pytest.skip("SQLite gives no estimate")
    with pytest.raises(Refused) as caught:
        adapter.estimate(unjudged("SELECT * FROM secrets", engine))
    assert caught.value.refusal.rule == "engine.not_allowed"
