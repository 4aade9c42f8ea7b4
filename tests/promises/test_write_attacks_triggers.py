"""Attacks by SQLite triggers that change the very rows of the statement: what is told is what the
file holds, looked at step by step or as a whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from guard.engines.child.reader import Stop
from guard.engines.child.sqlite_writer import SqliteWriter
from guard.engines.child.writing import Order

SCRIPT = """
CREATE TABLE t(id INTEGER PRIMARY KEY, a, m); CREATE UNIQUE INDEX once ON t(m, a);
WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 6)
INSERT INTO t SELECT i, i, 0 FROM r;
"""
ADD = "UPDATE t SET a = a + 10"
STEPS, WHOLE = 1_000, 2


class Going(Stop):
    """Nobody stops it."""

    def __init__(self) -> None:
        """Hears nothing."""

    def asked(self) -> bool:
        return False

    def reached(self, *_: object) -> None:
        return


def held(file: Path) -> dict[object, tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return {row[0]: row for row in connection.execute("SELECT * FROM t")}


@pytest.mark.parametrize("large", [STEPS, WHOLE], ids=["step by step", "as a whole"])
@pytest.mark.parametrize(
    ("trigger", "sql"),
    [
        ("BEFORE UPDATE OF a ON t BEGIN UPDATE t SET m = old.a WHERE id = new.id; END", ADD),
        ("BEFORE UPDATE OF a ON t BEGIN DELETE FROM t WHERE id = old.id + 1; END", ADD),
        ("BEFORE UPDATE OF a ON t BEGIN DELETE FROM t WHERE id = old.id AND id % 2; END", ADD),
        (
            "BEFORE DELETE ON t WHEN old.id < 4 "
            "BEGIN UPDATE t SET a = 77 + old.id WHERE id = old.id; END",
            "DELETE FROM t WHERE id < 5",
        ),
        (
            "BEFORE INSERT ON t BEGIN DELETE FROM t WHERE id = new.id - 100; END",
            "INSERT INTO t SELECT id + 100, a + 100, m FROM t",
        ),
        (
            "BEFORE UPDATE OF a ON t WHEN old.id < 100 "
            "BEGIN UPDATE t SET id = old.id + 100 WHERE id = old.id; END",
            ADD,
        ),
        (
            "AFTER UPDATE OF a ON t WHEN new.id < 100 "
            "BEGIN UPDATE t SET id = new.id + 100 WHERE id = new.id; END",
            ADD,
        ),
        (
            "AFTER UPDATE OF a ON t BEGIN REPLACE INTO t VALUES (new.id % 3 + 1, new.id, 50); END",
            ADD,
        ),
        ("AFTER DELETE ON t BEGIN SELECT 1; END", "UPDATE OR REPLACE t SET a = a % 2"),
    ],
)
def test_promise_06_rows_that_a_trigger_changes_again_are_told_as_they_are(
    tmp_path: Path, trigger: str, sql: str, large: int
) -> None:
    file = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(f"{SCRIPT} CREATE TRIGGER g {trigger};")
    before = held(file)
    order = Order(
        sql=sql,
        image=None,
        targets=("t",),
        max_rows=1_000,
        timeout_ms=60_000,
        lock_timeout_ms=500,
        shown_rows=50,
    )
    writer = SqliteWriter(file, large_steps=large)
    rows = [row for table in writer.run(order, Going()).tables for row in table.rows]
    writer.commit()
    told = dict(before)
    for row in rows:
        if row.before is not None:
            assert told.pop(row.before[0]) == tuple(row.before)
    told.update((row.after[0], tuple(row.after)) for row in rows if row.after is not None)
    assert rows
    assert told == held(file)
