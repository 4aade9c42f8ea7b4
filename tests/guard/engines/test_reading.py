"""What comes back from an adapter: rows, caps, catalogs and the wrong source."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.address import FileAddress
from guard.catalog import ForeignKey
from guard.engines import Cancel, open_engine
from guard.engines.embedded import EmbeddedEngine
from guard.errors import Interrupted, Refused
from tests.guard.engines.support import EngineName, make, opened, read, rows, unjudged


def test_a_read_returns_its_rows_and_how_long_it_took(adapter: EmbeddedEngine) -> None:
    got = read(adapter, "SELECT id, name FROM people ORDER BY id")
    assert got.table.to_pydict() == {"id": [1, 2, 3], "name": ["Ann", "Bob", "Cid"]}
    assert not got.truncated
    assert got.elapsed_us > 0


def test_an_empty_result_keeps_its_columns(adapter: EmbeddedEngine) -> None:
    got = read(adapter, "SELECT id, name FROM people WHERE id < 0")
    assert got.table.column_names == ["id", "name"]
    assert got.table.num_rows == 0


def test_columns_of_one_name_all_come_back(adapter: EmbeddedEngine) -> None:
    got = read(adapter, "SELECT id AS x, name AS x, city AS x FROM people WHERE id = 1")
    assert got.table.column_names == ["x", "x", "x"]
    assert [c.to_pylist() for c in got.table.columns] == [[1], ["Ann"], ["Bern"]]


def test_views_and_common_table_expressions_are_read_through_their_tables(
    adapter: EmbeddedEngine,
) -> None:
    assert rows(adapter, "SELECT people FROM cities WHERE city = 'Oslo'") == [(1,)]
    assert rows(adapter, "WITH c AS (SELECT * FROM cities) SELECT count(*) FROM c") == [(3,)]


def test_a_view_inside_a_view_needs_only_its_tables(engine: EngineName, tmp_path: Path) -> None:
    path = make(engine, tmp_path / "x.db", "CREATE VIEW outer_view AS SELECT people FROM cities;")
    readable = {"people": ("id", "name", "city"), "outer_view": ("people",)}
    with opened(engine, path) as adapter:
        got = rows(adapter, "SELECT sum(people) FROM outer_view", readable=readable)
    assert got == [(3,)]


@pytest.mark.parametrize(
    ("max_rows", "count", "truncated"), [(2, 2, True), (3, 3, False), (4, 3, False), (1, 1, True)]
)
def test_rows_over_the_cap_are_cut_and_said_to_be(
    adapter: EmbeddedEngine, max_rows: int, count: int, truncated: bool
) -> None:
    got = read(adapter, "SELECT id FROM people ORDER BY id", max_rows=max_rows)
    assert got.table.num_rows == count
    assert got.truncated is truncated


def test_a_cut_result_is_the_first_rows_in_order(adapter: EmbeddedEngine) -> None:
    sql = (
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 20000) "
        "SELECT i FROM r ORDER BY i DESC"
    )
    assert rows(adapter, sql, max_rows=5000) == [(i,) for i in range(20000, 15000, -1)]


def test_a_result_over_the_byte_cap_is_an_error_not_a_part(adapter: EmbeddedEngine) -> None:
    sql = (
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 900) "
        "SELECT i, 'abcdefghijklmnopqrstuvwxyz' AS t FROM r"
    )
    assert read(adapter, sql, max_bytes=100_000).table.num_rows == 900
    with pytest.raises(Interrupted, match="larger than may be returned") as caught:
        read(adapter, sql, max_bytes=20_000)
    assert caught.value.cause == "bytes"


def test_a_statement_judged_for_another_source_does_not_run(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    with pytest.raises(Refused) as caught:
        adapter.run(unjudged("SELECT 1", engine, source="payroll"), Cancel())
    assert caught.value.refusal.rule == "engine.wrong_source"


def test_an_adapter_takes_nothing_but_a_guarded_query(adapter: EmbeddedEngine) -> None:
    with pytest.raises(TypeError):
        adapter.run("SELECT 1", Cancel())  # type: ignore[arg-type]


def test_the_catalog_names_tables_views_keys_and_estimates(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    catalog = adapter.reflect()
    assert (catalog.source, catalog.dialect) == ("shop", engine)
    assert {t.name: t.kind for t in catalog.tables} == {
        "people": "table",
        "orders": "table",
        "secrets": "table",
        "cities": "view",
        "numbers": "view",
    }
    people, orders = catalog.table("people"), catalog.table("orders")
    assert people is not None
    assert orders is not None
    assert [c.name for c in people.columns] == ["id", "name", "city", "ssn"]
    assert people.primary_key == ("id",)
    assert [c.nullable for c in people.columns][1:] == [False, True, True]
    assert orders.foreign_keys == (
        ForeignKey(columns=("person_id",), table="people", references=("id",)),
    )
    amount = orders.column("amount")
    assert amount is not None
    assert amount.type.replace(" ", "") == "DECIMAL(10,2)"
    assert people.row_estimate == 3
    cities = catalog.table("cities")
    assert cities is not None
    assert cities.definition is not None
    assert cities.definition.upper().startswith("SELECT")
    assert ";" not in cities.definition
    assert cities.row_estimate is None


def test_opening_an_engine_touches_nothing_yet(engine: EngineName, tmp_path: Path) -> None:
    adapter = open_engine(engine, FileAddress(path=tmp_path / "not there"), source="shop")
    assert adapter.dialect == engine
    adapter.close()
    assert list(tmp_path.iterdir()) == []
