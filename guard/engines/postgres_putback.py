"""The statements that put rows back one by one: what was added goes, what is gone comes back.

A row is found by its key and compared in all stored columns; every one must be as the change left
it. Rows come as texts, some thousands a statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import psycopg

from guard.engines.child.faults import Fault
from guard.engines.postgres_tables import Connection, Table, rows

_T = TypeVar("_T")
_CHUNK = 5_000
Texts = list[str | None]
Part = tuple[Table, list[tuple[Texts | None, Texts | None]]]
"""A table and its rows, each before and after the change."""


def put_back(writer: Connection, parts: Sequence[Part], *, whole: bool) -> None:
    """Removes, changes and adds rows.

    Where a column differs that the engine alone may set, the row is removed and added; with `whole`
    also where a unique one does: values may have moved from row to row.
    """
    adding = []
    for table, kept in parts:
        fixed = {c.name for c in table.columns if c.always_identity}
        if whole:
            fixed |= unique_columns(writer, table)
        places = [i for i, c in enumerate(table.columns) if c.name in fixed]
        removed, changed, added = [], [], []
        for before, after in kept:
            if before and after and all(before[i] == after[i] for i in places):
                changed.append((before, after))
                continue
            if after:
                removed.append(after)
            if before:
                added.append(before)
        _remove(writer, table, removed)
        _set(writer, table, changed)
        adding.append((table, added))
    for table, added in reversed(adding):
        _add(writer, table, added)


def unique_columns(connection: Connection, table: Table) -> set[str]:
    """Returns the columns of unique and excluding indexes; every column if one has expressions."""
    found = rows(
        connection,
        "SELECT a.attname, i.indexprs IS NOT NULL FROM pg_index i LEFT JOIN pg_attribute a "
        "ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) AND a.attnum > 0 "
        "WHERE i.indrelid = $1::oid AND (i.indisunique OR i.indisexclusion)",
        table.oid,
    )
    return set(table.names) if any(r[1] for r in found) else {r[0] for r in found}


def _remove(writer: Connection, table: Table, gone: Sequence[Texts]) -> None:
    if not table.primary_key:
        for part in chunks(gone):
            _remove_equal(writer, table, part)
        return
    for part in chunks(gone):
        _hits(
            writer,
            f"DELETE FROM {table.quoted} t USING {given(table, 'a')} WHERE {same(table, 'a')}",
            arrays(table, part),
            len(part),
        )


def _remove_equal(writer: Connection, table: Table, gone: Sequence[Texts]) -> None:
    """Removes as many equal rows as are given, whichever of them."""
    cells = ", ".join(f"a{i}" for i in range(len(table.columns)))
    texts = ", ".join(f"{c.text('t')} AS a{i}" for i, c in enumerate(table.columns))
    same = " AND ".join(f"g.a{i} IS NOT DISTINCT FROM w.a{i}" for i in range(len(table.columns)))
    _hits(
        writer,
        f"DELETE FROM {table.quoted} d USING (SELECT g.relation, g.place FROM (SELECT *, "
        f"row_number() OVER (PARTITION BY {cells}) AS n FROM {given(table, 'a')}) w "
        f"JOIN (SELECT *, row_number() OVER (PARTITION BY {cells}) AS n FROM (SELECT t.tableoid "
        f"AS relation, t.ctid AS place, {texts} FROM {table.quoted} t) r) g "
        f"ON g.n = w.n AND {same}) found WHERE d.tableoid = found.relation "
        "AND d.ctid = found.place",
        arrays(table, gone),
        len(gone),
    )


def _set(writer: Connection, table: Table, pairs: Sequence[tuple[Texts, Texts]]) -> None:
    free = [
        (i, c)
        for i, c in enumerate(table.columns)
        if c.name not in table.primary_key and not c.always_identity
    ]
    sets = ", ".join(f"{c.quoted} = u.b{i}::{c.type}" for i, c in free)
    for part in chunks(pairs):
        _hits(
            writer,
            f"UPDATE {table.quoted} t SET {sets} FROM {given(table, 'ab')} "
            f"WHERE {same(table, 'a')}",
            [*arrays(table, [a for _, a in part]), *arrays(table, [b for b, _ in part])],
            len(part),
        )


def _add(writer: Connection, table: Table, added: Sequence[Texts]) -> None:
    names = ", ".join(c.quoted for c in table.columns)
    values = ", ".join(f"u.a{i}::{c.type}" for i, c in enumerate(table.columns))
    for part in chunks(added):
        _hits(
            writer,
            f"INSERT INTO {table.quoted} ({names}) OVERRIDING SYSTEM VALUE "
            f"SELECT {values} FROM {given(table, 'a')}",
            arrays(table, part),
            len(part),
        )


def given(table: Table, letters: str) -> str:
    """Returns the parameters as a relation `u` of texts, one letter for each image of a row."""
    names = [f"{letter}{i}" for letter in letters for i in range(len(table.columns))]
    marks = ", ".join(f"${n + 1}::text[]" for n in range(len(names)))
    return f"unnest({marks}) AS u({', '.join(names)})"


def same(table: Table, letter: str) -> str:
    """Returns the condition that `t` is the given row: by its key, then in every column."""
    by_key = [
        f"t.{c.quoted} = u.{letter}{i}::{c.type}"
        for i, c in enumerate(table.columns)
        if c.name in table.primary_key
    ]
    in_full = [
        f"{c.text('t')} IS NOT DISTINCT FROM u.{letter}{i}" for i, c in enumerate(table.columns)
    ]
    return " AND ".join([*by_key, *in_full])


def arrays(table: Table, rows: Sequence[Sequence[str | None]]) -> list[list[str | None]]:
    """Returns the rows as the parameters of `given`, one array a column."""
    return [[row[i] for row in rows] for i in range(len(table.columns))]


def _hits(writer: Connection, statement: str, given: Sequence[object], wanted: int) -> None:
    with psycopg.RawCursor(writer) as cursor:
        if cursor.execute(statement, list(given)).rowcount != wanted:
            raise Fault("changed_since")


def chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yields the items some thousands at a time."""
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
