"""A change of very many rows of a SQLite file: compared where they are, hashed batch by batch.

The file is attached a second time beside itself. As long as nothing of the open transaction is
written, that one still holds the rows as they were, and tables can be compared row by row without
a log of them. The target is always compared, other tables where a trigger saw a row change.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice

from guard.engines.child import sqlite_log as log
from guard.engines.child.faults import Fault
from guard.engines.child.images import TableChange, Touched
from guard.engines.child.names import quoted
from guard.engines.child.reader import Stop
from guard.engines.child.sqlite_reader import code_of
from guard.engines.child.sqlite_session import OLD, drop_triggers, guarded, is_fixed, watched
from guard.engines.child.sqlite_tables import Table, hanging, schema_hash, tables_of
from guard.engines.child.summed import BATCH, KINDS, LARGE, Kind, Sum, Summed
from guard.engines.child.writing import NOT_PROVEN, Capture, Order, with_second

_ALIKE = "gatehouse_alike"


def large(connection: sqlite3.Connection, order: Order, stop: Stop) -> Capture | None:
    """Returns what the statement does in the open transaction of `connection`, opened beside.

    None where rows cannot be told apart by their rowid, or a second run may give other values: the
    caller looks at it in another way. Raises `Fault`, and what the engine says.
    """
    tables = tables_of(connection)
    named = {name.lower() for name in order.targets}
    target = [t for t in tables if t.name.lower() in named]
    log.mark(connection, tables, but=target)
    connection.create_function(_ALIKE, 2, lambda old, new: repr(old) == repr(new))
    called: set[str] = set()
    with watched(connection, stop, order.timeout_ms):
        stop.reached("run")
        with guarded(connection, called):
            connection.execute(order.sql or "").fetchall()
        touched = [*target, *(tables[n] for n in log.marked(connection))]
        if any(t.rowid is None for t in touched) or not is_fixed(connection, called):
            return None
        if _hangs(connection, touched):
            raise Fault("constraint")
        log.uninstall(connection, tables)
        changes = [_change(connection, t, order, stop) for t in touched]
        found = [c for c in changes if c.total]
        if sum(c.total for c in found) > order.max_rows:
            raise Fault("too_many_rows")
        definitions = schema_hash(connection, [c.table for c in found])
        back = _is_back(connection, touched, changes, stop)
    done = Capture(
        tables=sorted(found, key=lambda c: [t.name for t in tables].index(c.table)),
        image={},
        schema_hash=definitions,
    )
    return with_second(done, done, verified=back, notes=() if back else (NOT_PROVEN,))


def _hangs(connection: sqlite3.Connection, touched: Sequence[Table]) -> bool:
    names = [t.name for t in touched]
    hung = hanging(connection, names, deferred=True)
    return bool(hung and hung - hanging(connection, names, deferred=True, schema=OLD))


def _differ(table: Table) -> str:
    """Returns the condition that the rows `o` and `n` are not the same, values and types.

    Zero and minus zero are equal to the engine, of one type and one text.
    """
    same = [
        f"o.{c} IS n.{c} COLLATE BINARY AND typeof(o.{c}) = typeof(n.{c})"
        for c in map(quoted, table.columns)
    ]
    same += [f"(o.{c} IS NOT 0.0 OR {_ALIKE}(o.{c}, n.{c}))" for c in map(quoted, table.loose)]
    return f"NOT ({' AND '.join(same)})"


def _joined(table: Table) -> str:
    key = table.rowid
    return f"{OLD}.{table.quoted} o JOIN main.{table.quoted} n ON n.{key} = o.{key}"


def _missing(table: Table, here: str, there: str, letter: str) -> str:
    key = table.rowid
    return (
        f"{here}.{table.quoted} {letter} WHERE NOT EXISTS "
        f"(SELECT 1 FROM {there}.{table.quoted} x WHERE x.{key} = {letter}.{key})"
    )


def _selects(table: Table) -> dict[Kind, str]:
    """Returns a SELECT for each kind of row: its rowid, then the cells before and after."""
    cells = {s: ", ".join(f"{s}.{quoted(c)}" for c in table.columns) for s in "on"}
    key = table.rowid
    return {
        "inserted": f"SELECT n.{key}, {cells['n']} FROM {_missing(table, 'main', OLD, 'n')}"
        f" ORDER BY n.{key}",
        "updated": f"SELECT o.{key}, {cells['o']}, {cells['n']} FROM {_joined(table)} "
        f"WHERE {_differ(table)} ORDER BY o.{key}",
        "deleted": f"SELECT o.{key}, {cells['o']} FROM {_missing(table, OLD, 'main', 'o')}"
        f" ORDER BY o.{key}",
    }


def _change(connection: sqlite3.Connection, table: Table, order: Order, stop: Stop) -> TableChange:
    """Reads what differs in one table, keeping as many rows as somebody wants to see."""
    most, whole = max(order.shown_rows, LARGE + 1), Sum()
    first: dict[Kind, list[tuple[int, Touched]]] = {kind: [] for kind in KINDS}
    count, selects = 0, _selects(table)
    for kind in ("updated",) if _same_keys(connection, table) else KINDS:
        for batch in _batches(connection, selects[kind]):
            whole.add(kind, [row[1:] for row in batch])
            shown = islice(batch, most - len(first[kind]))
            first[kind] += ((row[0], _touched(kind, row[1:], len(table.columns))) for row in shown)
            count += len(batch)
            stop.reached("rows", count)
            if count > order.max_rows:
                raise Fault("too_many_rows")
    rows = heapq.merge(*first.values(), key=lambda pair: pair[0])
    return TableChange(
        table=table.name,
        columns=table.columns,
        primary_key=table.primary_key,
        rows=tuple(touched for _, touched in islice(rows, most)),
        summed=whole.result if whole.result.total > LARGE else None,
    )


def _same_keys(connection: sqlite3.Connection, table: Table) -> bool:
    """True when exactly the same rowids are in the table as before."""
    (counts,) = connection.execute(
        f"SELECT (SELECT count(*) FROM {OLD}.{table.quoted}), "
        f"(SELECT count(*) FROM main.{table.quoted}), (SELECT count(*) FROM {_joined(table)})"
    )
    return len(set(counts)) == 1


def _touched(kind: Kind, cells: tuple[object, ...], width: int) -> Touched:
    before = None if kind == "inserted" else cells[:width]
    return Touched(before=before, after=None if kind == "deleted" else cells[-width:])


def _batches(
    connection: sqlite3.Connection, text: str
) -> Iterator[list[tuple[int, *tuple[object, ...]]]]:
    cursor = connection.execute(text)
    while batch := cursor.fetchmany(BATCH):
        yield batch


def _is_back(
    connection: sqlite3.Connection,
    touched: Sequence[Table],
    changes: Sequence[TableChange],
    stop: Stop,
) -> bool:
    """True when the rows as they were, put back in the open transaction, leave none different."""
    stop.reached("back", 0, sum(c.total for c in changes))
    connection.execute("PRAGMA defer_foreign_keys=on")
    drop_triggers(connection, {t.name for t in touched})
    counted, hit = connection.total_changes, 0
    try:
        for table, change in zip(touched, changes, strict=True):
            for text in _backwards(connection, table, change):
                hit += connection.execute(text).rowcount
        if connection.total_changes - counted != hit:
            return False
        return not any(_differs(connection, t) for t in touched)
    except sqlite3.Error as error:
        if code_of(error) == "interrupted":
            raise
        return False


def _differs(connection: sqlite3.Connection, table: Table) -> bool:
    counts = connection.execute(
        f"SELECT count(*), total({_differ(table)}) FROM {_joined(table)}"
    ).fetchone()
    sizes = [
        connection.execute(f"SELECT count(*) FROM {schema}.{table.quoted}").fetchone()[0]
        for schema in ("main", OLD)
    ]
    return counts[1] != 0 or sizes != [counts[0], counts[0]]


def _backwards(connection: sqlite3.Connection, table: Table, change: TableChange) -> Iterator[str]:
    """Yields what puts a table back: in place, or by way of none where values must be unique."""
    key, name, old = table.rowid, f"main.{table.quoted}", f"{OLD}.{table.quoted}"
    there = f"SELECT 1 FROM {old} o WHERE o.{key} = n.{key}"
    indexes = connection.execute(f"PRAGMA main.index_list({table.quoted})").fetchall()
    free = [quoted(c) for c in table.columns if c not in table.primary_key]
    around = bool(not free or any(index[2] for index in indexes))
    kinds = {"inserted", "updated", "deleted"} if change.summed is None else _kinds(change.summed)
    if "inserted" in kinds:
        yield f"DELETE FROM {name} AS n WHERE NOT EXISTS ({there})"
    if "updated" in kinds and around:
        yield f"DELETE FROM {name} AS n WHERE EXISTS ({there} AND {_differ(table)})"
    elif "updated" in kinds:
        cells = ", ".join(f"o.{c}" for c in free)
        # A row that is the same is written as it is: to compare all of them takes longer.
        yield (
            f"UPDATE {name} AS n SET ({', '.join(free)}) = "
            f"(SELECT {cells} FROM {old} o WHERE o.{key} = n.{key})"
        )
    if "deleted" in kinds or around:
        names = ", ".join([str(key), *map(quoted, table.columns)])
        cells = ", ".join([f"o.{key}", *(f"o.{quoted(c)}" for c in table.columns)])
        yield f"INSERT INTO {name}({names}) SELECT {cells} FROM {_missing(table, OLD, 'main', 'o')}"


def _kinds(found: Summed) -> set[Kind]:
    return {kind for kind in KINDS if getattr(found, kind)}
