"""Random queries over a small schema, as hypothesis strategies, for SQLite and DuckDB."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Protocol

import duckdb
from hypothesis import assume
from hypothesis import strategies as st

from guard.catalog import Catalog
from guard.engines.child.duckdb_reader import SETTINGS
from guard.schematext import read_schema

SCHEMA = """
CREATE TABLE people(id INTEGER, name TEXT, email TEXT, city TEXT, age INTEGER, boss INTEGER);
CREATE TABLE sales(id INTEGER, person INTEGER, amount INTEGER, note TEXT, city TEXT);
CREATE TABLE items(sku TEXT, city TEXT, n INTEGER);
CREATE VIEW contacts AS SELECT id AS k, email AS c, city FROM people;
CREATE VIEW everyone AS SELECT * FROM people;
CREATE VIEW towns(town, heads) AS SELECT city, count(*) FROM people GROUP BY city;
"""
TAGS = {
    "people.name": "PERSON",
    "people.email": "EMAIL_ADDRESS",
    "sales.note": "FREE_TEXT",
}
COLUMNS = {
    "people": {
        "id": "int", "name": "pii", "email": "pii", "city": "text", "age": "int", "boss": "int",
    },
    "sales": {"id": "int", "person": "int", "amount": "int", "note": "pii", "city": "text"},
    "items": {"sku": "text", "city": "text", "n": "int"},
    "contacts": {"k": "int", "c": "pii", "city": "text"},
    "everyone": {
        "id": "int", "name": "pii", "email": "pii", "city": "text", "age": "int", "boss": "int",
    },
    "towns": {"town": "text", "heads": "int"},
}  # fmt: skip
CITIES = ("Oslo", "Rome", "Bonn")


class Connection(Protocol):
    """What both drivers offer."""

    def execute(self, sql: str, /) -> object: ...


def catalog(dialect: str) -> Catalog:
    """The schema as the guard knows it."""
    return read_schema(SCHEMA, dialect=dialect).tagged(TAGS)


def connect(dialect: str) -> sqlite3.Connection | duckdb.DuckDBPyConnection:
    """An empty database in memory, its optimizer set as the product sets it."""
    if dialect == "sqlite":
        return sqlite3.connect(":memory:")
    return duckdb.connect(config={"disabled_optimizers": SETTINGS["disabled_optimizers"]})


def filled(dialect: str, *, other_people: bool = False):
    """A database with the schema and rows.

    With `other_people` the tagged columns hold other values, one for one, in another order; all
    else is the same.
    """
    connection = connect(dialect)
    for statement in SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)
    for table, rows in _rows(other_people).items():
        for row in rows:
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join(map(literal, row))})")
    return connection


def rows_of(connection, sql: str) -> tuple[int, list[tuple[object, ...]]]:
    """The width and the rows of a query; rejects the example where SQLite cannot run it.

    SQLite before 3.46 calls the merged column of `*` ambiguous after a third, outer join.
    """
    try:
        cursor = connection.execute(sql)
    except sqlite3.OperationalError as error:
        assume("ambiguous column name" not in str(error))
        raise
    return len(cursor.description), cursor.fetchall()


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else str(value)


def _rows(other_people: bool) -> dict[str, list[tuple[object, ...]]]:
    def secret(kind: str, number: int | None) -> str | None:
        if number is None:
            return None
        shuffled = (number * 7 + 3) % 11 if other_people else number
        letter = "uvwxyzopqrs"[shuffled] if other_people else "abcdefghijk"[shuffled]
        return f"{letter}{kind}{shuffled * 13 % 17}"

    people = [
        (
            n,
            secret("n", n % 5),
            secret("e", n),
            CITIES[n % 3],
            20 + n % 4,
            None if n < 2 else n // 2,
        )
        for n in range(8)
    ]
    sales = [
        (n + 3, n % 9, 10 * (n % 4), secret("s", None if n == 4 else n % 6), CITIES[(n + 1) % 3])
        for n in range(10)
    ]
    items = [(f"sku{n}", CITIES[(n * 2) % 3], n % 4) for n in range(6)]
    return {"people": people, "sales": sales, "items": items}


@dataclass(frozen=True)
class Made:
    """A query under construction: its text and the kinds of its columns, by name."""

    sql: str
    columns: dict[str, str]


@dataclass(frozen=True)
class Source:
    """A relation in a FROM clause under its alias."""

    sql: str
    alias: str
    columns: dict[str, str]
    stored: bool = False


@st.composite
def queries(draw: st.DrawFn, dialect: str, *, duplicates: bool = True) -> str:
    """A query; without `duplicates` nothing in it removes equal rows."""
    return draw(_query(dialect, 2, (), duplicates)).sql


@st.composite
def _query(
    draw: st.DrawFn, dialect: str, depth: int, ctes: tuple[Source, ...], duplicates: bool
) -> Made:
    shape = (
        draw(st.sampled_from(("select", "select", "select", "set", "cte"))) if depth else "select"
    )
    if shape == "cte":
        inner = draw(_query(dialect, depth - 1, ctes, duplicates))
        name = draw(st.sampled_from(("step", "people", "items")))
        known = Source(sql=name, alias=name, columns=inner.columns)
        if dialect == "sqlite" and _names(inner.sql, name):
            return inner
        body = draw(_query(dialect, depth - 1, (*_without(ctes, name), known), duplicates))
        if body.sql.startswith("WITH"):
            return body if not _names(body.sql, name) else inner
        return Made(sql=f"WITH {name} AS ({inner.sql}) {body.sql}", columns=body.columns)
    if shape == "set":
        left = draw(_select(dialect, depth - 1, ctes, duplicates, grouped=False))
        right = draw(_select(dialect, depth - 1, ctes, duplicates, grouped=False))
        width = min(len(left.columns), len(right.columns))
        verbs = ("UNION ALL", "UNION", "EXCEPT", "INTERSECT") if duplicates else ("UNION ALL",)
        verb = draw(st.sampled_from(verbs))
        kinds = {
            f"c{n}": "pii" if "pii" in (a, b) else "text"
            for n, (a, b) in enumerate(
                zip(list(left.columns.values())[:width], right.columns.values(), strict=False)
            )
        }
        parts = [
            "SELECT " + ", ".join(f"CAST(c{n} AS TEXT) AS c{n}" for n in range(width))
            + f" FROM ({side.sql}) AS s"
            for side in (left, right)
        ]  # fmt: skip
        return Made(sql=f" {verb} ".join(parts), columns=kinds)
    return draw(_select(dialect, depth, ctes, duplicates, grouped=draw(st.booleans())))


def _names(sql: str, name: str) -> bool:
    """True when the text reads the name, or a view over the table of that name."""
    views = {"people": ("contacts", "everyone", "towns")}
    return any(word in sql.replace("(", " ").split() for word in (name, *views.get(name, ())))


def _without(ctes: tuple[Source, ...], name: str) -> tuple[Source, ...]:
    return tuple(c for c in ctes if c.alias != name)


@st.composite
def _source(
    draw: st.DrawFn, dialect: str, depth: int, ctes: tuple[Source, ...], alias: str, dup: bool
) -> Source:
    hidden = {c.alias for c in ctes}
    views = ("contacts", "everyone", "towns") if "people" not in hidden else ()
    tables = [t for t in ("people", "sales", "items", *views) if t not in hidden]
    options = [Source(sql=t, alias=alias, columns=COLUMNS[t], stored=True) for t in tables]
    options += [Source(sql=c.sql, alias=alias, columns=c.columns) for c in ctes]
    options.append(Source(sql="main.people", alias=alias, columns=COLUMNS["people"], stored=True))
    if depth and draw(st.integers(0, 3)) == 0:
        inner = draw(_query(dialect, depth - 1, ctes, dup))
        return Source(sql=f"({inner.sql}) AS {alias}", alias=alias, columns=inner.columns)
    chosen = draw(st.sampled_from(options))
    return replace(chosen, sql=f"{chosen.sql} AS {alias}")


@st.composite
def _select(
    draw: st.DrawFn,
    dialect: str,
    depth: int,
    ctes: tuple[Source, ...],
    duplicates: bool,
    grouped: bool,
) -> Made:
    sources = [draw(_source(dialect, depth, ctes, "a", duplicates))]
    text = sources[0].sql
    for alias in ("b", "d")[: draw(st.integers(0, 2))]:
        right = draw(_source(dialect, depth, ctes, alias, duplicates))
        text = draw(_joined(text, sources, right))
        sources.append(right)
    where = draw(_condition(dialect, sources, ctes, duplicates)) if draw(st.booleans()) else ""
    tail = f" FROM {text}{f' WHERE {where}' if where else ''}"
    if grouped:
        return draw(_aggregated(sources, tail))
    star = draw(st.sampled_from(("", "", "*", "a.*")))
    if star and depth < 2:
        star = ""
    outputs = draw(st.lists(_output(dialect, sources), min_size=1, max_size=3))
    listed = [f"{sql} AS c{n}" for n, (sql, _) in enumerate(outputs)]
    columns = {f"c{n}": kind for n, (_, kind) in enumerate(outputs)}
    distinct = "DISTINCT " if duplicates and draw(st.integers(0, 4)) == 0 else ""
    if star and not distinct:
        listed.append(star)
    return Made(sql=f"SELECT {distinct}{', '.join(listed)}{tail}", columns=columns)


@st.composite
def _joined(draw: st.DrawFn, left: str, sources: list[Source], right: Source) -> str:
    kind = draw(
        st.sampled_from(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ","))
    )
    if kind == ",":
        return f"{left}, {right.sql}" if "JOIN" not in left else f"{left} CROSS JOIN {right.sql}"
    if kind == "CROSS JOIN":
        return f"{left} CROSS JOIN {right.sql}"
    shared = [c for c in sources[0].columns if c in right.columns]
    if len(sources) == 1 and shared and sources[0].stored and right.stored and draw(st.booleans()):
        return f"{left} {kind} {right.sql} USING ({draw(st.sampled_from(shared))})"
    a, b = draw(_plain(sources[-1:])), draw(_plain([right]))
    return f"{left} {kind} {right.sql} ON CAST({a[0]} AS TEXT) = CAST({b[0]} AS TEXT)"


@st.composite
def _column(draw: st.DrawFn, sources: list[Source]) -> tuple[str, str]:
    source = draw(st.sampled_from(sources))
    name = draw(st.sampled_from(sorted(source.columns)))
    return f"{source.alias}.{name}", source.columns[name]


@st.composite
def _plain(draw: st.DrawFn, sources: list[Source]) -> tuple[str, str]:
    """A column, seldom one with personal data: those make every row depend on it."""
    column, kind = draw(_column(sources))
    if kind == "pii" and draw(st.integers(0, 5)):
        column, kind = draw(_column(sources))
    return column, kind


@st.composite
def _output(draw: st.DrawFn, dialect: str, sources: list[Source]) -> tuple[str, str]:
    (a, kind), (b, other) = draw(_column(sources)), draw(_column(sources))
    worst = "pii" if "pii" in (kind, other) else "text"
    made = draw(
        st.sampled_from(
            (
                (a, kind),
                (a, kind),
                (f"upper(CAST({a} AS TEXT))", kind),
                (f"substr(CAST({a} AS TEXT), 1, 1)", kind),
                (f"CAST({a} AS TEXT) || '-' || CAST({b} AS TEXT)", worst),
                (f"CASE WHEN {a} IS NULL THEN CAST({b} AS TEXT) ELSE 'x' END", worst),
                (f"coalesce(CAST({a} AS TEXT), CAST({b} AS TEXT))", worst),
                (f"CAST({a} AS TEXT) < CAST({b} AS TEXT)", worst),
                (f"count(*) OVER (PARTITION BY {a})", "int"),
                (f"max(CAST({a} AS TEXT)) OVER (PARTITION BY {b})", worst),
                (f"rank() OVER (ORDER BY {a})", kind),
                (f"(SELECT max(z.email) FROM main.people AS z WHERE z.city = CAST({a} AS TEXT))",
                 "pii"),
                (f"(SELECT count(*) FROM main.items AS z WHERE z.city = CAST({a} AS TEXT))", "int"),
                (f"EXISTS (SELECT 1 FROM main.sales AS z WHERE z.note = CAST({a} AS TEXT))", "pii"),
                ("7", "int"),
            )
        )
    )  # fmt: skip
    return made


@st.composite
def _condition(
    draw: st.DrawFn,
    dialect: str,
    sources: list[Source],
    ctes: tuple[Source, ...],
    duplicates: bool,
) -> str:
    a, b = draw(_plain(sources))[0], draw(_plain(sources))[0]
    return draw(
        st.sampled_from(
            (
                f"CAST({a} AS TEXT) = CAST({b} AS TEXT)",
                f"{a} IS NOT NULL",
                f"CAST({a} AS TEXT) IN (SELECT z.city FROM main.people AS z WHERE z.age > 21)",
                f"NOT EXISTS (SELECT 1 FROM main.sales AS z WHERE z.city = CAST({a} AS TEXT))",
                f"CAST({a} AS TEXT) > (SELECT min(z.name) FROM main.people AS z)",
                f"CAST({a} AS TEXT) IN ('Oslo', '3', '20') OR {b} IS NULL",
            )
        )
    )


@st.composite
def _aggregated(draw: st.DrawFn, sources: list[Source], tail: str) -> Made:
    key, kind = draw(_column(sources))
    value, other = draw(_column(sources))
    function, result = draw(
        st.sampled_from(
            (
                ("count(*)", "int"),
                (f"count({value})", "int"),
                (f"count(DISTINCT {value})", "int"),
                (f"max(CAST({value} AS TEXT))", other),
                (f"min(CAST({value} AS TEXT))", other),
                (f"sum(length(CAST({value} AS TEXT)))", other),
                (f"count(*) FILTER (WHERE {value} IS NOT NULL)", "int"),
            )
        )
    )
    if draw(st.integers(0, 3)) == 0:
        return Made(sql=f"SELECT {function} AS c0{tail}", columns={"c0": result})
    sql = f"SELECT {key} AS c0, {function} AS c1{tail} GROUP BY {key}"
    return Made(sql=sql, columns={"c0": kind, "c1": result})
