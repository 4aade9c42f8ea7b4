"""What one order changes in a DuckDB file, found in its open transaction.

The target table is copied into a temporary one first and joined on the row id afterwards, which
stays the same through UPDATE, upsert and MERGE. A plain change of a table with a key is looked up
by its keys instead (`duckdb_quick.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import duckdb

from guard.engines.child import duckdb_large as large
from guard.engines.child import images
from guard.engines.child.duckdb_change import is_large
from guard.engines.child.duckdb_images import image_of, replay
from guard.engines.child.duckdb_quick import (
    can_name,
    expected,
    expects,
    keys_in,
    rows_of,
    verb_of,
)
from guard.engines.child.duckdb_quick import run as run_quick
from guard.engines.child.duckdb_schema import definer
from guard.engines.child.duckdb_summed import summed_columns
from guard.engines.child.duckdb_tables import ID, Table, beside, hash_of, target_of, texts_of, typed
from guard.engines.child.faults import Fault
from guard.engines.child.images import TableChange, Touched
from guard.engines.child.names import quoted
from guard.engines.child.reader import Stop
from guard.engines.child.schema import performed
from guard.engines.child.summed import LARGE
from guard.engines.child.writing import Capture, Order


def executed(
    connection: duckdb.DuckDBPyConnection, order: Order, stop: Stop, *, at_once: bool = True
) -> Capture:
    """Begins a transaction, runs the order in it and finds what it changed.

    With `at_once` the engine compares and keeps a large change, and only its first rows come back.
    """
    if stop.asked():
        raise Fault("interrupted")
    if order.defines:
        connection.execute("BEGIN TRANSACTION")
        return performed(definer(connection), order, prove=False)
    wanted = order.targets if order.image is None else tuple(order.image["tables"])
    tables = [target_of(connection, name) for name in wanted]
    if is_large(order.image) or (at_once and _expects(connection, order, tables)):
        done = large.executed(connection, tables[0], order, stop)
        if done is not None:
            return done
        at_once = False
    most = LARGE if at_once and _may_be_large(order, tables) else None
    try:
        return _one_by_one(connection, order, stop, tables, most)
    except large.Large as found:
        connection.execute("ROLLBACK")
        done = large.executed(connection, found.table, order, stop)
    return done or _one_by_one(connection, order, stop, tables, None)


def _may_be_large(order: Order, tables: Sequence[Table]) -> bool:
    """True where the engine can tell all of a change of very many rows."""
    if order.sql is None or len(tables) != 1 or any(order.decided.values()):
        return False
    return large.fits(tables[0]) and "GENERATED" not in tables[0].definition


def _expects(connection: duckdb.DuckDBPyConnection, order: Order, tables: Sequence[Table]) -> bool:
    """True where a change seems to name very many rows."""
    if not _may_be_large(order, tables) or verb_of(order.sql or "", tables[0]) is None:
        return False
    return expects(connection, order.sql or "", tables[0]) > LARGE


def _one_by_one(
    connection: duckdb.DuckDBPyConnection,
    order: Order,
    stop: Stop,
    tables: Sequence[Table],
    most: int | None,
) -> Capture:
    """The same with every row here. Raises `Large` where there are more than `most`."""
    stop.reached("run" if order.sql is not None else "back")
    quick = _quick(connection, order, tables, most)
    if quick is not None:
        return _captured(quick, tables)
    connection.execute("BEGIN TRANSACTION")
    for number, table in enumerate(tables):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE gatehouse_before_{number} AS "
            f"SELECT rowid AS {ID}, {table.texts} FROM main.{table.quoted}"
        )
    counted: int | None = None
    if order.sql is not None:
        rows = connection.execute(order.sql).fetchall()
        named = [d[0] for d in connection.description or ()]
        counted = rows[0][0] if named == ["Count"] and len(rows) == 1 else None
        if most is not None and counted is not None and counted > most:
            raise large.Large(tables[0])
    else:
        for table in tables:
            replay(connection, table, (order.image or {})["tables"][table.name])
    stop.reached("rows")
    changes = [_changed(connection, t, n, order.max_rows) for n, t in enumerate(tables)]
    for number in range(len(tables)):
        connection.execute(f"DROP TABLE temp.gatehouse_before_{number}")
    found = [c for c in changes if c.rows]
    if counted is not None and order.sql is not None and _most(found) > counted:
        raise Fault("not_exact")
    return _captured(found, tables)


def _captured(found: Sequence[TableChange], tables: Sequence[Table]) -> Capture:
    by_name = {t.name: t for t in tables}
    return Capture(
        tables=[with_sum(change, by_name[change.table]) for change in found],
        image=image_of(found, tables),
        schema_hash=hash_of(t.definition for t in tables),
    )


def with_sum(change: TableChange, table: Table) -> TableChange:
    """Returns the change with the hash that `duckdb_large` gives it."""
    if len(change.rows) <= LARGE or not large.fits(table):
        return change
    places = [table.columns.index(c) for c in table.primary_key]

    def key(row: Touched) -> tuple[Any, ...]:
        cells = row.before or row.after or ()
        return tuple(cells[n] for n in places)

    rows = [
        Touched(*(None if r is None else tuple(texts_of(r)) for r in row))
        for row in sorted(change.rows, key=key)
    ]
    return replace(change, summed=summed_columns(rows, table.columns, table.types))


def _quick(
    connection: duckdb.DuckDBPyConnection,
    order: Order,
    tables: Sequence[Table],
    most: int | None,
) -> list[TableChange] | None:
    """Runs a plain change of one table with a key, or puts its rows back.

    Returns None, and nothing was run, where the keys alone do not tell what changed.
    """
    if len(tables) != 1 or not tables[0].primary_key:
        return None
    (table,) = tables
    if order.sql is not None and verb_of(order.sql, table) is None:
        return None
    found = None
    with beside(connection) as old:
        old.execute("BEGIN TRANSACTION")
        old.execute(f"SELECT 1 FROM main.{table.quoted} LIMIT 1").fetchall()
        for way in (_replayed,) if order.sql is None else (_expected, _named):
            connection.execute("BEGIN TRANSACTION")
            found = way(connection, old, order, table, most)
            if found is not None:
                break
            connection.execute("ROLLBACK")
    if found is None:
        return None
    _capped(max(map(len, found)), order, table, most)
    before, after = ([typed(r, table) for r in rows] for rows in found)
    key = [table.columns.index(c) for c in table.primary_key]
    rows = tuple(images.paired(before, after, key))
    change = TableChange(
        table=table.name, columns=table.columns, primary_key=table.primary_key, rows=rows
    )
    return [change] if rows else []


def _capped(rows: int, order: Order, table: Table, most: int | None) -> None:
    if rows > order.max_rows:
        raise Fault("too_many_rows")
    if most is not None and rows > most:
        raise large.Large(table)


_Texts = Sequence[Sequence[str | None]]


def _expected(
    connection: duckdb.DuckDBPyConnection,
    old: duckdb.DuckDBPyConnection,
    order: Order,
    table: Table,
    most: int | None,
) -> tuple[_Texts, _Texts] | None:
    """Runs the very statement; returns the rows before and after where they are as guessed."""

    def counted(rows: int) -> None:
        _capped(rows, order, table, most)

    return expected(connection, old, order.sql or "", table, counted)


def _named(
    connection: duckdb.DuckDBPyConnection,
    old: duckdb.DuckDBPyConnection,
    order: Order,
    table: Table,
    _most: int | None,
) -> tuple[_Texts, _Texts] | None:
    """Runs the change and lets it name its rows; None where that is not the same."""
    sql = order.sql or ""
    if not can_name(sql, table):
        return None
    try:
        return run_quick(connection, old, sql, table)
    except (duckdb.BinderException, duckdb.ConstraintException):
        return None  # RETURNING moves a row, which one that others refer to may not be


def _replayed(
    connection: duckdb.DuckDBPyConnection,
    old: duckdb.DuckDBPyConnection,
    order: Order,
    table: Table,
    _most: int | None,
) -> tuple[_Texts, _Texts] | None:
    """Puts the rows of an image back; returns them before and after."""
    image = (order.image or {})["tables"][table.name]
    if image["columns"] != list(table.columns) or image["types"] != list(table.types):
        raise Fault("changed_since")
    keys = keys_in(image, table)
    before = rows_of(old, table, keys)
    replay(connection, table, image)
    return before, rows_of(connection, table, keys)


def _most(changes: Sequence[TableChange]) -> int:
    """Returns how many rows a statement must have touched: a changed key is one, seen as two."""
    rows = [row for change in changes for row in change.rows]
    old = sum(row.before is not None for row in rows)
    return max(old, sum(row.after is not None for row in rows))


def _changed(
    connection: duckdb.DuckDBPyConnection, table: Table, number: int, max_rows: int
) -> TableChange:
    differs = " OR ".join(f"b.{quoted(c)} IS DISTINCT FROM a.{quoted(c)}" for c in table.columns)
    old = ", ".join(f"b.{quoted(c)}" for c in table.columns)
    new = ", ".join(f"a.{quoted(c)}" for c in table.columns)
    rows = connection.execute(
        f"SELECT b.{ID}, a.{ID}, {old}, {new} FROM temp.gatehouse_before_{number} b FULL JOIN "
        f"(SELECT rowid AS {ID}, {table.texts} FROM main.{table.quoted}) a USING ({ID}) "
        f"WHERE a.{ID} IS NULL OR b.{ID} IS NULL OR {differs} "
        f"ORDER BY coalesce(b.{ID}, a.{ID}) LIMIT {max_rows + 1}"
    ).fetchall()
    if len(rows) > max_rows:
        raise Fault("too_many_rows")
    width = len(table.columns)
    touched = [
        Touched(
            before=None if old_id is None else typed(cells[:width], table),
            after=None if new_id is None else typed(cells[width:], table),
        )
        for old_id, new_id, *cells in rows
    ]
    return TableChange(
        table=table.name,
        columns=table.columns,
        primary_key=table.primary_key,
        rows=tuple(_paired(touched, table)),
    )


def _paired(touched: Sequence[Touched], table: Table) -> list[Touched]:
    """Returns the rows that really differ; the engine gives some a new id without changing them."""
    key = [table.columns.index(c) for c in table.primary_key]
    if key:
        olds = [t.before for t in touched if t.before is not None]
        return images.paired(olds, [t.after for t in touched if t.after is not None], key)
    kept = [t for t in touched if t.before is not None and t.after is not None]
    olds = [t.before for t in touched if t.before is not None and t.after is None]
    news = [t.after for t in touched if t.after is not None and t.before is None]
    return [*kept, *images.paired(olds, news, ())]
