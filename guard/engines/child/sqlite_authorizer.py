"""What one SQLite statement may touch, decided by the library while it compiles the statement.

https://www.sqlite.org/c3ref/set_authorizer.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from guard.engines.child import sqlite_words as words
from guard.engines.child.names import fold, quoted

_SCHEMA = frozenset({"sqlite_master", "sqlite_schema"})


@dataclass(frozen=True, kw_only=True)
class Grants:
    """What may be read, names folded; all but `readable` is found out only when needed."""

    readable: Mapping[str, AbstractSet[str]]
    views: AbstractSet[str] = frozenset()
    shadows: AbstractSet[str] = frozenset()
    whole: AbstractSet[str] = frozenset()
    nowhere: AbstractSet[str] = frozenset()
    """Names that are no table's of the database: those of the statement's own WITH."""


class Authorizer:
    """Default deny. `denied` holds the names of what was asked for and not granted."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants
        self.denied: list[tuple[int, str]] = []

    def __call__(
        self, action: int, first: str | None, second: str | None, _db: str | None, inner: str | None
    ) -> int:
        """Returns SQLITE_OK or SQLITE_DENY, as `sqlite3.Connection.set_authorizer` asks."""
        a, b = fold(first or ""), fold(second or "")
        if self._allows(action, a, b, fold(inner or "")):
            return sqlite3.SQLITE_OK
        self.denied.append((action, b if action == sqlite3.SQLITE_PRAGMA else a))
        return sqlite3.SQLITE_DENY

    def _allows(self, action: int, a: str, b: str, inner: str) -> bool:
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return True
        if action == sqlite3.SQLITE_READ:
            return self._reads(a, b, inner)
        if action == sqlite3.SQLITE_FUNCTION:
            return b in words.FUNCTIONS
        if action == sqlite3.SQLITE_PRAGMA:
            return self._pragma(a, b)
        # A virtual table declares its columns with a CREATE TABLE that is never carried out, which
        # shows here as an update of the schema; a real one is refused by the library itself.
        return action == sqlite3.SQLITE_UPDATE and a in _SCHEMA

    def _reads(self, table: str, column: str, inner: str) -> bool:
        grants = self._grants
        columns = grants.readable.get(table)
        if columns is not None:
            # The empty name: the table is scanned and no column of it is taken.
            return column == "" or column in columns or table in grants.whole
        if table in grants.views:
            # A view inside a view: the columns behind it are asked for one by one.
            return inner in grants.views
        if table in _SCHEMA:
            return column == "rowid"
        if table in grants.nowhere:
            return column == ""
        return table in words.TABLE_FUNCTIONS or table in grants.shadows

    def _pragma(self, name: str, argument: str) -> bool:
        if argument == "":
            return name in words.BARE_PRAGMAS
        return name in words.TABLE_PRAGMAS and argument in self._grants.whole


def second_look(
    connection: sqlite3.Connection, grants: Grants, denied: AbstractSet[str]
) -> Grants | None:
    """Returns `grants` with the views, and with what belongs to tables whose every column is read.

    Their own shadow tables (full-text indexes keep their rows there), hidden columns and
    description. So are the names of a WITH, which are asked for where none of its columns is taken,
    as for `count(*)`. None where none of it concerns what was denied. Asked only after a refusal,
    because it costs more than a small statement: the guard writes statements anew without views.
    """
    kinds = {fold(name): kind for _, name, kind, *_ in connection.execute("PRAGMA main.table_list")}
    views = {name for name, kind in kinds.items() if kind == "view"}
    wanted = {t for t in grants.readable if _concerns(t, denied)}
    whole = {t for t in wanted if _columns(connection, t) <= grants.readable[t]}
    nowhere = _nowhere(connection, denied - kinds.keys())
    if not whole and not nowhere and views.isdisjoint(denied):
        return None
    shadows = {
        name
        for name, kind in kinds.items()
        if kind == "shadow"
        and any(kinds.get(t) == "virtual" and name.startswith(f"{t}_") for t in whole)
    }
    return Grants(
        readable=grants.readable, views=views, shadows=shadows, whole=whole, nowhere=nowhere
    )


def _nowhere(connection: sqlite3.Connection, names: AbstractSet[str]) -> set[str]:
    """Returns the names that are not those of a table-valued function either."""
    if not names:
        return set()
    modules = {fold(name) for (name,) in connection.execute("PRAGMA module_list")}
    return {n for n in names - modules if not n.startswith(("pragma_", "sqlite_"))}


def _concerns(table: str, denied: AbstractSet[str]) -> bool:
    return any(name == table or name.startswith(f"{table}_") for name in denied)


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    rows = connection.execute(f"PRAGMA main.table_xinfo({quoted(table)})").fetchall()
    # Hidden columns of a virtual table (1) repeat what its other columns hold.
    return {fold(name) for _, name, *_, hidden in rows if hidden != 1} or {""}
