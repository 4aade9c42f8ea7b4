"""The way back from a change of a DuckDB file: made from its rows, replayed, looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from guard.engines.child.duckdb_change import found_in as large_found_in
from guard.engines.child.duckdb_change import is_large
from guard.engines.child.duckdb_tables import ID, Table, table_of, texts_of
from guard.engines.child.faults import Fault
from guard.engines.child.images import Row, TableChange
from guard.engines.child.names import quoted


def image_of(changes: Sequence[TableChange], tables: Sequence[Table]) -> dict[str, object]:
    """Returns the rows before and after as JSON values, for `replay` and `found_in`."""
    types = {t.name: list(t.types) for t in tables}
    return {
        "engine": "duckdb",
        "tables": {
            c.table: {
                "columns": list(c.columns),
                "types": types[c.table],
                "rows": [[_texts(r.before), _texts(r.after)] for r in c.rows],
            }
            for c in changes
        },
    }


def _texts(row: Row | None) -> list[str | None] | None:
    return None if row is None else texts_of(row)


def replay(connection: duckdb.DuckDBPyConnection, table: Table, image: Mapping[str, Any]) -> None:
    """Puts every row back as it was. Each row must still be as the change left it."""
    if image["columns"] != list(table.columns) or image["types"] != list(table.types):
        raise Fault("changed_since")
    rows = image["rows"]
    if table.primary_key:
        _replay_keyed(connection, table, rows)
        return
    kept = [(before, after) for before, after in rows if after is not None]
    places = _places(connection, table, [after for _, after in kept])
    if len(places) != len(kept):
        raise Fault("changed_since")
    removed = [places[i] for i, (before, _) in enumerate(kept) if before is None]
    changed = [(places[i], b, a) for i, (b, a) in enumerate(kept) if b is not None]
    if removed:
        Table.load(connection, "gatehouse_removed", [[str(r)] for r in removed])
        connection.execute(
            f"DELETE FROM main.{table.quoted} WHERE rowid IN "
            "(SELECT CAST(c0 AS BIGINT) FROM gatehouse_removed)"
        )
    if changed:
        # Only these: to set a column of lists gives the row another id.
        set_ = [n for n in range(len(table.columns)) if any(b[n] != a[n] for _, b, a in changed)]
        Table.load(connection, "gatehouse_put", [[str(i), *b] for i, b, _ in changed])
        sets = ", ".join(
            f"{quoted(table.columns[n])} = CAST(p.c{n + 1} AS {table.types[n]})" for n in set_
        )
        connection.execute(
            f"UPDATE main.{table.quoted} SET {sets} FROM gatehouse_put p "
            f"WHERE main.{table.quoted}.rowid = CAST(p.c0 AS BIGINT)"
        )
    _add(connection, table, [before for before, after in rows if after is None])


_Texts = Sequence[str | None]
_RANK = "gatehouse_rank"
"""Counts equal rows; no column of anybody has this name."""


def _replay_keyed(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    rows: Sequence[tuple[_Texts | None, _Texts | None]],
) -> None:
    """The same by the primary key: no statement may hit another number of rows than it was given.

    Only the columns that differ are set, since the engine moves a row whose indexed columns are.
    """
    removed = [after for before, after in rows if before is None and after is not None]
    changed = [(b, a) for b, a in rows if b is not None and a is not None]
    name = f"main.{table.quoted}"
    if removed:
        on = _given(connection, table, "gatehouse_removed", removed)
        _hits(connection, f"DELETE FROM {name} AS t USING {on}", len(removed))
    if changed:
        places = [n for n in range(len(table.columns)) if any(b[n] != a[n] for b, a in changed)]
        given = [[*a, *(b[n] for n in places)] for b, a in changed]
        on = _given(connection, table, "gatehouse_put", given)
        moved = " RETURNING 1" if _unseen(connection, table, places) else ""
        sets = ", ".join(
            f"{quoted(table.columns[n])} = CAST(p.c{len(table.columns) + i} AS {table.types[n]})"
            for i, n in enumerate(places)
        )
        _hits(connection, f"UPDATE {name} AS t SET {sets} FROM {on}{moved}", len(changed))
    _add(connection, table, [before for before, after in rows if before and after is None])


def _given(
    connection: duckdb.DuckDBPyConnection, table: Table, name: str, rows: Sequence[_Texts]
) -> str:
    """Loads rows that begin with all columns of one that is there; returns how to find those."""
    Table.load(connection, name, rows)
    places = [table.columns.index(c) for c in table.primary_key]
    cast = "".join(f", CAST(c{i} AS {table.types[i]}) AS k{i}" for i in places)
    on = " AND ".join(f"t.{quoted(table.columns[i])} = p.k{i}" for i in places)
    return f"(SELECT *{cast} FROM temp.{name}) p WHERE {on} AND {_same(table, 0)}"


def _same(table: Table, first: int) -> str:
    """Returns the condition that the row `t` is as the texts of `p` from `first` on say.

    As a CASE: as plain equalities the engine would join on them, and turn every row of the table
    into text for that.
    """
    same = " AND ".join(
        f"p.c{first + n} IS NOT DISTINCT FROM {table.text(c, 't.')}"
        for n, c in enumerate(table.columns)
    )
    return f"CASE WHEN {same} THEN 1 ELSE 0 END = 1"


def _unseen(connection: duckdb.DuckDBPyConnection, table: Table, places: Sequence[int]) -> bool:
    """True when a value is to be set that the engine takes for the one that is there.

    It would leave that one, unless RETURNING makes it move the row.
    """
    if table.alone or not places:
        return False
    width = len(table.columns)
    equal = " OR ".join(
        f"(c{n} <> c{width + i} AND CAST(c{n} AS {table.types[n]}) = "
        f"CAST(c{width + i} AS {table.types[n]}))"
        for i, n in enumerate(places)
    )
    found = connection.execute(f"SELECT count(*) FROM temp.gatehouse_put WHERE {equal}").fetchall()
    return found != [(0,)]


def _hits(connection: duckdb.DuckDBPyConnection, statement: str, expected: int) -> None:
    found = connection.execute(statement).fetchall()
    if found not in ([(expected,)], [(1,)] * expected):
        raise Fault("changed_since")


def _add(
    connection: duckdb.DuckDBPyConnection, table: Table, added: Sequence[Sequence[str | None]]
) -> None:
    if added:
        Table.load(connection, "gatehouse_added", added)
        values = ", ".join(f"CAST(c{n} AS {t})" for n, t in enumerate(table.types))
        connection.execute(
            f"INSERT INTO main.{table.quoted}({table.names}) SELECT {values} FROM gatehouse_added"
        )


def _places(
    connection: duckdb.DuckDBPyConnection, table: Table, wanted: Sequence[Sequence[str | None]]
) -> dict[int, int]:
    """Returns the row id of each wanted row that is in the table; equal rows get different ones."""
    if not wanted:
        return {}
    width = len(table.columns)
    if table.primary_key:
        return _keyed(connection, table, wanted)
    Table.load(connection, "gatehouse_wanted", [[str(i), *r] for i, r in enumerate(wanted)])
    cells = ", ".join(f"c{n + 1}" for n in range(width))
    same = " AND ".join(
        f"w.c{n + 1} IS NOT DISTINCT FROM t.{quoted(c)}" for n, c in enumerate(table.columns)
    )
    rows = connection.execute(
        f"SELECT CAST(w.c0 AS BIGINT), t.{ID} FROM "
        f"(SELECT *, row_number() OVER (PARTITION BY {cells} ORDER BY c0) AS {_RANK} "
        f"FROM gatehouse_wanted) w JOIN "
        f"(SELECT *, row_number() OVER (PARTITION BY {table.names} ORDER BY {ID}) AS {_RANK} FROM "
        f"(SELECT rowid AS {ID}, {table.texts} FROM main.{table.quoted})) t "
        f"ON w.{_RANK} = t.{_RANK} AND {same}"
    ).fetchall()
    return dict(rows)


def _keyed(
    connection: duckdb.DuckDBPyConnection, table: Table, wanted: Sequence[Sequence[str | None]]
) -> dict[int, int]:
    """The same by the primary key, without a look at every row in full."""
    Table.load(connection, "gatehouse_wanted", [[str(i), *r] for i, r in enumerate(wanted)])
    places = [table.columns.index(c) for c in table.primary_key]
    cast = "".join(f", CAST(c{i + 1} AS {table.types[i]}) AS k{i}" for i in places)
    on = " AND ".join(f"t.{quoted(table.columns[i])} = p.k{i}" for i in places)
    rows = connection.execute(
        f"SELECT CAST(p.c0 AS BIGINT), t.rowid FROM main.{table.quoted} t JOIN "
        f"(SELECT *{cast} FROM gatehouse_wanted) p ON {on} WHERE {_same(table, 1)}"
    ).fetchall()
    return dict(rows)


def found_in(connection: duckdb.DuckDBPyConnection, image: Mapping[str, Any]) -> str:
    """Returns whether the rows stand as `before` the change, `after` it or `neither`."""
    if is_large(image):
        return large_found_in(connection, image)
    befores = afters = True
    for name, kept in image["tables"].items():
        table = table_of(connection, name)
        if kept["columns"] != list(table.columns) or kept["types"] != list(table.types):
            return "neither"
        old = [b for b, _ in kept["rows"] if b is not None]
        new = [a for _, a in kept["rows"] if a is not None]
        olds, news = (len(_places(connection, table, rows)) for rows in (old, new))
        befores &= olds == len(old) and (not new or news < len(new))
        afters &= news == len(new) and (not old or olds < len(old))
    return "before" if befores and not afters else "after" if afters and not befores else "neither"
