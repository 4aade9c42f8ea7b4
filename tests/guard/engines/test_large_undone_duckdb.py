"""A large change of a DuckDB file runs for good and is taken back without its rows in Python."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from guard.address import FileAddress
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Captured, Change, ChangeCaps
from guard.engines.changing import EmbeddedChanges
from guard.engines.child import (
    duckdb_back,
    duckdb_capture,
    duckdb_large,
    duckdb_rows,
    duckdb_writer,
    writing,
)
from guard.engines.child.duckdb_writer import DuckdbWriter
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Stop
from guard.engines.child.summed import LARGE
from guard.engines.child.writing import Capture, Order

ROWS = LARGE + 5_000
SCRIPT = f"""
CREATE TABLE t(id INTEGER PRIMARY KEY, a VARCHAR COLLATE NOCASE, d DECIMAL(9, 2), f DOUBLE,
  l VARCHAR[], s STRUCT(x VARCHAR, y DATE), m TIMESTAMP, x BLOB, b BOOLEAN, n TINYINT, h HUGEINT,
  e ENUM('one', 'two'), i INTERVAL);
INSERT INTO t SELECT i, 'Name ä ' || i, i, if(i % 7 > 0, '0', 'nan')::DOUBLE,
  ['it''s, "' || i, NULL, ''], {{'x': 'a''b, ' || i, 'y': '2026-01-01'}},
  TIMESTAMP '2026-01-01' + to_milliseconds(i), encode('ü' || chr(0) || i), i % 2 = 0,
  CASE WHEN i % 3 > 0 THEN i % 100 END, i::HUGEINT * 10000000000000000000000,
  CASE WHEN i % 3 > 0 THEN 'one' END, to_days(i) FROM range({ROWS}) r(i) ORDER BY hash(i);
CREATE TABLE pair(p BIGINT, q SMALLINT, v VARCHAR UNIQUE, PRIMARY KEY(p, q));
INSERT INTO pair SELECT i // 10, i % 10, 'v' || i FROM range({ROWS}) r(i);
CREATE TABLE named(name VARCHAR PRIMARY KEY, v INTEGER);
INSERT INTO named SELECT 'n' || i, i FROM range({ROWS}) r(i);
"""
ORDER = Order(
    sql=None, image=None, targets=("t",), max_rows=9 * ROWS, timeout_ms=60_000,
    lock_timeout_ms=500, shown_rows=5,
)  # fmt: skip
CASES = [
    "UPDATE t SET d = d + 1, m = m + INTERVAL 1 DAY, x = NULL",
    "UPDATE t SET a = lower(a)",  # equal to the column's collation
    "UPDATE t SET f = -0.0, d = d + 1",  # equal to the engine where it is 0
    "UPDATE t SET s = NULL, e = 'two', i = INTERVAL 3 MONTH WHERE id > 3",
    "UPDATE t SET h = -h, n = NULL, b = NOT b",
    "DELETE FROM t WHERE id > 100",
    "INSERT INTO t SELECT id + 100000, a, d, f, l, s, m, x, b, n, h, e, i FROM t",
    "UPDATE t SET d = u.d + 1 FROM (SELECT id, d FROM t) u WHERE u.id = t.id",
    "UPDATE pair SET q = q + 100",
    "INSERT INTO pair(p, q) SELECT p + 1000, q FROM pair ON CONFLICT (p, q) DO UPDATE SET v = NULL",
    "MERGE INTO pair USING (SELECT p + 100 AS p, q FROM pair) u ON pair.p = u.p AND pair.q = u.q "
    "WHEN MATCHED THEN UPDATE SET v = NULL WHEN NOT MATCHED THEN INSERT (p, q) VALUES (u.p, u.q)",
    "UPDATE pair SET v = v || 'x'",  # in a unique index
    "DELETE FROM pair WHERE p > 9",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "large.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(SCRIPT)
    return path


@pytest.fixture
def writer(file: Path) -> DuckdbWriter:
    return DuckdbWriter(file, memory=1 << 29, threads=2)


def _rows(file: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(file), read_only=True) as db:
        return {
            name: db.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {name} ORDER BY ALL").fetchall()
            for name in ("t", "pair", "named")
        }


def _order(sql: str) -> Order:
    words = sql.split("(")[0].split()
    return replace(ORDER, sql=sql, targets=(words[1] if words[0] == "UPDATE" else words[2],))


def _stop(writer: DuckdbWriter) -> Stop:
    return Stop(writer.interrupt)


def _bound(capture: Capture, decided: Mapping[str, Any]) -> Any:
    """What the fingerprint is made of, and what is shown."""
    told = json.loads(writing.told(capture, decided, 5, 0))["diff"]
    names = ("table", "inserted", "updated", "deleted", "before_hash", "after_hash", "rows")
    return told["schema_hash"], [[t[name] for name in names] for t in told["tables"]]


def _image(capture: Capture) -> Any:
    return json.loads(json.dumps(capture.image))


def _done(writer: DuckdbWriter, order: Order) -> Capture:
    done = writer.run(order, _stop(writer))
    writer.commit()
    return done


@pytest.mark.parametrize("sql", CASES)
def test_promise_06_a_large_change_runs_as_it_was_shown_and_every_row_comes_back(
    file: Path, writer: DuckdbWriter, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, order = _rows(file), _order(sql)
    shown = writer.preview(order, _stop(writer))
    assert shown.verified
    assert _rows(file) == before
    monkeypatch.setattr(duckdb_capture, "image_of", lambda *_: pytest.fail("one by one"))
    done = _done(writer, order)
    assert _bound(done, {}) == _bound(shown, {})
    assert _rows(file) != before
    assert writer.find(_image(done)) == "after"
    back = replace(ORDER, image=_image(done))
    undo = writer.preview(back, _stop(writer))
    assert undo.verified
    undone = _done(writer, back)
    assert _bound(undone, {}) == _bound(undo, {})
    assert _rows(file) == before
    assert writer.find(_image(done)) == "before"
    # and what was taken back can be done again
    _done(writer, replace(ORDER, image=_image(undone)))
    assert writer.find(_image(done)) == "after"


@pytest.mark.parametrize(
    "meanwhile",
    [
        "UPDATE t SET d = d + 1 WHERE id = 300",
        "UPDATE t SET a = upper(a) WHERE id = 300",  # equal to the column's collation
        "UPDATE t SET l = ['x'] WHERE id = 300",  # a column that the change left as it was
        "DELETE FROM t WHERE id = 300",
        "INSERT INTO t(id) VALUES (3)",
    ],
)
def test_promise_06_a_row_that_was_changed_since_is_never_overwritten(
    file: Path, writer: DuckdbWriter, meanwhile: str
) -> None:
    sql = "UPDATE t SET d = d + 1 WHERE id > 3"
    done = _done(writer, _order("DELETE FROM t WHERE id > 2" if "INSERT" in meanwhile else sql))
    with duckdb.connect(str(file)) as db:
        db.execute(meanwhile)
    held = _rows(file)
    assert writer.find(_image(done)) == "neither"
    for act in (writer.preview, writer.run):
        with pytest.raises(Fault, match="changed_since"):
            act(replace(ORDER, image=_image(done)), _stop(writer))
    assert _rows(file) == held


@pytest.mark.parametrize("part", ["rows", "sha256"])
def test_promise_06_an_image_that_is_not_as_it_was_stored_is_refused(
    file: Path, writer: DuckdbWriter, part: str
) -> None:
    done = _done(writer, _order(CASES[0]))
    held, image = _rows(file), _image(done)
    _done(writer, replace(ORDER, image=image))
    other = _image(_done(writer, _order("UPDATE t SET d = d + 2")))
    _done(writer, replace(ORDER, image=other))
    _done(writer, _order(CASES[0]))
    image["tables"]["t"][part] = other["tables"]["t"][part]
    for act in (writer.preview, writer.run):
        with pytest.raises(Fault, match="changed_since"):
            act(replace(ORDER, image=image), _stop(writer))
    assert _rows(file) == held


def test_promise_06_a_change_that_drifted_by_one_row_has_another_fingerprint(
    file: Path, writer: DuckdbWriter
) -> None:
    order = _order("UPDATE t SET d = d + 1")
    shown = writer.preview(order, _stop(writer))
    with duckdb.connect(str(file)) as db:
        db.execute("UPDATE t SET a = upper(a) WHERE id = 300")
    done = writer.run(order, _stop(writer))
    writer.rollback()
    assert _bound(done, {})[1][0][:4] == _bound(shown, {})[1][0][:4]
    assert _bound(done, {}) != _bound(shown, {})


def test_a_way_back_that_leaves_one_row_different_is_refused(
    file: Path, writer: DuckdbWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _done(writer, _order("UPDATE pair SET v = v || 'x'"))
    held = _rows(file)
    put = duckdb_back.Back._hit

    def wrong(its: duckdb_back.Back, text: str) -> int:
        hit = put(its, text)
        its.connection.execute("UPDATE main.pair SET v = 'y' WHERE p = 30 AND q = 3")
        return hit

    monkeypatch.setattr(duckdb_back.Back, "_hit", wrong)
    with pytest.raises(Fault, match="not_exact"):
        writer.run(replace(ORDER, image=_image(done)), _stop(writer))
    assert _rows(file) == held


def test_a_value_that_its_text_does_not_tell_leaves_the_way_back_unproven(
    writer: DuckdbWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = _order("UPDATE t SET d = d + 1")
    assert writer.preview(order, _stop(writer)).verified
    own = duckdb_rows._lost
    monkeypatch.setattr(duckdb_rows, "_lost", lambda *given: f"{own(*given)} OR o.id = 300")
    shown = writer.preview(order, _stop(writer))
    assert (shown.verified, shown.notes) == (False, (writing.NOT_PROVEN,))


def test_where_there_is_no_room_for_a_second_table_rows_are_looked_at_one_by_one(
    file: Path, writer: DuckdbWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = _order("UPDATE pair SET v = v || 'x' WHERE p >= 0")
    shown = writer.preview(order, _stop(writer))

    def full(*_: object) -> None:
        raise duckdb.OutOfMemoryException

    monkeypatch.setattr(duckdb_large, "_run", full)
    done = _done(writer, order)
    assert _bound(done, {}) == _bound(shown, {})
    before = _rows(file)
    monkeypatch.undo()
    _done(writer, replace(ORDER, targets=("pair",), image=_image(done)))
    assert _rows(file) != before


def test_a_file_that_is_previewed_in_place_tells_the_same(
    file: Path, writer: DuckdbWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = _order("UPDATE t SET d = d + 1")
    shown, before = writer.preview(order, _stop(writer)), _rows(file)
    monkeypatch.setattr(duckdb_writer, "COPY_BYTES", 0)
    monkeypatch.setattr(duckdb_capture, "image_of", lambda *_: pytest.fail("one by one"))
    assert _bound(writer.preview(order, _stop(writer)), {}) == _bound(shown, {})
    assert _rows(file) == before


MANY = 200_000
CAPS = ChangeCaps(max_rows=2 * MANY, shown_rows=5, timeout_ms=60_000, lock_timeout_ms=500)


def test_very_many_rows_are_changed_and_taken_back_without_holding_them_all(
    tmp_path: Path,
) -> None:
    """As objects of the interpreter they would take more than a gibibyte, and half an hour."""
    path = tmp_path / "t.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b VARCHAR)")
        db.execute(f"INSERT INTO t SELECT i, 1, 'row ' || i FROM range({MANY}) r(i)")
    reader = open_engine("duckdb", FileAddress(path=path), source="s")
    engine = open_change_engine("duckdb", FileAddress(path=path), source="s", reader=reader)
    assert isinstance(engine, EmbeddedChanges)
    peaks: list[int] = []

    def ready(_: Captured) -> None:
        assert engine._worker is not None
        status = Path(f"/proc/{engine._worker.pid}/status")
        if status.exists():
            peak = next(line for line in status.read_text().splitlines() if "VmHWM" in line)
            peaks.append(int(peak.split()[1]))

    change = Change(source="s", sql="UPDATE t SET a = a + 1, b = 'x' || b", targets=("t",))
    done = engine.apply(change, CAPS, ready, Cancel())
    back = Change(source="s", sql=None, undo_image=done.undo_image)
    assert engine.preview(back, CAPS, Cancel()).undo_verified
    engine.apply(back, CAPS, ready, Cancel())
    engine.close()
    reader.close()
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT sum(a), max(length(b)) FROM t").fetchall() == [(MANY, 10)]
    assert all(peak < 350 * 1024 for peak in peaks)
