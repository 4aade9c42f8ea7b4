"""The way back from a large change: its rows are looked for and put back by the engine, set by set.

A preview tries the very statements that run when somebody takes the change back for good.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence

from guard.engines.child.faults import Fault
from guard.engines.child.names import fold, quoted
from guard.engines.child.sqlite_beside import differ
from guard.engines.child.sqlite_change import Part
from guard.engines.child.sqlite_tables import Table
from guard.engines.child.summed import KINDS, Kind


def take_back(connection: sqlite3.Connection, parts: Sequence[Part]) -> None:
    """Takes a change back.

    Raises:
        Fault: a row is not as the change left it.
    """
    for part in parts:
        if not is_after(connection, part):
            raise Fault("changed_since")
    put_back(connection, parts)


def put_back(connection: sqlite3.Connection, parts: Sequence[Part]) -> int:
    """Puts rows back that are as the change left them; returns how many rows that hit.

    The caller knows that they are: they were just read from the table, or `is_after` has looked.

    Raises:
        Fault: it did not hit each row once.
    """
    hit = 0
    for text, count in (step for part in parts for step in _backwards(connection, part)):
        if connection.execute(text).rowcount != count:
            raise Fault("changed_since")
        hit += count
    return hit


def is_after(connection: sqlite3.Connection, part: Part) -> bool:
    """True when the rows stand as the change left them."""
    return _stand(connection, part, part.after, {"deleted": "absent"})


def is_before(connection: sqlite3.Connection, part: Part) -> bool:
    """True when the rows stand as they were before the change."""
    return _stand(connection, part, lambda _, x: part.before(x), {"inserted": "absent"})


def _stand(
    connection: sqlite3.Connection,
    part: Part,
    cells: Callable[[Kind, str], Mapping[str, str]],
    absent: Mapping[str, str],
) -> bool:
    for kind in KINDS:
        if not part.counts[kind]:
            continue
        there = (
            f"{part.place(kind)} x CROSS JOIN main.{part.table.quoted} n ON {_same_key(part, kind)}"
        )
        wanted = 0 if kind in absent else part.counts[kind]
        condition = "1" if kind in absent else f"NOT {_unlike(part, kind, cells(kind, 'x'))}"
        text = f"SELECT count(*) FROM {there} WHERE {condition}"
        if connection.execute(text).fetchone()[0] != wanted:
            return False
    return True


def _same_key(part: Part, kind: Kind) -> str:
    return f"n.{part.table.rowid} = x.k + {part.base if kind == 'inserted' else 0}"


def _unlike(part: Part, kind: Kind, cells: Mapping[str, str]) -> str:
    table = part.table
    pairs = [(c, cells[c], f"n.{quoted(c)}") for c in table.columns if c != table.alias]
    return differ(table, pairs, part.changed if kind == "updated" else table.columns)


def _backwards(connection: sqlite3.Connection, part: Part) -> Iterator[tuple[str, int]]:
    """Yields what puts the table back, and how many rows that must hit.

    In place, or by way of none where values must be unique.
    """
    table, counts = part.table, part.counts
    key, name = table.rowid, f"main.{table.quoted}"
    around = bool(counts["updated"]) and _must_be_unique(connection, table, part.changed)
    if counts["inserted"]:
        keys = f"SELECT k + {part.base} FROM {part.place('inserted')}"
        yield f"DELETE FROM {name} WHERE {key} IN ({keys})", counts["inserted"]
    if around:
        keys = f"SELECT k FROM {part.place('updated')}"
        yield f"DELETE FROM {name} WHERE {key} IN ({keys})", counts["updated"]
    elif counts["updated"]:
        over = "OR REPLACE " if _stands_alone(connection, table) else ""
        yield _again(part, "updated", over, "" if over else _in_place(part)), counts["updated"]
    for kind in KINDS[1 if around else 2 :]:
        if counts[kind]:
            yield _again(part, kind), counts[kind]


def _in_place(part: Part) -> str:
    """Returns what makes putting a row again set its columns, where it is there.

    One pass over the rows in key order; an UPDATE first lists the rows that it is going to hit.
    https://www.sqlite.org/lang_upsert.html
    """
    names = ", ".join(quoted(c) for c in part.changed)
    cells = ", ".join(f"excluded.{quoted(c)}" for c in part.changed)
    return f"ON CONFLICT({part.table.rowid}) DO UPDATE SET ({names}) = ({cells})"


def _again(part: Part, kind: Kind, over: str = "", conflict: str = "") -> str:
    names = ", ".join(map(quoted, part.table.columns))
    cells = ", ".join(part.before("x").values())
    if part.table.alias is None:
        names, cells = f"{part.table.rowid}, {names}", f"x.k, {cells}"
    return (
        f"INSERT {over}INTO main.{part.table.quoted}({names}) "
        f"SELECT {cells} FROM {part.place(kind)} x WHERE true ORDER BY x.rowid {conflict}"
    )


def _stands_alone(connection: sqlite3.Connection, table: Table) -> bool:
    """True where a row can be replaced as a whole: only its rowid is unique, nothing refers to it.

    That is quicker than setting columns. Else a reference to the row might be acted upon.
    """
    if connection.execute(f"PRAGMA main.index_list({table.quoted})").fetchone():
        return False
    return not any(
        fold(link[2]) == fold(table.name)
        for (name,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type='table'")
        for link in connection.execute(f"PRAGMA main.foreign_key_list({quoted(name)})")
    )


def _must_be_unique(connection: sqlite3.Connection, table: Table, columns: Sequence[str]) -> bool:
    """True where a unique index may hold any of the columns, or what is computed from them."""
    for index in connection.execute(f"PRAGMA main.index_list({table.quoted})").fetchall():
        parts = connection.execute(f"PRAGMA main.index_info({quoted(index[1])})").fetchall()
        plain = {part[2] for part in parts} <= set(table.columns) - set(columns)
        if index[2] and (index[4] or not plain):
            return True
    return False
