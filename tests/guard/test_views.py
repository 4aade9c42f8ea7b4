"""Views are replaced by the queries that define them, where the engine would read the view."""

from __future__ import annotations

import sqlite3

import pytest

from guard.catalog import Catalog, Column, Table
from guard.errors import Refused
from guard.statement import parse
from guard.views import MAX_DEPTH, MAX_VIEWS, expand_views


def table(name: str, columns: str, definition: str | None = None) -> Table:
    """A table, or a view where there is a definition."""
    return Table(
        name=name,
        kind="table" if definition is None else "view",
        columns=tuple(Column(name=c, type="TEXT") for c in columns.split()),
        definition=definition,
    )


TABLES = (
    table("people", "id name ssn"),
    table("named", "id label", "SELECT id, name FROM people"),
    table("starred", "a b c", "SELECT * FROM people"),
    table("united", "x", "SELECT id FROM people UNION SELECT 'z'"),
    table("nested", "id", "SELECT id FROM named WHERE label > 'a'"),
    table("listed", "n", "VALUES (1), (2)"),
)


def expanded(sql: str, dialect: str = "sqlite", tables: tuple[Table, ...] = TABLES) -> str:
    """The statement with its views expanded, as text."""
    catalog = Catalog(source="s", dialect=dialect, tables=tables)
    return expand_views(parse(sql, dialect).tree, catalog).sql(dialect)


def rule(sql: str, *tables: Table) -> str:
    """The rule that refuses the expansion."""
    with pytest.raises(Refused) as caught:
        expanded(sql, tables=(*TABLES, *tables))
    return caught.value.refusal.rule


def test_the_tree_given_is_left_as_it_was() -> None:
    tree = parse("SELECT * FROM named", "sqlite").tree
    before = tree.sql()
    expand_views(tree, Catalog(source="s", dialect="sqlite", tables=TABLES))
    assert tree.sql() == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM people WHERE id = 1",
        "WITH named AS (SELECT 1 AS id) SELECT * FROM named",
        "SELECT * FROM (WITH named AS (SELECT 1 AS id) SELECT * FROM named) AS q",
        "DELETE FROM named",
        "UPDATE named SET label = 'x'",
        "INSERT INTO named (id) VALUES (1)",
        "SELECT * FROM other.named",
    ],
)
def test_a_hidden_written_or_foreign_name_is_left_alone(sql: str) -> None:
    assert expanded(sql) == parse(sql, "sqlite").tree.sql("sqlite")


def test_columns_have_the_views_own_names_and_the_alias_stays() -> None:
    assert expanded("SELECT v.label FROM named AS v") == (
        'SELECT v.label FROM (SELECT id, name AS "label" FROM people) AS v'
    )


def test_a_schema_before_the_view_is_dropped_with_it() -> None:
    assert expanded("SELECT main.named.id FROM main.named") == (
        'SELECT named.id FROM (SELECT id, name AS "label" FROM people) AS named'
    )


def test_the_query_outside_of_a_cte_of_the_same_name_still_reads_the_view() -> None:
    sql = "SELECT * FROM (WITH named AS (SELECT 1) SELECT * FROM named) AS q, named"
    assert expanded(sql).count("people") == 1


@pytest.mark.parametrize("name", ["named", "starred", "united", "nested", "listed"])
def test_the_expansion_gives_the_rows_and_columns_of_the_view(name: str) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE people (id, name, ssn)")
    database.execute("INSERT INTO people VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'b', 'z')")
    for view in TABLES[1:]:
        columns = ", ".join(c.name for c in view.columns)
        database.execute(f"CREATE VIEW {view.name} ({columns}) AS {view.definition}")
    sql = f"SELECT * FROM {name} AS v ORDER BY 1"
    direct, through = database.execute(sql), database.execute(expanded(sql))
    assert [d[0] for d in through.description] == [d[0] for d in direct.description]
    assert through.fetchall() == direct.fetchall()


def test_a_cte_with_the_name_of_a_table_the_view_reads_is_refused() -> None:
    assert rule("WITH people AS (SELECT 1) SELECT * FROM named") == "view.shadowed"
    assert rule("WITH people AS (SELECT 1) SELECT * FROM nested") == "view.shadowed"


def test_a_cte_of_the_view_itself_is_its_own() -> None:
    view = table("own", "x", "WITH q AS (SELECT id AS x FROM people) SELECT x FROM q")
    assert "people" in expanded("WITH q AS (SELECT 1) SELECT * FROM own", tables=(*TABLES, view))


def test_a_view_defined_by_itself_is_refused() -> None:
    first = table("first", "x", "SELECT x FROM second")
    second = table("second", "x", "SELECT x FROM first")
    assert rule("SELECT * FROM first", first, second) == "view.cycle"


def test_views_nested_too_deeply_are_refused() -> None:
    steps = [table("v0", "id", "SELECT id FROM people")]
    steps += [table(f"v{n}", "id", f"SELECT id FROM v{n - 1}") for n in range(1, MAX_DEPTH + 1)]
    assert "people" in expanded(f"SELECT * FROM v{MAX_DEPTH - 1}", tables=(*TABLES, *steps))
    assert rule(f"SELECT * FROM v{MAX_DEPTH}", *steps) == "view.too_deep"


def test_views_that_multiply_are_refused() -> None:
    steps = [table("w0", "id", "SELECT id FROM people")]
    steps += [
        table(f"w{n}", "id", f"SELECT a.id FROM w{n - 1} a, w{n - 1} b, w{n - 1} c, w{n - 1} d")
        for n in range(1, 5)
    ]
    assert MAX_VIEWS < 4**4
    assert rule("SELECT * FROM w4", *steps) == "view.too_deep"


@pytest.mark.parametrize("definition", ["", "DELETE FROM people", "SELECT 1; SELECT 2", "VACUUM"])
def test_a_definition_that_is_no_query_is_refused(definition: str) -> None:
    assert rule("SELECT * FROM v", table("v", "x", definition)) == "view.unknown"


def test_postgresql_tells_quoted_names_apart() -> None:
    sql = 'WITH "Named" AS (SELECT 1) SELECT * FROM named'
    assert "people" in expanded(sql, dialect="postgres")
