"""The way back from a change of a MySQL table: made from its rows, replayed, looked for.

Rows are found by key and locked, then compared here, value for value: the server would take `a` and
`A` for the same.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pymysql

from guard.engines.child.faults import Fault
from guard.engines.child.images import Row, TableChange, Touched, same
from guard.engines.mysql_faults import number_of
from guard.engines.mysql_session import Session, quoted
from guard.engines.mysql_tables import Table

_REFERENCED = frozenset({1451, 1452})
"""A row of the same change must go, or come, first."""


def image_of(change: TableChange) -> dict[str, object]:
    """Returns the change as JSON values, for `replay` and `found_in`."""
    return {
        "engine": "mysql",
        "steps": [],
        "tables": {
            change.table: {
                "columns": list(change.columns),
                "rows": [[_packed(r.before), _packed(r.after)] for r in change.rows],
            }
        },
    }


def _packed(row: Row | None) -> list[object] | None:
    return None if row is None else [_pack(v) for v in row]


def _pack(value: object) -> object:
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    return {"f": value.hex()} if isinstance(value, float) else value


def _row(packed: Sequence[Any] | None) -> Row | None:
    return None if packed is None else tuple(_unpack(v) for v in packed)


def _unpack(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return base64.b64decode(value["b"]) if "b" in value else float.fromhex(value["f"])


def table_in(image: Mapping[str, Any]) -> str | None:
    """Returns the one table of an image, None for a change that touched nothing."""
    names = list(image["tables"])
    return str(names[0]) if names else None


def rows_in(image: Mapping[str, Any], table: Table) -> list[Touched]:
    """Returns the rows of the image. Raises `Fault` where the table has other columns now."""
    kept = image["tables"].get(table.name)
    if kept is None or kept["columns"] != list(table.names):
        raise Fault("changed_since")
    return [Touched(before=_row(before), after=_row(after)) for before, after in kept["rows"]]


def replay(session: Session, table: Table, touched: Sequence[Touched]) -> list[Touched]:
    """Puts every row back as it was before; returns what that did.

    Raises:
        Fault: `changed_since` where a row is not as the change left it, `not_exact` where the table
            is not the same afterwards.
    """
    if not stands(session, table, touched, after=True, lock=True):
        raise Fault("changed_since")
    _until_none_is_left([t for t in touched if t.before is None], _remove(session, table))
    for row in touched:
        if row.before is not None and row.after is not None:
            _one(session, _update(table, row.before))
    _until_none_is_left([t for t in touched if t.after is None], _put(session, table))
    if not stands(session, table, touched, after=False):
        raise Fault("not_exact")
    return [Touched(before=t.after, after=t.before) for t in touched]


def stands(
    session: Session, table: Table, touched: Sequence[Touched], *, after: bool, lock: bool = False
) -> bool:
    """True when every row is as `after` the change, or as before it, absent ones included."""
    wanted = {
        table.key_of(t.after or t.before or ()): t.after if after else t.before for t in touched
    }
    found = {table.key_of(row): row for row in table.rows(session, list(wanted), lock=lock)}
    known = found.keys() <= wanted.keys()
    return known and all(same(found.get(key), row) for key, row in wanted.items())


def _update(table: Table, row: Row) -> str:
    sets = ", ".join(
        f"{quoted(name)} = {table.sql(i, row[i])}"
        for i, name in enumerate(table.names)
        if i not in table.key
    )
    return f"UPDATE {table.quoted} SET {sets} WHERE {table.picks(table.key_of(row))}"


def _remove(session: Session, table: Table) -> Callable[[Touched], None]:
    def remove(touched: Touched) -> None:
        key = table.key_of(touched.after or ())
        _one(session, f"DELETE FROM {table.quoted} WHERE {table.picks(key)}")

    return remove


def _put(session: Session, table: Table) -> Callable[[Touched], None]:
    names = ", ".join(quoted(n) for n in table.names)

    def put(touched: Touched) -> None:
        row = touched.before or ()
        values = ", ".join(table.sql(i, v) for i, v in enumerate(row))
        _one(session, f"INSERT INTO {table.quoted} ({names}) VALUES ({values})")

    return put


def _one(session: Session, sql: str) -> None:
    session.query(sql)
    if session.affected_rows() != 1:
        raise Fault("changed_since")


def _until_none_is_left(rows: Sequence[Touched], do: Callable[[Touched], None]) -> None:
    """Does each, those that refer to one another in the order that works."""
    while rows:
        left = []
        for row in rows:
            try:
                do(row)
            except pymysql.err.IntegrityError as error:
                if number_of(error) not in _REFERENCED:
                    raise
                left.append(row)
        if len(left) == len(rows):
            raise Fault("constraint")
        rows = left


def found_in(session: Session, table: Table, touched: Sequence[Touched]) -> str:
    """Returns whether the rows stand as `before` the change, `after` it or `neither`.

    The rows are locked, so a commit that is still under way is waited for.
    """
    if stands(session, table, touched, after=False, lock=True):
        return "before"
    return "after" if stands(session, table, touched, after=True) else "neither"
