"""The two layers together: what the guard rewrites, the engine runs under its own rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guard.decision import Allow, Terms
from guard.engines import Cancel
from guard.engines.embedded import EmbeddedEngine
from guard.errors import Refused
from guard.limitpolicy import Limits
from guard.rewrite import GuardedQuery, rewrite
from guard.statement import parse
from tests.guard.engines.support import READABLE

_ACCEPTED = {
    "SELECT id, name FROM people ORDER BY id": [(1, "Ann")],
    "SELECT * FROM orders ORDER BY id": None,
    "SELECT count(*) FROM people": [(1,)],
    "SELECT p.name, sum(o.amount) AS total FROM people p JOIN orders o ON o.person_id = p.id "
    "GROUP BY p.name ORDER BY total DESC": None,
    "WITH a AS (SELECT id FROM people) SELECT count(*) FROM a": [(1,)],
    "SELECT name FROM people UNION ALL SELECT upper(city) FROM people": [("Ann",), ("BERN",)],
    "SELECT people FROM cities": [(1,)],
    "SELECT id FROM people WHERE id IN (SELECT person_id FROM orders)": [(1,)],
    "SELECT row_number() OVER (ORDER BY id) AS n FROM people": [(1,)],
    "SELECT CASE WHEN id > 1 THEN 'a' ELSE coalesce(city, 'b') END FROM people": [("Bern",)],
}


def _rewritten(adapter: EmbeddedEngine, sql: str) -> GuardedQuery:
    terms = Terms(
        limits=Limits(display_rows=100),
        row_filters=(("people", "id = 1"),),
        readable=tuple(READABLE.items()),
    )
    allow = Allow(rule="read.select", reason="test", terms=terms)
    return rewrite(parse(sql, adapter.dialect), allow, adapter.reflect())


@pytest.mark.parametrize("sql", _ACCEPTED)
def test_promise_04_what_the_guard_rewrites_runs_under_the_engines_own_rules(
    adapter: EmbeddedEngine, sql: str
) -> None:
    got = adapter.run(_rewritten(adapter, sql), Cancel())
    expected = _ACCEPTED[sql]
    if expected is not None:
        columns = [c.to_pylist() for c in got.table.columns]
        assert list(zip(*columns, strict=True)) == expected
    assert not got.truncated


def test_a_guarded_query_cannot_be_changed_or_made_elsewhere(adapter: EmbeddedEngine) -> None:
    query = _rewritten(adapter, "SELECT 1 AS one")
    with pytest.raises((TypeError, ValueError)):
        replace(query, sql="DELETE FROM people")
    with pytest.raises(AttributeError):
        query.sql = "DELETE FROM people"  # type: ignore[misc]


def test_promise_04_the_engine_refuses_what_was_taken_from_readable(
    adapter: EmbeddedEngine,
) -> None:
    query = _rewritten(adapter, "SELECT id, name FROM people")
    object.__setattr__(query, "readable", (("people", ("id",)),))
    with pytest.raises(Refused) as caught:
        adapter.run(query, Cancel())
    assert caught.value.refusal.rule in ("engine.not_allowed", "engine.no_such_name")
