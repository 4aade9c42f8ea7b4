"""Attacks on changes of DuckDB files: what triggers write, and what the way back does with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from guard.address import FileAddress
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps, ChangeEngine
from guard.engines.child.summed import LARGE
from guard.errors import Refused

ROWS = LARGE + 1_000
CAPS = ChangeCaps(max_rows=9 * ROWS, shown_rows=5, timeout_ms=60_000, lock_timeout_ms=500)
SHA = "0" * 64
SCRIPT = f"""
CREATE TABLE t(id INT PRIMARY KEY, n INT); CREATE TABLE o(id INT);
INSERT INTO t SELECT i, i FROM range({ROWS}) r(i); INSERT INTO o SELECT range FROM range(50);
"""
TRIGGERS = [
    "CREATE TRIGGER g AFTER UPDATE ON t DELETE FROM o",
    "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH STATEMENT INSERT INTO o VALUES (1)",
]
FEW, ALL = "UPDATE t SET n = n + 1 WHERE id = 1", "UPDATE t SET n = n + 1"


def run(file: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(file)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.duckdb"
    run(path, SCRIPT)
    return path


@contextmanager
def opened(file: Path) -> Iterator[ChangeEngine]:
    reader = open_engine("duckdb", FileAddress(path=file), source="s")
    engine = open_change_engine("duckdb", FileAddress(path=file), source="s", reader=reader)
    yield engine
    engine.close()
    reader.close()


def others(file: Path) -> list[tuple[object, ...]]:
    return run(file, "SELECT count(*), sum(id) FROM o")


@pytest.mark.parametrize("sql", [FEW, ALL], ids=["one row", "very many"])
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_promise_06_what_a_trigger_would_write_cannot_be_approved(
    file: Path, trigger: str, sql: str
) -> None:
    run(file, trigger)
    before = others(file)
    with opened(file) as engine, pytest.raises(Refused):
        engine.preview(Change(source="s", sql=sql, targets=("t",)), CAPS, Cancel())
    assert others(file) == before


@pytest.mark.parametrize("sql", [FEW, ALL], ids=["one row", "very many"])
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_promise_06_a_trigger_made_after_the_preview_stops_what_was_approved(
    file: Path, trigger: str, sql: str
) -> None:
    change = Change(source="s", sql=sql, targets=("t",))
    with opened(file) as engine:
        engine.preview(change, CAPS, Cancel())
    run(file, trigger)
    before = others(file)
    with opened(file) as engine, pytest.raises(Refused):
        engine.apply(change, CAPS, lambda _: None, Cancel())
    assert others(file) == before
    assert run(file, "SELECT n FROM t WHERE id = 1") == [(1,)]


def test_promise_06_no_trigger_runs_in_a_way_back_unseen(file: Path) -> None:
    change = Change(source="s", sql=FEW, targets=("t",))
    with opened(file) as engine:
        image = engine.apply(change, CAPS, lambda _: None, Cancel()).undo_image
    run(file, TRIGGERS[0])
    before = others(file)
    with opened(file) as engine, pytest.raises(Refused):
        engine.preview(Change(source="s", sql=None, undo_image=image), CAPS, Cancel())
    assert others(file) == before


@pytest.mark.parametrize("where", ["id = 1", "id < 20", "true"])
def test_what_was_previewed_of_rows_that_others_refer_to_can_be_applied(
    file: Path, where: str
) -> None:
    run(file, "CREATE TABLE c(t INT REFERENCES t(id)); INSERT INTO c VALUES (1)")
    change = Change(source="s", sql=f"UPDATE t SET n = n + 1 WHERE {where}", targets=("t",))
    with opened(file) as engine:
        shown = engine.preview(change, CAPS, Cancel())
        done = engine.apply(change, CAPS, lambda _: None, Cancel())
        assert done.diff.fingerprint(SHA) == shown.fingerprint(SHA)
    assert run(file, "SELECT n FROM t WHERE id = 1") == [(2,)]


@pytest.mark.parametrize("key", ["k UUID PRIMARY KEY", "k UUID"])
@pytest.mark.parametrize("count", [5, ROWS], ids=["few", "very many"])
def test_promise_06_a_key_made_by_chance_frees_no_other_column(
    file: Path, key: str, count: int
) -> None:
    """New rows come in another order each time: their values are compared wherever they stand."""
    run(file, f"CREATE TABLE made({key}, n INT)")
    change = Change(
        source="s",
        sql=f"INSERT INTO made SELECT gen_random_uuid(), n FROM t WHERE id < {count}",
        targets=("made",),
    )
    with opened(file) as engine:
        [one] = engine.preview(change, CAPS, Cancel()).tables
        [again] = engine.preview(change, CAPS, Cancel()).tables
        assert (one.total, one.decided) == (count, ("k",))
        assert one.after_hash == again.after_hash
        run(file, "UPDATE t SET n = 0 WHERE id = 1")
        [later] = engine.preview(change, CAPS, Cancel()).tables
        assert later.after_hash != one.after_hash
