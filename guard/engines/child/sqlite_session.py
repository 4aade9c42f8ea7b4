"""A SQLite file opened as the write role, and what an order may do while it runs there."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from guard.engines.child import sqlite_log as log
from guard.engines.child import sqlite_words as words
from guard.engines.child.faults import Fault
from guard.engines.child.names import fold, quoted
from guard.engines.child.reader import Stop
from guard.engines.child.sqlite_reader import LIMITS
from guard.engines.child.sqlite_tables import Table, tables_of
from guard.engines.child.writing import Order

OLD = "gatehouse_old"
"""The same file beside itself, as it was before an open transaction."""
RUN_BEGINS, RUN_AGAIN = "SAVEPOINT gatehouse_run", "ROLLBACK TO gatehouse_run"
"""What lets a statement run twice in one transaction, on the very same rows."""
_MOVING = frozenset(
    {
        *("random", "randomblob", "changes", "total_changes", "last_insert_rowid"),
        *("date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"),
        *("current_date", "current_time", "current_timestamp"),
    }
)
"""Functions that may give another value the second time."""
_STEPS = 100_000
_MAPPED_BYTES = 256 * 1024 * 1024
"""How much of the file as it was is read without copying; the process may map six times as much."""
CACHED = 64
"""Statements are compiled again, and so looked at again, whenever the authorizer is set."""
_WRITES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_READ})


def opened(
    path: Path,
    order: Order,
    *,
    begin: bool = True,
    trial: bool = False,
    beside: bool = False,
    ready: Callable[[sqlite3.Connection], None] = lambda _: None,
) -> sqlite3.Connection:
    """Returns the file, a transaction begun. `beside` also shows it as it was, as `OLD`.

    `ready` may attach what else is needed.

    What a `trial` changes never reaches the file: readers go on meanwhile, and where the process is
    killed nothing has to be taken back before they can read again.
    Raises `Fault` where it is missing.
    """
    if not path.is_file():
        raise Fault("missing")
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=order.lock_timeout_ms / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=CACHED,
    )
    try:
        if trial or beside:
            connection.execute("PRAGMA main.cache_spill=0")
            _journal_in_memory(connection)
        if beside:
            connection.execute(f"ATTACH ? AS {OLD}", (f"file:{quote(str(path))}?mode=ro",))
            connection.execute(f"PRAGMA {OLD}.mmap_size={_MAPPED_BYTES}")
        ready(connection)
        prepare(connection, order)
        if begin:
            connection.execute("BEGIN IMMEDIATE")
    except BaseException:
        connection.close()
        raise
    return connection


def _journal_in_memory(connection: sqlite3.Connection) -> None:
    """Writes no journal beside a file that is never written; a write-ahead log stays."""
    if connection.execute("PRAGMA main.journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA main.journal_mode=MEMORY")


def prepare(connection: sqlite3.Connection, order: Order) -> None:
    """Sets limits, and whether the engine looks after references."""
    for which, value in LIMITS:
        if which != sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH:
            connection.setlimit(which, value)
    connection.execute("PRAGMA trusted_schema=0")
    connection.execute("PRAGMA temp_store=2")
    # Taking back is a replay of rows: what cascades once did is in the log.
    connection.execute(f"PRAGMA foreign_keys={'off' if order.image else 'on'}")
    connection.execute("PRAGMA recursive_triggers=on")


@contextlib.contextmanager
def watched(connection: sqlite3.Connection, stop: Stop, timeout_ms: int) -> Iterator[None]:
    """Ends what runs inside when it is asked to stop or the time is up."""
    deadline = time.monotonic() + timeout_ms / 1000
    connection.set_progress_handler(lambda: stop.asked() or time.monotonic() > deadline, _STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a statement, its triggers and cascades may do, as the engine compiles them.

    The `functions` they call, the columns they set as (table, column), and tables that get rows.
    """

    functions: set[str] = field(default_factory=set)
    columns: set[tuple[str, str]] = field(default_factory=set)
    filled: set[str] = field(default_factory=set)

    def written(self, table: Table) -> tuple[str, ...]:
        """Returns the columns of which a row that was there before may differ afterwards."""
        names = {column for name, column in self.columns if name == table.name}
        if table.name in self.filled or not names <= {*table.columns} - {table.alias}:
            return table.columns
        return tuple(c for c in table.columns if c in names)


@contextlib.contextmanager
def guarded(connection: sqlite3.Connection, seen: Seen) -> Iterator[None]:
    """Lets rows of real tables change and nothing else; `seen` takes what runs inside does."""

    def authorize(
        action: int, first: str | None, second: str | None, database: str | None, inner: str | None
    ) -> int:
        if action == sqlite3.SQLITE_FUNCTION:
            seen.functions.add((second or "").lower())
        elif action == sqlite3.SQLITE_UPDATE:
            seen.columns.add((first or "", second or ""))
        elif action == sqlite3.SQLITE_INSERT:
            seen.filled.add(first or "")
        return _authorize(action, first, second, database, inner)

    connection.set_authorizer(authorize)
    try:
        yield
    finally:
        connection.set_authorizer(None)


def _authorize(
    action: int, first: str | None, second: str | None, database: str | None, inner: str | None
) -> int:
    """Returns what `set_authorizer` asks: rows of real tables may change, nothing else."""
    name = (first or "").lower()
    if action in _READS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = (second or "").lower() in words.FUNCTIONS
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
    if name == log.LOG:
        # Only the capturing triggers write the log: a statement that could would hide its rows.
        logs = action == sqlite3.SQLITE_INSERT and (inner or "").startswith("gatehouse_")
        return sqlite3.SQLITE_OK if logs else sqlite3.SQLITE_DENY
    real = database == "main" and not name.startswith("sqlite_")
    return sqlite3.SQLITE_OK if action in _WRITES and real else sqlite3.SQLITE_DENY


def is_fixed(connection: sqlite3.Connection, seen: Seen) -> bool:
    """True when a second run cannot give other values: by what it called, and by the defaults.

    The engine does not say which functions it calls for a default; only written tables need one.
    """
    if seen.functions & _MOVING:
        return False
    written = seen.filled | {name for name, _ in seen.columns}
    for table in (t for t in tables_of(connection) if t.name in written):
        for column in connection.execute(f"PRAGMA main.table_xinfo({table.quoted})").fetchall():
            default = str(column[4] or "").lower()
            if "(" in default or "current_" in default:
                return False
    return True


def drop_triggers(connection: sqlite3.Connection, names: Collection[str]) -> list[str]:
    """Silences the tables' own triggers while rows are put back; returns how to make them again."""
    found = connection.execute(
        "SELECT name, tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger'"
    ).fetchall()
    # A trigger keeps the spelling of its table that it was made with.
    folded = {fold(n) for n in names}
    wanted = [(name, sql) for name, table, sql in found if fold(table) in folded]
    for name, _ in wanted:
        connection.execute(f"DROP TRIGGER main.{quoted(name)}")
    return [sql for _, sql in wanted]
