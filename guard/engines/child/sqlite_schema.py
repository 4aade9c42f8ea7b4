"""Changes of the schema of a SQLite file: what defines each table, and what may be defined."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from guard.engines.child import sqlite_words as words
from guard.engines.child.names import fold, quoted
from guard.engines.child.schema import TEXT, Definer, Effect, Line, State

_DEFINES = frozenset(
    {
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_REINDEX,
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
    }
)
_CHECKS = frozenset({"quick_check", "integrity_check"})
"""What ALTER TABLE asks for by itself."""


def definer(connection: sqlite3.Connection) -> Definer:
    """Returns the schema side of an open transaction."""

    def run(statement: str) -> None:
        connection.set_authorizer(_authorize)
        try:
            connection.execute(statement).fetchall()
        finally:
            connection.set_authorizer(None)

    return Definer(
        engine="sqlite",
        ask=lambda text: connection.execute(text).fetchall(),
        state=lambda: _state(connection),
        run=run,
        effect=_effect,
    )


def _authorize(
    action: int, first: str | None, second: str | None, database: str | None, inner: str | None
) -> int:
    """Returns what `set_authorizer` asks: tables and indexes of the file, nothing else."""
    del inner
    name = (second or "").lower()
    if action == sqlite3.SQLITE_FUNCTION:
        known = name in words.FUNCTIONS or name.startswith("sqlite_")
        return sqlite3.SQLITE_OK if known else sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA:
        return sqlite3.SQLITE_OK if first in _CHECKS else sqlite3.SQLITE_DENY
    if database == "temp" or (action == sqlite3.SQLITE_ALTER_TABLE and first == "temp"):
        # ALTER looks through the temporary schema too; it is empty.
        reads = action in (sqlite3.SQLITE_READ, sqlite3.SQLITE_UPDATE)
        return sqlite3.SQLITE_OK if reads else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _DEFINES else sqlite3.SQLITE_DENY


def _state(connection: sqlite3.Connection) -> State:
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_master "
        "WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name"
    ).fetchall()
    found: dict[str, list[Line]] = {
        name: _columns(connection, name) for kind, name, _, _ in rows if kind == "table"
    }
    spelled = {fold(name): name for name in found}
    for kind, name, table, text in rows:
        if kind == "table":
            found[name].append((TEXT, name, text))
        elif fold(table) in spelled:
            found[spelled[fold(table)]].append((kind, name, text or name))
    return found


def _columns(connection: sqlite3.Connection, table: str) -> list[Line]:
    lines: list[Line] = []
    for _, name, sort, required, default, key, hidden in connection.execute(
        f"PRAGMA main.table_xinfo({quoted(table)})"
    ).fetchall():
        parts = [name, sort, "NOT NULL" * required, f"DEFAULT {default}" * (default is not None)]
        parts += [f"PRIMARY KEY {key}" * bool(key), "GENERATED" * (hidden in (2, 3))]
        lines.append(("column", name, " ".join(p for p in parts if p)))
    for _, _, target, own, far, update, delete, _ in connection.execute(
        f"PRAGMA main.foreign_key_list({quoted(table)})"
    ).fetchall():
        text = f"{own} REFERENCES {target}({far}) ON UPDATE {update} ON DELETE {delete}"
        lines.append(("reference", own, text))
    return lines


def _effect(before: State, after: State, rows: Mapping[str, tuple[int, int]]) -> Effect:
    """Dropping a column writes every row anew; writers wait for the whole file meanwhile."""
    fewer = {
        name
        for name in before.keys() & after.keys()
        if len(_names(before[name])) > len(_names(after[name]))
    }
    return Effect(
        rows=rows,
        rewritten=frozenset(fewer),
        locks={n: "writes" for n in {*before, *after} if before.get(n) != after.get(n)},
    )


def _names(lines: Sequence[Line]) -> list[str]:
    return [name for kind, name, _ in lines if kind == "column"]
