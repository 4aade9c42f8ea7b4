"""The catalog of a SQLite file, as plain JSON values."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence

from guard.engines.child.names import quoted

_OBJECTS = """
SELECT l.name, l.type, m.sql
FROM pragma_table_list AS l
LEFT JOIN sqlite_master AS m ON m.name = l.name AND m.type IN ('table', 'view')
WHERE l.schema = 'main' AND l.type IN ('table', 'view', 'virtual')
  AND substr(l.name, 1, 7) <> 'sqlite_'
ORDER BY l.name
"""


def reflect(connection: sqlite3.Connection) -> Mapping[str, object]:
    """Returns `{"tables": [...]}`: tables and views, without internal and shadow tables.

    A view that no longer compiles (a table behind it is gone) is left out, as it cannot be read.
    """
    estimates = _estimates(connection)
    tables = [
        _table(connection, name, kind, sql, estimates)
        for name, kind, sql in connection.execute(_OBJECTS).fetchall()
    ]
    return {"tables": [t for t in tables if t["columns"]]}


def _table(
    connection: sqlite3.Connection,
    name: str,
    kind: str,
    sql: str | None,
    estimates: Mapping[str, int],
) -> dict[str, object]:
    view = kind == "view"
    columns = _columns(connection, name)
    return {
        "name": name,
        "kind": "view" if view else "table",
        "create": sql if view else None,
        "columns": columns,
        "foreign_keys": [] if view else _foreign_keys(connection, name),
        "unique": [] if view else _unique(connection, name, [str(c["name"]) for c in columns]),
        "row_estimate": None if view else _rows(connection, name, kind, estimates),
    }


def _columns(connection: sqlite3.Connection, table: str) -> list[dict[str, object]]:
    try:
        rows = connection.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
    except sqlite3.OperationalError:  # a view whose tables or functions are gone
        return []
    return [
        {"name": name, "type": type_ or "", "nullable": not notnull, "primary_key": pk > 0}
        for _, name, type_, notnull, _, pk, hidden in rows
        if hidden != 1
    ]


def _unique(
    connection: sqlite3.Connection, table: str, columns: Sequence[str]
) -> list[Sequence[str]]:
    """The columns of each unique index, all of them where one holds an expression."""
    found: list[Sequence[str]] = []
    for _, index, unique, origin, *_ in connection.execute(
        f"PRAGMA index_list({quoted(table)})"
    ).fetchall():
        if unique and origin != "pk":
            parts = connection.execute(f"PRAGMA index_info({quoted(index)})").fetchall()
            names = [name for _, _, name in parts]
            found.append(columns if None in names else names)
    return found


def _foreign_keys(connection: sqlite3.Connection, table: str) -> list[dict[str, object]]:
    keys: dict[int, dict[str, list[str] | str]] = {}
    for number, _, parent, column, target, *_ in connection.execute(
        f"PRAGMA foreign_key_list({quoted(table)})"
    ).fetchall():
        key = keys.setdefault(number, {"table": parent, "columns": [], "references": []})
        _append(key, "columns", column)
        if target is not None:
            _append(key, "references", target)
    found = [keys[number] for number in sorted(keys, reverse=True)]
    for key in found:
        if not key["references"]:  # the parent's primary key is meant
            parent_columns = _columns(connection, str(key["table"]))
            key["references"] = [str(c["name"]) for c in parent_columns if c["primary_key"]]
    return [dict(k) for k in found if len(k["columns"]) == len(k["references"])]


def _append(key: dict[str, list[str] | str], field: str, value: str) -> None:
    values = key[field]
    if isinstance(values, list):
        values.append(value)


def _estimates(connection: sqlite3.Connection) -> dict[str, int]:
    """Row counts that ANALYZE left behind, by table."""
    try:
        rows = connection.execute("SELECT tbl, stat FROM sqlite_stat1").fetchall()
    except sqlite3.OperationalError:  # never analysed
        return {}
    counts: dict[str, int] = {}
    for table, stat in rows:
        first = str(stat or "").split(" ")[0]
        if first.isdigit():
            counts[table] = max(counts.get(table, 0), int(first))
    return counts


def _rows(
    connection: sqlite3.Connection, table: str, kind: str, estimates: Mapping[str, int]
) -> int | None:
    if kind == "virtual":
        return None
    known = estimates.get(table)
    if known is not None:
        return known
    with contextlib.suppress(sqlite3.OperationalError):  # WITHOUT ROWID: nothing cheap tells
        # The largest row number is read from the end of the tree; rows deleted since count too.
        newest = f"SELECT max(_rowid_) FROM {quoted(table)}"  # noqa: S608 - a quoted identifier
        row = connection.execute(newest).fetchone()
        return max(0, row[0] or 0)
    return None
