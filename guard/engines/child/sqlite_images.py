"""The way back from a change of a SQLite file: made from its log, replayed, looked for."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from guard.engines.child.faults import Fault
from guard.engines.child.images import Net, Row
from guard.engines.child.names import quoted
from guard.engines.child.sqlite_tables import Table, tables_of


def image_of(steps: Sequence[Sequence[Any]], tables: Sequence[Table]) -> dict[str, object]:
    """Returns the log as JSON values, for `replay` and `found_in`."""
    return {
        "engine": "sqlite",
        "tables": {t.name: list(t.columns) for t in tables},
        "steps": [
            [
                tables[number].name,
                op,
                old_id,
                new_id,
                [_packed(v) for v in cells[: 2 * len(tables[number].columns)]],
            ]
            for _, number, op, old_id, new_id, *cells in steps
        ],
    }


def _packed(value: object) -> object:
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    if isinstance(value, float):
        return {"f": value.hex()}
    return value


def _unpacked(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if "b" in value:
        return base64.b64decode(value["b"])
    return float.fromhex(value["f"])


def replay(
    connection: sqlite3.Connection, image: Mapping[str, Any], tables: Sequence[Table]
) -> None:
    """Takes every step back, last first. Each must find exactly the row it left."""
    by_name = {t.name: t for t in tables}
    for name, op, old_id, new_id, cells in reversed(image["steps"]):
        table = by_name.get(name)
        if table is None or list(table.columns) != image["tables"][name]:
            raise Fault("changed_since")
        values = [_unpacked(v) for v in cells]
        width = len(table.columns)
        old, new = values[:width], values[width:]
        text, given = _backwards(table, op, (old_id, old), (new_id, new))
        if connection.execute(text, given).rowcount != 1:
            raise Fault("changed_since")


def _backwards(
    table: Table, op: str, old: tuple[object, list[object]], new: tuple[object, list[object]]
) -> tuple[str, list[object]]:
    names = [quoted(c) for c in table.columns]
    ids = [table.rowid] if table.rowid else []
    if op == "delete":
        into, marks = ", ".join([*ids, *names]), ", ".join("?" * (len(ids) + len(names)))
        given = [old[0], *old[1]] if ids else list(old[1])
        return f"INSERT INTO main.{table.quoted}({into}) VALUES ({marks})", given
    where = " AND ".join(f"{n} IS ?" for n in [*ids, *names])
    found = [new[0], *new[1]] if ids else list(new[1])
    if op == "insert":
        return f"DELETE FROM main.{table.quoted} WHERE {where}", found
    sets = ", ".join(f"{n} = ?" for n in [*ids, *names])
    given = [old[0], *old[1]] if ids else list(old[1])
    return f"UPDATE main.{table.quoted} SET {sets} WHERE {where}", [*given, *found]


def found_in(connection: sqlite3.Connection, image: Mapping[str, Any]) -> str:
    """Returns whether the rows stand as `before` the change, `after` it or `neither`."""
    tables = {t.name: t for t in tables_of(connection)}
    nets: dict[str, Net] = {}
    for name, op, old_id, new_id, cells in image["steps"]:
        table = tables.get(name)
        if table is None or list(table.columns) != image["tables"][name]:
            return "neither"
        values = tuple(_unpacked(v) for v in cells)
        old, new = values[: len(table.columns)], values[len(table.columns) :]
        before = None if op == "insert" else (table.key_of(old_id, old), (old_id, *old))
        after = None if op == "delete" else (table.key_of(new_id, new), (new_id, *new))
        nets.setdefault(name, Net()).step(before, after)
    touched = [(tables[name], row) for name, net in nets.items() for row in net.rows()]
    if all(_stands(connection, t, row.before, row.after) for t, row in touched):
        return "before"
    if all(_stands(connection, t, row.after, row.before) for t, row in touched):
        return "after"
    return "neither"


def _stands(
    connection: sqlite3.Connection, table: Table, row: Row | None, other: Row | None
) -> bool:
    """True when the row is in its table, or, where it should be absent, the other one is not.

    Rows begin with their rowid, None where the table has none.
    """
    wanted = row if row is not None else other or ()
    ids = [table.rowid] if table.rowid else []
    where = " AND ".join(f"{n} IS ?" for n in [*ids, *(quoted(c) for c in table.columns)])
    given = wanted if ids else wanted[1:]
    found = connection.execute(f"SELECT count(*) FROM main.{table.quoted} WHERE {where}", given)
    return bool(found.fetchone()[0]) == (row is not None)
