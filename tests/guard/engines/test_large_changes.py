"""A change of very many rows: hashed in batches, the same as a preview and for good."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from guard.address import FileAddress
from guard.diff import Diff
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps, ChangeEngine
from guard.engines.child.images import Touched
from guard.engines.child.summed import LARGE, summed
from guard.errors import Refused

ROWS = LARGE + 5_000
CAPS = ChangeCaps(max_rows=9 * ROWS, shown_rows=5, timeout_ms=60_000, lock_timeout_ms=500)
SHA = "0" * 64
SCRIPT = f"""
CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, n, u INT UNIQUE, z BLOB DEFAULT 0.0);
CREATE TABLE log(what);
CREATE TABLE w(a INT PRIMARY KEY, b) WITHOUT ROWID;
CREATE TRIGGER told AFTER UPDATE OF n ON t WHEN new.id % 1000 = 0
  BEGIN INSERT INTO log VALUES (old.n); END;
WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {ROWS})
INSERT INTO t(id, a, n, u) SELECT i, 'name ' || i, i, i FROM r;
INSERT INTO w SELECT id, n FROM t;
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "large.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCRIPT)
    return path


@pytest.fixture
def engine(file: Path) -> Iterator[ChangeEngine]:
    reader = open_engine("sqlite", FileAddress(path=file), source="s")
    engine = open_change_engine("sqlite", FileAddress(path=file), source="s", reader=reader)
    yield engine
    engine.close()
    reader.close()


def _change(sql: str) -> Change:
    return Change(source="s", sql=sql, targets=("t",))


def _run(file: Path, sql: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(sql)
        connection.commit()


def _counts(diff: Diff) -> dict[str, tuple[int, int, int]]:
    return {t.table: (t.inserted, t.updated, t.deleted) for t in diff.tables}


@pytest.mark.parametrize(
    ("sql", "counts"),
    [
        ("UPDATE t SET n = n + 1", {"t": (0, ROWS, 0), "log": (ROWS // 1000, 0, 0)}),
        ("UPDATE t SET a = upper(a)", {"t": (0, ROWS, 0)}),  # equal to the column's collation
        ("UPDATE t SET n = CAST(n AS TEXT)", {"t": (0, ROWS, 0), "log": (ROWS // 1000, 0, 0)}),
        ("UPDATE t SET n = CAST(n AS REAL)", {"t": (0, ROWS, 0), "log": (ROWS // 1000, 0, 0)}),
        ("UPDATE t SET u = u + 100000", {"t": (0, ROWS, 0)}),
        ("UPDATE t SET z = -0.0 WHERE id > 9", {"t": (0, ROWS - 9, 0)}),
        ("DELETE FROM t WHERE id > 100", {"t": (0, 0, ROWS - 100)}),
        ("UPDATE t SET id = -id", {"t": (ROWS, 0, ROWS)}),
        ("INSERT INTO t SELECT id + 100000, a, n, NULL, z FROM t", {"t": (ROWS, 0, 0)}),
    ],
)
def test_promise_6_what_was_shown_of_very_many_rows_is_what_runs(
    file: Path, engine: ChangeEngine, sql: str, counts: dict[str, tuple[int, int, int]]
) -> None:
    content = file.read_bytes()
    shown = engine.preview(_change(sql), CAPS, Cancel())
    assert file.read_bytes() == content
    assert _counts(shown) == counts
    assert shown.undo_verified
    assert all(len(t.rows) <= CAPS.shown_rows for t in shown.tables)
    done = engine.apply(_change(sql), CAPS, lambda _: None, Cancel())
    assert done.diff.fingerprint(SHA) == shown.fingerprint(SHA)


@pytest.mark.parametrize(
    "drift",
    [
        "UPDATE t SET a = 'NAME 12345' WHERE id = 12345",
        "UPDATE t SET n = CAST(n AS TEXT) WHERE id = 25000",
        "DELETE FROM t WHERE id = 1",
    ],
)
def test_promise_6_one_row_of_very_many_that_differs_is_noticed(
    file: Path, engine: ChangeEngine, drift: str
) -> None:
    change = _change("UPDATE t SET u = -id")
    shown = engine.preview(change, CAPS, Cancel())
    _run(file, drift)
    assert engine.preview(change, CAPS, Cancel()).fingerprint(SHA) != shown.fingerprint(SHA)


def test_a_table_without_rowids_is_looked_at_step_by_step(engine: ChangeEngine) -> None:
    change = Change(source="s", sql="UPDATE w SET b = -b", targets=("w",))
    shown = engine.preview(change, CAPS, Cancel())
    assert _counts(shown) == {"w": (0, ROWS, 0)}
    done = engine.apply(change, CAPS, lambda _: None, Cancel())
    assert done.diff.fingerprint(SHA) == shown.fingerprint(SHA)


def test_more_rows_than_may_be_counted_are_refused(engine: ChangeEngine) -> None:
    caps = ChangeCaps(max_rows=LARGE + 1, shown_rows=5, timeout_ms=60_000, lock_timeout_ms=500)
    with pytest.raises(Refused) as refused:
        engine.preview(_change("UPDATE t SET u = -id"), caps, Cancel())
    assert refused.value.refusal.rule == "engine.too_many_rows"


def test_the_hash_tells_rows_kinds_types_and_places_apart() -> None:
    base = [Touched(before=(1, "a"), after=(1, "b")), Touched(before=None, after=(2, None))]
    others = [
        [base[0]],
        [Touched(before=(1, "a"), after=(1, "c")), base[1]],
        [Touched(before=("1", "a"), after=(1, "b")), base[1]],
        [Touched(before=(1.0, "a"), after=(1, "b")), base[1]],
        [base[0], Touched(before=(2, None), after=None)],
        [Touched(before=(1, "b"), after=(1, "a")), base[1]],
        [Touched(before=(1, dt.date(2026, 1, 1)), after=(1, "b")), base[1]],
    ]
    hashes = [summed(rows).sha256 for rows in (base, *others)]
    assert len(set(hashes)) == len(hashes)
    assert summed(list(base)).sha256 == hashes[0]
