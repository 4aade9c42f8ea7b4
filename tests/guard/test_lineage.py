"""Where each output column comes from, rule by rule."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from guard.catalog import Catalog, Table
from guard.lineage import UNTRACED, Lineage, is_sensitive, trace
from guard.schematext import read_schema
from guard.statement import Statement, parse

SCHEMA = """
CREATE TABLE staff(id INTEGER, name VARCHAR, mail VARCHAR, town VARCHAR, born DATE, extra JSON,
                   phones VARCHAR[], boss INTEGER, pay INTEGER);
CREATE TABLE visits(id INTEGER, staff_id INTEGER, remark VARCHAR, town VARCHAR, day DATE);
CREATE TABLE parts(code VARCHAR, town VARCHAR, amount INTEGER);
CREATE VIEW addresses AS SELECT id AS k, mail AS m, town FROM staff;
CREATE VIEW shouted(k, loud) AS SELECT k, upper(m) FROM addresses;
CREATE VIEW whole AS SELECT * FROM staff;
"""
TAGS = {
    "staff.name": "PERSON",
    "staff.mail": "EMAIL_ADDRESS",
    "staff.born": "DATE_OF_BIRTH",
    "staff.extra": "PII_JSON",
    "staff.phones": "PHONE_NUMBER",
    "visits.remark": "FREE_TEXT",
}
MAIL = ("staff", "mail")
NAME = ("staff", "name")
TOWN = ("staff", "town")


@functools.cache
def catalog(dialect: str = "duckdb") -> Catalog:
    text = SCHEMA if dialect != "sqlite" else SCHEMA.replace("VARCHAR[]", "VARCHAR")
    return read_schema(text, dialect=dialect).tagged(TAGS)


def lineage(sql: str, dialect: str = "duckdb") -> Lineage:
    return trace(parse(sql, dialect), catalog(dialect))


def shown(sql: str, dialect: str = "duckdb") -> str:
    """One letter a column: S sensitive, n not; ? when the number of columns is unknown."""
    found = lineage(sql, dialect)
    letters = ("S" if is_sensitive(o, catalog(dialect)) else "n" for o in found.columns)
    return " ".join(letters) or "?"


def test_an_origin_names_the_source_column() -> None:
    (origin,) = lineage("SELECT reverse(s.mail) AS harmless FROM staff s").columns
    assert origin.name == "harmless"
    assert origin.sources == {MAIL}
    assert origin.flow == "value"


def test_all_sources_of_a_column_are_named() -> None:
    (origin,) = lineage("SELECT town || mail FROM staff").columns
    assert origin.sources == {TOWN, MAIL}


def test_the_worst_tagged_source_gives_the_flow() -> None:
    """The town arrives as it is, the mail only by comparison: the mail decides."""
    (origin,) = lineage("SELECT CASE WHEN mail > 'm' THEN town END FROM staff").columns
    assert origin.sources == {TOWN, MAIL}
    assert origin.flow == "implicit"


def test_an_untagged_column_arrives_as_a_value_and_is_not_sensitive() -> None:
    (origin,) = lineage("SELECT town FROM staff").columns
    assert (origin.flow, is_sensitive(origin, catalog())) == ("value", False)


def test_a_constant_and_a_count_come_from_nowhere() -> None:
    for origin in lineage(
        "SELECT 1, count(DISTINCT mail), approx_count_distinct(mail) FROM staff"
    ).columns:
        assert (origin.sources, origin.flow) == (frozenset(), "clean")


@pytest.mark.parametrize(
    "expression",
    [
        "upper(mail)",
        "mail || ''",
        "left(mail, 2) || right(mail, 2)",
        "coalesce(NULL, mail)",
        "nullif(mail, '')",
        "CASE WHEN 1 = 1 THEN mail END",
        "CASE town WHEN 'x' THEN town ELSE mail END",
        "mail::BLOB",
        "try_cast(mail AS INTEGER)",
        "mail COLLATE NOCASE",
        "mail[1]",
        "mail[1:3]",
        "[mail][1]",
        "{'a': mail}.a",
        "struct_pack(a := mail).a",
        "map([mail], [1])",
        "map_keys(map([mail], [1]))",
        "(mail, 1)",
        "row(mail)",
        "to_json(mail)",
        "json_object('k', mail)",
        "extra ->> '$.k'",
        "upper(extra -> '$.k')",
        "extra.k",
        "sha256(mail)",
        "list_transform(phones, lambda x: upper(x))",
        "list_transform(['a'], lambda x: x || mail)",
        "[x FOR x IN phones]",
        "[x || mail FOR x IN ['a']]",
        "max(mail)",
        "min(born)",
        "string_agg(mail, ',')",
        "string_agg(town, mail)",
        "array_agg(mail)[1]",
        "any_value(mail)",
        "mode(mail)",
        "quantile_disc(mail, 0.5)",
        "percentile_disc(0.5) WITHIN GROUP (ORDER BY mail)",
        "histogram(mail)",
        "max(mail) OVER ()",
        "lag(mail) OVER (ORDER BY id)",
        "first_value(mail) OVER w",
        "(SELECT mail)",
        "(SELECT max(mail) FROM staff)",
        "ARRAY(SELECT mail FROM staff)",
        "greatest(town, mail)",
        "length(mail)",
        "year(born)",
        "born + INTERVAL 1 DAY",
        "date_trunc('month', born)",
    ],
)
def test_a_value_arrives_through(expression: str) -> None:
    found = lineage(f"SELECT {expression} AS v FROM staff WINDOW w AS (PARTITION BY town)")
    assert [o.flow for o in found.columns] == ["value"]
    assert is_sensitive(found.columns[0], catalog())


@pytest.mark.parametrize(
    "expression",
    [
        "mail = 'x'",
        "mail < town",
        "mail LIKE 'a%'",
        "mail ~ 'a'",
        "mail BETWEEN 'a' AND 'b'",
        "mail IS NULL",
        "mail IN ('a', 'b')",
        "NOT mail = 'x'",
        "town = 'x' AND mail = 'y'",
        "starts_with(mail, 'a')",
        "contains(mail, 'a')",
        "if(mail > 'm', 1, 0)",
        "CASE WHEN mail > 'm' THEN 1 ELSE 0 END",
        "CASE mail WHEN 'x' THEN 1 END",
        "sum(CASE WHEN mail > 'm' THEN 1 ELSE 0 END)",
        "rank() OVER (ORDER BY mail)",
        "row_number() OVER w",
        "ntile(4) OVER (ORDER BY mail)",
        "sum(pay) OVER (ORDER BY mail)",
        "array_agg(id ORDER BY mail)",
        "mail IN (SELECT town FROM parts)",
        "town IN (SELECT mail FROM staff)",
        "town = ANY (SELECT mail FROM staff)",
        "id IN (SELECT id FROM staff WHERE mail > 'm')",
        "EXISTS (SELECT 1 FROM staff t WHERE t.mail > 'm')",
    ],
)
def test_a_comparison_or_an_order_shows_a_value_in_part(expression: str) -> None:
    found = lineage(f"SELECT {expression} AS v FROM staff WINDOW w AS (ORDER BY mail)")
    assert [o.flow for o in found.columns] == ["implicit"]
    assert is_sensitive(found.columns[0], catalog())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM staff",
        "SELECT count(mail) FROM staff",
        "SELECT town FROM staff GROUP BY town, mail",
        "SELECT count(*) FROM staff GROUP BY mail",
        "SELECT sum(pay) FILTER (WHERE mail > 'm') FROM staff",
        "SELECT sum(pay) OVER (PARTITION BY mail) FROM staff",
        "SELECT town FROM (SELECT town, mail FROM staff) t",
        "SELECT k FROM shouted",
        "SELECT count(*) FROM (SELECT mail FROM staff) t",
        "SELECT a FROM (VALUES (1, 'x')) t(a, b)",
        "SELECT i FROM range(3) r(i)",
        "SELECT strip_accents(town), strftime(day, '%Y') FROM visits",
        "SELECT date_trunc('month', day), count(*) FROM visits GROUP BY 1",
        "SELECT current_date, pi(), 'x', NULL, TRUE, INTERVAL 1 DAY, random()",
        "WITH staff AS (SELECT code AS mail FROM parts) SELECT mail FROM staff",
    ],
)
def test_nothing_personal_arrives_through(sql: str) -> None:
    assert "S" not in shown(sql)
    assert shown(sql) != "?"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT town AS mail, mail AS town FROM staff", "n S"),
        ("SELECT mail AS x, x || 'a' AS y FROM staff", "S S"),
        ("SELECT x FROM (SELECT town AS x, mail AS x FROM staff) t", "S"),
        ("SELECT * FROM (SELECT town AS x, mail AS x FROM staff) t", "n S"),
        ("SELECT b FROM (SELECT mail, town FROM staff) AS t(a, b)", "n"),
        ("SELECT a FROM (SELECT mail, town FROM staff) AS t(a, b)", "S"),
        ("WITH t(a, b) AS (SELECT mail, town FROM staff) SELECT b, a FROM t", "n S"),
        ("SELECT s.town, v.town FROM staff s JOIN visits v ON v.staff_id = s.id", "n n"),
        ("SELECT main.staff.mail FROM main.staff", "S"),
        ('SELECT "MAIL", STAFF.Town FROM Staff', "S n"),
        ("SELECT town FROM parts UNION ALL SELECT mail FROM staff", "S"),
        ("SELECT 1, town FROM parts UNION SELECT pay, mail FROM staff", "n S"),
        ("SELECT town FROM staff EXCEPT SELECT mail FROM staff", "S"),
        ("(SELECT town FROM staff) UNION ALL (SELECT name FROM staff) LIMIT 3", "S"),
        ("SELECT mail FROM staff JOIN (SELECT code AS mail FROM parts) p USING (mail)", "S"),
    ],
)
def test_columns_are_matched_by_position_and_never_by_name(sql: str, expected: str) -> None:
    assert shown(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM visits", "n n S n n"),
        ("FROM visits", "n n S n n"),
        ("TABLE visits", "n n S n n"),
        ("SELECT v.*, 1 FROM visits v, parts", "n n S n n n"),
        ("SELECT * FROM parts, visits", "n n n n n S n n"),
        ("SELECT * EXCLUDE (remark) FROM visits", "n n n n"),
        ("SELECT * REPLACE (remark AS town) FROM visits", "n n S S n"),
        ("SELECT * RENAME (remark AS town2) FROM visits", "n n S n n"),
        ("SELECT * FROM parts JOIN visits USING (town)", "n n n n n S n"),
        ("SELECT * FROM parts NATURAL JOIN visits", "n n n n n S n"),
        ("SELECT * FROM visits SEMI JOIN staff USING (town)", "n n S n n"),
        ("SELECT * FROM (SELECT * FROM (SELECT remark, id FROM visits))", "S n"),
        ("SELECT * FROM addresses", "n S n"),
        ("SELECT * FROM shouted", "n S"),
        ("SELECT loud FROM shouted", "S"),
        ("SELECT town, mail FROM whole", "n S"),
        ("SELECT * FROM (staff JOIN visits USING (town)) AS q", "n S S n S S S n n n n S n"),
    ],
)
def test_stars_and_views_are_spelled_out(sql: str, expected: str) -> None:
    assert shown(sql) == expected


def test_the_order_of_using_columns_is_the_engines() -> None:
    sql = "SELECT * FROM parts JOIN visits USING (town)"
    assert shown(sql, "duckdb") == "n n n n n S n"
    assert shown(sql, "sqlite") == "n n n n n S n"
    names = [o.name for o in lineage(sql, "postgres").columns]
    assert names == ["town", "code", "amount", "id", "staff_id", "remark", "day"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT s FROM staff s",
        "SELECT staff FROM staff",
        "SELECT to_json(s) FROM staff s",
        "SELECT (s).mail FROM staff s",
        "SELECT s['mail'] FROM staff s",
        "SELECT hash(s) FROM staff s",
        "SELECT max(s) FROM staff s",
        "SELECT (SELECT s) FROM staff s",
    ],
)
def test_a_whole_row_carries_all_its_columns(sql: str) -> None:
    assert shown(sql) == "S"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT s::text FROM staff s",
        "SELECT row_to_json(s.*) FROM staff s",
        "SELECT (s).town FROM staff s",
    ],
)
def test_whole_rows_in_postgres(sql: str) -> None:
    assert shown(sql, "postgres") == "S"


def test_a_column_the_engine_names_itself_is_found_by_any_name() -> None:
    assert shown("SELECT upper FROM (SELECT upper(mail) FROM staff) t", "postgres") == "S"
    assert shown("SELECT (SELECT upper FROM (SELECT upper(s.mail)) t) FROM staff s") == "S"


def test_a_row_without_personal_data_is_clean() -> None:
    assert shown("SELECT to_json(p) FROM parts p") == "n"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT (SELECT max(t.mail) FROM staff t WHERE t.boss = s.id) FROM staff s", "S"),
        ("SELECT (SELECT max(remark) FROM visits WHERE staff_id = s.id) FROM staff s", "S"),
        ("SELECT (SELECT count(*) FROM visits v WHERE v.staff_id = s.id) FROM staff s", "n"),
        ("SELECT t.x FROM staff s, LATERAL (SELECT s.mail AS x) t", "S"),
        ("SELECT x FROM staff, (SELECT mail AS x) t", "S"),
        ("SELECT x FROM staff s CROSS JOIN LATERAL (VALUES (s.mail), (s.town)) t(x)", "S"),
        ("SELECT (SELECT x FROM (SELECT mail AS x) q) FROM staff", "S"),
        ("SELECT (SELECT m) FROM addresses", "S"),
        ("SELECT c.x FROM staff, unnest(phones) c(x)", "S"),
        ("SELECT unnest(phones) FROM staff", "S"),
        ("SELECT id, unnest(string_split(mail, '@')) FROM staff", "n S"),
        ("SELECT value FROM staff, json_each(extra)", "S"),
    ],
)
def test_correlated_and_lateral_names_reach_outward(sql: str, expected: str) -> None:
    assert shown(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("WITH t AS (SELECT mail FROM staff), u AS (SELECT * FROM t) SELECT mail FROM u", "S"),
        ("WITH staff AS (SELECT mail FROM staff) SELECT mail FROM staff", "S"),
        ("WITH t AS (SELECT 1 AS a) SELECT a FROM t UNION ALL SELECT pay FROM staff", "n"),
        ("SELECT * FROM (WITH t AS (SELECT mail FROM staff) SELECT * FROM t) q", "S"),
        (
            "WITH RECURSIVE t(a, b, n) AS (SELECT town, mail, 1 FROM staff UNION ALL "
            "SELECT b, a, n + 1 FROM t WHERE n < 3) SELECT a, n FROM t",
            "S n",
        ),
        (
            "WITH RECURSIVE t(a, b, c, n) AS (SELECT 'x', 'y', mail, 1 FROM staff UNION ALL "
            "SELECT b, c, a, n + 1 FROM t WHERE n < 3) SELECT a FROM t",
            "S",
        ),
        (
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9) "
            "SELECT n FROM t",
            "n",
        ),
    ],
)
def test_ctes_are_followed_and_recursive_ones_until_nothing_is_added(
    sql: str, expected: str
) -> None:
    assert shown(sql) == expected


def test_sqlite_ctes_see_those_after_them() -> None:
    sql = "WITH a AS (SELECT x FROM b), b AS (SELECT mail AS x FROM staff) SELECT x FROM a"
    assert shown(sql, "sqlite") == "S"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COLUMNS('ma.*') FROM staff",
        "SELECT max(COLUMNS(*)) FROM staff",
        "SELECT * LIKE 'm%' FROM staff",
        "SELECT #3 FROM staff",
        "SELECT * FROM nowhere",
        "SELECT * FROM staff PIVOT (max(mail) FOR town IN ('a'))",
        "SELECT * FROM (UNPIVOT staff ON name, mail INTO NAME k VALUE v)",
        "SELECT town FROM staff UNION BY NAME SELECT mail AS town FROM staff",
        "SELECT town FROM staff UNION ALL SELECT town, mail FROM staff",
        "SELECT * FROM read_csv('x.csv')",
        "SELECT * FROM (SELECT id, mail FROM staff) AS t(only_one)",
        "WITH t(only_one) AS (SELECT id, mail FROM staff) SELECT * FROM t",
        "DESCRIBE staff",
    ],
)
def test_when_the_width_is_unknown_nothing_is_claimed(sql: str) -> None:
    assert lineage(sql) == UNTRACED


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("SELECT AS STRUCT mail, town FROM staff", "bigquery"),
        ("SELECT s.* FROM nowhere s", "postgres"),
        ("SELECT (s).* FROM staff s", "postgres"),
    ],
)
def test_the_width_is_unknown_in_other_dialects_too(sql: str, dialect: str) -> None:
    assert shown(sql, dialect) == "?"


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("SELECT nothing_like_it FROM staff", "duckdb"),
        ("SELECT secret AS secret FROM staff", "duckdb"),
        ("SELECT b FROM (SELECT a AS b, b AS a FROM staff) t", "duckdb"),
        ("SELECT rowid FROM staff", "duckdb"),
        ("SELECT t.town FROM nowhere t", "duckdb"),
        ("SELECT town FROM elsewhere.staff", "duckdb"),
        ("SELECT my_own(town) FROM staff", "duckdb"),
        ("SELECT my_own() FROM staff", "duckdb"),
        ("SELECT somewhere.my_own(town) FROM staff", "postgres"),
        ("SELECT getvariable('x') FROM staff", "duckdb"),
        ("SELECT $1 FROM staff", "postgres"),
        ("SELECT ? FROM staff", "sqlite"),
        ("SELECT $2 FROM staff", "snowflake"),
        ("SELECT x FROM query('SELECT mail AS x FROM staff')", "duckdb"),
        ("SELECT semi.town FROM staff SEMI JOIN visits USING (town)", "sqlite"),
        ("SELECT name FROM sqlite_master", "sqlite"),
        ("SELECT name FROM pragma_table_info('staff')", "sqlite"),
        ("SELECT row_number() OVER nowhere FROM staff", "duckdb"),
    ],
)
def test_what_cannot_be_followed_is_unknown(sql: str, dialect: str) -> None:
    assert [o.flow for o in lineage(sql, dialect).columns] == ["unknown"]
    assert shown(sql, dialect) == "S"


def test_a_struct_that_unnest_spreads_makes_no_position_certain() -> None:
    sql = "SELECT y FROM (SELECT unnest({'a': mail, 'b': mail}), town FROM staff) AS t(x, y)"
    assert shown(sql) == "S"


def test_recursion_without_being_told_is_followed_only_where_the_engine_does_it() -> None:
    sql = "WITH t(a) AS (SELECT mail FROM staff UNION ALL SELECT a || 'x' FROM t) SELECT a FROM t"
    assert [o.flow for o in lineage(sql, "sqlite").columns] == ["value"]
    assert [o.flow for o in lineage(sql, "duckdb").columns] == ["unknown"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id, max(mail) FROM staff", "S S"),
        ("SELECT id + 1, min(born) FROM staff GROUP BY town", "S S"),
        ("SELECT town, max(mail) FROM staff GROUP BY town", "n S"),
        ("SELECT town AS t, max(mail) FROM staff GROUP BY t", "n S"),
        ("SELECT upper(town), max(mail) FROM staff GROUP BY upper(town)", "n S"),
        ("SELECT town, max(mail), count(*) FROM staff GROUP BY 1", "n S n"),
        ("SELECT id, max(pay) FROM staff", "n n"),
        ("SELECT id, max(mail) OVER () FROM staff", "n S"),
        ("SELECT id, max(town, mail) FROM staff", "n S"),
    ],
)
def test_in_sqlite_an_extreme_chooses_the_row_of_bare_columns(sql: str, expected: str) -> None:
    assert shown(sql, "sqlite") == expected


def test_columns_that_a_with_clause_adds_are_unknown() -> None:
    sql = (
        "WITH RECURSIVE t AS (SELECT id FROM staff UNION ALL SELECT id + 1 FROM t) "
        "SEARCH DEPTH FIRST BY id SET path SELECT path FROM t"
    )
    assert shown(sql, "postgres") == "S"


def test_a_tag_on_a_views_own_column_holds() -> None:
    tagged = catalog().tagged({"addresses.town": "LOCATION"})
    found = trace(parse("SELECT t.town AS x FROM addresses t", "duckdb"), tagged)
    assert found.columns[0].sources == {("addresses", "town"), TOWN}
    assert is_sensitive(found.columns[0], tagged)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM staff WHERE mail = 'x'",
        "SELECT count(*) FROM staff WHERE mail LIKE 'a%'",
        "SELECT id FROM staff ORDER BY mail",
        "SELECT id, mail FROM staff ORDER BY 2",
        "SELECT id, mail AS m FROM staff ORDER BY m",
        "SELECT mail FROM staff ORDER BY ALL",
        "SELECT town FROM staff GROUP BY town HAVING max(mail) > 'x'",
        "SELECT id FROM staff QUALIFY row_number() OVER (ORDER BY mail) = 1",
        "SELECT v.id FROM visits v JOIN staff s ON v.remark = s.name",
        "SELECT v.id FROM visits v JOIN (SELECT name AS remark FROM staff) s USING (remark)",
        "SELECT v.id FROM visits v NATURAL JOIN (SELECT name AS remark FROM staff) s",
        "SELECT count(*) FILTER (WHERE mail > 'm') FROM staff",
        "SELECT count(CASE WHEN mail > 'm' THEN 1 END) FROM staff",
        "SELECT count(*) FROM staff GROUP BY left(mail, 1)",
        "SELECT sum(pay) OVER (PARTITION BY left(mail, 1)) FROM staff",
        "SELECT DISTINCT ON (mail) id FROM staff",
        "SELECT id FROM staff LIMIT (SELECT length(max(mail)) FROM staff)",
        "SELECT id FROM (SELECT id, mail FROM staff) t WHERE t.mail > 'm'",
        "SELECT id FROM (SELECT id FROM staff ORDER BY mail LIMIT 3) t",
        "SELECT id FROM staff WHERE id IN (SELECT boss FROM staff WHERE mail > 'm')",
        "SELECT (SELECT count(*) FROM staff WHERE mail = 'x') FROM parts",
        "SELECT k FROM (SELECT id AS k, rank() OVER (ORDER BY mail) AS r FROM staff) t WHERE r < 3",
        "WITH t AS (SELECT id FROM staff WHERE mail > 'm') SELECT * FROM t",
        "SELECT id FROM staff WHERE nothing_like_it = 1",
    ],
)
def test_choosing_joining_or_ordering_by_personal_data_is_recorded(sql: str) -> None:
    assert lineage(sql).tagged_predicate


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT mail FROM staff WHERE town = 'x' ORDER BY id",
        "SELECT town, count(*) FROM staff GROUP BY town HAVING count(*) > 1 ORDER BY 2",
        "SELECT count(DISTINCT mail) FROM staff GROUP BY town",
        "SELECT s.mail, v.remark FROM staff s JOIN visits v ON v.staff_id = s.id",
        "SELECT id, sum(pay) AS mail FROM staff GROUP BY id LIMIT 3 OFFSET 1",
        "SELECT town FROM shouted JOIN addresses USING (k)",
    ],
)
def test_other_predicates_are_not(sql: str) -> None:
    assert not lineage(sql).tagged_predicate


def test_a_fault_while_tracing_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("guard.lineage.expand", fail)
    assert lineage("SELECT k FROM shouted") == UNTRACED


def test_a_view_that_cannot_be_read_is_unknown() -> None:
    statement = parse("SELECT * FROM v", "duckdb")
    broken = read_schema(
        "CREATE TABLE t(a INTEGER); CREATE VIEW v AS SELECT a FROM t", dialect="duckdb"
    )
    views = tuple(t if t.kind == "table" else _without_definition(t) for t in broken.tables)
    assert trace(statement, Catalog(source="s", dialect="duckdb", tables=views)) == UNTRACED


def _without_definition(view: Table) -> Table:
    return replace(view, definition=None)


def test_deep_statements_never_raise() -> None:
    long = " || ".join(["mail"] * 250)
    assert shown(f"SELECT {long} FROM staff") == "S"
    union = " UNION ALL ".join(["SELECT town FROM staff"] * 80 + ["SELECT mail FROM staff"])
    assert shown(union) == "S"
    nested = "(" * 60 + "SELECT mail FROM staff" + ")" * 60
    assert "n" not in shown(nested)


def test_tracing_changes_nothing_it_is_given() -> None:
    statement = parse("SELECT * FROM shouted JOIN staff ON staff.id = k", "duckdb")
    before = Statement(text=statement.text, dialect="duckdb", tree=statement.tree.copy())
    trace(statement, catalog())
    assert statement.tree == before.tree
