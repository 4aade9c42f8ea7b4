"""The way back from a change of a SQLite file: made from its log, replayed, looked for."""

from __future__ import annotations

import base64
import functools
import itertools
import sqlite3
from collections.abc import Mapping, Sequence
from operator import itemgetter
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
    numbers = {t.name: n for n, t in enumerate(tables)}
    for name, columns in image["tables"].items():
        if any(step[0] == name for step in image["steps"]) and (
            name not in numbers or list(tables[numbers[name]].columns) != columns
        ):
            raise Fault("changed_since")
    steps = [
        (0, numbers[name], op, old_id, new_id, *map(_unpacked, cells))
        for name, op, old_id, new_id, cells in image["steps"]
    ]
    put_back(connection, steps, tables)


def put_back(
    connection: sqlite3.Connection, steps: Sequence[Sequence[Any]], tables: Sequence[Table]
) -> None:
    """Takes the steps of a log back, last first. Raises `Fault` where a row is not as it was left.

    No step can hit two rows, since each names what identifies its row: as many as were given must
    have been hit.
    """
    backwards = ((*_backwards(tables[s[1]], s), s) for s in reversed(steps))
    for text, group in itertools.groupby(backwards, key=itemgetter(0)):
        given = [values for _, values, _ in group]
        if connection.executemany(text, given).rowcount != len(given):
            raise Fault("changed_since")


@functools.cache
def _texts(table: Table) -> tuple[str, str, str, str]:
    """Returns how to add a row, remove one, set one back in place, and set one with its key."""
    names = [quoted(c) for c in table.columns]
    ids = [table.rowid] if table.rowid else []
    into, marks = ", ".join([*ids, *names]), ", ".join("?" * (len(ids) + len(names)))
    where = " AND ".join(f"{n} IS ?" for n in [*ids, *names])
    sets = ", ".join(f"{n} = ?" for n in [*ids, *names])
    free = [quoted(c) for c in table.columns if c not in table.primary_key]
    in_place = ", ".join(f"{n} = ?" for n in free)
    update = f"UPDATE main.{table.quoted} SET"
    return (
        f"INSERT INTO main.{table.quoted}({into}) VALUES ({marks})",
        f"DELETE FROM main.{table.quoted} WHERE {where}",
        f"{update} {in_place} WHERE {where}" if free else "",
        f"{update} {sets} WHERE {where}",
    )


def _backwards(table: Table, step: Sequence[Any]) -> tuple[str, Sequence[object]]:
    add, remove, set_free, set_all = _texts(table)
    middle, end = 5 + len(table.columns), 5 + 2 * len(table.columns)
    op, old, new = step[2], step[5:middle], step[middle:end]
    old_full = (step[3], *old) if table.rowid else old
    new_full = (step[4], *new) if table.rowid else new
    if op == "delete":
        return add, old_full
    if op == "insert":
        return remove, new_full
    keys = [i for i, c in enumerate(table.columns) if c in table.primary_key]
    moved = step[3] != step[4] or any(repr(old[i]) != repr(new[i]) for i in keys)
    if moved or not set_free:
        return set_all, (*old_full, *new_full)
    if not keys:
        return set_free, (*old, *new_full)
    return set_free, (*(v for i, v in enumerate(old) if i not in keys), *new_full)


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
