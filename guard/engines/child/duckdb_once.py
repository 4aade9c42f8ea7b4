"""A plain change in DuckDB, run and taken back in one transaction that is rolled back.

It commits nothing, so nothing waits for a disk. A second connection still sees the rows as they
were. Which rows were changed is told in one of two ways:

1 The rows that the statement seems to name (`duckdb_matching.py`) are as many as the engine says it
  changed, and every one of them is another now or gone: then it was exactly these.
2 `RETURNING` names them, which costs several times the change itself.

The way back finds each row by its key and by every value it has now, and fails where one is not so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import duckdb

from guard.engines.child import images
from guard.engines.child.duckdb_images import replay
from guard.engines.child.duckdb_large import Large, fits
from guard.engines.child.duckdb_matching import matching
from guard.engines.child.duckdb_quick import Texts, is_fixed, rows_of, verb_of
from guard.engines.child.duckdb_tables import Table, hash_of, table_of, typed
from guard.engines.child.faults import Fault
from guard.engines.child.images import TableChange
from guard.engines.child.reader import Stop
from guard.engines.child.summed import LARGE
from guard.engines.child.writing import Capture, Order, with_second


def once(connection: duckdb.DuckDBPyConnection, order: Order, stop: Stop) -> Capture | None:
    """Returns what a plain change of a table with a key does, its way back proven.

    None where that cannot be told in one transaction; nothing is left behind. The caller looks at
    it in another way then. Raises `Fault`, `Large`, and what the engine says of the statement.
    """
    if order.sql is None or len(order.targets) != 1:
        return None
    table = table_of(connection, order.targets[0])
    if verb_of(order.sql, table) is None or not is_fixed(connection, order.sql, [table]):
        return None
    stop.reached("run")
    with contextlib.closing(connection.cursor()) as old:
        old.execute("BEGIN TRANSACTION")
        old.execute(f"SELECT 1 FROM main.{table.quoted} LIMIT 1").fetchall()
        found = None
        for look in (_expected, _named):
            connection.execute("BEGIN TRANSACTION")
            found = _back(connection, table, look(connection, old, order, table, stop), stop)
            connection.execute("ROLLBACK")
            if found is not None or stop.asked():
                break
    if found is None:
        return None
    key = [table.columns.index(c) for c in table.primary_key]
    before, after = ([typed(r, table) for r in rows] for rows in found)
    rows = tuple(images.paired(before, after, key))
    change = TableChange(
        table=table.name, columns=table.columns, primary_key=table.primary_key, rows=rows
    )
    done = Capture(
        tables=[change] if rows else [], image={}, schema_hash=hash_of([table.definition])
    )
    return with_second(done, done, verified=True, notes=())


Rows = tuple[list[Texts], list[Texts]]


def _expected(
    connection: duckdb.DuckDBPyConnection,
    old: duckdb.DuckDBPyConnection,
    order: Order,
    table: Table,
    stop: Stop,
) -> Rows | None:
    """Runs the change; returns the rows before and after, or None where they are not as guessed."""
    sql = order.sql or ""
    guess = matching(sql, table)
    if guess is None:
        return None
    told = connection.execute(sql).fetchall()
    if len(told) != 1 or told[0][0] > order.max_rows:
        raise Fault("too_many_rows" if len(told) == 1 else "not_exact")
    if told[0][0] > LARGE and fits(table):
        raise Large
    stop.reached("rows", 0, told[0][0])
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
    same = any(were[tuple(row[i] for i in places)] == row for row in after)
    return None if same or len(after) != len(before) else (before, after)


def _named(
    connection: duckdb.DuckDBPyConnection,
    old: duckdb.DuckDBPyConnection,
    order: Order,
    table: Table,
    stop: Stop,
) -> Rows | None:
    """Runs the change and lets it name its rows; None where their keys do not tell."""
    places = [table.columns.index(c) for c in table.primary_key]
    sql = (order.sql or "").rstrip().rstrip(";")
    try:
        named = connection.execute(f"{sql}\nRETURNING {table.texts}").fetchall()
    except duckdb.BinderException:
        return None
    if len(named) > order.max_rows:
        raise Fault("too_many_rows")
    if len(named) > LARGE and fits(table):
        raise Large
    stop.reached("rows", len(named), len(named))
    keys = [tuple(row[i] for i in places) for row in named]
    verb = verb_of(sql, table)
    before = rows_of(old, table, keys)
    if len(set(keys)) != len(keys) or len(before) != (0 if verb == "insert" else len(named)):
        return None
    if verb != "delete":
        return before, named
    return (before, []) if _equal(before, named) else None


def _back(
    connection: duckdb.DuckDBPyConnection, table: Table, found: Rows | None, stop: Stop
) -> Rows | None:
    """Takes the change back; returns the rows where they are then the former ones again."""
    if found is None or stop.asked():
        return None
    places = [table.columns.index(c) for c in table.primary_key]
    olds, news = ({tuple(r[i] for i in places): r for r in rows} for rows in found)
    keys = list({**olds, **news})
    stop.reached("back", 0, len(keys))
    image = {
        "columns": list(table.columns),
        "types": list(table.types),
        "rows": [(olds.get(key), news.get(key)) for key in keys],
    }
    try:
        replay(connection, table, image)
        now = rows_of(connection, table, keys)
    except Fault:
        return None
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        return None  # what one transaction cannot do, two may
    return found if _equal(now, found[0]) else None


def _equal(rows: Sequence[Texts], others: Sequence[Texts]) -> bool:
    return sorted(map(repr, rows)) == sorted(map(repr, others))
