"""Values that are equal to DuckDB and still not the same: intervals, zeros, texts by a collation.

The engine leaves a value that equals the new one, unless it has to move the row.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.guard.engines.duckdb_shop import Shop, opened_shop

COLUMNS = (
    "i INTERVAL, f DOUBLE, c VARCHAR COLLATE NOCASE, l INTERVAL[], s STRUCT(a INTERVAL), n INTEGER"
)
ROWS = """
INSERT INTO t VALUES
  (1, INTERVAL '1 day', 0, 'a', [INTERVAL '1 day'], {'a': INTERVAL '1 month'}, 1),
  (2, INTERVAL '24 hours', '-0.0', 'A', [INTERVAL '24 hours'], {'a': INTERVAL '30 days'}, 2),
  (3, NULL, NULL, NULL, NULL, NULL, 3),
  (4, INTERVAL '720 hours', 1, 'ä', [], {'a': NULL}, 4);
"""
CHANGES = [
    "UPDATE t SET i = INTERVAL '24 hours' WHERE id = 1",
    "UPDATE t SET i = INTERVAL '24 hours'",
    "UPDATE t SET i = INTERVAL '24 hours', n = n + 1",
    "UPDATE t SET i = INTERVAL '24 hours' WHERE id < 5 RETURNING id",
    "UPDATE t SET i = INTERVAL '24 hours', l = [i]",
    "UPDATE t SET i = INTERVAL '24 hours', l = l",
    "UPDATE t SET l = [INTERVAL '24 hours']",
    "UPDATE t SET s = {'a': INTERVAL '30 days'}",
    "UPDATE t SET f = '-0.0'::DOUBLE",
    "UPDATE t SET f = '-0.0'::DOUBLE, n = 7",
    "UPDATE t SET f = 0 RETURNING f",
    "UPDATE t SET c = upper(c)",
    "UPDATE t SET c = lower(c), i = INTERVAL '1 day'",
    "DELETE FROM t WHERE i = INTERVAL '24 hours'",
    "DELETE FROM t WHERE c = 'a'",
    "INSERT INTO t SELECT id + 9, INTERVAL '1 day', '-0.0', c, l, s, n FROM t",
]


@pytest.fixture(scope="module", params=["PRIMARY KEY", "UNIQUE", ""])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    path = tmp_path_factory.mktemp("equal") / "t.duckdb"
    script = f"CREATE TABLE t(id INTEGER {request.param}, {COLUMNS}); {ROWS}"
    return Shop(path=path, script=script)


@pytest.mark.parametrize("sql", CHANGES)
def test_promise_06_a_change_to_an_equal_value_is_what_was_shown_and_can_be_undone(
    shop: Shop, sql: str
) -> None:
    with opened_shop(shop) as (_, before):
        shown, done, after = shop.applied(sql)
        assert done.diff.tables == shown.tables
        gone, new = before - after, after - before
        cells = [row for table in shown.tables for row in table.rows]
        assert len([r for r in cells if r.before is not None]) >= sum(gone.values())
        assert bool(cells) == bool(gone or new)
        assert shown.undo_verified
        if cells:
            shop.undone(done)
        assert shop.dump() == before


def test_the_engine_leaves_a_value_that_equals_the_new_one(tmp_path: Path) -> None:
    """What `Table.alone` rests on; should the engine change, two things here can go."""
    with duckdb.connect(str(tmp_path / "t.duckdb")) as connection:
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, i INTERVAL)")
        connection.execute("INSERT INTO t VALUES (1, INTERVAL '1 day')")
        told = "SELECT CAST(i AS VARCHAR) FROM t"
        connection.execute("UPDATE t SET i = INTERVAL '24 hours'")
        assert connection.execute(told).fetchall() == [("1 day",)]
        connection.execute("UPDATE t SET i = INTERVAL '24 hours' RETURNING 1")
        assert connection.execute(told).fetchall() == [("24:00:00",)]
