"""A trigger of a DuckDB table writes to rows that nobody looked at: its table is not changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from guard.address import FileAddress
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps, ChangeEngine
from guard.engines.child.summed import LARGE
from guard.errors import Refused

CAPS = ChangeCaps(max_rows=9 * LARGE, shown_rows=5, timeout_ms=20_000, lock_timeout_ms=500)
TRIGGER = "CREATE TRIGGER g AFTER {} ON T DELETE FROM o"
FEW, ALL = "UPDATE t SET x = x + 1 WHERE id = 1", "UPDATE t SET x = x + 1"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "t.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x INTEGER); CREATE TABLE o(i INTEGER)")
        db.execute(f"INSERT INTO t SELECT i, i FROM range({LARGE + 1}) r(i)")
        db.execute("INSERT INTO o SELECT id FROM t")
    return path


@pytest.fixture
def engine(file: Path) -> Iterator[ChangeEngine]:
    reader = open_engine("duckdb", FileAddress(path=file), source="s")
    engine = open_change_engine("duckdb", FileAddress(path=file), source="s", reader=reader)
    yield engine
    engine.close()
    reader.close()


def _triggered(file: Path, event: str) -> None:
    with duckdb.connect(str(file)) as db:
        db.execute(TRIGGER.format(event))


def _others(file: Path) -> int:
    with duckdb.connect(str(file), read_only=True) as db:
        return len(db.execute("SELECT * FROM o").fetchall())


@pytest.mark.parametrize("event", ["INSERT", "UPDATE", "DELETE"])
@pytest.mark.parametrize("sql", [FEW, ALL, "INSERT INTO t VALUES (-1, 1)", "DELETE FROM main.T"])
def test_promise_06_a_change_of_a_table_with_triggers_is_neither_shown_nor_run(
    file: Path, engine: ChangeEngine, sql: str, event: str
) -> None:
    change = Change(source="s", sql=sql, targets=("t",))
    engine.preview(change, CAPS, Cancel())
    engine.close()
    _triggered(file, event)
    with pytest.raises(Refused, match="trigger"):
        engine.preview(change, CAPS, Cancel())
    with pytest.raises(Refused, match="trigger"):
        engine.apply(change, CAPS, lambda _: None, Cancel())
    assert _others(file) == LARGE + 1


@pytest.mark.parametrize("sql", [FEW, ALL])
def test_promise_06_a_change_is_not_taken_back_through_a_trigger(
    file: Path, engine: ChangeEngine, sql: str
) -> None:
    done = engine.apply(Change(source="s", sql=sql, targets=("t",)), CAPS, lambda _: None, Cancel())
    _triggered(file, "UPDATE")
    back = Change(source="s", sql=None, undo_image=done.undo_image)
    with pytest.raises(Refused, match="trigger"):
        engine.preview(back, CAPS, Cancel())
    with pytest.raises(Refused, match="trigger"):
        engine.apply(back, CAPS, lambda _: None, Cancel())
    assert _others(file) == LARGE + 1
    assert engine.find(done.undo_image) == "after"


def test_a_trigger_elsewhere_is_in_nobodys_way(file: Path, engine: ChangeEngine) -> None:
    with duckdb.connect(str(file)) as db:
        db.execute("CREATE SCHEMA other; CREATE TABLE other.t(id INTEGER)")
        db.execute("CREATE TRIGGER g AFTER UPDATE ON other.t DELETE FROM main.o")
        db.execute("CREATE TRIGGER h AFTER UPDATE ON o DELETE FROM other.t")
    change = Change(source="s", sql=FEW, targets=("t",))
    assert engine.preview(change, CAPS, Cancel()).total == 1


def test_the_triggers_of_a_table_are_part_of_its_definition(
    file: Path, engine: ChangeEngine
) -> None:
    _triggered(file, "UPDATE")
    change = Change(source="s", sql="DROP TABLE t", targets=("t",), schema=True)
    (shown,) = engine.preview(change, CAPS, Cancel()).schema
    assert any("CREATE TRIGGER" in line for line in shown.before or ())
