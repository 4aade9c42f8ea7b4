"""What a rewrite puts into a read, and what it refuses."""

from __future__ import annotations

import dataclasses
import functools
import sqlite3

import duckdb
import pytest
from sqlglot import exp

from guard.catalog import Catalog, Column, Table
from guard.decision import Allow, Terms
from guard.errors import Refused
from guard.limitpolicy import Limits
from guard.rewrite import GuardedQuery, _in_reach, rewrite
from guard.rewriting.spelling import render
from guard.same import Same
from guard.schematext import read_schema
from guard.statement import parse
from guard.tracing.relations import _columns_of

SCHEMA = """
CREATE TABLE guests(id INTEGER, name TEXT, mail TEXT, city TEXT, tenant INTEGER);
CREATE TABLE stays(id INTEGER, guest_id INTEGER, nights INTEGER, city TEXT);
CREATE TABLE rooms(number INTEGER, city TEXT);
CREATE VIEW oslo AS SELECT id AS k, mail FROM guests WHERE city = 'Oslo';
CREATE VIEW everyone AS SELECT * FROM guests;
CREATE VIEW everyone_again AS SELECT * FROM everyone;
"""
ROWS = """
INSERT INTO guests VALUES (1,'Ann','a@x','Oslo',1),(2,'Bob','b@x','Rome',1),
  (3,'Cid','c@x','Oslo',2),(4,'Dag','d@x','Bonn',2);
INSERT INTO stays VALUES (10,1,2,'Rome'),(11,2,3,'Oslo'),(12,3,1,'Oslo'),(13,4,5,'Bonn'),
  (14,99,1,'Rome');
INSERT INTO rooms VALUES (100,'Oslo'),(101,'Rome');
"""
MINE = {"guests": "tenant = 1", "stays": "guest_id IN (SELECT id FROM guests WHERE tenant = 1)"}
DIALECTS = ("sqlite", "duckdb")
both = pytest.mark.parametrize("dialect", DIALECTS)


@functools.cache
def catalog(dialect: str) -> Catalog:
    return read_schema(SCHEMA, dialect=dialect).tagged({"guests.mail": "EMAIL_ADDRESS"})


@functools.cache
def database(dialect: str):
    connection = sqlite3.connect(":memory:") if dialect == "sqlite" else duckdb.connect()
    for statement in (SCHEMA + ROWS).split(";"):
        if statement.strip():
            connection.execute(statement)
    return connection


def allow(
    dialect: str,
    *,
    filters: dict[str, str] | None = None,
    hidden: dict[str, set[str]] | None = None,
    without: tuple[str, ...] = (),
    display_rows: int = 1_000,
) -> Allow:
    readable = tuple(
        (t.name, tuple(c.name for c in t.columns if c.name not in (hidden or {}).get(t.name, ())))
        for t in catalog(dialect).tables
        if t.name not in without
    )
    terms = Terms(
        limits=Limits(display_rows=display_rows, timeout_seconds=1.5),
        row_filters=tuple((MINE if filters is None else filters).items()),
        readable=readable,
    )
    return Allow(rule="read.select", reason="a test", terms=terms)


def guarded(sql: str, dialect: str, allowed: Allow | None = None) -> GuardedQuery:
    return rewrite(parse(sql, dialect), allowed or allow(dialect), catalog(dialect))


def rows(sql: str, dialect: str, allowed: Allow | None = None) -> list[tuple[object, ...]]:
    query = guarded(sql, dialect, allowed)
    return sorted(database(dialect).execute(query.sql).fetchall(), key=repr)


def names(sql: str, dialect: str, allowed: Allow | None = None) -> list[str]:
    cursor = database(dialect).execute(guarded(sql, dialect, allowed).sql)
    return [column[0] for column in cursor.description]


def refused(sql: str, dialect: str, allowed: Allow | None = None) -> str:
    with pytest.raises(Refused) as caught:
        guarded(sql, dialect, allowed)
    return caught.value.refusal.rule


@both
def test_promise_03_what_one_may_read_says_nothing_of_what_another_may(dialect: str) -> None:
    sql = "SELECT * FROM guests"
    everything = ["id", "name", "mail", "city", "tenant"]
    less = allow(dialect, hidden={"guests": {"mail", "name"}})
    for _ in range(2):
        assert names(sql, dialect) == everything
        assert names(sql, dialect, less) == ["id", "city", "tenant"]
        assert refused(sql, dialect, allow(dialect, without=("guests",))) == "rewrite.untraceable"
        assert refused("SELECT mail FROM guests", dialect, less).startswith("rewrite.")


@both
def test_promise_03_a_catalog_that_looks_the_same_is_another_one(dialect: str) -> None:
    """What is kept of a catalog is kept of that very one: a changed one is read anew."""
    statement = parse("SELECT * FROM guests", dialect)
    before = rewrite(statement, allow(dialect), catalog(dialect))
    tables = tuple(
        dataclasses.replace(t, columns=t.columns[:2]) if t.name == "guests" else t
        for t in catalog(dialect).tables
    )
    narrower = dataclasses.replace(catalog(dialect), tables=tables)
    after = rewrite(statement, allow(dialect), narrower)
    assert (len(before.lineage.columns), len(after.lineage.columns)) == (5, 2)


@both
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id FROM guests", [(1,), (2,)]),
        ("SELECT g.id FROM main.guests AS g", [(1,), (2,)]),
        ('SELECT "GUESTS".id FROM Guests', [(1,), (2,)]),
        ("SELECT main.guests.id FROM main.guests", [(1,), (2,)]),
        ("SELECT count(*) FROM guests", [(2,)]),
        ("SELECT a.id, b.id FROM guests a JOIN guests b ON a.id < b.id", [(1, 2)]),
        ("SELECT id FROM guests UNION SELECT id FROM stays", [(1,), (10,), (11,), (2,)]),
        ("SELECT id FROM stays EXCEPT SELECT 10", [(11,)]),
        ("SELECT number FROM rooms WHERE city IN (SELECT city FROM guests)", [(100,), (101,)]),
        ("SELECT number FROM rooms r WHERE NOT EXISTS "
         "(SELECT 1 FROM guests g WHERE g.city = r.city AND g.tenant = 2)", [(100,), (101,)]),
        ("SELECT (SELECT max(id) FROM guests)", [(2,)]),
        ("SELECT (SELECT count(*) FROM stays s WHERE s.guest_id = g.id) FROM guests g",
         [(1,), (1,)]),
        ("WITH g AS (SELECT * FROM guests) SELECT id FROM g", [(1,), (2,)]),
        ("SELECT id, row_number() OVER (ORDER BY id DESC) FROM guests", [(1, 2), (2, 1)]),
        ("SELECT k FROM oslo", [(1,)]),
        ("SELECT id FROM everyone_again", [(1,), (2,)]),
        ("SELECT e.id FROM everyone e JOIN oslo o ON o.k = e.id", [(1,)]),
        ("SELECT sum(nights) FROM stays", [(5,)]),
        ("SELECT id FROM (guests) WHERE id > 0", [(1,), (2,)]),
        ("SELECT s.id FROM (guests g JOIN stays s ON s.guest_id = g.id) JOIN rooms r "
         "ON r.city = s.city", [(10,), (11,)]),
    ],
)  # fmt: skip
def test_promise_03_row_filters_hold_wherever_a_table_is_read(
    dialect: str, sql: str, expected: list[tuple[object, ...]]
) -> None:
    assert rows(sql, dialect) == expected


@both
@pytest.mark.parametrize(
    ("join", "expected"),
    [
        ("LEFT JOIN", [(1, 10), (2, 11)]),
        ("RIGHT JOIN", [(1, 10), (2, 11), (None, 12), (None, 13), (None, 14)]),
        ("FULL JOIN", [(1, 10), (2, 11), (None, 12), (None, 13), (None, 14)]),
    ],
)
def test_promise_03_a_filter_inside_an_outer_join_keeps_its_unmatched_rows(
    dialect: str, join: str, expected: list[tuple[object, ...]]
) -> None:
    sql = f"SELECT g.id, s.id FROM guests g {join} stays s ON s.guest_id = g.id"
    found = rows(sql, dialect, allow(dialect, filters={"guests": "tenant = 1"}))
    assert found == sorted(expected, key=repr)


@both
def test_promise_03_a_filter_on_the_other_side_keeps_the_unmatched_rows_too(dialect: str) -> None:
    sql = "SELECT g.id, s.id FROM guests g LEFT JOIN stays s ON s.guest_id = g.id"
    found = rows(sql, dialect, allow(dialect, filters={"stays": "nights > 2"}))
    assert found == sorted([(1, None), (2, 11), (3, None), (4, 13)], key=repr)


@both
def test_promise_03_a_cte_cannot_stand_in_for_a_table_that_a_filter_reads(dialect: str) -> None:
    sql = "WITH guests AS (SELECT 99 AS id, 1 AS tenant) SELECT s.id, g.id FROM stays s, guests g"
    assert rows(sql, dialect) == [(10, 99), (11, 99)]


@both
def test_promise_03_a_cte_cannot_stand_in_for_a_table_that_a_view_reads(dialect: str) -> None:
    sql = "WITH guests AS (SELECT 4 AS id, 'm' AS mail, 'Oslo' AS city) SELECT k FROM oslo"
    assert refused(sql, dialect) == "view.shadowed"


@both
def test_a_cte_that_hides_a_table_is_not_filtered(dialect: str) -> None:
    assert rows("WITH guests AS (SELECT 99 AS id) SELECT id FROM guests", dialect) == [(99,)]


@both
def test_a_table_behind_the_cte_that_hides_it_is_filtered(dialect: str) -> None:
    sql = "WITH guests AS (SELECT id FROM main.guests) SELECT id FROM guests"
    assert rows(sql, dialect) == [(1,), (2,)]


def test_in_duckdb_a_cte_reads_the_table_it_hides() -> None:
    sql = "WITH guests AS (SELECT id + 100 AS id FROM guests) SELECT id FROM guests"
    assert rows(sql, "duckdb") == [(101,), (102,)]


@both
def test_filters_with_or_and_comments_stay_whole(dialect: str) -> None:
    allowed = allow(dialect, filters={"guests": "city = 'Rome' OR city = 'Bonn' -- two towns"})
    assert rows("SELECT id FROM guests WHERE id < 3", dialect, allowed) == [(2,)]


@both
def test_a_filter_reads_other_tables_whole(dialect: str) -> None:
    """Stays of the guests in Rome, although this person sees no guest in Rome."""
    filters = {
        "guests": "city = 'Oslo'",
        "stays": "guest_id IN (SELECT id FROM guests WHERE city = 'Rome')",
    }
    assert rows("SELECT id FROM stays", dialect, allow(dialect, filters=filters)) == [(11,)]


@both
def test_a_filter_may_read_a_view(dialect: str) -> None:
    filters = {"stays": "guest_id IN (SELECT k FROM oslo)"}
    assert rows("SELECT id FROM stays", dialect, allow(dialect, filters=filters)) == [(10,), (12,)]


@both
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT k FROM oslo", [(3,)]),
        ("SELECT * FROM oslo", [(3, "c@x")]),
        ("SELECT o.k FROM oslo AS o JOIN guests g ON g.id = o.k", [(3,)]),
        ("SELECT g.id, o.k FROM guests g LEFT JOIN oslo o ON o.k = g.id WHERE g.id IN (1, 3)",
         [(1, None), (3, 3)]),
        ("SELECT id FROM guests WHERE id IN (SELECT k FROM main.oslo)", [(3,)]),
        ("SELECT count(*) FROM guests", [(4,)]),
    ],
)  # fmt: skip
def test_promise_03_a_filter_on_a_view_limits_the_view(
    dialect: str, sql: str, expected: list[tuple[object, ...]]
) -> None:
    allowed = allow(dialect, filters={"oslo": "k > 1 AND oslo.mail <> 'x'"})
    assert rows(sql, dialect, allowed) == sorted(expected, key=repr)


@both
def test_promise_03_a_filter_on_a_view_adds_to_those_of_its_tables(dialect: str) -> None:
    allowed = allow(dialect, filters={**MINE, "everyone": "city = 'Oslo'"})
    assert rows("SELECT id FROM everyone", dialect, allowed) == [(1,)]
    assert rows("SELECT id FROM everyone_again", dialect, allowed) == [(1,)]


@both
def test_a_filter_may_read_a_hidden_column_and_the_engine_is_told(dialect: str) -> None:
    allowed = allow(dialect, hidden={"guests": {"tenant", "name"}})
    query = guarded("SELECT * FROM guests", dialect, allowed)
    assert names("SELECT * FROM guests", dialect, allowed) == ["id", "mail", "city"]
    assert rows("SELECT id FROM guests", dialect, allowed) == [(1,), (2,)]
    readable = dict(query.readable)
    assert set(readable["guests"]) == {"id", "mail", "city", "tenant"}


@both
def test_readable_names_base_tables_and_what_filters_read(dialect: str) -> None:
    allowed = allow(dialect, filters={"stays": MINE["stays"]}, without=("guests", "oslo"))
    readable = dict(guarded("SELECT id FROM stays", dialect, allowed).readable)
    assert set(readable) == {"stays", "rooms", "guests"}
    assert {"id", "tenant"} <= set(readable["guests"])
    assert "mail" not in readable["guests"]


@both
@pytest.mark.parametrize("text", ["", "tenant =", "1) OR (1", "1; DROP TABLE guests", "nowhere()("])
def test_a_filter_that_cannot_be_read_closes_the_table(dialect: str, text: str) -> None:
    allowed = allow(dialect, filters={"guests": text})
    assert refused("SELECT id FROM guests", dialect, allowed) == "policy.row_filter"


@both
def test_a_filter_over_an_unknown_table_closes_the_table(dialect: str) -> None:
    allowed = allow(dialect, filters={"guests": "id IN (SELECT id FROM nowhere)"})
    assert refused("SELECT id FROM guests", dialect, allowed) == "policy.row_filter"


@both
@pytest.mark.parametrize(
    "sql", ["SELECT id FROM stays", "SELECT 1 FROM rooms, stays", "SELECT (SELECT 1 FROM stays)"]
)
def test_a_table_out_of_reach_is_refused(dialect: str, sql: str) -> None:
    allowed = allow(dialect, filters={}, without=("stays",))
    assert refused(sql, dialect, allowed) == "table.not_allowed"


@both
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM rooms", ["number", "city"]),
        ("SELECT r.*, 1 AS one FROM rooms r", ["number", "city", "one"]),
        ("SELECT * FROM rooms JOIN stays USING (city)",
         ["number", "city", "id", "guest_id", "nights"]),
        ("SELECT * FROM rooms NATURAL JOIN stays", ["number", "city", "id", "guest_id", "nights"]),
        ("SELECT * FROM oslo", ["k", "mail"]),
        ("SELECT * FROM (SELECT city AS a, city AS b FROM rooms)", ["a", "b"]),
        ("SELECT t.* FROM rooms r JOIN (SELECT city AS a FROM stays) t ON t.a = r.city", ["a"]),
    ],
)  # fmt: skip
def test_stars_become_the_columns_in_the_engines_order(
    dialect: str, sql: str, expected: list[str]
) -> None:
    assert names(sql, dialect) == expected
    original = [column[0] for column in database(dialect).execute(sql).description]
    assert original == expected
    assert [o.name for o in guarded(sql, dialect).lineage.columns] == expected


@both
def test_no_star_over_a_base_table_is_left(dialect: str) -> None:
    """A column added after the catalog was read must not come back."""
    for sql in ("SELECT * FROM rooms", "SELECT x.* FROM rooms x", "SELECT * FROM rooms, stays"):
        assert "*" not in guarded(sql, dialect).sql


def test_a_whole_row_holds_the_readable_columns_only() -> None:
    allowed = allow("duckdb", hidden={"guests": {"mail", "tenant"}, "rooms": {"city"}})
    assert rows("SELECT r FROM rooms r", "duckdb", allowed) == [
        ({"number": 100},),
        ({"number": 101},),
    ]
    assert names("SELECT * FROM guests AS g(a, b, c)", "duckdb", allowed) == ["a", "b", "c"]


@both
def test_natural_joins_ignore_hidden_columns(dialect: str) -> None:
    allowed = allow(dialect, filters={}, hidden={"rooms": {"city"}})
    assert len(rows("SELECT * FROM rooms NATURAL JOIN stays", dialect, allowed)) == 10


@both
@pytest.mark.parametrize(
    "sql",
    [
        "DESCRIBE guests",
        "EXPLAIN SELECT 1",
    ],
)
def test_only_queries_are_rewritten(dialect: str, sql: str) -> None:
    try:
        statement = parse(sql, dialect)
    except Refused:
        pytest.skip(f"{dialect} does not parse it")
    with pytest.raises(Refused) as caught:
        rewrite(statement, allow(dialect), catalog(dialect))
    assert caught.value.refusal.rule == "rewrite.not_a_query"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COLUMNS('i.*') FROM rooms",
        "SELECT * LIKE 'n%' FROM rooms",
        "SELECT count(*) FROM (SELECT COLUMNS(*) FROM rooms)",
        "SELECT * FROM rooms PIVOT (count(*) FOR city IN ('Oslo'))",
        "SELECT city FROM rooms UNION BY NAME SELECT city FROM stays",
    ],
)
def test_columns_that_cannot_be_told_are_refused(sql: str) -> None:
    assert refused(sql, "duckdb") == "rewrite.untraceable"


def test_a_join_word_that_sqlite_takes_for_an_alias_is_refused() -> None:
    sql = "SELECT * FROM rooms SEMI JOIN stays USING (city)"
    assert refused(sql, "sqlite") == "rewrite.untraceable"
    assert len(rows(sql, "duckdb")) == 2


def test_a_table_after_in_is_filtered() -> None:
    """SQLite reads `x IN t` as `x IN (SELECT * FROM t)`."""
    query = guarded("SELECT number FROM rooms WHERE 'x' IN guests", "sqlite")
    assert "WHERE (tenant = 1)" in query.sql


def test_a_table_after_in_that_no_select_stands_for_is_refused() -> None:
    statement = parse("SELECT number FROM rooms WHERE number IN (1)", "sqlite")
    membership = statement.tree.find(exp.In)
    membership.set("expressions", None)
    membership.set("field", exp.column("guests"))
    with pytest.raises(Refused) as caught:
        rewrite(statement, allow("sqlite"), catalog("sqlite"))
    assert caught.value.refusal.rule == "rewrite.in_table"


def test_a_view_with_a_hidden_column_is_refused_rather_than_shifted() -> None:
    """Fewer names than columns would give the hidden column the next one's name."""
    dialect = "duckdb"
    view = catalog(dialect).table("everyone")
    assert view is not None
    narrowed = Catalog(
        source="s",
        dialect=dialect,
        tables=tuple(
            Catalog.only(t, t.columns[1:]) if t.name == "everyone" else t
            for t in catalog(dialect).tables
        ),
    )
    with pytest.raises(Refused) as caught:
        rewrite(parse("SELECT name FROM everyone", dialect), allow(dialect), narrowed)
    assert caught.value.refusal.rule == "rewrite.untraceable"


@both
def test_the_query_carries_what_the_engine_needs(dialect: str) -> None:
    query = guarded("SELECT city, mail FROM guests", dialect)
    assert (query.dialect, query.source) == (dialect, "schema")
    assert (query.max_rows, query.max_bytes, query.timeout_ms) == (1_000, 50_000_000, 1_500)
    assert [o.sources for o in query.lineage.columns] == [
        {("guests", "city")},
        {("guests", "mail")},
    ]
    assert not query.lineage.tagged_predicate


@both
def test_the_lineage_is_that_of_the_statement_as_written(dialect: str) -> None:
    """A filter on a tagged column is the policy's doing, not the person's."""
    allowed = allow(dialect, filters={"guests": "mail = 'a@x'"})
    assert not guarded("SELECT id FROM guests", dialect, allowed).lineage.tagged_predicate


@both
def test_comments_do_not_reach_the_engine(dialect: str) -> None:
    sql = guarded("SELECT /* one */ city -- two\nFROM rooms /* three */", dialect).sql
    assert "one" not in sql
    assert "--" not in sql
    assert "/*" not in sql


def test_casts_keep_their_meaning_in_sqlite() -> None:
    sql = "SELECT CAST('2024-05-06' AS DATE), typeof(CAST(4 AS NUMERIC)), CAST(2.5 AS BOOLEAN)"
    assert rows(sql, "sqlite") == database("sqlite").execute(sql).fetchall()


@both
def test_a_short_window_frame_may_be_written_out(dialect: str) -> None:
    sql = "SELECT id, sum(nights) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) FROM stays"
    assert (
        rows(sql, dialect, allow(dialect, filters={})) == database(dialect).execute(sql).fetchall()
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT $$it's$$, e'a\\tb' FROM rooms",
        "SELECT struct_pack(n := number) FROM rooms",
        "SELECT bool_and(number > 100) OVER (PARTITION BY city) FROM rooms",
        "SELECT number::VARCHAR || city FROM rooms",
    ],
)
def test_what_duckdb_spells_in_two_ways_is_rewritten_all_the_same(sql: str) -> None:
    assert rows(sql, "duckdb") == sorted(database("duckdb").execute(sql).fetchall(), key=repr)


def test_other_words_must_carry_the_same_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is the one spelling of its tree, but shows another column."""
    text = "SELECT mail FROM (SELECT mail FROM main.guests WHERE (tenant = 1)) AS g LIMIT 1001"
    monkeypatch.setattr("guard.rewriting.settled.render", lambda *_: text)
    assert refused("SELECT city FROM guests", "duckdb") == "rewrite.changed"


def test_promise_02_other_words_must_hold_the_same_constants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The text is the one spelling of its tree and shows the same column, of other rows."""
    asked = "SELECT city FROM rooms WHERE number = $$1$$"
    text = guarded(asked, "duckdb").sql
    assert "= '1'" in text
    monkeypatch.setattr("guard.rewriting.settled.render", lambda *_: text.replace("= '1'", "= '2'"))
    assert refused(asked, "duckdb") == "rewrite.changed"


def test_a_comma_in_sqlite_stays_a_join_the_engine_may_reorder() -> None:
    assert "CROSS" not in guarded("SELECT 1 FROM rooms, stays", "sqlite").sql


@both
def test_promise_02_text_that_reads_back_otherwise_is_refused(
    dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guard.rewriting.settled.render", lambda tree, _: "SELECT id FROM guests")
    assert refused("SELECT number FROM rooms", dialect) == "rewrite.changed"


@both
def test_promise_02_a_rendering_that_changes_the_tree_is_held_to_the_one_it_was_given(
    dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiling(tree: exp.Expression, spoken: str) -> str:
        for name in tree.find_all(exp.Identifier):
            if name.name == "city":
                name.set("this", "mail")
        return render(tree, spoken)

    monkeypatch.setattr("guard.rewriting.settled.render", spoiling)
    assert refused("SELECT city FROM guests", dialect) == "rewrite.changed"


@both
def test_promise_02_a_table_left_without_its_filter_is_refused(
    dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finished text is checked on its own, whatever put it together."""
    monkeypatch.setattr("guard.rewriting.tables.Tables.bind", lambda self, tree, **_: tree)
    for sql in (
        "SELECT id FROM guests",
        "SELECT number FROM rooms WHERE city IN (SELECT city FROM guests)",
        "SELECT id FROM (SELECT id FROM main.guests WHERE (tenant = 1) OR 1 = 1) t",
        "SELECT id FROM (SELECT g.id FROM guests g JOIN rooms ON true WHERE (tenant = 1)) t",
    ):
        assert refused(sql, dialect) == "rewrite.unfiltered"


def test_promise_03_only_the_rewrite_can_build_a_guarded_query() -> None:
    query = guarded("SELECT number FROM rooms", "sqlite")
    fields = {f.name: getattr(query, f.name) for f in dataclasses.fields(query)}
    with pytest.raises(TypeError):
        GuardedQuery(**fields)
    for seal in (None, object(), True, "seal"):
        with pytest.raises(TypeError):
            GuardedQuery(**fields, seal=seal)
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(query, sql="SELECT mail FROM guests")
    with pytest.raises(dataclasses.FrozenInstanceError):
        query.sql = "SELECT mail FROM guests"


def test_a_table_in_no_known_schema_is_not_confused_with_a_cte() -> None:
    tables = (Table(name="t", columns=(Column(name="a", type="int"),)),)
    mysql = Catalog(source="s", dialect="mysql", tables=tables)
    terms = Terms(limits=Limits(), row_filters=(), readable=(("t", ("a",)),))
    allowed = Allow(rule="r", reason="r", terms=terms)
    statement = parse("WITH t AS (SELECT a FROM t) SELECT a FROM t", "mysql")
    with pytest.raises(Refused) as caught:
        rewrite(statement, allowed, mysql)
    assert caught.value.refusal.rule == "rewrite.schema"


@both
def test_a_statement_too_long_with_its_filters_is_refused(dialect: str) -> None:
    many = " UNION ALL ".join(["SELECT id FROM stays"] * 240)
    assert refused(many, dialect) == "rewrite.too_long"


@both
def test_nested_subqueries_are_rewritten(dialect: str) -> None:
    sql = "SELECT number FROM rooms"
    for level in range(12):
        sql = f"SELECT number FROM ({sql}) AS t{level}"
    assert rows(sql, dialect) == [(100,), (101,)]


@both
def test_running_out_of_stack_is_a_refusal(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("guard.rewrite.expand_views", fail)
    assert refused("SELECT number FROM rooms", dialect) == "rewrite.too_long"


@both
def test_stars_that_double_without_end_are_refused(dialect: str) -> None:
    steps = ", ".join(f"s{n} AS (SELECT *, * FROM s{n - 1})" for n in range(1, 30))
    sql = f"WITH s0 AS (SELECT * FROM rooms), {steps} SELECT count(*) FROM s29"
    assert refused(sql, dialect) == "rewrite.untraceable"


@both
def test_a_long_chain_of_ctes_is_rewritten(dialect: str) -> None:
    steps = ", ".join(f"s{n} AS (SELECT number FROM s{n - 1})" for n in range(1, 60))
    sql = f"WITH s0 AS (SELECT number FROM rooms), {steps} SELECT max(number) FROM s59"
    assert rows(sql, dialect) == [(101,)]


@both
def test_rewriting_changes_nothing_it_is_given(dialect: str) -> None:
    statement = parse("SELECT * FROM everyone JOIN stays USING (id)", dialect)
    before = statement.tree.copy()
    rewrite(statement, allow(dialect), catalog(dialect))
    rewrite(statement, allow(dialect), catalog(dialect))
    assert statement.tree == before


@both
def test_promise_03_what_is_kept_of_a_table_never_becomes_a_part_of_a_statement(
    dialect: str,
) -> None:
    """A node has one parent: one that two statements shared would lead from one into the other."""
    for sql in (
        "SELECT * FROM guests",
        "SELECT * FROM guests JOIN stays USING (id)",
        "SELECT * FROM guests NATURAL JOIN rooms",
        "SELECT q.* FROM (SELECT * FROM guests) q JOIN rooms r ON r.city = q.city",
        "SELECT * FROM guests a, guests b",
    ):
        guarded(sql, dialect)
    reach = _in_reach(Same(catalog(dialect)), allow(dialect).terms.readable)
    for table in reach.tables:
        kept, _ = _columns_of(Same(table))
        assert [c.written.parent for c in kept if c.written] == [None] * len(table.columns)
