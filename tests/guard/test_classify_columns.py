"""With a catalog every name is resolved: which base column is used, and in which clause."""

from __future__ import annotations

import pytest

from guard.access import Access
from guard.catalog import Catalog, Column, ForeignKey, Table
from guard.classify import classify
from guard.statement import parse


def columns(names: str) -> tuple[Column, ...]:
    """Columns of these names; `id` is the key."""
    return tuple(Column(name=n, type="TEXT", primary_key=n == "id") for n in names.split())


TABLES = (
    Table(name="people", columns=columns("id name email ssn country")),
    Table(
        name="sales",
        columns=columns("id person_id amount status"),
        foreign_keys=(ForeignKey(columns=("person_id",), table="people", references=("id",)),),
    ),
    Table(
        name="contacts",
        kind="view",
        columns=columns("id mail"),
        definition="SELECT id, email FROM people WHERE country = 'NO'",
    ),
    Table(
        name="spenders",
        kind="view",
        columns=columns("who total"),
        definition="SELECT c.mail, sum(s.amount) FROM contacts c "
        "JOIN sales s ON s.person_id = c.id GROUP BY c.mail",
    ),
)


def judged(sql: str, dialect: str = "sqlite") -> Access:
    """What the statement does, with the tables above."""
    catalog = Catalog(source="s", dialect=dialect, tables=TABLES)
    return classify(parse(sql, dialect), catalog)


def uses(sql: str, dialect: str = "sqlite") -> set[str]:
    """The uses as `table.column:clause`, with a star for a look-up, of what has no problem."""
    access = judged(sql, dialect)
    assert access.problems == ()
    return {f"{u.table}.{u.column}:{u.clause}{'*' if u.lookup else ''}" for u in access.columns}


def where_of(column: str, sql: str, dialect: str = "sqlite") -> set[str]:
    """The clauses one column is used in."""
    table, _, name = column.partition(".")
    return {u.clause for u in judged(sql, dialect).columns if (u.table, u.column) == (table, name)}


ALL_OF_PEOPLE = {f"people.{c.name}:output" for c in TABLES[0].columns}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT name FROM people", {"people.name:output"}),
        ("SELECT p.name AS x FROM people p", {"people.name:output"}),
        ("SELECT NAME FROM People", {"people.name:output"}),
        ("SELECT * FROM people", ALL_OF_PEOPLE),
        ("SELECT p.* FROM people AS p", ALL_OF_PEOPLE),
        ("SELECT p FROM people AS p", ALL_OF_PEOPLE),
        ("SELECT rowid FROM people", {"people.id:output"}),
        ("SELECT count(*) FROM people", set()),
        ("SELECT 1", set()),
        ("SELECT main.people.name FROM main.people", {"people.name:output"}),
        ("SELECT x FROM (SELECT name AS x FROM people) q", {"people.name:output"}),
        ("WITH q(x) AS (SELECT name FROM people) SELECT x FROM q", {"people.name:output"}),
        ("WITH people AS (SELECT 1 AS name) SELECT name FROM people", set()),
        ("SELECT max(name) FROM people", {"people.name:output"}),
        ("SELECT column1 FROM (VALUES (1))", set()),
    ],
)
def test_outputs_are_resolved(sql: str, found: set[str]) -> None:
    assert uses(sql) == found


@pytest.mark.parametrize(
    ("sql", "clause"),
    [
        ("SELECT id FROM people WHERE ssn LIKE '1%'", "where"),
        ("SELECT id FROM people WHERE NOT (ssn = '1')", "where"),
        ("SELECT id FROM (SELECT id, ssn AS x FROM people) q WHERE x > '1'", "where"),
        ("WITH q AS (SELECT id, ssn AS x FROM people) SELECT id FROM q WHERE x > '1'", "where"),
        ("SELECT 1 WHERE '1' IN (SELECT ssn FROM people)", "where"),
        ("SELECT 1 FROM sales WHERE (SELECT max(ssn) FROM people) > '1'", "where"),
        ("SELECT 1 WHERE EXISTS (SELECT 1 FROM people WHERE ssn > '1')", "where"),
        ("SELECT count(*) FILTER (WHERE ssn > '1') FROM people", "where"),
        ("SELECT 1 FROM sales JOIN people ON status = ssn", "join"),
        ("SELECT 1 FROM people JOIN (SELECT '1' AS ssn) q USING (ssn)", "join"),
        ("SELECT 1 FROM people NATURAL JOIN (SELECT '1' AS ssn) q", "join"),
        ("SELECT count(*) FROM people GROUP BY ssn", "group"),
        ("SELECT ssn, count(*) FROM people GROUP BY 1", "group"),
        ("SELECT ssn AS x, count(*) FROM people GROUP BY x", "group"),
        ("SELECT substr(ssn, 1, 1) AS x, count(*) FROM people GROUP BY x", "group"),
        ("SELECT count(*) FROM people GROUP BY country HAVING max(ssn) > '1'", "having"),
        ("SELECT max(ssn) AS x FROM people GROUP BY country HAVING x > '1'", "having"),
        ("SELECT row_number() OVER (PARTITION BY ssn) FROM people", "group"),
        ("SELECT row_number() OVER w FROM people WINDOW w AS (PARTITION BY ssn)", "group"),
        ("SELECT row_number() OVER (ORDER BY ssn) FROM people", "order"),
        ("SELECT group_concat(id ORDER BY ssn) FROM people", "order"),
        ("SELECT id FROM people ORDER BY ssn", "order"),
        ("SELECT id, ssn FROM people ORDER BY 2", "order"),
        ("SELECT id, ssn FROM people ORDER BY (2)", "order"),
        ("SELECT id, ssn AS x FROM people ORDER BY x DESC", "order"),
        ("SELECT ssn AS id FROM people ORDER BY id", "order"),
        ("SELECT * FROM people ORDER BY 4", "order"),
        ("SELECT ssn FROM people UNION SELECT 'x' ORDER BY 1", "order"),
        ("SELECT ssn FROM people UNION SELECT 'x' ORDER BY ssn", "order"),
        ("SELECT DISTINCT ssn FROM people", "distinct"),
        ("SELECT DISTINCT * FROM people", "distinct"),
        ("SELECT count(DISTINCT ssn) FROM people", "distinct"),
        ("SELECT ssn FROM people UNION SELECT 'x'", "setop"),
        ("SELECT 'x' EXCEPT SELECT ssn FROM people", "setop"),
        ("SELECT ssn FROM people INTERSECT SELECT 'x'", "setop"),
        ("SELECT ssn FROM people UNION ALL SELECT 'x'", "setop"),
        ("SELECT 1 FROM people LIMIT (SELECT length(ssn) FROM people)", "other"),
        ("SELECT value FROM people, json_each(ssn)", "other"),
    ],
)
def test_promise_08_a_use_shows_in_its_clause_behind_any_name(sql: str, clause: str) -> None:
    assert clause in where_of("people.ssn", sql)


@pytest.mark.parametrize(
    ("sql", "clause"),
    [
        ("SELECT DISTINCT ON (ssn) id FROM people", "distinct"),
        ("SELECT id FROM people QUALIFY rank() OVER (ORDER BY id) < length(ssn)", "having"),
        ("SELECT ssn, count(*) FROM people GROUP BY ALL", "group"),
        ("SELECT ssn FROM people ORDER BY ALL", "order"),
        ("SELECT COLUMNS('s.*') FROM people", "output"),
        ("SELECT COLUMNS(*) FROM people", "output"),
        ("SELECT #4 FROM people", "output"),
        ("SELECT * LIKE 's%' FROM people", "compute"),
        ("SELECT * REPLACE (ssn AS name) FROM people", "output"),
        ("SELECT * EXCLUDE (name) FROM people", "output"),
        ("FROM people", "output"),
        ("SELECT people FROM people", "output"),
        ("SELECT to_json(p) FROM people p", "compute"),
        ("SELECT list_transform([1], x -> x + length(ssn)) FROM people", "compute"),
        ("SELECT [y FOR y IN [1] IF y < length(ssn)] FROM people", "compute"),
        ("SELECT {'a': ssn} FROM people", "output"),
        ("SELECT MAP {ssn: 1} FROM people", "compute"),
        ("SELECT first(id ORDER BY ssn) FROM people", "order"),
        ("SELECT any_value(id HAVING MAX ssn) FROM people", "order"),
        ("FROM people UNION BY NAME SELECT 1 AS ssn", "setop"),
        ("SELECT q.y FROM people p, (SELECT p.ssn AS y) q WHERE q.y > '1'", "where"),
        ("SELECT x.y FROM people p, LATERAL (SELECT p.ssn AS y) x ORDER BY x.y", "order"),
        ("SELECT u FROM people, unnest([ssn]) AS t(u) ORDER BY u", "order"),
        ("SELECT ssn AS a, a || 'x' AS b FROM people ORDER BY b", "order"),
        ("SELECT * FROM people p SEMI JOIN sales s ON p.ssn = s.status", "join"),
        ("SELECT * FROM sales s ASOF JOIN people p ON s.status >= p.ssn", "join"),
    ],
)
def test_promise_08_duckdb_has_more_ways_and_all_show(sql: str, clause: str) -> None:
    assert clause in where_of("people.ssn", sql, "duckdb")
    assert judged(sql, "duckdb").problems == ()


@pytest.mark.parametrize(
    ("sql", "clause"),
    [
        ("SELECT (p).ssn FROM people p WHERE (p).ssn > '1'", "where"),
        ("SELECT a FROM people AS t(i, n, e, a, c) ORDER BY a", "order"),
        ("TABLE people ORDER BY ssn", "order"),
        ("SELECT p.* IS NOT NULL FROM people p", "compute"),
        ("SELECT row_to_json(p) FROM people p", "compute"),
        ("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM people", "order"),
        ("SELECT x FROM people, LATERAL unnest(ARRAY[ssn]) x WHERE x > '1'", "where"),
        ("SELECT count(*) FROM people GROUP BY GROUPING SETS ((ssn), (country))", "group"),
        ("SELECT count(*) FROM people GROUP BY ROLLUP (ssn)", "group"),
    ],
)
def test_promise_08_postgresql_has_more_ways_and_all_show(sql: str, clause: str) -> None:
    assert clause in where_of("people.ssn", sql, "postgres")
    assert judged(sql, "postgres").problems == ()


@pytest.mark.parametrize(
    "condition",
    [
        "email = 'a'",
        "'a' = email",
        "email IN ('a', 'b')",
        "email = 'a' AND country = 'NO'",
        "(email = 'a' OR email = 'b')",
        "p.email = 'a'",
    ],
)
def test_a_comparison_with_constants_is_a_lookup(condition: str) -> None:
    found = judged(f"SELECT id FROM people p WHERE {condition}").columns
    assert {u.lookup for u in found if u.column == "email"} == {True}


@pytest.mark.parametrize(
    "condition",
    [
        "NOT email = 'a'",
        "email <> 'a'",
        "email LIKE 'a%'",
        "lower(email) = 'a'",
        "email || '' = 'a'",
        "email = name",
        "email IN ('a', name)",
        "email IN (SELECT status FROM sales)",
        "(email = 'a') = (1 = 1)",
        "CASE WHEN email = 'a' THEN 1 END",
        "(email, name) = ('a', 'b')",
        "email NOT IN ('a')",
        "email > 'a'",
        "(email = 'a') IS NULL",
        "coalesce(email = 'a', 1)",
    ],
)
def test_anything_else_is_no_lookup(condition: str) -> None:
    found = judged(f"SELECT id FROM people p WHERE {condition}").columns
    assert {u.lookup for u in found if u.column == "email"} == {False}


def test_a_lookup_is_one_only_in_a_filter_or_join() -> None:
    assert uses("SELECT email = 'a' FROM people") == {"people.email:compute"}
    grouped = "SELECT country FROM people GROUP BY country, email = 'a'"
    assert uses(grouped) == {"people.country:output", "people.country:group", "people.email:group"}
    joined = "SELECT 1 FROM people JOIN sales ON people.id = sales.person_id AND email = 'a'"
    assert "people.email:join*" in uses(joined)


def test_a_view_counts_as_what_it_holds() -> None:
    access = judged("SELECT mail FROM contacts WHERE mail = 'a'")
    assert (access.tables, access.named) == (("people",), ("contacts",))
    assert uses("SELECT mail FROM contacts WHERE mail = 'a'") == {
        "people.id:output",
        "people.email:output",
        "people.country:where*",
        "people.email:where*",
    }


def test_views_over_views_are_followed() -> None:
    access = judged("SELECT total FROM spenders ORDER BY who")
    assert set(access.tables) == {"people", "sales"}
    assert access.named == ("spenders",)
    assert {"people.email:order", "people.email:group"} <= uses(
        "SELECT total FROM spenders ORDER BY who"
    )


@pytest.mark.parametrize(
    ("sql", "rule", "part"),
    [
        ("SELECT 1 FROM nothing", "table.unknown", "nothing"),
        ("SELECT 1 FROM other.people", "table.unknown", "other.people"),
        ("SELECT 1 FROM temp.people", "table.unknown", "temp.people"),
        ("SELECT 1 FROM sqlite_master", "table.unknown", "sqlite_master"),
        ("SELECT nam FROM people", "column.unknown", "nam"),
        ("SELECT p.nam FROM people p", "column.unknown", "p.nam"),
        ("SELECT q.name FROM people p", "column.unknown", "q.name"),
        ("SELECT q.* FROM people p", "column.unknown", "q.*"),
        ("SELECT x FROM (SELECT name FROM people) q", "column.unknown", "x"),
        ("SELECT id FROM people, sales", "column.ambiguous", "id"),
        ("SELECT 1 FROM people JOIN sales USING (nam)", "column.unknown", "nam"),
    ],
)
def test_a_name_nobody_has_is_a_problem_that_may_be_mended(sql: str, rule: str, part: str) -> None:
    found = {(p.rule, p.part, p.fixable) for p in judged(sql).problems}
    assert (rule, part, True) in found


@pytest.mark.parametrize(
    ("dialect", "sql", "rule"),
    [
        ("duckdb", "SELECT ssn.lower() FROM people", "function.chained"),
        ("duckdb", "SELECT * FROM duckdb_tables()", "function.introspects"),
        ("duckdb", "SELECT stats(ssn) FROM people", "function.introspects"),
        ("duckdb", "PIVOT people ON country USING count(*)", "node.untraced"),
        ("duckdb", "SELECT * FROM people PIVOT (count(*) FOR country IN ('NO'))", "node.untraced"),
        ("sqlite", "SELECT * FROM pragma_table_info('people')", "function.introspects"),
        ("sqlite", "PRAGMA table_info(people)", "statement.metadata"),
        ("sqlite", "EXPLAIN QUERY PLAN SELECT 1", "statement.metadata"),
        ("duckdb", "SELECT * FROM (DESCRIBE people)", "statement.metadata"),
        ("postgres", "SELECT pg_get_viewdef(1)", "function.introspects"),
        ("postgres", "SELECT (name).bump FROM people", "column.unknown"),
        ("postgres", "SELECT p.bump FROM people p", "column.unknown"),
        ("postgres", "SELECT CAST(name AS evil) FROM people", "type.unknown"),
        ("postgres", "SELECT name::public.int4 FROM people", "type.unknown"),
        ("mysql", "SELECT @@version", "statement.setting"),
        ("mysql", "SELECT @a", "statement.setting"),
    ],
)
def test_what_a_catalog_cannot_limit_is_refused(dialect: str, sql: str, rule: str) -> None:
    assert rule in {p.rule for p in judged(sql, dialect).problems}


def test_a_view_that_calls_an_unknown_function_is_refused() -> None:
    view = Table(name="v", kind="view", columns=columns("x"), definition="SELECT bump() AS x")
    catalog = Catalog(source="s", dialect="postgres", tables=(view,))
    access = classify(parse("SELECT x FROM v", "postgres"), catalog)
    assert [(p.rule, p.fixable) for p in access.problems] == [("function.unknown", False)]


def test_a_view_the_guard_cannot_read_is_refused() -> None:
    view = Table(name="v", kind="view", columns=columns("x"), definition=None)
    catalog = Catalog(source="s", dialect="sqlite", tables=(view,))
    access = classify(parse("SELECT x FROM v", "sqlite"), catalog)
    assert [p.rule for p in access.problems] == ["view.unknown"]


@pytest.mark.parametrize(
    ("sql", "writes", "found"),
    [
        ("UPDATE sales SET status = 'x'", {"sales"}, set()),
        ("UPDATE sales SET status = status || 'x'", {"sales"}, {"sales.status:output"}),
        ("UPDATE sales SET amount = 1 WHERE id = 3", {"sales"}, {"sales.id:where*"}),
        (
            "UPDATE sales SET status = (SELECT ssn FROM people WHERE people.id = person_id)",
            {"sales"},
            {"people.ssn:output", "people.id:where", "sales.person_id:where"},
        ),
        (
            "UPDATE sales SET status = p.ssn FROM people p WHERE p.id = sales.person_id",
            {"sales"},
            {"people.ssn:output", "people.id:where", "sales.person_id:where"},
        ),
        ("DELETE FROM sales WHERE amount > 3", {"sales"}, {"sales.amount:where"}),
        ("DELETE FROM sales RETURNING status", {"sales"}, {"sales.status:output"}),
        ("INSERT INTO sales (id, status) VALUES (1, 'x')", {"sales"}, set()),
        (
            "INSERT INTO sales (id, status) SELECT id, ssn FROM people",
            {"sales"},
            {"people.id:output", "people.ssn:output"},
        ),
        (
            "INSERT INTO sales (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET "
            "amount = excluded.amount + sales.amount WHERE status = 'x'",
            {"sales"},
            {"sales.amount:compute", "sales.status:where*"},
        ),
        (
            "WITH q AS (SELECT id FROM people) "
            "DELETE FROM sales WHERE person_id IN (SELECT id FROM q)",
            {"sales"},
            {"people.id:output", "people.id:where", "sales.person_id:where"},
        ),
    ],
)
def test_a_change_tells_what_it_writes_and_what_it_reads(
    sql: str, writes: set[str], found: set[str]
) -> None:
    access = judged(sql)
    assert set(access.writes) == writes
    assert _read(sql) == found


def _read(sql: str, dialect: str = "sqlite") -> set[str]:
    return {use for use in uses(sql, dialect) if ":set" not in use}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("UPDATE sales SET status = 'x', amount = amount + 1", {"sales.status", "sales.amount"}),
        ("UPDATE sales SET status = NULL, amount = 2", {"sales.amount"}),
        # A reference is accepted where the other table holds the value, a key where none does.
        ("UPDATE sales SET person_id = 4", {"sales.person_id", "people.id"}),
        ("INSERT INTO sales (id, status) VALUES (1, 'x')", {"sales.id"}),
        ("INSERT INTO sales (person_id, status) VALUES (1, 'x')", {"people.id"}),
        ("INSERT INTO sales SELECT * FROM sales", {"sales.id", "people.id"}),
        (
            "INSERT INTO people (ssn) VALUES ('1') ON CONFLICT (ssn) DO UPDATE SET name = 'x'",
            {"people.ssn", "people.name"},
        ),
        ("DELETE FROM sales", set()),
    ],
)
def test_a_change_tells_which_values_its_preview_compares(sql: str, found: set[str]) -> None:
    assert {use.removesuffix(":set*") for use in uses(sql) if ":set" in use} == found


def test_merge_and_joined_changes_are_resolved_too() -> None:
    merge = (
        "MERGE INTO sales s USING people p ON s.person_id = p.id "
        "WHEN MATCHED AND p.ssn > '1' THEN UPDATE SET status = p.email "
        "WHEN NOT MATCHED THEN INSERT (id, status) VALUES (p.id, p.name)"
    )
    assert _read(merge, "postgres") == {
        "sales.person_id:join",
        "people.id:join",
        "people.ssn:where",
        "people.email:output",
        "people.id:output",
        "people.name:output",
    }
    joined = "UPDATE sales s JOIN people p ON p.id = s.person_id SET p.name = s.status"
    access = judged(joined, "mysql")
    assert set(access.writes) == {"sales", "people"}
    deleted = "DELETE s FROM sales s JOIN people p ON p.id = s.person_id WHERE p.ssn > '1'"
    assert judged(deleted, "mysql").writes == ("sales",)
    assert where_of("people.ssn", deleted, "mysql") == {"where"}


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE contacts SET mail = 'x'",
        "DELETE FROM contacts",
        "INSERT INTO contacts VALUES (1, 'x')",
    ],
)
def test_a_change_of_a_view_is_refused(sql: str) -> None:
    assert [p.rule for p in judged(sql).problems] == ["write.view"]


def test_an_assigned_column_that_does_not_exist_is_a_problem() -> None:
    assert judged("UPDATE sales SET stat = 1").problems[0].rule == "column.unknown"
    assert judged("INSERT INTO sales (stat) VALUES (1)").problems[0].rule == "column.unknown"


def test_mutual_recursion_is_followed_to_the_end() -> None:
    sql = (
        "WITH RECURSIVE a(x) AS (SELECT '1' UNION SELECT ssn FROM people UNION SELECT y FROM b), "
        "b(y) AS (SELECT x FROM a) SELECT 1 FROM b WHERE y > '1'"
    )
    assert "where" in where_of("people.ssn", sql, "mysql")


def test_a_name_may_come_from_the_query_around() -> None:
    sql = "SELECT (SELECT s.status || ssn FROM sales s LIMIT 1) FROM people"
    assert where_of("people.ssn", sql) == {"output"}
