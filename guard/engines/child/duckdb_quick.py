"""The rows of a plain change in DuckDB by their key, without a copy of the whole table.

`UPDATE ... RETURNING key` names the rows it made. A second connection to the same database still
sees them as they were. When every key it names was there before, the rows it read are the same
ones: keys are unique, so none of them can have come from anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from guard.engines.child.duckdb_tables import Table
from guard.engines.child.images import Row
from guard.engines.child.names import quoted

_PLAIN = re.compile(r"\s*(update|delete|insert)\b", re.IGNORECASE)
_NOT_PLAIN = re.compile(r"\b(returning|conflict|replace|ignore|merge|with)\b", re.IGNORECASE)
_MOMENT = re.compile(r"\bcurrent_|\blocaltime|\btoday\b", re.IGNORECASE)

_moving: set[str] = set()
"""Functions that may give another value the second time; asked once a process."""

Texts = tuple[str | None, ...]


def verb_of(sql: str, table: Table) -> str | None:
    """Returns `update`, `delete` or `insert` for a plain change of a table with a key, or None."""
    found = _PLAIN.match(sql)
    if found is None or not table.primary_key or _NOT_PLAIN.search(sql):
        return None
    return found[1].lower()


def run(
    connection: duckdb.DuckDBPyConnection, old: duckdb.DuckDBPyConnection, sql: str, table: Table
) -> tuple[list[Texts], list[Texts]] | None:
    """Runs the change; returns the rows before and after, or None where keys alone do not tell.

    `old` is in a transaction that began before.
    """
    verb = verb_of(sql, table)
    keys = ", ".join(f"CAST({quoted(c)} AS VARCHAR)" for c in table.primary_key)
    named = connection.execute(f"{sql.rstrip().rstrip(';')}\nRETURNING {keys}").fetchall()
    before = [] if verb == "insert" else rows_of(old, table, named)
    after = [] if verb == "delete" else rows_of(connection, table, named)
    if verb == "insert" and rows_of(old, table, named):
        return None
    expected = {"insert": (0, len(named)), "delete": (len(named), 0)}
    if (len(before), len(after)) != expected.get(verb or "", (len(named), len(named))):
        return None
    return before, after


def keys_in(image: Mapping[str, Any], table: Table) -> list[Texts]:
    """Returns the keys of the rows that putting an image back touches, each once."""
    places = [table.columns.index(c) for c in table.primary_key]
    rows = [row for pair in image["rows"] for row in pair if row is not None]
    return list(dict.fromkeys(tuple(row[i] for i in places) for row in rows))


def rows_of(
    connection: duckdb.DuckDBPyConnection, table: Table, keys: Sequence[Row]
) -> list[Texts]:
    """Returns the rows with these keys, as texts."""
    if not keys:
        return []
    types = dict(zip(table.columns, table.types, strict=True))
    cast = ", ".join(
        f"CAST(unnest(${n + 1}::VARCHAR[]) AS {types[c]}) AS k{n}"
        for n, c in enumerate(table.primary_key)
    )
    on = " AND ".join(f"t.{quoted(c)} = k.k{n}" for n, c in enumerate(table.primary_key))
    cells = ", ".join(f"CAST(t.{quoted(c)} AS VARCHAR)" for c in table.columns)
    given = [[_text(key[n]) for key in keys] for n in range(len(table.primary_key))]
    return connection.execute(
        f"SELECT {cells} FROM main.{table.quoted} t JOIN (SELECT {cast}) k ON {on}", given
    ).fetchall()


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def is_fixed(connection: duckdb.DuckDBPyConnection, sql: str, tables: Sequence[Table]) -> bool:
    """True when nothing that the statement runs can give another value the second time."""
    if _MOMENT.search(sql) or any("(" in (d or "") for t in tables for d in t.defaults):
        return False
    words = {w.lower() for w in re.findall(r"[A-Za-z_][A-Za-z_0-9]*", sql)}
    if not _moving:
        found = connection.execute(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions() "
            "WHERE stability <> 'CONSISTENT'"
        )
        _moving.update(r[0] for r in found.fetchall())
    return not words & _moving
