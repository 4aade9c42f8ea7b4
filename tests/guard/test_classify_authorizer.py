"""SQLite's own authorizer says what a query reads; the guard must not know less."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from guard.catalog import Catalog, Column, Table
from guard.classify import classify
from guard.errors import Refused
from guard.statement import parse
from tests.guard.readsgen import TABLES, VIEWS, Writer

Read = tuple[str, str]
_CHANGES = (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE)


class Engine:
    """An empty database that notes the columns a statement would read."""

    def __init__(self) -> None:
        self.reads: set[Read] = set()
        self.writes: set[str] = set()
        self.database = sqlite3.connect(":memory:")
        for table, columns in TABLES.items():
            self.database.execute(
                f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, {', '.join(columns[1:])})"
            )
        for view, (columns, definition) in VIEWS.items():
            self.database.execute(f"CREATE VIEW {view} ({', '.join(columns)}) AS {definition}")
        self.database.set_authorizer(self._note)

    def _note(self, action: int, table: str | None, column: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_READ and table in TABLES and column:
            self.reads.add((table, column))
        if action in _CHANGES and table in TABLES:
            self.writes.add(table)
        return sqlite3.SQLITE_OK

    def written_by(self, sql: str) -> set[str]:
        """The tables `sql` changes."""
        self.writes = set()
        self.database.execute(f"EXPLAIN {sql}")
        return self.writes

    def read_by(self, sql: str) -> set[Read] | None:
        """The base columns `sql` reads, None where it is not valid."""
        self.reads = set()
        try:
            self.database.execute(f"EXPLAIN {sql}")
        except sqlite3.Error:
            return None
        return self.reads


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    opened = Engine()
    yield opened
    opened.database.close()


def catalog() -> Catalog:
    """The schema as the guard knows it."""
    tables = [
        Table(
            name=n, columns=tuple(Column(name=c, type="", primary_key=c == "id") for c in columns)
        )
        for n, columns in TABLES.items()
    ]
    tables += [
        Table(
            name=n,
            kind="view",
            columns=tuple(Column(name=c, type="") for c in columns),
            definition=definition,
        )
        for n, (columns, definition) in VIEWS.items()
    ]
    return Catalog(source="s", dialect="sqlite", tables=tuple(tables))


CATALOG = catalog()


@given(seed=st.integers(min_value=0))
def test_every_column_the_engine_reads_is_among_the_uses(engine: Engine, seed: int) -> None:
    sql = Writer(random.Random(seed)).query()
    reads = engine.read_by(sql)
    assume(reads is not None)
    try:
        access = classify(parse(sql, "sqlite"), CATALOG)
    except Refused:
        assume(False)
    event("with a problem" if access.problems else "resolved")
    assume(not access.problems)
    assert reads is not None
    assert reads - {(u.table, u.column) for u in access.columns} == set(), sql
    assert {t for t, _ in reads} <= set(access.tables), sql


def test_most_valid_queries_are_resolved_without_a_problem(engine: Engine) -> None:
    valid = resolved = 0
    for seed in range(1_500):
        sql = Writer(random.Random(seed)).query()
        if engine.read_by(sql) is None:
            continue
        valid += 1
        try:
            resolved += not classify(parse(sql, "sqlite"), CATALOG).problems
        except Refused:
            continue
    assert valid > 500
    assert resolved > valid * 0.9


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO sales (id, status) VALUES (1, 'x')",
        "INSERT INTO sales (id, status) SELECT id, name FROM people WHERE ssn > '1'",
        "INSERT INTO sales (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET status = status || 'x'",
        "INSERT OR REPLACE INTO sales (id, amount) SELECT pid, total FROM spent",
        "UPDATE sales SET status = 'x' WHERE amount > 3",
        "UPDATE sales SET status = (SELECT ssn FROM people WHERE people.id = person_id)",
        "UPDATE sales AS s SET status = p.name FROM people AS p WHERE p.id = s.person_id",
        "UPDATE sales SET (amount, status) = (SELECT id, name FROM people)",
        "DELETE FROM sales WHERE person_id IN (SELECT pid FROM contacts WHERE label > 'a')",
        "WITH people AS (SELECT 1 AS id) DELETE FROM sales WHERE id IN people",
        "WITH sales AS (SELECT 1 AS id) DELETE FROM sales WHERE amount = 1",
        "DELETE FROM sales RETURNING status, amount",
    ],
)
def test_a_change_writes_and_reads_no_more_than_the_guard_says(engine: Engine, sql: str) -> None:
    access = classify(parse(sql, "sqlite"), CATALOG)
    assert (access.tier, access.problems) == ("write", ())
    assert engine.written_by(sql) == set(access.writes)
    engine.read_by(sql)
    # What the engine reads of the table it changes, to find and index its rows, is its own affair.
    reads = {r for r in engine.reads if r[0] not in access.writes}
    assert reads <= {(u.table, u.column) for u in access.columns}
