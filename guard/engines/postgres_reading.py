"""One read on a PostgreSQL server: a fenced transaction around one cursor, from a pool.

For each statement, in this order:

    1 BEGIN READ ONLY, the settings of the session, who it runs as, and a first SELECT: after a
      snapshot the transaction cannot be made writable any more
    2 DECLARE CURSOR FOR the text, by the extended protocol: exactly one statement, and only a query
      without a change in it, can stand there
    3 FETCH, row by row, watched by the clock, the cancel flag and the size
    4 which tables the server has really locked, against those the guard allowed
    5 ROLLBACK and DISCARD ALL, whatever happened; the next statement waits for the answers to them,
      and after a stop or an error the connection is closed

The search path holds the server's own schema only, so that no function, operator or type somebody
made can stand in for one the guard knows. The guard writes every table with its schema.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from guard.engines import faults
from guard.engines import postgres_faults as pg_faults
from guard.engines.base import Cancel
from guard.engines.postgres_locks import LOCKED, touches_others
from guard.engines.postgres_sizes import SMALL, TOO_LARGE, capped
from guard.engines.postgres_values import Cells
from guard.engines.postgres_wire import (
    Failed,
    Lost,
    Stopped,
    Watch,
    ask,
    asking,
    batch,
    collect,
    columns,
    leave,
    together,
)
from guard.errors import SourceUnavailable
from guard.identity import NO_IDENTITY, Identity

POOL_SIZE = 8
RECYCLE_SECONDS = 300
"""After this a connection is made anew, and what its role may do is asked again."""
_GRACE_MS = 250
"""How much longer the client waits than the server is told to, so that the server says it first."""
_LOCK_MS = 2_000
_AT_ONCE = 512
"""Rows in one answer of the server where none of their values can be large."""
_SETTINGS = (
    "SET LOCAL search_path = pg_catalog, pg_temp",
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'postgres'",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL standard_conforming_strings = on",
    "SET LOCAL backslash_quote = safe_encoding",
    "SET LOCAL transform_null_equals = off",
    "SET LOCAL row_security = on",
    "SET LOCAL cursor_tuple_fraction = 1.0",
    f"SET LOCAL lock_timeout = {_LOCK_MS}",
    "SET LOCAL client_connection_check_interval = 1000",
)


@dataclass(frozen=True, kw_only=True)
class Portion:
    """What a read gave. `columns` pairs a name and a type's number with the values as text."""

    columns: tuple[tuple[str, int, Cells], ...]
    truncated: bool


class Session:
    """An open fenced transaction. Only `Readers.lend` makes one."""

    def __init__(self, connection: psycopg.Connection, watch: Watch, indexes: set[int]) -> None:
        self.connection = connection
        self._watch = watch
        self._indexes = indexes
        self._locked: PGresult | None = None

    def ask(self, statement: str) -> list[tuple[str | None, ...]]:
        """Returns the rows of one of the adapter's own statements, as text."""
        return rows_of(ask(self.connection, statement, self._watch))

    def read(self, text: str, max_rows: int, max_bytes: int) -> Portion:
        """Returns the first `max_rows` rows of the one query in `text`.

        Raises:
            Stopped, Lost, Failed: see `postgres_wire`; `too_large` past `max_bytes` of values.
                Drop the connection after `Stopped`.
        """
        described = columns(self.connection, text, self._watch)
        found = [_column(described, n) for n in range(described.nfields)]
        declared = f"DECLARE gatehouse NO SCROLL CURSOR FOR {capped(text, found, max_bytes)}"
        steps = (
            asking(declared),
            asking(f"FETCH FORWARD {max_rows + 1} FROM gatehouse"),
            asking(LOCKED),
        )
        width, size = range(len(found)), 0
        cells: list[tuple[bytes | None, ...]] = []
        at_once = _AT_ONCE if all(oid in SMALL for _, oid in found) else 1
        for step, some in together(self.connection, steps, self._watch, streamed={1: at_once}):
            if step == 2:
                self._locked = some
            if step != 1:
                continue
            for row in range(some.ntuples):
                values = tuple(some.get_value(row, n) for n in width)
                cells.append(values)
                size += sum(len(v) for v in values if v is not None) + len(values)
            if size > max_bytes:
                raise Stopped("too_large")
        truncated = len(cells) > max_rows
        by_column = zip(*cells[:max_rows], strict=True) if cells else ((),) * len(found)
        return Portion(
            columns=tuple((n, t, c) for (n, t), c in zip(found, by_column, strict=True)),
            truncated=truncated,
        )

    def touches_others(self, allowed: frozenset[int]) -> bool:
        """True when the server has locked a table, view or catalog that is not among `allowed`."""
        locked = self.ask(LOCKED) if self._locked is None else rows_of(self._locked)
        return touches_others(self.ask, locked, allowed, self._indexes)


def rows_of(answer: PGresult) -> list[tuple[str | None, ...]]:
    """Returns the rows of an answer as text."""
    return [
        tuple(
            None if (v := answer.get_value(r, c)) is None else v.decode("utf-8", "replace")
            for c in range(answer.nfields)
        )
        for r in range(answer.ntuples)
    ]


def _column(answer: PGresult, number: int) -> tuple[str, int]:
    return (answer.fname(number) or b"").decode("utf-8", "replace"), answer.ftype(number)


_Admit = Callable[[Session, Identity], None]


class Readers:
    """The connections of one source as the read role. Safe to use from any number of threads."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection],
        *,
        source: str,
        admit: _Admit,
    ) -> None:
        """`admit` looks at a connection's role and raises where it may not be used.

        It is called for each new connection, and again the first time that one runs a statement as
        somebody.
        """
        self._source = source
        self._admit = admit
        self._connect = connect
        self._pool = self._fresh()

    def _fresh(self) -> QueuePool:
        return QueuePool(
            self._connect,  # type: ignore[arg-type]
            pool_size=POOL_SIZE,
            max_overflow=0,
            timeout=0.05,
            recycle=RECYCLE_SECONDS,
            reset_on_return=None,
            use_lifo=True,
        )

    def lend(
        self, *, timeout_ms: int, cancel: Cancel, identity: Identity
    ) -> AbstractContextManager[Session]:
        """Gives a fenced transaction of a connection whose role was looked at.

        Raises:
            Interrupted, Refused, SourceUnavailable: as `Engine.run`.
        """
        return self._lent(timeout_ms, cancel, identity, self._admit)

    def probing(self, *, timeout_ms: int) -> AbstractContextManager[Session]:
        """Gives a fenced transaction whatever the role may do: for the checklist's own texts.

        Raises:
            Interrupted, Refused, SourceUnavailable: as `Engine.run`.
        """
        return self._lent(timeout_ms, Cancel(), NO_IDENTITY, None)

    @contextmanager
    def _lent(
        self,
        timeout_ms: int,
        cancel: Cancel,
        identity: Identity,
        admit: _Admit | None,
    ) -> Iterator[Session]:
        """Yields a fenced transaction; what it raises is turned into the guard's errors.

        Raises:
            Interrupted, Refused, SourceUnavailable: as `Engine.run`.
        """
        watch = Watch(
            deadline=time.monotonic() + (timeout_ms + _GRACE_MS) / 1000,
            cancel=cancel,
        )
        pooled, session = self._begun(watch, timeout_ms, identity, admit)
        clean = False
        try:
            yield session
            clean = True
        except Stopped as stop:
            raise _stopped(stop, self._source) from None
        except Lost:
            raise pg_faults.lost(self._source) from None
        except Failed as failure:
            clean = True
            if failure.code == TOO_LARGE:
                raise faults.to_error("result_too_large", self._source) from None
            if failure.code == "57014":
                raise faults.stopped("cancelled" if cancel.is_set() else "timeout") from None
            raise pg_faults.to_error(failure.code, self._source) from None
        finally:
            if clean and leave(session.connection, _FORGET):
                pooled.close()
            else:
                pooled.invalidate()

    def _begun(
        self, watch: Watch, timeout_ms: int, identity: Identity, admit: _Admit | None
    ) -> tuple[_Pooled, Session]:
        """A connection that was cut while it lay in the pool is replaced; nothing has run yet."""
        while True:
            pooled = self._taken(watch)
            session = Session(pooled.connection, watch, pooled.indexes)
            try:
                if not pooled.is_clean(watch):
                    pooled.invalidate()
                    continue
                batch(session.connection, prologue(timeout_ms, identity), watch)
                if admit is not None and pooled.is_unknown(identity):
                    admit(session, identity)
                    pooled.admitted(identity)
                    # What was locked to look at the role is not what the statement locks.
                    batch(session.connection, "ROLLBACK", watch)
                    batch(session.connection, prologue(timeout_ms, identity), watch)
            except (Lost, Failed) as error:
                pooled.invalidate()
                stale = not pooled.is_new and (
                    isinstance(error, Lost) or error.code.startswith(("57P", "08"))
                )
                if stale:
                    self._replace()
                    continue
                if isinstance(error, Failed) and not error.code.startswith(("57P", "08")):
                    raise pg_faults.setting_up(self._source) from None
                raise pg_faults.lost(self._source) from None
            except Stopped as stop:
                pooled.invalidate()
                raise _stopped(stop, self._source) from None
            except BaseException:
                pooled.invalidate()
                raise
            return pooled, session

    def _taken(self, watch: Watch) -> _Pooled:
        while True:
            try:
                watch.check()
            except Stopped as stop:
                if stop.cause == "timeout":
                    raise faults.all_busy(self._source) from None
                raise _stopped(stop, self._source) from None
            with suppress(PoolTimeout):
                return _Pooled(self._pool)

    def _replace(self) -> None:
        """Lets go of every connection that waits: the server was restarted."""
        old, self._pool = self._pool, self._fresh()
        old.dispose()

    def close(self) -> None:
        """Closes the connections that wait; those in use close when they come back."""
        self._replace()


_ADMITTED = "admitted"
_INDEXED = "indexes"
_FORGET = ("ROLLBACK", "DISCARD ALL")
"""Sent as soon as a statement ended. The next one waits for the answers before it begins."""


class _Pooled:
    """A connection out of the pool, and whether its role was looked at already."""

    def __init__(self, pool: QueuePool) -> None:
        self._fairy = pool.connect()
        self._info = self._fairy.info
        connection = self._fairy.driver_connection
        if not isinstance(connection, psycopg.Connection):
            raise TypeError("The pool holds no connection of the driver.")
        self.connection = connection
        self.is_new = _ADMITTED not in self._info

    def is_unknown(self, identity: Identity) -> bool:
        """True when the role was not yet looked at for statements of this kind."""
        return self.is_new or (identity != NO_IDENTITY and not self._info[_ADMITTED])

    @property
    def indexes(self) -> set[int]:
        """The server's numbers of relations seen on this connection to be indexes."""
        found: set[int] = self._info.setdefault(_INDEXED, set())
        return found

    def is_clean(self, watch: Watch) -> bool:
        """True when nothing is left of the statement before. Drop the connection otherwise.

        Raises:
            Stopped: see `postgres_wire`.
        """
        pgconn = self.connection.pgconn
        if pgconn.pipeline_status == PipelineStatus.OFF:
            return True  # nothing ever ran on it
        try:
            collect(self.connection, len(_FORGET), watch)
        except (Lost, Failed):
            return False
        return pgconn.transaction_status == TransactionStatus.IDLE

    def admitted(self, identity: Identity) -> None:
        self._info[_ADMITTED] = identity != NO_IDENTITY

    def close(self) -> None:
        self._fairy.close()

    def invalidate(self) -> None:
        with suppress(psycopg.Error, OSError):
            self.connection.close()
        self._fairy.invalidate()


def prologue(timeout_ms: int, identity: Identity) -> str:
    """Returns the statements that fence a read. Names and values in it are quoted."""
    own = [
        f"SET LOCAL statement_timeout = {timeout_ms}",
        f"SET LOCAL idle_in_transaction_session_timeout = {2 * timeout_ms + 10_000}",
    ]
    for name, value in identity.variables:
        own.append(f"SET LOCAL {dotted(name)} = {literal(value)}")
    if identity.role is not None:
        own.append(f"SET LOCAL ROLE {quoted(identity.role)}")
    return "; ".join(("BEGIN TRANSACTION READ ONLY", *_SETTINGS, *own, "SELECT 1"))


def quoted(name: str) -> str:
    """Returns a name in double quotes."""
    if "\0" in name:
        raise SourceUnavailable("A name of the policy holds a control character.")
    return '"' + name.replace('"', '""') + '"'


def dotted(name: str) -> str:
    """Returns the name of a session variable, each part in quotes."""
    return ".".join(quoted(part) for part in name.split("."))


def literal(value: str) -> str:
    """Returns a text as a literal that reads the same whatever the server's settings are."""
    if "\0" in value:
        raise SourceUnavailable("The person's name holds a control character.")
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f" E'{escaped}'" if "\\" in value else f"'{escaped}'"


def _stopped(stop: Stopped, source: str) -> Exception:
    if stop.cause == "too_large":
        return faults.to_error("result_too_large", source)
    return faults.stopped(stop.cause)
