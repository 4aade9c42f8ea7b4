"""Values that differ and are the same text: a change of such a table is shown wrongly, so not."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from guard.address import FileAddress
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps
from guard.errors import Refused

CAPS = ChangeCaps(max_rows=100, shown_rows=5, timeout_ms=60_000, lock_timeout_ms=500)


@pytest.mark.parametrize(
    ("columns", "row", "change"),
    [
        ("v UNION(n INTEGER, s VARCHAR)", "union_value(n := 1)", "v = union_value(s := '1')"),
        ("v mine", "{'x': union_value(n := 1)}", "v = {'x': union_value(s := '1')}"),
        ("v VARIANT", "1", "v = '1'"),
        ("v VARIANT[]", "[1]", "v = ['1']"),
    ],
)
@pytest.mark.parametrize("key", ["", "id INTEGER PRIMARY KEY", "id VARCHAR PRIMARY KEY"])
def test_promise_06_a_change_that_no_text_tells_is_refused(
    tmp_path: Path, key: str, columns: str, row: str, change: str
) -> None:
    path = tmp_path / "t.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TYPE mine AS STRUCT(x UNION(n INTEGER, s VARCHAR))")
        connection.execute(f"CREATE TABLE t({key or 'id INTEGER'}, {columns}, note VARCHAR)")
        connection.execute(f"INSERT INTO t VALUES (1, {row}, 'a')")
    assert _refused(path, f"UPDATE t SET {change}, note = 'b'") == "engine.not_exact"


def test_a_type_is_not_taken_for_another_by_what_its_values_are_called(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t(e ENUM('VARIANT', 'o'), s STRUCT(\"UNION\" INTEGER))")
        connection.execute("INSERT INTO t VALUES ('VARIANT', {'UNION': 1})")
    assert _refused(path, "UPDATE t SET e = 'o'") is None


def _refused(path: Path, sql: str) -> str | None:
    reader = open_engine("duckdb", FileAddress(path=path), source="s")
    engine = open_change_engine("duckdb", FileAddress(path=path), source="s", reader=reader)
    try:
        engine.preview(Change(source="s", sql=sql, targets=("t",)), CAPS, Cancel())
    except Refused as refused:
        return refused.refusal.rule
    finally:
        engine.close()
        reader.close()
    return None
