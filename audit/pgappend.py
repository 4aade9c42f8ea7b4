"""One append to PostgreSQL: what is sent under the lock of the head row, and on which connection.

An instance that wrote last, and nobody after it, sends the records at once: one round trip and one
plain commit. Another takes the lock first to read the head, and adds what follows it: two. There
the lock is free before the disk has the records, so the next instance does not wait for the disk,
and all share its flushes. The last answer comes only when the disk has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Final

import psycopg
from psycopg import pq, sql
from psycopg.errors import error_from_result

from audit.errors import Overtaken, Unavailable
from audit.pgconnect import Connection
from audit.storage import Head, OpenIntent, Row

HEAD_NAMES: Final = tuple(f.name for f in fields(Head))
SELECT_ROWS: Final = sql.SQL("SELECT {} FROM audit.event ").format(
    sql.SQL(", ").join(map(sql.Identifier, Row._fields))
)
# A commit of its own, which is not done before all that was committed earlier is on the disk.
SETTLE: Final = b"SELECT pg_logical_emit_message(true, 'gatehouse audit', '')"
_FOUND_BY: Final = ("etype", "actor", "session", "request", "outcome")
_BEGIN: Final = b"BEGIN; SET LOCAL synchronous_commit = off; "
_LOCK: Final = (
    _BEGIN + b"SELECT size, encode(leaf_hash, 'hex'), encode(frontier, 'hex'), logged, note, kept,"
    b" encode(mac, 'hex') FROM audit.lock_head()"
)
_DONE: Final = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


class PgAppending:
    """Keeps what is to be written until `finish` sends it all. See `Appending`.

    It takes the lock to read the head, unless it is to go on `after` one.
    """

    def __init__(self, connection: Connection, after: Head | None, *, sure: bool) -> None:
        self._db = connection
        self._sure = sure
        self._locked = after is None
        self._head = after or self._lock()
        self._rows: Sequence[Row] = ()
        self._sealed: tuple[Head, bool] | None = None
        self._tracked: tuple[Sequence[OpenIntent], Sequence[str]] = ((), ())

    def head(self) -> Head | None:
        """See `Appending.head`."""
        return self._head

    @property
    def written(self) -> Head | None:
        """The head as this append leaves it."""
        return self._sealed[0] if self._sealed else self._head

    def known(self, ids: Sequence[str]) -> Mapping[str, Row]:
        """See `Appending.known`; nothing unless it is to be sure."""
        if not self._sure:
            return {}
        where = sql.SQL("WHERE id = ANY (%s)")
        found = self._db.execute(SELECT_ROWS + where, (list(ids),))
        return {one.id: one for one in map(Row._make, found)}

    def insert(self, rows: Sequence[Row]) -> None:
        """See `Appending.insert`."""
        self._rows = rows

    def seal(self, head: Head, *, keep: bool) -> None:
        """See `Appending.seal`."""
        self._sealed = (head, keep)

    def track(self, opened: Sequence[OpenIntent], closed: Sequence[str]) -> None:
        """See `Appending.track`."""
        self._tracked = (opened, closed)

    def prune(self, upto: int) -> None:
        """See `Appending.prune`."""
        self._db.execute("SELECT audit.prune(%s)", (upto,))

    def finish(self) -> None:
        """Sends what was kept, and frees the lock."""
        if self._sealed is None:
            # A record that is there already need not be on the disk yet.
            _run(self._db, b"ROLLBACK; " + SETTLE)
            return
        try:
            self._send(*self._sealed)
        except psycopg.IntegrityError as error:
            if self._sure:
                raise
            _run(self._db, b"ROLLBACK")
            raise Overtaken("Somebody else wrote to the audit log first. Try again.") from error

    def _lock(self) -> Head | None:
        found = _run(self._db, _LOCK)
        if not found.ntuples:
            raise Unavailable("The audit database has lost its head row. Keep it as it is.")
        size, leaf, frontier, logged, note, kept, mac = (
            (found.get_value(0, column) or b"").decode() for column in range(len(HEAD_NAMES))
        )
        head = Head(
            size=int(size),
            leaf_hash=bytes.fromhex(leaf),
            frontier=bytes.fromhex(frontier),
            logged=logged,
            note=note,
            kept=int(kept),
            mac=bytes.fromhex(mac),
        )
        return head if head.size else None

    def _send(self, head: Head, keep: bool) -> None:
        opened, closed = self._tracked
        columns = dict(zip(Row._fields, zip(*self._rows, strict=True), strict=True))
        # Records go as one text, which is quoted much faster than a list of texts full of quotes:
        # there is no line end in canonical JSON.
        values: tuple[str | bytes | int, ...] = (
            _array(columns["id"]),
            self._rows[0].prev_hash,
            "\n".join(columns["record"]),
            *(_array(columns[name]) for name in _FOUND_BY),
            head.size,
            head.leaf_hash,
            head.frontier,
            head.logged,
            head.note,
            head.kept,
            head.mac,
            keep,
            _array([i.id for i in opened]),
            _array([str(i.seq) for i in opened]),
            _array([i.boot for i in opened]),
            _array(closed),
        )
        quote = pq.Escaping(self._db.pgconn).escape_literal
        arguments = b",".join([_spell(value, quote) for value in values])
        text = b"SELECT audit.append(" + arguments + b"); COMMIT; "
        _run(self._db, text + SETTLE if self._locked else b"BEGIN; " + text)


def _spell(value: str | bytes | int, quote: Callable[[bytes], bytes]) -> bytes:
    """Returns an argument as a statement has it; the driver's way takes ten times as long."""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, bytes):
        return quote(b"\\x" + value.hex().encode()) + b"::bytea"
    return quote(value.encode())


def _run(connection: Connection, statements: bytes) -> pq.abc.PGresult:
    """Returns the last result of the statements, which go in one round trip.

    The driver's own way costs the process five times as much as all else that an append does.

    Raises:
        psycopg.Error: one of them failed; those after it were not tried.
    """
    found = connection.pgconn.exec_(statements)
    if found.status not in _DONE:
        raise error_from_result(found)
    return found


def _array(values: Sequence[str | None]) -> str:
    """Returns the spelling of a list of texts; the driver takes ten times as long to find it."""
    return "{" + ",".join(map(_item, values)) + "}"


def _item(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
