"""A change of a SQLite file that is looked at step by step: run with its log, tried, taken back."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guard.engines.child import sqlite_log as log
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Stop
from guard.engines.child.schema import performed
from guard.engines.child.sqlite_images import image_of, put_back, replay
from guard.engines.child.sqlite_reader import code_of
from guard.engines.child.sqlite_schema import definer
from guard.engines.child.sqlite_session import Seen, drop_triggers, guarded, watched
from guard.engines.child.sqlite_tables import Table, checksums, hanging, schema_hash, tables_of
from guard.engines.child.writing import Capture, Order


class Trial:
    """A copy in memory on which an order is tried for good."""

    def __init__(self, copy: sqlite3.Connection, stop: Stop, most: int | None) -> None:
        self._copy = copy
        self._stop = stop
        self._most = most

    def run(self, order: Order) -> Capture:
        """Runs the order in a new transaction, rows being put back without cascades."""
        self._copy.execute(f"PRAGMA foreign_keys={'off' if order.image else 'on'}")
        self._copy.execute("BEGIN IMMEDIATE")
        return executed(self._copy, order, self._stop, self._most if order.sql else None)

    def end(self, word: str) -> None:
        """Commits or rolls back."""
        self._copy.execute(word)

    def is_fixed(self, order: Order) -> bool:
        """Returns False: small files are run twice, which tells for sure."""
        del order
        return False

    def checksums(self, tables: Sequence[str]) -> list[str]:
        """Returns one checksum a table."""
        return checksums(self._copy, tables)


def taken_back(connection: sqlite3.Connection, done: Done, stop: Stop, timeout_ms: int) -> bool:
    """True when the way back, run in the open transaction, leaves no row different.

    Every step must hit the row it names, nothing else may be counted, and the rows are looked at.
    References are checked row by row here, which can refuse what the real way back may do.
    """
    connection.execute("PRAGMA defer_foreign_keys=on")
    log.uninstall(connection, done.tables)
    names = {done.tables[step[1]].name for step in done.log.steps}
    drop_triggers(connection, names)
    counted = connection.total_changes
    stop.reached("back", of=len(done.log.steps))
    try:
        with watched(connection, stop, timeout_ms):
            put_back(connection, done.log.steps, done.tables)
    except Fault:
        return False
    except sqlite3.Error as error:
        if code_of(error) == "interrupted":
            raise
        return False
    alone = connection.total_changes - counted == len(done.log.steps)
    return alone and log.is_back(connection, done.tables, done.log)


@dataclass(frozen=True, kw_only=True)
class Done:
    """What ran in the open transaction: its log, the tables that the log's numbers mean."""

    log: log.Read
    tables: Sequence[Table]
    schema_hash: str

    def capture(self, image: Mapping[str, object]) -> Capture:
        """Returns it with what takes it back."""
        return Capture(tables=self.log.changes, image=image, schema_hash=self.schema_hash)


def executed(
    connection: sqlite3.Connection, order: Order, stop: Stop, most: int | None = None
) -> Capture:
    """Runs the order inside the open transaction; returns what it did and the way back."""
    if order.defines:
        return performed(definer(connection), order, prove=False)
    done = logged(connection, order, stop, most=most)
    return done.capture(image_of(done.log.steps, done.tables))


def logged(
    connection: sqlite3.Connection,
    order: Order,
    stop: Stop,
    seen: Seen | None = None,
    *,
    most: int | None = None,
) -> Done:
    """Runs the order inside the open transaction and reads its log.

    `seen` takes what the statement and its triggers may do.
    """
    tables = tables_of(connection)
    log.install(connection, tables, most)
    # The engine looks at no reference while rows are put back.
    undone = {step[0] for step in order.image["steps"]} if order.image else set[str]()
    dropped = drop_triggers(connection, undone)
    hung = hanging(connection, undone)
    counted = connection.total_changes
    stop.reached("run" if order.sql is not None else "back")
    with watched(connection, stop, order.timeout_ms), guarded(connection, seen or Seen()):
        if order.sql is not None:
            connection.execute(order.sql).fetchall()
        else:
            replay(connection, order.image or {}, tables)
    counted = connection.total_changes - counted
    for text in dropped:
        connection.execute(text)
    if hanging(connection, undone) - hung:
        raise Fault("constraint")
    # Each row was counted as itself and as its line in the log.
    found = log.read(
        connection,
        tables,
        counted,
        order.max_rows,
        lambda rows: stop.reached("rows", rows, max(rows, counted // 2)),
    )
    names = [c.table for c in found.changes]
    return Done(log=found, tables=tables, schema_hash=schema_hash(connection, names))
