"""A plain change in DuckDB, run and taken back in one transaction that is rolled back.

It commits nothing, so nothing waits for a disk. A second connection still sees the rows as they
were. Which rows were changed is told in one of two ways:

1 The rows that the statement seems to name (`duckdb_matching.py`) are as many as the engine says it
  changed, and every one of them is another now or gone: then it was exactly these.
2 `RETURNING` names them, which costs several times the change itself.

What may give other values the second time (`duckdb_fixed.py`) runs twice. The way back finds each
row by its key and by every value it has now, and fails where one is not so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb

from guard.engines.child import images
from guard.engines.child.duckdb_capture import with_sum
from guard.engines.child.duckdb_fixed import is_fixed
from guard.engines.child.duckdb_images import replay
from guard.engines.child.duckdb_large import Large, fits
from guard.engines.child.duckdb_quick import (
    Texts,
    can_name,
    expected,
    expects,
    rows_of,
    verb_of,
)
from guard.engines.child.duckdb_tables import Table, beside, hash_of, target_of, typed
from guard.engines.child.faults import Fault
from guard.engines.child.images import TableChange
from guard.engines.child.reader import Stop
from guard.engines.child.summed import LARGE
from guard.engines.child.writing import Capture, Order, carries_now, next_second, with_second

Rows = tuple[list[Texts], list[Texts]]


def once(connection: duckdb.DuckDBPyConnection, order: Order, stop: Stop) -> Capture | None:
    """Returns what a plain change of a table with a key does, its way back proven.

    None where that cannot be told in one transaction; nothing is left behind. The caller looks at
    it in another way then. Raises `Fault`, `Large`, and what the engine says of the statement.
    """
    if order.sql is None or len(order.targets) != 1:
        return None
    table = target_of(connection, order.targets[0])
    if verb_of(order.sql, table) is None:
        return None
    fixed = is_fixed(connection, order.sql, [table])
    stop.reached("run")
    if fixed and fits(table) and expects(connection, order.sql, table) > LARGE:
        raise Large(table)
    with beside(connection) as old:
        old.execute("BEGIN TRANSACTION")
        old.execute(f"SELECT 1 FROM main.{table.quoted} LIMIT 1").fetchall()
        found = _Try(
            connection=connection, old=old, order=order, table=table, stop=stop, fixed=fixed
        )
        for way in (_expected, _named):
            done = found.runs(way)
            if done is not None or stop.asked():
                return done
    return None


@dataclass(frozen=True, kw_only=True)
class _Try:
    """One plain change that is tried; `old` sees the rows as they were.

    `fixed` says that it gives the same when it runs again.
    """

    connection: duckdb.DuckDBPyConnection
    old: duckdb.DuckDBPyConnection
    order: Order
    table: Table
    stop: Stop
    fixed: bool

    def runs(self, way: _Way) -> Capture | None:
        """Returns what the change does, run once where that is enough."""
        first = self._run(way, back=self.fixed)
        if first is None or self.fixed:
            return first and with_second(first, first, verified=True, notes=())
        if carries_now(first):
            next_second()
        second = self._run(way, back=True)
        return second and with_second(first, second, verified=True, notes=())

    def _run(self, way: _Way, *, back: bool) -> Capture | None:
        self.connection.execute("BEGIN TRANSACTION")
        try:
            rows = way(self)
        except Large:
            self.connection.execute("ROLLBACK")
            raise
        if back:
            rows = _back(self.connection, self.table, rows, self.stop)
        self.connection.execute("ROLLBACK")
        return None if rows is None or self.stop.asked() else self._capture(rows)

    def _capture(self, found: Rows) -> Capture:
        table = self.table
        key = [table.columns.index(c) for c in table.primary_key]
        before, after = ([typed(r, table) for r in rows] for rows in found)
        rows = tuple(images.paired(before, after, key))
        change = TableChange(
            table=table.name, columns=table.columns, primary_key=table.primary_key, rows=rows
        )
        return Capture(
            tables=[with_sum(change, table)] if rows else [],
            image={},
            schema_hash=hash_of([table.definition]),
        )

    def counted(self, rows: int) -> None:
        """Hears how many rows the engine says it changed."""
        if rows > self.order.max_rows:
            raise Fault("too_many_rows")
        if self.fixed and rows > LARGE and fits(self.table):
            raise Large(self.table)
        self.stop.reached("rows", 0, rows)


_Way = Callable[[_Try], Rows | None]


def _expected(its: _Try) -> Rows | None:
    """Runs the change; returns the rows before and after, or None where they are not as guessed."""
    return expected(its.connection, its.old, its.order.sql or "", its.table, its.counted)


def _named(its: _Try) -> Rows | None:
    """Runs the change and lets it name its rows; None where their keys do not tell."""
    table, sql = its.table, its.order.sql or ""
    if not can_name(sql, table):
        return None
    places = [table.columns.index(c) for c in table.primary_key]
    try:
        named = its.connection.execute(
            f"{sql.rstrip().rstrip(';')}\nRETURNING {table.texts}"
        ).fetchall()
    except (duckdb.BinderException, duckdb.ConstraintException):
        return None  # RETURNING moves a row, which one that others refer to may not be
    its.counted(len(named))
    keys = [tuple(row[i] for i in places) for row in named]
    verb = verb_of(sql, table)
    before = rows_of(its.old, table, keys)
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
