"""MySQL and MariaDB as the write role: one plain change of one InnoDB table, previewed exactly.

A preview runs the change twice in transactions that are rolled back: the columns that differ are
decided at execution. In the second one the change is also taken back, and the rows must then be
what they were. Whatever has another form is refused (`preview.*`): the server shows no client which
rows a statement touched, so only counts that agree with rows read by key are proof.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import pymysql
from pydantic import TypeAdapter, ValidationError

from guard.address import ServerAddress
from guard.diff import Diff
from guard.engines import faults, mysql_faults
from guard.engines.base import Cancel, Captured, Change, ChangeCaps, Found, Reached, Told, unheard
from guard.engines.child.faults import Fault
from guard.engines.child.images import TableChange, Touched
from guard.engines.child.writing import Capture, carries_now, with_second
from guard.engines.child.writing import told as written
from guard.engines.mysql_capture import captured, change_of
from guard.engines.mysql_images import found_in, image_of, replay, rows_in, table_in
from guard.engines.mysql_running import Stopped, watched
from guard.engines.mysql_session import MODES, Session, login_of
from guard.engines.mysql_shape import Shape, shape_of
from guard.engines.mysql_tables import Table, schema_hash, table_of
from guard.errors import OutcomeUnknown, Refused

_DIFF = TypeAdapter(Diff)
_FOUND = TypeAdapter(Literal["before", "after", "neither"])
_FIND_CAPS = ChangeCaps(max_rows=0, shown_rows=0, timeout_ms=60_000, lock_timeout_ms=10_000)
_BACK = "NO_AUTO_VALUE_ON_ZERO"
"""Rows are put back with the key 0 where they had it."""
_COUNTED = "Key numbers that this uses up stay used up (AUTO_INCREMENT)."


class MysqlChanges:
    """A database as the write role. Safe to share between threads: an order has its own session."""

    def __init__(self, address: ServerAddress, source: str) -> None:
        """Opens nothing yet. `source` is what messages call the database.

        Raises:
            ConfigurationError: the address carries an option that is not passed on.
        """
        self._login = login_of(address)
        self._source = source
        self._connect = functools.partial(Session, self._login)

    def preview(
        self, change: Change, caps: ChangeCaps, cancel: Cancel, told: Told = unheard
    ) -> Diff:
        """Returns the exact diff of a change. Raises what `ChangeEngine.preview` does."""
        started = time.perf_counter_ns()
        with self._told():
            with self._transaction(caps, cancel) as session:
                first, _ = self._performed(session, change, caps, told)
            if carries_now(first):
                cancel.wait(1.0 - time.time() % 1.0)
            with self._transaction(caps, cancel) as session:
                second, table = self._performed(session, change, caps, told)
                told(Reached(step="back", of=second.total))
                verified = _taken_back(session, table, second)
        if cancel.is_set():
            raise faults.stopped("cancelled")  # else what was cut off would pass for no way back
        notes = [*first.notes]
        if not verified:
            notes.append("Taking this back was tried and did not give the same rows.")
        known = with_second(first, second, verified=verified, notes=notes)
        return _diff(known, known.decided or {}, caps, started)

    def apply(
        self,
        change: Change,
        caps: ChangeCaps,
        ready: Callable[[Captured], None],
        cancel: Cancel,
    ) -> Captured:
        """Runs the change for good. Raises what `ChangeEngine.apply` does."""
        started = time.perf_counter_ns()
        with self._told(), contextlib.ExitStack() as stack:
            session = self._opened(stack, caps)
            with watched(session, self._connect, timeout_ms=4 * caps.timeout_ms, cancel=cancel):
                session.query("START TRANSACTION")
                found, _ = self._performed(session, change, caps)
            diff = _diff(found, dict(change.decided), caps, started)
            image = json.dumps(found.image, separators=(",", ":")).encode()
            done = Captured(diff=diff, undo_image=image)
            try:
                ready(done)
            except BaseException:
                with contextlib.suppress(pymysql.err.MySQLError):
                    session.query("ROLLBACK")
                raise
            self._commit(session)
            return done

    def find(self, undo_image: bytes) -> Found:
        """Says what the source holds. Raises `SourceUnavailable` when it cannot be asked."""
        image = json.loads(undo_image)
        name = table_in(image)
        if name is None:
            return "before"
        with self._told(), self._transaction(_FIND_CAPS, Cancel()) as session:
            shape = Shape(verb="update", table=name, schema=None)
            try:
                table = table_of(session, shape, self._login.database)
                touched = rows_in(image, table)
            except (Refused, Fault):
                return "neither"
            return _FOUND.validate_python(found_in(session, table, touched))

    def close(self) -> None:
        """Nothing is held between orders."""

    @contextlib.contextmanager
    def _transaction(self, caps: ChangeCaps, cancel: Cancel) -> Iterator[Session]:
        """Gives a transaction that is rolled back whatever happens."""
        with contextlib.ExitStack() as stack:
            session = self._opened(stack, caps)
            with watched(session, self._connect, timeout_ms=4 * caps.timeout_ms, cancel=cancel):
                session.query("START TRANSACTION")
                yield session
                session.query("ROLLBACK")

    def _opened(self, stack: contextlib.ExitStack, caps: ChangeCaps) -> Session:
        session = self._connect()
        # The server rolls back what the end of the connection leaves open.
        stack.callback(session.abandon)
        seconds = str(max(1, -(-caps.lock_timeout_ms // 1000)))
        settings = {
            "innodb_lock_wait_timeout": seconds,
            "lock_wait_timeout": seconds,
            "foreign_key_checks": "1",
            "unique_checks": "1",
            "sql_safe_updates": "0",
        }
        level, access = "'REPEATABLE-READ'", "0"
        if session.is_mariadb:
            settings["max_statement_time"] = f"{caps.timeout_ms / 1000:.3f}"
            settings |= {"tx_isolation": level, "tx_read_only": access}
            settings["check_constraint_checks"] = "1"
        else:
            settings |= {"transaction_isolation": level, "transaction_read_only": access}
        session.settle(settings)
        return session

    def _performed(
        self, session: Session, change: Change, caps: ChangeCaps, told: Told = unheard
    ) -> tuple[Capture, Table]:
        """Runs the change in the open transaction and finds what it did."""
        notes: tuple[str, ...] = ()
        if change.sql is not None:
            shape = shape_of(change.sql)
            table = table_of(session, shape, self._login.database)
            if shape.verb == "insert" and any(c.generated_key for c in table.columns):
                notes = (_COUNTED,)
            found = captured(session, table, shape, change.sql, caps.max_rows, told)
        else:
            told(Reached(step="run"))
            table, found = self._undone(session, change.undo_image or b"", caps.max_rows)
        capture = Capture(
            tables=[found] if found.rows else [],
            image=image_of(found),
            schema_hash=schema_hash([table]),
            notes=notes,
        )
        return capture, table

    def _undone(
        self, session: Session, undo_image: bytes, max_rows: int
    ) -> tuple[Table, TableChange]:
        image = json.loads(undo_image)
        name = table_in(image)
        if name is None:
            raise Fault("changed_since")
        shape = Shape(verb="update", table=name, schema=None)
        table = table_of(session, shape, self._login.database)
        touched = rows_in(image, table)
        if len(touched) > max_rows:
            raise Fault("too_many_rows")
        return table, change_of(table, _put_back(session, table, touched))

    def _commit(self, session: Session) -> None:
        try:
            session.query("COMMIT")
        except pymysql.err.MySQLError as error:
            raise OutcomeUnknown(
                f"The server of {self._source} was lost while it committed. What became of the "
                "change is being found out."
            ) from error

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turns what goes wrong below into the errors of `ChangeEngine`."""
        try:
            yield
        except Stopped as stop:
            raise faults.stopped(stop.cause) from None
        except (Fault, pymysql.err.MySQLError) as error:
            raise mysql_faults.to_error(error, self._source) from None
        except (UnicodeDecodeError, ValidationError, json.JSONDecodeError, KeyError):
            raise faults.to_error("engine", self._source) from None


def _put_back(session: Session, table: Table, touched: Sequence[Touched]) -> list[Touched]:
    session.query(f"SET SESSION sql_mode = '{','.join(sorted(MODES | {_BACK}))}'")
    return replay(session, table, touched)


def _taken_back(session: Session, table: Table, capture: Capture) -> bool:
    """True when the change, taken back in its own transaction, leaves the rows as they were."""
    for change in capture.tables:
        try:
            _put_back(session, table, change.rows)
        except (Fault, pymysql.err.MySQLError):
            return False
    return True


def _diff(
    capture: Capture, decided: Mapping[str, Sequence[str]], caps: ChangeCaps, started: int
) -> Diff:
    elapsed_us = (time.perf_counter_ns() - started) // 1000
    diff = json.loads(written(capture, decided, caps.shown_rows, elapsed_us))["diff"]
    return _DIFF.validate_python(diff)
