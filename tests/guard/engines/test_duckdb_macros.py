"""Macros of a DuckDB file come before the engine's own functions, operators and constructs."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from guard.address import FileAddress
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps
from guard.errors import Refused, SourceUnavailable
from tests.guard.engines.support import CANARY, make, opened, rows

CAPS = ChangeCaps(max_rows=100, shown_rows=50, timeout_ms=20_000, lock_timeout_ms=500)
LEAK = "(SELECT max(ssn) FROM people)"


@pytest.mark.parametrize(
    ("macro", "sql"),
    [
        (f"lower(x) AS {LEAK}", "SELECT lower('A')"),
        (f"Lower(x) AS {LEAK}", "SELECT lower('A')"),
        ("lower(x) AS CAST(random() AS VARCHAR)", "SELECT lower('A')"),
        (f'"+"(a, b) AS {LEAK}', "SELECT 1 + 1"),
        (f"list_value(x) AS {LEAK}", "SELECT [1]"),
        (f'"current_date"() AS {LEAK}', "SELECT current_date"),
        ("range(x) AS TABLE SELECT ssn FROM people", "SELECT * FROM range(1)"),
        ("duckdb_functions() AS TABLE SELECT 'x' AS function_name, true AS internal", "SELECT 1"),
        ("duckdb_columns() AS TABLE SELECT 'main', 'people', ['id']", "SELECT id FROM people"),
    ],
)
def test_promise_03_a_macro_over_a_built_in_name_closes_the_file(
    tmp_path: Path, macro: str, sql: str
) -> None:
    path = make("duckdb", tmp_path / "company.duckdb", f"CREATE MACRO {macro};")
    with duckdb.connect(str(path)) as bare:
        assert bare.execute(sql).fetchall()  # the engine itself minds nothing
    with opened("duckdb", path) as engine:
        for _ in range(2):  # and a file that was refused is looked at again
            with pytest.raises(SourceUnavailable, match="macro") as caught:
                rows(engine, sql)
            assert CANARY not in str(caught.value)
        with duckdb.connect(str(path)) as bare:
            kind = "MACRO TABLE" if " AS TABLE " in macro else "MACRO"
            bare.execute(f"DROP {kind} main.{macro.partition('(')[0]}")
        assert rows(engine, "SELECT 1 + 1") == [(2,)]


def test_no_change_of_such_a_file_is_previewed_or_run(tmp_path: Path) -> None:
    path = make("duckdb", tmp_path / "company.duckdb", f"CREATE MACRO lower(x) AS {LEAK};")
    change = Change(source="shop", sql="UPDATE people SET city = lower(name)", targets=("people",))
    address = FileAddress(path=path)
    reader = open_engine("duckdb", address, source="shop")
    engine = open_change_engine("duckdb", address, source="shop", reader=reader)
    try:
        with pytest.raises(SourceUnavailable, match="macro"):
            engine.preview(change, CAPS, Cancel())
        with pytest.raises(SourceUnavailable, match="macro"):
            engine.apply(change, CAPS, lambda _: None, Cancel())
    finally:
        engine.close()
        reader.close()
    with duckdb.connect(str(path)) as bare:
        assert bare.execute("SELECT count(*) FROM people WHERE city LIKE 'can%'").fetchall() == [
            (0,)
        ]


def test_a_macro_of_any_other_name_hides_nothing(tmp_path: Path) -> None:
    path = make("duckdb", tmp_path / "company.duckdb", "CREATE MACRO my_own(x) AS x + 1;")
    with opened("duckdb", path) as engine:
        assert rows(engine, "SELECT id FROM people ORDER BY id") == [(1,), (2,), (3,)]
        with pytest.raises(Refused):
            rows(engine, "SELECT my_own(id) FROM people")
