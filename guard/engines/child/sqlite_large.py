"""A change of very many rows of a SQLite file: compared and kept by the engine, never in Python.

In a preview the file is attached a second time beside itself. As long as nothing of the open
transaction is written, that one still holds the rows as they were. The target is compared with it,
other tables where a trigger saw a row change. For good, a log in memory says what the touched rows
were, because the file could not be committed while it is read.

1 the statement runs, or an earlier change is put back
2 the rows that differ are taken and hashed (`sqlite_change`)
3 in a preview they are put back as the way back does it, and every row is compared
A statement that may give other values the next time runs once more before the third step.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from guard.engines.child import sqlite_back as back
from guard.engines.child import sqlite_beside as beside
from guard.engines.child import sqlite_change as change
from guard.engines.child import sqlite_log as log
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Stop
from guard.engines.child.sqlite_beside import Beside
from guard.engines.child.sqlite_change import Part
from guard.engines.child.sqlite_reader import code_of
from guard.engines.child.sqlite_session import (
    OLD,
    RUN_AGAIN,
    RUN_BEGINS,
    Seen,
    drop_triggers,
    guarded,
    is_fixed,
    watched,
)
from guard.engines.child.sqlite_tables import Table, hanging, schema_hash, tables_of
from guard.engines.child.writing import NOT_PROVEN, Capture, Order


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What ran, and the rows it changed.

    `unseen` are the columns that nobody looked at, by table; `fixed` says that the next run gives
    the same values; `data` is what is hashed, `sha256` will be its hash.
    """

    parts: Sequence[Part]
    sides: Sequence[Beside]
    unseen: Sequence[Sequence[str]]
    fixed: bool
    data: bytes
    sha256: Future[str]

    @property
    def total(self) -> int:
        return sum(part.total for part in self.parts)


def ready(order: Order) -> Callable[[sqlite3.Connection], None]:
    """Returns what a connection needs before it can make or take back a large change."""

    def attach(connection: sqlite3.Connection) -> None:
        beside.prepare(connection)
        change.attach(connection, order.image)

    return attach


def is_large(image: Mapping[str, Any] | None) -> bool:
    """True for the image of a change that was made here."""
    return bool(image) and "rows" in (image or {})


def previewed(
    connection: sqlite3.Connection, order: Order, stop: Stop, few_rows: int
) -> Capture | None:
    """Returns what the order does in the open transaction of `connection`, opened beside.

    It runs twice where a second run may give other values. Of a table with no more than `few_rows`
    changed rows all are returned.
    None where rows cannot be told apart by their rowid: the caller looks at it in another way.
    Raises `Fault`, and what the engine says.
    """
    found = _settled(connection, order, stop)
    if found is None:
        return None
    done, moving = found
    with watched(connection, stop, order.timeout_ms):
        schema = _schema_of(connection, done)
        proven = _is_back(connection, done, stop)
        if not proven and _went_unseen(connection, done):
            return None
        decided = replace(order, decided=moving)
        capture = _captured(connection, done, decided, few_rows, schema)
    notes = () if proven else (NOT_PROVEN,)
    return replace(capture, verified=proven, notes=notes, decided=moving)


def _settled(
    connection: sqlite3.Connection, order: Order, stop: Stop
) -> tuple[_Done, Mapping[str, Sequence[str]]] | None:
    """Returns what the order did the last time, and by table the columns that differ between runs.

    None as `previewed`.
    """
    connection.execute(RUN_BEGINS)
    with watched(connection, stop, order.timeout_ms):
        first = _done(connection, order, stop, logs=False)
    if first is None or first.fixed:
        return None if first is None else (first, {})
    # The lock is kept: what another one commits in between would look as if it moved by itself.
    connection.execute(RUN_AGAIN)
    # A second run must see another second.
    time.sleep(1.0 - time.time() % 1.0)
    with watched(connection, stop, order.timeout_ms):
        done = _done(connection, order, stop, logs=False)
    if done is None:
        return None
    with change.runs(first.data, done.data) as both, watched(both, stop, order.timeout_ms):
        return done, change.moving(both, first.parts, done.parts)


def executed(
    connection: sqlite3.Connection, order: Order, stop: Stop, few_rows: int
) -> Capture | None:
    """Runs the order in the open transaction; returns what it did and the way back.

    None, and raises, as `previewed`.
    """
    with watched(connection, stop, order.timeout_ms):
        done = _done(connection, order, stop, logs=True)
        if done is None:
            return None
        schema = _schema_of(connection, done)
        capture = _captured(connection, done, order, few_rows, schema)
    return replace(capture, image=change.image_of(done.parts, done.data, done.sha256.result()))


def _schema_of(connection: sqlite3.Connection, done: _Done) -> str:
    return schema_hash(connection, [part.table.name for part in done.parts if part.total])


def _captured(
    connection: sqlite3.Connection, done: _Done, order: Order, few_rows: int, schema: str
) -> Capture:
    sha256 = change.hash_of(connection, done.parts, done.sha256, order.decided)
    found = [
        change.told(
            connection,
            part,
            sha256,
            order.decided.get(part.table.name, ()),
            few_rows=few_rows,
            shown_rows=order.shown_rows,
        )
        for part in done.parts
        if part.total
    ]
    return Capture(tables=found, image={}, schema_hash=schema)


def found_in(connection: sqlite3.Connection, image: Mapping[str, Any]) -> str:
    """Returns whether the rows stand as `before` the change, `after` it or `neither`."""
    try:
        parts = change.parts_of(image, tables_of(connection))
    except Fault:
        return "neither"
    if all(back.is_before(connection, p) for p in parts):
        return "before"
    return "after" if all(back.is_after(connection, p) for p in parts) else "neither"


def _done(connection: sqlite3.Connection, order: Order, stop: Stop, *, logs: bool) -> _Done | None:
    """Runs the order and takes the rows that differ; None where they cannot be compared."""
    tables = tables_of(connection)
    given = change.parts_of(order.image, tables) if order.image else []
    named = {n.lower() for n in order.targets} | {p.table.name.lower() for p in given}
    target = [t for t in tables if t.name.lower() in named]
    counted, seen = connection.total_changes, Seen()
    if logs:
        log.install(connection, tables)
    else:
        log.mark(connection, tables, but=target)
    stop.reached("run" if order.sql is not None else "back")
    if order.sql is not None:
        with guarded(connection, seen):
            connection.execute(order.sql).fetchall()
    else:
        _undone(connection, given)
    counted = connection.total_changes - counted
    log.uninstall(connection, tables)
    if logs:
        log.complete(connection, counted)
    touched = log.touched(connection) | (set() if logs else {tables.index(t) for t in target})
    if any(tables[n].rowid is None for n in touched):
        return None
    if not logs and order.sql is not None:
        _holds(connection, [tables[n] for n in touched])
    return _taken(connection, order, {n: tables[n] for n in sorted(touched)}, seen, stop, logs)


def _undone(connection: sqlite3.Connection, given: Sequence[Part]) -> None:
    """Puts rows back with their tables' triggers silent. Raises `Fault` where a reference hangs."""
    names = {part.table.name for part in given}
    dropped, hung = drop_triggers(connection, names), hanging(connection, names)
    back.take_back(connection, given)
    for text in dropped:
        connection.execute(text)
    if hanging(connection, names) - hung:
        raise Fault("constraint")


def _holds(connection: sqlite3.Connection, touched: Sequence[Table]) -> None:
    """Raises `Fault` where the commit would find a reference hanging."""
    names = [t.name for t in touched]
    hung = hanging(connection, names, deferred=True)
    if hung and hung - hanging(connection, names, deferred=True, schema=OLD):
        raise Fault("constraint")


def _taken(
    connection: sqlite3.Connection,
    order: Order,
    touched: Mapping[int, Table],
    seen: Seen,
    stop: Stop,
    logs: bool,
) -> _Done:
    before = 0

    def heard(rows: int) -> None:
        stop.reached("rows", before + rows)
        if before + rows > order.max_rows:
            raise Fault("too_many_rows")

    sides, parts, unseen = [], [], []
    for number, table in touched.items():
        columns = seen.written(table) if order.sql is not None and not logs else table.columns
        side = beside.logged(connection, number, table) if logs else beside.attached(table)
        part = change.written(connection, number, side, columns, heard)
        before += part.total
        sides.append(side)
        parts.append(part)
        unseen.append([c for c in table.columns if c not in columns])
    data = change.bytes_of(connection)
    return _Done(
        parts=parts,
        sides=sides,
        unseen=unseen,
        fixed=order.sql is None or is_fixed(connection, seen),
        data=data,
        sha256=_hashed(data),
    )


def _hashed(data: bytes) -> Future[str]:
    """Returns what will be the SHA-256, while this thread goes on with the rows."""
    with_other = ThreadPoolExecutor(1)
    found = with_other.submit(lambda: hashlib.sha256(data).hexdigest())
    with_other.shutdown(wait=False)
    return found


def _is_back(connection: sqlite3.Connection, done: _Done, stop: Stop) -> bool:
    """True when the way back, run in the open transaction, leaves no row different.

    References are checked row by row here, which can refuse what the real way back may do.
    """
    stop.reached("back", 0, done.total)
    connection.execute("PRAGMA defer_foreign_keys=on")
    drop_triggers(connection, {p.table.name for p in done.parts})
    counted = connection.total_changes
    try:
        if back.put_back(connection, done.parts) != connection.total_changes - counted:
            return False
        pairs = zip(done.sides, done.parts, strict=True)
        return all(side.stands(connection, part.typed) for side, part in pairs)
    except Fault:
        return False
    except sqlite3.Error as error:
        if code_of(error) == "interrupted":
            raise
        return False


def _went_unseen(connection: sqlite3.Connection, done: _Done) -> bool:
    """True when a column differs that the engine had not said it would write."""
    sides = zip(done.sides, done.unseen, strict=True)
    return any(side.differing(connection, columns) for side, columns in sides)
