"""What a change did to a SQLite file, row by row: temporary triggers write it, this reads it.

One step a row: its number, the table's, the operation, the rowid before and after, and the cells of
the whole row before and after.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guard.engines.child.faults import Fault
from guard.engines.child.images import Net, Row, TableChange, Touched, line, same
from guard.engines.child.names import quoted
from guard.engines.child.sqlite_tables import Table

LOG = "gatehouse_log"
_OPS = ("insert", "update", "delete")
_CHUNK = 10_000
_OP, _OLD, _NEW, _CELLS = 2, 3, 4, 5
Step = Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class Read:
    """The log of one change: its `steps`, the net `changes`, and every touched row as it was.

    `olds` maps a table's name to its rows that were there before, each behind its rowid.
    """

    steps: Sequence[Step]
    changes: Sequence[TableChange]
    olds: Mapping[str, Sequence[Row]]


TOO_LONG = "gatehouse_log_too_long"
"""What the engine says when a log reaches the length that it may have."""


def install(
    connection: sqlite3.Connection, tables: Sequence[Table], most: int | None = None
) -> None:
    """Makes an empty log and the triggers that fill it; with `most` they stop a longer one."""
    width = 2 * max((len(t.columns) for t in tables), default=0)
    cells = "".join(f", c{i}" for i in range(width))
    uninstall(connection, tables)
    connection.execute(f"DROP TABLE IF EXISTS temp.{LOG}")
    connection.execute(
        f"CREATE TEMP TABLE {LOG}(seq INTEGER PRIMARY KEY, tbl, op, o_id, n_id{cells})"
    )
    for number, table in enumerate(tables):
        for op in _OPS:
            connection.execute(_trigger(number, table, op, most))


def mark(connection: sqlite3.Connection, tables: Sequence[Table], *, but: Sequence[Table]) -> None:
    """Makes triggers that note which tables change, `but` those that are looked at anyway."""
    uninstall(connection, tables)
    connection.execute(f"DROP TABLE IF EXISTS temp.{LOG}")
    connection.execute(f"CREATE TEMP TABLE {LOG}(tbl INTEGER PRIMARY KEY)")
    for number, table in enumerate(tables):
        for op in _OPS if table not in but else ():
            connection.execute(
                f"CREATE TEMP TRIGGER gatehouse_{number}_{op} AFTER {op.upper()} ON {table.quoted} "
                f"WHEN NOT EXISTS (SELECT 1 FROM {LOG} WHERE tbl = {number}) "
                f"BEGIN INSERT INTO {LOG} VALUES ({number}); END"
            )


def touched(connection: sqlite3.Connection) -> set[int]:
    """Returns the numbers of the tables that were noted or logged."""
    return {r[0] for r in connection.execute(f"SELECT DISTINCT tbl FROM temp.{LOG}")}


def uninstall(connection: sqlite3.Connection, tables: Sequence[Table]) -> None:
    """Stops the logging; what was logged stays."""
    for number in range(len(tables)):
        for op in _OPS:
            connection.execute(f"DROP TRIGGER IF EXISTS temp.gatehouse_{number}_{op}")


def _trigger(number: int, table: Table, op: str, most: int | None) -> str:
    old = [f"OLD.{quoted(c)}" if op != "insert" else "NULL" for c in table.columns]
    new = [f"NEW.{quoted(c)}" if op != "delete" else "NULL" for c in table.columns]
    old_id = f"OLD.{table.rowid}" if table.rowid and op != "insert" else "NULL"
    new_id = f"NEW.{table.rowid}" if table.rowid and op != "delete" else "NULL"
    names = ", ".join(f"c{i}" for i in range(2 * len(table.columns)))
    values = ", ".join([str(number), f"'{op}'", old_id, new_id, *old, *new])
    full = (
        f"SELECT RAISE(ABORT, '{TOO_LONG}') WHERE EXISTS (SELECT 1 FROM {LOG} WHERE seq > {most});"
    )
    return (
        f"CREATE TEMP TRIGGER gatehouse_{number}_{op} AFTER {op.upper()} ON {table.quoted} "
        f"BEGIN INSERT INTO {LOG}(tbl, op, o_id, n_id, {names}) VALUES ({values}); "
        f"{full if most is not None else ''} END"
    )


def read(
    connection: sqlite3.Connection,
    tables: Sequence[Table],
    counted: int,
    max_rows: int,
    heard: Callable[[int], None] = lambda _: None,
) -> Read:
    """Returns what the log holds. `counted` is what the library's own counter went up by.

    `heard` is told now and then how many steps were read.

    Raises:
        Fault: more than `max_rows` steps, or something was counted that is not in the log.
    """
    steps: list[Step] = []
    found = connection.execute(f"SELECT * FROM temp.{LOG} ORDER BY seq LIMIT ?", (max_rows + 1,))
    while part := found.fetchmany(_CHUNK):
        steps += part
        heard(len(steps))
    if len(steps) > max_rows:
        raise Fault("too_many_rows")
    _complete(len(steps), counted)
    numbers = {step[1] for step in steps}
    changes: list[TableChange] = []
    olds: dict[str, Sequence[Row]] = {}
    for number in sorted(numbers):
        table = tables[number]
        own = steps if len(numbers) == 1 else [s for s in steps if s[1] == number]
        rows, before = _each_once(table, own) or _net(table, own)
        olds[table.name] = before
        if rows:
            changes.append(
                TableChange(
                    table=table.name,
                    columns=table.columns,
                    primary_key=table.primary_key,
                    rows=tuple(rows),
                )
            )
    return Read(steps=steps, changes=changes, olds=olds)


def complete(connection: sqlite3.Connection, counted: int) -> None:
    """Raises `Fault` where more was counted than is in the log, as `read` does."""
    _complete(connection.execute(f"SELECT count(*) FROM temp.{LOG}").fetchone()[0], counted)


def _complete(steps: int, counted: int) -> None:
    # Each logged change adds one row to the log. Rows that REPLACE removes are logged and not
    # counted; anything counted beyond that went past the log, so the preview would not be exact.
    if counted - steps > steps:
        raise Fault("not_exact")


def _each_once(table: Table, steps: Sequence[Step]) -> tuple[list[Touched], list[Row]] | None:
    """Returns the net rows and the old ones where no row was touched twice, else None."""
    if table.rowid is None:
        return None
    moved = any(s[_OLD] != s[_NEW] and s[_OP] == "update" for s in steps)
    ids = {s[_OLD] if s[_NEW] is None else s[_NEW] for s in steps}
    if moved or len(ids) != len(steps):
        return None
    width = len(table.columns)
    middle, end = _CELLS + width, _CELLS + 2 * width
    ordered = sorted(steps, key=lambda s: s[_OLD] if s[_NEW] is None else s[_NEW])
    touched = (
        Touched(
            before=tuple(s[_CELLS:middle]) if s[_OP] != "insert" else None,
            after=tuple(s[middle:end]) if s[_OP] != "delete" else None,
        )
        for s in ordered
    )
    rows = [t for t in touched if not same(t.before, t.after)]
    return rows, [(s[_OLD], *s[_CELLS:middle]) for s in ordered if s[_OP] != "insert"]


def _net(table: Table, steps: Sequence[Step]) -> tuple[list[Touched], list[Row]]:
    nets, width = Net(), len(table.columns)
    ids: dict[object, object] = {}
    for _, _, op, old_id, new_id, *cells in steps:
        old, new = tuple(cells[:width]), tuple(cells[width : 2 * width])
        before = None if op == "insert" else (table.key_of(old_id, old), old)
        after = None if op == "delete" else (table.key_of(new_id, new), new)
        if before is not None:
            ids.setdefault(before[0], old_id)
        nets.step(before, after)
    return list(nets.rows()), [(ids.get(key), *row) for key, row in nets.olds()]


def is_back(connection: sqlite3.Connection, tables: Sequence[Table], done: Read) -> bool:
    """True when every touched row that was there is there again, and every new one is gone."""
    for number, table in enumerate(tables):
        wanted = done.olds.get(table.name)
        if wanted is not None and not _same_rows(_now(connection, number, table), wanted):
            return False
    return True


def _now(connection: sqlite3.Connection, number: int, table: Table) -> list[Row]:
    names = ", ".join(quoted(c) for c in table.columns)
    if table.rowid is not None:
        cells, key, olds, news = f"{table.rowid}, {names}", table.rowid, "o_id", "n_id"
    else:
        places = [table.columns.index(c) for c in table.primary_key]
        cells, key = f"NULL, {names}", f"({', '.join(map(quoted, table.primary_key))})"
        olds = ", ".join(f"c{i}" for i in places)
        news = ", ".join(f"c{i + len(table.columns)}" for i in places)
    return connection.execute(
        f"SELECT {cells} FROM main.{table.quoted} WHERE {key} IN ("
        f"SELECT {olds} FROM temp.{LOG} WHERE tbl = ? AND op <> 'insert' "
        f"UNION SELECT {news} FROM temp.{LOG} WHERE tbl = ? AND op <> 'delete')",
        (number, number),
    ).fetchall()


def _same_rows(rows: Sequence[Row], others: Sequence[Row]) -> bool:
    if len(rows) != len(others):
        return False
    return sorted(map(line, rows)) == sorted(map(line, others))
