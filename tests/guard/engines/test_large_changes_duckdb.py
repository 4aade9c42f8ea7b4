"""A change of very many rows of a DuckDB table: the same hash as a preview and for good."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from guard.address import FileAddress
from guard.diff import Diff
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps, ChangeEngine
from guard.engines.child import duckdb_large, duckdb_rows
from guard.engines.child.duckdb_summed import ColumnSum, summed_columns
from guard.engines.child.duckdb_writer import DuckdbWriter
from guard.engines.child.images import Touched
from guard.engines.child.reader import Stop
from guard.engines.child.summed import LARGE
from guard.engines.child.writing import Capture, Order

ROWS = LARGE + 5_000
CAPS = ChangeCaps(max_rows=9 * ROWS, shown_rows=5, timeout_ms=60_000, lock_timeout_ms=500)
SHA = "0" * 64
SCRIPT = f"""
CREATE TABLE t(id INTEGER PRIMARY KEY, a VARCHAR COLLATE NOCASE, d DECIMAL(9, 2), f DOUBLE,
  l INTEGER[], b BOOLEAN, n TINYINT, u DECIMAL(30, 4));
INSERT INTO t SELECT i, CASE WHEN i % 5 > 0 THEN 'Name ä ' || i END, i, 0, [i], i % 2 = 0,
  CASE WHEN i % 3 > 0 THEN i % 100 END, i * 1000.5 FROM range({ROWS}) r(i) ORDER BY hash(i);
"""
CASES = [
    ("UPDATE t SET d = d + 1", (0, ROWS, 0)),
    ("UPDATE t SET a = lower(a)", (0, ROWS * 4 // 5, 0)),  # equal to the column's collation
    # equal to the engine in one column, and not in another
    ("UPDATE t SET a = upper(a), f = -0.0, d = d + 1", (0, ROWS, 0)),
    ("UPDATE t SET l = [], b = NULL WHERE id > 10", (0, ROWS - 11, 0)),
    # the first rows tell nothing of the column that differs later
    ("UPDATE t SET d = d + 1, b = CASE WHEN id = 9000 THEN NULL ELSE b END", (0, ROWS, 0)),
    ("UPDATE t SET n = NULL, u = u - 1 WHERE id > 3", (0, ROWS - 4, 0)),
    ("UPDATE t SET id = id + 100000", (ROWS, 0, ROWS)),
    ("DELETE FROM t WHERE id > 100", (0, 0, ROWS - 101)),
    ("INSERT INTO t SELECT id + 100000, a, d, f, l, b, n, u FROM t", (ROWS, 0, 0)),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "large.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(SCRIPT)
    return path


@pytest.fixture
def engine(file: Path) -> Iterator[ChangeEngine]:
    reader = open_engine("duckdb", FileAddress(path=file), source="s")
    engine = open_change_engine("duckdb", FileAddress(path=file), source="s", reader=reader)
    yield engine
    engine.close()
    reader.close()


def _change(sql: str) -> Change:
    return Change(source="s", sql=sql, targets=("t",))


def _counts(diff: Diff) -> tuple[int, int, int]:
    (table,) = diff.tables
    return table.inserted, table.updated, table.deleted


@pytest.mark.parametrize(("sql", "counts"), CASES)
def test_promise_6_what_was_shown_of_very_many_rows_is_what_runs(
    file: Path, engine: ChangeEngine, sql: str, counts: tuple[int, int, int]
) -> None:
    content, names = file.read_bytes(), sorted(p.name for p in file.parent.iterdir())
    shown = engine.preview(_change(sql), CAPS, Cancel())
    assert file.read_bytes() == content
    assert sorted(p.name for p in file.parent.iterdir()) == names
    assert _counts(shown) == counts
    assert shown.undo_verified
    assert len(shown.tables[0].rows) == CAPS.shown_rows
    done = engine.apply(_change(sql), CAPS, lambda _: None, Cancel())
    assert done.diff.fingerprint(SHA) == shown.fingerprint(SHA)
    assert done.diff.tables[0].rows == shown.tables[0].rows


@pytest.mark.parametrize(
    "drift", ["UPDATE t SET a = 'NAME ä 12346' WHERE id = 12346", "DELETE FROM t WHERE id = 9"]
)
def test_promise_6_one_row_of_very_many_that_differs_is_noticed(
    file: Path, engine: ChangeEngine, drift: str
) -> None:
    change = _change("UPDATE t SET d = d + 1")
    shown = engine.preview(change, CAPS, Cancel())
    engine.close()
    with duckdb.connect(str(file)) as connection:
        connection.execute(drift)
    assert engine.preview(change, CAPS, Cancel()).fingerprint(SHA) != shown.fingerprint(SHA)


def _previewed(file: Path, sql: str) -> Capture:
    order = Order(
        sql=sql, image=None, targets=("t",), max_rows=9 * ROWS, timeout_ms=60_000,
        lock_timeout_ms=100, shown_rows=ROWS * 3,
    )  # fmt: skip
    writer = DuckdbWriter(file, memory=1 << 29, threads=2)
    return writer.preview(order, Stop(writer.interrupt))


@pytest.mark.parametrize(("sql", "counts"), CASES)
def test_comparing_in_the_engine_finds_the_same_rows_as_one_by_one(
    file: Path, monkeypatch: pytest.MonkeyPatch, sql: str, counts: tuple[int, int, int]
) -> None:
    quick = _previewed(file, sql)
    monkeypatch.setattr(duckdb_large, "previewed", lambda *_: pytest.fail("not one by one"))
    monkeypatch.setattr("guard.engines.child.duckdb_once.fits", lambda _: False)
    slow = _previewed(file, sql)
    assert _rows(quick) == _rows(slow)
    assert len(_rows(quick)) == sum(counts)


@pytest.mark.parametrize(("sql", "counts"), [CASES[0], *CASES[4:6]])
def test_rows_in_the_order_of_their_keys_are_compared_as_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str, counts: tuple[int, int, int]
) -> None:
    path = tmp_path / "ordered.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(SCRIPT.replace("ORDER BY hash(i)", ""))
    quick = _previewed(path, sql)
    looked = []
    monkeypatch.setattr(duckdb_rows, "is_ordered", lambda *_: looked.append(1))
    slow = _previewed(path, sql)
    assert looked
    assert (quick.tables[0].summed, _rows(quick)) == (slow.tables[0].summed, _rows(slow))
    assert sum(counts) == quick.total


def _rows(capture: Capture) -> list[Touched]:
    return list(capture.tables[0].rows)


def test_the_order_of_batches_is_that_of_the_keys(file: Path) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE s AS SELECT * FROM t")
        connection.execute("DELETE FROM t")
        connection.execute("CHECKPOINT")
        connection.execute("INSERT INTO t SELECT * FROM s ORDER BY md5(id::VARCHAR)")
        connection.execute("DROP TABLE s")
    once = _previewed(file, "UPDATE t SET d = d + 1").tables[0]
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE s AS SELECT * FROM t")
        connection.execute("DELETE FROM t")
        connection.execute("CHECKPOINT")
        connection.execute("INSERT INTO t SELECT * FROM s ORDER BY id")
        connection.execute("DROP TABLE s")
    again = _previewed(file, "UPDATE t SET d = d + 1").tables[0]
    assert once.summed is not None
    assert once.summed == again.summed


def _updated(*pairs: tuple[tuple[str | None, ...], tuple[str | None, ...]]) -> list[Touched]:
    return [Touched(before=before, after=after) for before, after in pairs]


def test_promise_06_the_hash_tells_texts_nulls_rows_columns_and_kinds_apart() -> None:
    base = _updated((("1", "ab", "x"), ("1", "q", "x")), (("2", "c", None), ("2", "r", None)))
    others = [
        # the same text, cut elsewhere
        _updated((("1", "a", "x"), ("1", "q", "x")), (("2", "bc", None), ("2", "r", None))),
        _updated((("1", "ab", "x"), ("1", "qr", "x")), (("2", "c", None), ("2", "", None))),
        # null and an empty text
        _updated((("1", "ab", "x"), ("1", "q", "x")), (("2", "c", ""), ("2", "r", ""))),
        # only a column that does not change, there or beside another row
        _updated((("1", "ab", "y"), ("1", "q", "y")), (("2", "c", None), ("2", "r", None))),
        _updated((("1", "ab", None), ("1", "q", None)), (("2", "c", "x"), ("2", "r", "x"))),
        # values swapped between rows
        _updated((("1", "c", "x"), ("1", "q", "x")), (("2", "ab", None), ("2", "r", None))),
        _updated((("1", "ab", "x"), ("1", "r", "x")), (("2", "c", None), ("2", "q", None))),
        # what is after before what is before
        [Touched(before=row.after, after=row.before) for row in base],
        # another column that changes, to the same texts
        _updated((("1", "ab", "x"), ("1", "ab", "q")), (("2", "c", None), ("2", "c", "r"))),
        # rows that came or went
        base[:1],
        [Touched(before=None, after=row.before) for row in base],
        [Touched(before=row.before, after=None) for row in base],
        [base[0], Touched(before=None, after=base[1].before)],
    ]
    types = ("INTEGER", "VARCHAR", "VARCHAR")
    hashes = [summed_columns(rows, ("id", "a", "b"), types).sha256 for rows in (base, *others)]
    assert len(set(hashes)) == len(hashes)
    assert summed_columns(list(base), ("id", "a", "b"), types).sha256 == hashes[0]
    assert summed_columns(base, ("id", "b", "a"), types).sha256 != hashes[0]


@pytest.mark.parametrize("kind", ["INTEGER", "DECIMAL(9,2)", "DECIMAL(18,2)", "DECIMAL(38,2)"])
def test_promise_06_the_hash_tells_numbers_and_nulls_apart(kind: str) -> None:
    base = _updated((("1", "0"), ("1", "5")), (("2", None), ("2", "6")), (("3", "7"), ("3", None)))
    others = [
        _updated((("1", None), ("1", "5")), (("2", "0"), ("2", "6")), (("3", "7"), ("3", None))),
        _updated((("1", "0"), ("1", "5")), (("2", "0"), ("2", "6")), (("3", "7"), ("3", None))),
        _updated((("1", "0"), ("1", "5")), (("2", None), ("2", "6")), (("3", "7"), ("3", "0"))),
        _updated((("1", "0"), ("1", None)), (("2", None), ("2", "6")), (("3", "7"), ("3", "5"))),
        _updated((("1", "0"), ("1", "6")), (("2", None), ("2", "5")), (("3", "7"), ("3", None))),
        _updated((("1", "0"), ("1", "-5")), (("2", None), ("2", "6")), (("3", "7"), ("3", None))),
    ]
    hashes = [
        summed_columns(rows, ("id", "a"), ("INTEGER", kind)).sha256 for rows in (base, *others)
    ]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([None, "a", "", "äöü", "b", "c"], pa.string()),
        pa.array([None, 1, 0, None, -1, 5], pa.int16()),
        pa.array([None, True, False, None, True, True]),
        pa.array([None, *map(Decimal, (1, 0, -1)), None, Decimal(5)], pa.decimal64(12, 0)),
    ],
)
def test_the_hash_does_not_depend_on_how_rows_come(values: pa.Array) -> None:
    found = []
    for sizes in ((6,), (1, 2, 3), (2, 4)):
        column, whole, start = values, ColumnSum(), 0
        whole.begin("deleted", ["a"])
        for size in sizes:
            whole.add("deleted", [column.slice(start, size)], size)
            start += size
        found.append(whole.result)
    assert found[0] == found[1] == found[2]
