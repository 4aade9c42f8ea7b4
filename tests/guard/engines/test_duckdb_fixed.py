"""What may give other values the second time runs twice in a DuckDB preview, however it hides."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from guard.engines.child.duckdb_fixed import is_fixed
from guard.engines.child.duckdb_tables import table_of
from tests.guard.engines.duckdb_shop import Shop, opened_shop

SCRIPT = """
CREATE SEQUENCE numbers;
CREATE MACRO hidden() AS random();
CREATE MACRO deeper(x) AS hidden() + x;
CREATE MACRO rows_of() AS TABLE SELECT random() AS x;
CREATE MACRO "Ünïcode"() AS random();
CREATE VIEW v AS SELECT random() AS x;
CREATE TABLE o(k INTEGER, x DOUBLE);
INSERT INTO o SELECT r % 3, r FROM range(9) q(r);
CREATE TABLE t(id INTEGER PRIMARY KEY, a DOUBLE, b VARCHAR, ts TIMESTAMP);
INSERT INTO t SELECT r, r, 'name ' || r, TIMESTAMP '2026-01-02' FROM range(20) q(r);
CREATE TABLE p(id INTEGER PRIMARY KEY, a DOUBLE DEFAULT 1.5, b VARCHAR DEFAULT 'x''(y)');
CREATE TABLE d(id INTEGER PRIMARY KEY DEFAULT nextval('numbers'), a DOUBLE DEFAULT random(),
  b TIMESTAMP DEFAULT current_timestamp);
INSERT INTO d VALUES (1000, 1, NULL);
"""
MOVING = [
    ("t", "UPDATE t SET a = random()", ("a",)),
    ("t", "UPDATE t SET a = RANDOM /* ( */ ()", ("a",)),
    ("t", 'UPDATE t SET a = "random" ()', ("a",)),
    ("t", "UPDATE t SET a = hidden()", ("a",)),
    ("t", "UPDATE t SET a = hidden -- (\n()", ("a",)),
    ("t", "UPDATE t SET a = deeper(a)", ("a",)),
    ("t", 'UPDATE t SET a = "Ünïcode"()', ("a",)),
    ("t", "UPDATE t SET a = main.hidden()", ("a",)),
    ("t", "UPDATE t SET a = nextval('numbers')", ("a",)),
    ("t", "UPDATE t SET b = uuid()", ("b",)),
    ("t", "UPDATE t SET ts = now()", ("ts",)),
    ("t", "UPDATE t SET ts = current_timestamp", ("ts",)),
    ("t", "UPDATE t SET ts = current_localtimestamp()", ("ts",)),
    ("t", "UPDATE t SET b = CAST(age(ts) AS VARCHAR), a = random()", ("a",)),
    ("t", "UPDATE t SET a = (SELECT x FROM v)", ("a",)),
    ("t", "UPDATE t SET a = v.x FROM v", ("a",)),
    ("t", "UPDATE t SET a = r.x FROM rows_of() r", ("a",)),
    ("t", "INSERT INTO t SELECT id + 100, random(), b, ts FROM t", ("a",)),
    ("d", "INSERT INTO d(id) VALUES (7)", ("a", "b")),
    ("d", "INSERT INTO d(a, b) VALUES (1, NULL)", ("id",)),
    ("d", "UPDATE d SET a = DEFAULT", ("a",)),
    ("d", "UPDATE d SET b = DEFAULT", ("b",)),
]
PLAIN = [
    ("t", "UPDATE t SET a = a + 1 WHERE id = 7"),
    ("t", "DELETE FROM t WHERE id IN (1, 2) AND (a > 1 OR b IS DISTINCT FROM 'x')"),
    ("t", "DELETE FROM t"),
    ("t", "UPDATE t SET a = round(a * 1.1, 2), b = upper(trim(b)) WHERE b LIKE 'na%'"),
    ("t", "INSERT INTO t VALUES (100, 1, 'a', NULL), (101, coalesce(NULL, 2), 'b', NULL)"),
    ("p", "INSERT INTO p(id) VALUES (1)"),
    ("p", "UPDATE p SET a = DEFAULT"),
]
UNSURE = [
    ("t", "UPDATE t SET a = o.x FROM o WHERE o.k = t.id"),  # three rows of `o` for each
    ("t", "DELETE FROM t WHERE id IN (SELECT id FROM t LIMIT 3)"),
    ("t", "UPDATE t SET a = (SELECT max(x) FROM o)"),
    ("t", "DELETE FROM t USING o WHERE o.k = t.id"),
    ("t", "WITH c AS (SELECT 1) UPDATE t SET a = 1"),
    ("t", "UPDATE t SET b = CAST(age(ts) AS VARCHAR)"),
    ("t", "UPDATE t SET a = no_such_function(a)"),
    ("t", "UPDATE t SET a = today()"),
    ("t", "MERGE INTO t USING o ON o.k = t.id WHEN MATCHED THEN DELETE"),
]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(path=tmp_path / "t.duckdb", script=SCRIPT)


@pytest.mark.parametrize(("table", "sql", "decided"), MOVING)
def test_promise_06_a_value_that_only_the_run_decides_is_found_wherever_it_hides(
    shop: Shop, table: str, sql: str, decided: tuple[str, ...]
) -> None:
    shop.table = table
    with opened_shop(shop) as (_, before):
        shown, done, _ = shop.applied(sql)
        assert shown.tables[0].decided == decided
        assert shown.undo_verified
        shop.undone(done)
        assert shop.dump() == before


@pytest.mark.parametrize(("table", "sql"), [(t, s) for t, s, _ in MOVING] + UNSURE)
def test_nothing_that_may_move_counts_as_fixed(tmp_path: Path, table: str, sql: str) -> None:
    assert not _fixed(tmp_path, table, sql)


@pytest.mark.parametrize(("table", "sql"), PLAIN)
def test_a_plain_change_is_known_to_be_fixed(tmp_path: Path, table: str, sql: str) -> None:
    assert _fixed(tmp_path, table, sql)


def test_a_table_with_a_column_that_is_computed_may_move(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "g.duckdb")) as connection:
        connection.execute("CREATE TABLE g(a INTEGER, b DOUBLE GENERATED ALWAYS AS (a * random()))")
        assert not is_fixed(connection, "UPDATE g SET a = 1", [table_of(connection, "g")])


def _fixed(folder: Path, table: str, sql: str) -> bool:
    with duckdb.connect(str(folder / "t.duckdb")) as connection:
        connection.execute(SCRIPT)
        return is_fixed(connection, sql, [table_of(connection, table)])
