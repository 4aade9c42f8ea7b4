"""The rows of a plain change in DuckDB by their key, without a copy of the whole table.

`UPDATE ... RETURNING key` names the rows it made. A second connection to the same database still
sees them as they were. When every key it names was there before, the rows it read are the same
ones: keys are unique, so none of them can have come from anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb

from guard.engines.child.duckdb_matching import matching
from guard.engines.child.duckdb_tables import Table
from guard.engines.child.faults import Fault
from guard.engines.child.images import Row
from guard.engines.child.names import quoted

_PLAIN = re.compile(r"\s*(update|delete|insert)\b", re.IGNORECASE)
_NOT_PLAIN = re.compile(r"\b(returning|conflict|replace|ignore|merge|with)\b", re.IGNORECASE)
Texts = tuple[str | None, ...]


def verb_of(sql: str, table: Table) -> str | None:
    """Returns `update`, `delete` or `insert` for a plain change of a table with a key, or None."""
    found = _PLAIN.match(sql)
    if found is None or not table.primary_key or _NOT_PLAIN.search(sql):
        return None
    return found[1].lower()


def expects(connection: duckdb.DuckDBPyConnection, sql: str, table: Table) -> int:
    """Returns how many rows the change seems to name, 0 where nobody knows."""
    guess = matching(sql, table, "count(*)")
    try:
        if guess is None or len(duckdb.extract_statements(guess)) != 1:
            return 0
        found = connection.execute(guess).fetchall()
    except (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException):
        return 0
    return int(found[0][0]) if len(found) == 1 else 0


def expected(
    connection: duckdb.DuckDBPyConnection,
    old: duckdb.DuckDBPyConnection,
    sql: str,
    table: Table,
    counted: Callable[[int], None],
) -> tuple[list[Texts], list[Texts]] | None:
    """Runs the change as it stands; returns the rows before and after as `matching` guesses them.

    None where it did not do exactly that. `old` is in a transaction that began before; `counted`
    hears how many rows the engine says it changed, and may raise.
    """
    guess = matching(sql, table)
    if guess is None:
        return None
    told = connection.execute(sql).fetchall()
    if len(told) != 1:
        raise Fault("not_exact")
    counted(told[0][0])
    try:
        if len(duckdb.extract_statements(guess)) != 1:
            return None
        before = old.execute(guess).fetchall()
    except (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException):
        return None
    if len(before) != told[0][0]:
        return None
    places = [table.columns.index(c) for c in table.primary_key]
    were = {tuple(row[i] for i in places): row for row in before}
    after = rows_of(connection, table, list(were))
    if verb_of(sql, table) == "delete":
        return None if after else (before, [])
    same = any(were.get(tuple(row[i] for i in places)) == row for row in after)
    return None if same or len(after) != len(before) else (before, after)


def can_name(sql: str, table: Table) -> bool:
    """True where a change does the same with RETURNING as without (`Table.alone`)."""
    return table.alone or verb_of(sql, table) != "update"


def run(
    connection: duckdb.DuckDBPyConnection, old: duckdb.DuckDBPyConnection, sql: str, table: Table
) -> tuple[list[Texts], list[Texts]] | None:
    """Runs the change; returns the rows before and after, or None where keys alone do not tell.

    `old` is in a transaction that began before. Only for what `can_name` its rows.
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
