"""SQLite alone: a query of WITH may be counted, a table out of reach may not, under any name."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.engines import Cancel
from guard.errors import Refused
from tests.guard.engines.support import make, opened, rows, unjudged

COUNTED = {
    "WITH r(n) AS (SELECT 1 UNION ALL SELECT 2) SELECT count(*) FROM r": 2,
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) "
    "SELECT count(*) FROM r": 5,
    "WITH ids AS (SELECT id FROM people UNION SELECT id FROM orders) SELECT count(*) FROM ids": 6,
}
REFUSED = [
    "SELECT count(*) FROM secrets",
    "SELECT 1 FROM secrets",
    "WITH r(n) AS (SELECT 1 UNION ALL SELECT 2) SELECT count(*) FROM r, secrets",
    "WITH r(n) AS (SELECT 1 UNION ALL SELECT id FROM secrets) SELECT count(*) FROM r",
    "SELECT count(*) FROM numbers",
    "SELECT count(*) FROM sqlite_master",
    "SELECT count(*) FROM pragma_table_list",
    "SELECT count(*) FROM pragma_table_info('secrets')",
    "SELECT count(*) FROM dbstat",
    "SELECT count(*) FROM sqlite_dbpage",
]


@pytest.mark.parametrize("sql", COUNTED)
def test_a_query_of_with_may_be_counted(tmp_path: Path, sql: str) -> None:
    with opened("sqlite", make("sqlite", tmp_path / "shop.sqlite")) as adapter:
        assert rows(adapter, sql) == [(COUNTED[sql],)]


@pytest.mark.parametrize("sql", REFUSED)
def test_promise_04_what_is_out_of_reach_is_not_counted_either(tmp_path: Path, sql: str) -> None:
    path = make("sqlite", tmp_path / "shop.sqlite")
    with opened("sqlite", path) as adapter, pytest.raises(Refused) as caught:
        adapter.run(unjudged(sql, "sqlite"), Cancel())
    assert caught.value.refusal.rule in ("engine.not_allowed", "engine.no_such_name")
