"""The tables of a SQLite file as the write role sees them: what identifies a row, and checksums."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from guard.engines.child.faults import Fault
from guard.engines.child.images import Row
from guard.engines.child.names import fold, quoted


@dataclass(frozen=True, kw_only=True)
class Table:
    """A real table: its stored columns, and what identifies a row (`rowid`'s name, or the key).

    `alias` is the column that is the rowid itself. `loose` are the columns that keep every value as
    it is given, minus zero too; `mixed` those that may hold the same number in two types.
    """

    name: str
    columns: tuple[str, ...]
    primary_key: tuple[str, ...]
    rowid: str | None
    alias: str | None = None
    loose: frozenset[str] = frozenset()
    mixed: frozenset[str] = frozenset()

    @property
    def quoted(self) -> str:
        """The name as SQL."""
        return quoted(self.name)

    def key_of(self, rowid: object, row: Row) -> object:
        """Returns what tells this row from the others of its table."""
        if self.rowid is not None:
            return rowid
        return tuple(row[self.columns.index(c)] for c in self.primary_key)


def tables_of(connection: sqlite3.Connection) -> list[Table]:
    """Returns the real tables. Raises `Fault` where a row of one cannot be told from another."""
    found = []
    listed = connection.execute("PRAGMA main.table_list").fetchall()
    for _, name, kind, _, without_rowid, _ in listed:
        if kind != "table" or name.startswith("sqlite_"):
            continue
        info = connection.execute(f"PRAGMA main.table_xinfo({quoted(name)})").fetchall()
        # 2 and 3 are generated columns: the engine computes them again.
        stored = [c for c in info if c[6] not in (2, 3)]
        columns = tuple(c[1] for c in stored)
        keys = sorted((c for c in stored if c[5]), key=lambda c: c[5])
        taken = {c.lower() for c in columns}
        rowid = next((r for r in ("rowid", "oid", "_rowid_") if r not in taken), None)
        if not without_rowid and rowid is None:
            raise Fault("not_exact")
        found.append(
            Table(
                name=name,
                columns=columns,
                primary_key=tuple(c[1] for c in keys),
                rowid=None if without_rowid else rowid,
                alias=None if without_rowid else _alias(connection, name, keys),
                loose=frozenset(c[1] for c in stored if _keeps_all(c[2] or "")),
                mixed=frozenset(c[1] for c in stored if _is_mixed(c[2] or "")),
            )
        )
    return found


def _alias(connection: sqlite3.Connection, name: str, keys: Sequence[Sequence[str]]) -> str | None:
    """Returns the only column of a key that needs no index: it is the rowid."""
    indexes = connection.execute(f"PRAGMA main.index_list({quoted(name)})").fetchall()
    if len(keys) != 1 or any(index[3] == "pk" for index in indexes):
        return None
    return keys[0][1]


def _keeps_all(kind: str) -> bool:
    """True for a declared type that converts nothing: https://www.sqlite.org/datatype3.html."""
    return kind.upper() in ("", "ANY") or "BLOB" in kind.upper()


def _is_mixed(kind: str) -> bool:
    """False for a declared type that turns every number into a text, or every one into a real."""
    kind = kind.upper()
    if any(word in kind for word in ("INT", "BLOB")):
        return True
    return not any(word in kind for word in ("CHAR", "CLOB", "TEXT", "REAL", "FLOA", "DOUB"))


def hanging(
    connection: sqlite3.Connection,
    names: Collection[str],
    *,
    deferred: bool = False,
    schema: str = "main",
) -> Counter[tuple[object, ...]]:
    """Returns the references from or to the named tables that point at no row, each with its count.

    Rows of tables without a rowid are told apart by nothing, so they are counted. With `deferred`
    only those that the engine itself would look at no earlier than in the commit. `schema` is the
    attached database that is looked at; definitions are those of `main`.
    https://www.sqlite.org/pragma.html#pragma_foreign_key_check
    """
    touched = {name.lower() for name in names}
    found: Counter[tuple[object, ...]] = Counter()
    late = {
        str(name)
        for name, sql in connection.execute("SELECT name, sql FROM main.sqlite_master")
        if "deferr" in (sql or "").lower()
    }
    for table in tables_of(connection) if touched and (late or not deferred) else ():
        if deferred and table.name not in late:
            continue
        links = connection.execute(f"PRAGMA main.foreign_key_list({table.quoted})").fetchall()
        if links and (table.name.lower() in touched or touched & {k[2].lower() for k in links}):
            found.update(connection.execute(f"PRAGMA {schema}.foreign_key_check({table.quoted})"))
    return found


def checksums(connection: sqlite3.Connection, names: Sequence[str]) -> list[str]:
    """Returns the SHA-256 of each named table's rows, rowids included."""
    tables = {t.name: t for t in tables_of(connection)}
    return [_checksum(connection, tables[name]) for name in names]


def _checksum(connection: sqlite3.Connection, table: Table) -> str:
    ids = [table.rowid] if table.rowid else []
    names = [*ids, *(quoted(c) for c in table.columns)]
    order = ", ".join(str(i + 1) for i in range(len(names)))
    shown = " || ',' || ".join(f"quote({n})" for n in names)
    found = hashlib.sha256()
    rows = connection.execute(
        f"SELECT {shown} FROM (SELECT {', '.join(names)} FROM main.{table.quoted} ORDER BY {order})"
    )
    for (text,) in rows:
        found.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return found.hexdigest()


def schema_hash(connection: sqlite3.Connection, tables: Sequence[str]) -> str:
    """Returns the SHA-256 over the definitions of the tables, their indexes and triggers."""
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_master ORDER BY type, name"
    ).fetchall()
    # A trigger keeps the spelling of its table that it was made with.
    folded = {fold(t) for t in tables}
    kept = [r for r in rows if fold(r[2]) in folded]
    return hashlib.sha256(repr(kept).encode("utf-8", "surrogatepass")).hexdigest()
