"""What a worker tells of a source, checked and put into the guard's own terms."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.catalog import ForeignKey
from guard.engines.reflected import Reflected, to_catalog, view_select
from guard.errors import Refused
from tests.guard.engines.support import EngineName, make, opened, rows

_SQLITE = """
CREATE TABLE parent (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE child (
  id INTEGER PRIMARY KEY AUTOINCREMENT, x, y, p REFERENCES people, doubled AS (x * 2),
  FOREIGN KEY (x, y) REFERENCES parent (a, b)
);
CREATE TABLE "odd "" name" ("the column" TEXT);
CREATE VIEW renamed (a, b) AS SELECT id, name FROM people;
CREATE VIEW broken AS SELECT * FROM gone;
CREATE TABLE analysed AS
  WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 50) SELECT i FROM r;
CREATE INDEX analysed_i ON analysed (i);
ANALYZE analysed;
DELETE FROM analysed WHERE i > 10;
"""


def test_a_sqlite_file_shows_its_tables_and_nothing_internal(tmp_path: Path) -> None:
    path = make("sqlite", tmp_path / "x.sqlite", _SQLITE)
    with opened("sqlite", path) as adapter:
        catalog = adapter.reflect()
    by_name = {t.name: t for t in catalog.tables}
    assert {n for n in by_name if n.startswith("sqlite_")} == set()
    assert "broken" not in by_name
    assert by_name["parent"].primary_key == ("a", "b")
    assert by_name["parent"].row_estimate is None
    child = by_name["child"]
    assert [c.name for c in child.columns] == ["id", "x", "y", "p", "doubled"]
    assert set(child.foreign_keys) == {
        ForeignKey(columns=("x", "y"), table="parent", references=("a", "b")),
        ForeignKey(columns=("p",), table="people", references=("id",)),
    }
    assert [c.name for c in by_name['odd " name'].columns] == ["the column"]
    assert [c.name for c in by_name["renamed"].columns] == ["a", "b"]
    assert by_name["renamed"].definition == "SELECT id, name FROM people"
    assert by_name["analysed"].row_estimate == 50


def test_duckdb_schemas_are_told_apart_and_clashing_names_mean_main(tmp_path: Path) -> None:
    script = (
        "CREATE SCHEMA crm; CREATE TABLE crm.leads (id INTEGER PRIMARY KEY);"
        "INSERT INTO crm.leads VALUES (1);"
        "CREATE TABLE crm.people (hidden VARCHAR); INSERT INTO crm.people VALUES ('x');"
        "CREATE VIEW crm.names AS SELECT hidden FROM crm.people;"
    )
    path = make("duckdb", tmp_path / "x.duckdb", script)
    readable = {"people": ("id",), "leads": ("id",)}
    with opened("duckdb", path) as adapter:
        catalog = adapter.reflect()
        assert rows(adapter, "SELECT id FROM crm.leads", readable=readable) == [(1,)]
        assert rows(adapter, "SELECT max(id) FROM main.people", readable=readable) == [(3,)]
        with pytest.raises(Refused):
            rows(adapter, "SELECT * FROM crm.people", readable=readable)
    found = {t.name: t.schema for t in catalog.tables}
    assert found["leads"] == "crm"
    assert found["people"] is None
    people = catalog.table("people")
    assert people is not None
    assert people.column("hidden") is None


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb"])
@pytest.mark.parametrize(
    ("create", "select"),
    [
        ("CREATE VIEW v AS SELECT 1", "SELECT 1"),
        ("CREATE VIEW v(a, b) AS SELECT 1, 2;", "SELECT 1, 2"),
        ('CREATE VIEW "as" AS\n  SELECT x AS y FROM t ;\n', "SELECT x AS y FROM t"),
        ("create view if not exists v as with a as (select 1) select * from a", "with a as "),
        ("CREATE VIEW v /* as */ AS -- as\nSELECT 1", "SELECT 1"),
        ("CREATE VIEW v (\"as\", b) AS SELECT 'as' AS a, 2", "SELECT 'as' AS a, 2"),
    ],
)
def test_a_view_is_cut_to_its_select(dialect: str, create: str, select: str) -> None:
    found = view_select(create, dialect)
    assert found is not None
    assert select in found
    assert not found.lower().startswith("create")


def test_a_text_that_is_no_view_gives_none() -> None:
    assert view_select("CREATE TABLE t (x)", "sqlite") is None
    assert view_select("CREATE VIEW v AS ;", "sqlite") is None


def test_of_two_tables_of_one_name_outside_main_neither_is_known() -> None:
    columns = [{"name": "x", "type": "INTEGER", "nullable": True, "primary_key": False}]
    tables = [
        {
            "name": name,
            "kind": "table",
            "columns": columns,
            "foreign_keys": [],
            "row_estimate": 1,
            "schema_": schema,
        }
        for name, schema in [
            *[("a", "s1"), ("A", "s2"), ("b", "s1"), ("b", None), ("c", "s1")],
            *[("É", None), ("é", None), ("é", "s1")],
        ]
    ]
    reflected = Reflected.model_validate({"tables": tables})
    catalog = to_catalog(reflected, source="x", dialect="duckdb")
    assert [(t.name, t.schema) for t in catalog.tables] == [("b", None), ("c", "s1")]


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_unique_indexes_are_told_whole_where_they_hold_an_expression(
    tmp_path: Path, engine: EngineName
) -> None:
    script = (
        "CREATE TABLE keyed (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b TEXT, c TEXT);"
        "CREATE UNIQUE INDEX both_of ON keyed (b, c); CREATE INDEX plain ON keyed (c);"
        "CREATE UNIQUE INDEX made ON keyed (lower(b));"
    )
    with opened(engine, make(engine, tmp_path / "x", script)) as adapter:
        found = adapter.reflect().table("keyed")
    assert found is not None
    assert set(found.unique) == {("a",), ("b", "c"), ("id", "a", "b", "c")}
