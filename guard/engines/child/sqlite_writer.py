"""SQLite as the write role: runs one order in a transaction and records every row it changes.

A temporary trigger on each table appends the old and the new row to a temporary log, so that rows
changed by triggers, cascades and REPLACE are seen too (`recursive_triggers`, or REPLACE's deletes
are missed). A preview runs on a copy in memory: it blocks nobody and leaves nothing behind, and the
way back is tried on that copy. The library's own change counter is compared with the log.

https://www.sqlite.org/lang_createtrigger.html, https://www.sqlite.org/c3ref/total_changes.html
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from guard.engines.child import images
from guard.engines.child import sqlite_words as words
from guard.engines.child.faults import Fault
from guard.engines.child.images import Net, Row, TableChange
from guard.engines.child.reader import Stop
from guard.engines.child.sqlite_reader import LIMITS, code_of
from guard.engines.child.writing import Capture, Order

COPY_BYTES = 200 * 1024 * 1024
"""Larger files are previewed in place, in a transaction that is rolled back."""
_STEPS = 2_000
_LOG = "gatehouse_log"
_WRITES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_READ})


@dataclass(frozen=True, kw_only=True)
class _Table:
    """A real table: its stored columns, and what identifies a row (`rowid`'s name, or the key)."""

    name: str
    columns: tuple[str, ...]
    primary_key: tuple[str, ...]
    rowid: str | None

    @property
    def quoted(self) -> str:
        return _quoted(self.name)

    def key_of(self, rowid: object, row: Row) -> object:
        """Returns what tells this row from the others of its table."""
        if self.rowid is not None:
            return rowid
        return tuple(row[self.columns.index(c)] for c in self.primary_key)


class SqliteWriter:
    """One database file. Opened for each order, closed after it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def preview(self, order: Order, stop: Stop) -> Capture:
        """Returns what the order would do. Raises `Fault`."""
        with self._told():
            if self._path.is_file() and self._path.stat().st_size > COPY_BYTES:
                return self._in_place(order, stop)
            with contextlib.closing(self._copy(order)) as copy:
                self._connection = copy
                return _tried(copy, order, stop)

    def run(self, order: Order, stop: Stop) -> Capture:
        """Runs the order on the file and leaves its transaction open. Raises `Fault`."""
        with self._told(keep=True):
            self._connection = _open(self._path, order)
            return _executed(self._connection, order, stop)

    def commit(self) -> None:
        """Ends the open transaction for good. Raises `Fault`."""
        with self._told():
            if self._connection is None:
                raise Fault("engine")
            self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Ends the open transaction without a trace."""
        self._close()

    def find(self, image: Mapping[str, Any]) -> str:
        """Returns whether the rows of the image are as before the change or as after it."""
        order = Order(
            sql=None, image=image, targets=(), max_rows=0, timeout_ms=60_000, lock_timeout_ms=2_000
        )
        with self._told():
            self._connection = _open(self._path, order, begin=False)
            return _found(self._connection, image)

    def release(self) -> None:
        """Nothing is held between orders."""

    def interrupt(self) -> None:
        """Stops the running statement at its next step."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed a moment ago
                connection.interrupt()

    def _in_place(self, order: Order, stop: Stop) -> Capture:
        self._connection = _open(self._path, order)
        first = _executed(self._connection, order, stop)
        self._connection.execute("ROLLBACK")
        self._close()
        self._connection = _open(self._path, order)
        second = _executed(self._connection, order, stop)
        notes = ("The file is large, so taking this back was not tried in the preview.",)
        return _with(first, second, verified=False, notes=notes)

    def _copy(self, order: Order) -> sqlite3.Connection:
        source = _open(self._path, order, begin=False)
        try:
            copy = sqlite3.connect(
                ":memory:", isolation_level=None, check_same_thread=False, cached_statements=0
            )
            source.backup(copy)
        finally:
            source.close()
        _prepare(copy, order)
        return copy

    @contextlib.contextmanager
    def _told(self, *, keep: bool = False) -> Iterator[None]:
        """Turns the driver's errors into faults; closes what is open, unless it is to be kept."""
        try:
            yield
        except sqlite3.IntegrityError:
            self._close()
            raise Fault("constraint") from None
        except sqlite3.Error as error:
            self._close()
            raise Fault(code_of(error)) from None
        except BaseException:
            self._close()
            raise
        if not keep:
            self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _open(path: Path, order: Order, *, begin: bool = True) -> sqlite3.Connection:
    if not path.is_file():
        raise Fault("missing")
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=order.lock_timeout_ms / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=0,
    )
    try:
        _prepare(connection, order)
        if begin:
            connection.execute("BEGIN IMMEDIATE")
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, order: Order) -> None:
    for which, value in LIMITS:
        if which != sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH:
            connection.setlimit(which, value)
    connection.execute("PRAGMA trusted_schema=0")
    connection.execute("PRAGMA temp_store=2")
    # Taking back is a replay of rows: what cascades once did is in the log.
    connection.execute(f"PRAGMA foreign_keys={'off' if order.image else 'on'}")
    connection.execute("PRAGMA recursive_triggers=on")


def _tried(copy: sqlite3.Connection, order: Order, stop: Stop) -> Capture:
    """Runs the order twice on a copy, commits it there, takes it back and compares."""
    copy.execute("BEGIN IMMEDIATE")
    first = _executed(copy, order, stop)
    copy.execute("ROLLBACK")
    if _carries_now(first):
        time.sleep(1.0 - time.time() % 1.0)
    before = _checksums(copy, first)
    copy.execute("BEGIN IMMEDIATE")
    second = _executed(copy, order, stop)
    copy.execute("COMMIT")
    copy.execute("PRAGMA foreign_keys=off")
    copy.execute("BEGIN IMMEDIATE")
    back = Order(
        sql=None,
        image=second.image,
        targets=(),
        max_rows=order.max_rows,
        timeout_ms=order.timeout_ms,
        lock_timeout_ms=order.lock_timeout_ms,
    )
    try:
        _executed(copy, back, stop)
        copy.execute("COMMIT")
        verified = _checksums(copy, first) == before
    except (sqlite3.Error, Fault):
        verified = False
    notes = () if verified else ("Taking this back was tried and did not give the same rows.",)
    return _with(first, second, verified=verified, notes=notes)


def _with(first: Capture, second: Capture, *, verified: bool, notes: Sequence[str]) -> Capture:
    return Capture(
        tables=first.tables,
        image=first.image,
        schema_hash=first.schema_hash,
        notes=tuple(notes),
        verified=verified,
        decided=images.decided(first.tables, second.tables),
    )


def _carries_now(capture: Capture) -> bool:
    """True when a new value looks like this moment: then a second run must see another second."""
    now = dt.datetime.now(dt.UTC)
    starts = tuple(now.strftime(form) for form in ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%H:%M:"))
    seconds = int(now.timestamp())
    for table in capture.tables:
        for row in table.rows:
            for value in row.after or ():
                if isinstance(value, str) and value.startswith(starts):
                    return True
                if isinstance(value, int) and abs(value - seconds) < 60:
                    return True
    return False


def _executed(connection: sqlite3.Connection, order: Order, stop: Stop) -> Capture:
    """Runs the order inside the open transaction and reads its log."""
    tables = _tables(connection)
    _install(connection, tables)
    deadline = time.monotonic() + order.timeout_ms / 1000
    dropped = _drop_triggers(connection, order)
    counted = connection.total_changes
    connection.set_progress_handler(lambda: stop.asked() or time.monotonic() > deadline, _STEPS)
    connection.set_authorizer(_authorize)
    try:
        if order.sql is not None:
            connection.execute(order.sql).fetchall()
        else:
            _replay(connection, order.image or {}, tables)
    finally:
        connection.set_authorizer(None)
        connection.set_progress_handler(None, 0)
    counted = connection.total_changes - counted
    for text in dropped:
        connection.execute(text)
    return _read_log(connection, tables, counted, order)


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
    if name == _LOG:
        # Only the capturing triggers write the log: a statement that could would hide its rows.
        logs = action == sqlite3.SQLITE_INSERT and (inner or "").startswith("gatehouse_")
        return sqlite3.SQLITE_OK if logs else sqlite3.SQLITE_DENY
    real = database == "main" and not name.startswith("sqlite_")
    return sqlite3.SQLITE_OK if action in _WRITES and real else sqlite3.SQLITE_DENY


def _tables(connection: sqlite3.Connection) -> list[_Table]:
    found = []
    listed = connection.execute("PRAGMA main.table_list").fetchall()
    for _, name, kind, _, without_rowid, _ in listed:
        if kind != "table" or name.startswith("sqlite_"):
            continue
        info = connection.execute(f"PRAGMA main.table_xinfo({_quoted(name)})").fetchall()
        # 2 and 3 are generated columns: the engine computes them again.
        stored = [c for c in info if c[6] not in (2, 3)]
        columns = tuple(c[1] for c in stored)
        keys = sorted((c for c in stored if c[5]), key=lambda c: c[5])
        taken = {c.lower() for c in columns}
        rowid = next((r for r in ("rowid", "oid", "_rowid_") if r not in taken), None)
        if not without_rowid and rowid is None:
            raise Fault("not_exact")
        found.append(
            _Table(
                name=name,
                columns=columns,
                primary_key=tuple(c[1] for c in keys),
                rowid=None if without_rowid else rowid,
            )
        )
    return found


def _install(connection: sqlite3.Connection, tables: Sequence[_Table]) -> None:
    width = 2 * max((len(t.columns) for t in tables), default=0)
    cells = "".join(f", c{i}" for i in range(width))
    connection.execute(f"DROP TABLE IF EXISTS temp.{_LOG}")
    connection.execute(
        f"CREATE TEMP TABLE {_LOG}(seq INTEGER PRIMARY KEY, tbl, op, o_id, n_id{cells})"
    )
    for number, table in enumerate(tables):
        for op in ("insert", "update", "delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS temp.gatehouse_{number}_{op}")
            connection.execute(_trigger(number, table, op))


def _trigger(number: int, table: _Table, op: str) -> str:
    old = [f"OLD.{_quoted(c)}" if op != "insert" else "NULL" for c in table.columns]
    new = [f"NEW.{_quoted(c)}" if op != "delete" else "NULL" for c in table.columns]
    old_id = f"OLD.{table.rowid}" if table.rowid and op != "insert" else "NULL"
    new_id = f"NEW.{table.rowid}" if table.rowid and op != "delete" else "NULL"
    names = ", ".join(f"c{i}" for i in range(2 * len(table.columns)))
    values = ", ".join([str(number), f"'{op}'", old_id, new_id, *old, *new])
    return (
        f"CREATE TEMP TRIGGER gatehouse_{number}_{op} AFTER {op.upper()} ON {table.quoted} "
        f"BEGIN INSERT INTO {_LOG}(tbl, op, o_id, n_id, {names}) VALUES ({values}); END"
    )


def _read_log(
    connection: sqlite3.Connection, tables: Sequence[_Table], counted: int, order: Order
) -> Capture:
    steps = connection.execute(f"SELECT * FROM temp.{_LOG} ORDER BY seq").fetchall()
    if len(steps) > order.max_rows:
        raise Fault("too_many_rows")
    # Each logged change adds one row to the log. Rows that REPLACE removes are logged and not
    # counted; anything counted beyond that went past the log, so the preview would not be exact.
    if counted - len(steps) > len(steps):
        raise Fault("not_exact")
    nets = {number: Net() for number in range(len(tables))}
    for _, number, op, old_id, new_id, *cells in steps:
        table = tables[number]
        width = len(table.columns)
        old, new = tuple(cells[:width]), tuple(cells[width : 2 * width])
        before = None if op == "insert" else (table.key_of(old_id, old), old)
        after = None if op == "delete" else (table.key_of(new_id, new), new)
        nets[number].step(before, after)
    changes = []
    for number, table in enumerate(tables):
        rows = nets[number].rows()
        if rows:
            changes.append(
                TableChange(
                    table=table.name,
                    columns=table.columns,
                    primary_key=table.primary_key,
                    rows=rows,
                )
            )
    names = [c.table for c in changes]
    return Capture(
        tables=changes,
        image=_image(steps, tables),
        schema_hash=_schema_hash(connection, names),
    )


def _image(steps: Sequence[Sequence[Any]], tables: Sequence[_Table]) -> dict[str, object]:
    return {
        "engine": "sqlite",
        "tables": {t.name: list(t.columns) for t in tables},
        "steps": [
            [
                tables[number].name,
                op,
                old_id,
                new_id,
                [_packed(v) for v in cells[: 2 * len(tables[number].columns)]],
            ]
            for _, number, op, old_id, new_id, *cells in steps
        ],
    }


def _packed(value: object) -> object:
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    if isinstance(value, float):
        return {"f": value.hex()}
    return value


def _unpacked(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if "b" in value:
        return base64.b64decode(value["b"])
    return float.fromhex(value["f"])


def _drop_triggers(connection: sqlite3.Connection, order: Order) -> list[str]:
    """Silences the tables' own triggers while rows are put back; returns how to make them again."""
    if order.image is None:
        return []
    names = {step[0] for step in order.image["steps"]}
    found = connection.execute(
        "SELECT name, tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger'"
    ).fetchall()
    wanted = [(name, sql) for name, table, sql in found if table in names]
    for name, _ in wanted:
        connection.execute(f"DROP TRIGGER main.{_quoted(name)}")
    return [sql for _, sql in wanted]


def _replay(
    connection: sqlite3.Connection, image: Mapping[str, Any], tables: Sequence[_Table]
) -> None:
    """Takes every step back, last first. Each must find exactly the row it left."""
    by_name = {t.name: t for t in tables}
    for name, op, old_id, new_id, cells in reversed(image["steps"]):
        table = by_name.get(name)
        if table is None or list(table.columns) != image["tables"][name]:
            raise Fault("changed_since")
        values = [_unpacked(v) for v in cells]
        width = len(table.columns)
        old, new = values[:width], values[width:]
        text, given = _backwards(table, op, (old_id, old), (new_id, new))
        if connection.execute(text, given).rowcount != 1:
            raise Fault("changed_since")


def _backwards(
    table: _Table, op: str, old: tuple[object, list[object]], new: tuple[object, list[object]]
) -> tuple[str, list[object]]:
    names = [_quoted(c) for c in table.columns]
    ids = [table.rowid] if table.rowid else []
    if op == "delete":
        into, marks = ", ".join([*ids, *names]), ", ".join("?" * (len(ids) + len(names)))
        given = [old[0], *old[1]] if ids else list(old[1])
        return f"INSERT INTO main.{table.quoted}({into}) VALUES ({marks})", given
    where = " AND ".join(f"{n} IS ?" for n in [*ids, *names])
    found = [new[0], *new[1]] if ids else list(new[1])
    if op == "insert":
        return f"DELETE FROM main.{table.quoted} WHERE {where}", found
    sets = ", ".join(f"{n} = ?" for n in [*ids, *names])
    given = [old[0], *old[1]] if ids else list(old[1])
    return f"UPDATE main.{table.quoted} SET {sets} WHERE {where}", [*given, *found]


def _found(connection: sqlite3.Connection, image: Mapping[str, Any]) -> str:
    tables = {t.name: t for t in _tables(connection)}
    nets: dict[str, Net] = {}
    for name, op, old_id, new_id, cells in image["steps"]:
        table = tables.get(name)
        if table is None or list(table.columns) != image["tables"][name]:
            return "neither"
        values = tuple(_unpacked(v) for v in cells)
        old, new = values[: len(table.columns)], values[len(table.columns) :]
        before = None if op == "insert" else (table.key_of(old_id, old), (old_id, *old))
        after = None if op == "delete" else (table.key_of(new_id, new), (new_id, *new))
        nets.setdefault(name, Net()).step(before, after)
    touched = [(tables[name], row) for name, net in nets.items() for row in net.rows()]
    if all(_stands(connection, t, row.before, row.after) for t, row in touched):
        return "before"
    if all(_stands(connection, t, row.after, row.before) for t, row in touched):
        return "after"
    return "neither"


def _stands(
    connection: sqlite3.Connection, table: _Table, row: Row | None, other: Row | None
) -> bool:
    """True when the row is in its table, or, where it should be absent, the other one is not.

    Rows begin with their rowid, None where the table has none.
    """
    wanted = row if row is not None else other or ()
    ids = [table.rowid] if table.rowid else []
    where = " AND ".join(f"{n} IS ?" for n in [*ids, *(_quoted(c) for c in table.columns)])
    given = wanted if ids else wanted[1:]
    found = connection.execute(f"SELECT count(*) FROM main.{table.quoted} WHERE {where}", given)
    return bool(found.fetchone()[0]) == (row is not None)


def _checksums(connection: sqlite3.Connection, capture: Capture) -> list[str]:
    tables = {t.name: t for t in _tables(connection)}
    return [_checksum(connection, tables[c.table]) for c in capture.tables]


def _checksum(connection: sqlite3.Connection, table: _Table) -> str:
    ids = [table.rowid] if table.rowid else []
    names = [*ids, *(_quoted(c) for c in table.columns)]
    order = ", ".join(str(i + 1) for i in range(len(names)))
    shown = " || ',' || ".join(f"quote({n})" for n in names)
    found = hashlib.sha256()
    rows = connection.execute(
        f"SELECT {shown} FROM (SELECT {', '.join(names)} FROM main.{table.quoted} ORDER BY {order})"
    )
    for (text,) in rows:
        found.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return found.hexdigest()


def _schema_hash(connection: sqlite3.Connection, tables: Sequence[str]) -> str:
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_master ORDER BY type, name"
    ).fetchall()
    kept = [r for r in rows if r[2] in tables]
    return hashlib.sha256(repr(kept).encode("utf-8", "surrogatepass")).hexdigest()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
