"""Columns are left out of an approval only where two runs found the same rows, as they were."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from guard.engines.child.images import TableChange, Touched, decided
from guard.engines.child.reader import Stop
from guard.engines.child.sqlite_writer import SqliteWriter
from guard.engines.child.writing import Capture, Order

ROWS = 300
SCRIPT = f"""
CREATE TABLE t(id INTEGER PRIMARY KEY, price REAL, at TEXT);
CREATE TABLE rate(r REAL);
INSERT INTO rate VALUES (0.9);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
INSERT INTO t SELECT i, i, '' FROM n;
"""
STAMPED = "UPDATE t SET price = price * (SELECT r FROM rate), at = strftime('%Y-%m-%d %H:%M:%f')"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "t.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(SCRIPT)
    return path


def _previewed(file: Path, sql: str, large_steps: int) -> Capture:
    order = Order(
        sql=sql, image=None, targets=("t",), max_rows=9 * ROWS, timeout_ms=60_000,
        lock_timeout_ms=500, shown_rows=5,
    )  # fmt: skip
    writer = SqliteWriter(file, copy_bytes=0, large_steps=large_steps)
    return writer.preview(order, Stop(writer.interrupt))


@pytest.mark.parametrize("large_steps", [0, ROWS], ids=["large", "in place"])
def test_promise_06_nobody_commits_between_the_two_runs_of_a_preview(
    file: Path, large_steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = []
    sleep = time.sleep

    def meanwhile(seconds: float) -> None:
        with closing(sqlite3.connect(file, timeout=0)) as other:
            try:
                other.execute("UPDATE rate SET r = 0.5")
                other.commit()
            except sqlite3.OperationalError as error:
                refused.append(str(error))
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", meanwhile)
    shown = _previewed(file, STAMPED, large_steps)
    assert refused == ["database is locked"]
    assert shown.decided == {"t": ["at"]}
    assert shown.verified


@pytest.mark.parametrize("large_steps", [0, ROWS], ids=["large", "in place"])
def test_promise_06_a_statement_that_picks_its_rows_by_chance_frees_no_column(
    file: Path, large_steps: int
) -> None:
    picked = "SELECT id FROM t ORDER BY random() LIMIT 100"
    shown = _previewed(file, f"UPDATE t SET price = 0 WHERE id IN ({picked})", large_steps)
    assert shown.decided == {}


def _change(*rows: Touched) -> list[TableChange]:
    return [TableChange(table="t", columns=("id", "v"), primary_key=("id",), rows=rows)]


OLD = Touched(before=(2, "a"), after=(2, "b"))


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ([OLD], [OLD._replace(after=(2, "c"))], {"t": ["v"]}),
        ([OLD], [Touched(before=(2, "z"), after=(2, "c"))], {}),
        ([OLD], [Touched(before=(3, "a"), after=(3, "b"))], {}),
        ([OLD], [OLD._replace(after=None)], {}),
        ([OLD], [OLD, OLD], {}),
        ([Touched(before=None, after=(1, "n")), OLD], [OLD, Touched(before=None, after=(7, "n"))],
         {"t": ["id"]}),
    ],
)  # fmt: skip
def test_promise_06_only_the_same_rows_as_they_were_tell_what_moves(
    first: list[Touched], second: list[Touched], found: dict[str, list[str]]
) -> None:
    assert decided(_change(*first), _change(*second)) == found
