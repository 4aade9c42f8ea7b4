"""PostgreSQL as the write role: runs a change for real, sees every row it touched, rolls it back.

A preview runs the statement twice in transactions of their own: the columns that differ are decided
at execution. In the second one the change is also taken back, and what is left then is the proof.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from pydantic import TypeAdapter

from guard.diff import Diff
from guard.engines import faults
from guard.engines.base import Cancel, Captured, Change, ChangeCaps, Found, Reached, Told, unheard
from guard.engines.child.faults import Fault
from guard.engines.child.images import TableChange
from guard.engines.child.schema import performed, standing
from guard.engines.child.writing import Capture, Order, carries_now, with_second
from guard.engines.child.writing import told as written
from guard.engines.postgres_capture import Found as Net
from guard.engines.postgres_capture import capture, counted
from guard.engines.postgres_faults import code_of
from guard.engines.postgres_fixed import is_fixed
from guard.engines.postgres_images import found_in, image_of, is_back, kept_in, out_of_reach, replay
from guard.engines.postgres_schema import definer, state_of
from guard.engines.postgres_session import Login, Pair, connected, paired, reading, run_one
from guard.engines.postgres_tables import rows
from guard.errors import OutcomeUnknown, SourceUnavailable, refuse

_DIFF = TypeAdapter(Diff)
_FOUND: Mapping[str | None, Found] = {"committed": "after", "aborted": "before"}
_SETTLE_SECONDS = 10.0
"""How long a transaction whose client died may take to end on the server."""
_FAR = 20
"""An estimate this many times over the cap is not worth running; estimates are rough."""


class PostgresChanges:
    """A database as the write role. Safe to share between threads: each order has own sessions."""

    def __init__(self, login: Login, source: str) -> None:
        """Opens nothing yet. `source` is what messages call the database."""
        self._login = login
        self._source = source

    def preview(
        self, change: Change, caps: ChangeCaps, cancel: Cancel, told: Told = unheard
    ) -> Diff:
        """Returns the exact diff of a change. Raises what `ChangeEngine.preview` does."""
        started = time.perf_counter_ns()
        if _order(change, caps).defines:
            with self._told(cancel), paired(self._login, caps, cancel) as pair:
                found = performed(definer(pair.writer), _order(change, caps), prove=True)
            return _diff(found, {}, caps, started)
        with self._told(cancel):
            with paired(self._login, caps, cancel) as pair:
                expected = self._estimate(pair, change, caps)
                told(Reached(step="run", of=expected))
                second = first = _performed(pair, change, caps, told)
                fixed = is_fixed(pair.writer, change.sql, [t.table for t in first.tables])
                told(Reached(step="back" if fixed else "run", of=first.total))
                left = _taken_back(pair, first, caps) if fixed else None
            if not fixed:
                if carries_now(first):
                    cancel.wait(1.0 - time.time() % 1.0)
                with paired(self._login, caps, cancel) as pair:
                    second = _performed(pair, change, caps, told)
                    told(Reached(step="back", of=second.total))
                    left = _taken_back(pair, second, caps)
        if cancel.is_set():
            raise faults.stopped("cancelled")  # else what was cut off would pass for no way back
        notes = tuple(_notes(second, left))
        known = with_second(first, second, verified=left is not None and not left, notes=notes)
        diff = _diff(known, known.decided or {}, caps, started)
        return replace(diff, undo="none" if left is None else "partial" if notes else "exact")

    def apply(
        self,
        change: Change,
        caps: ChangeCaps,
        ready: Callable[[Captured], None],
        cancel: Cancel,
    ) -> Captured:
        """Runs the change for good. Raises what `ChangeEngine.apply` does."""
        started = time.perf_counter_ns()
        with self._told(cancel), paired(self._login, caps, cancel) as pair:
            found = _performed(pair, change, caps)
            diff = _diff(found, dict(change.decided), caps, started)
            image = json.dumps(found.image, separators=(",", ":")).encode()
            captured = Captured(diff=diff, undo_image=image)
            ready(captured)
            self._commit(pair)
            return captured

    def find(self, undo_image: bytes) -> Found:
        """Says what became of a change. Raises `SourceUnavailable` while it cannot be told."""
        image: Mapping[str, Any] = json.loads(undo_image)
        if "xid" not in image:
            return "neither"
        with self._told(Cancel()), contextlib.closing(connected(self._login)) as connection:
            status = self._status(connection, int(image["xid"]))
            if status is not None:
                return status
            with connection.transaction():
                reading(connection)
                if "ddl" in image:
                    return standing(image, state_of(connection))
                return found_in(connection, image)

    def close(self) -> None:
        """Nothing is held between orders."""

    def _commit(self, pair: Pair) -> None:
        try:
            pair.writer.execute("COMMIT")
        except psycopg.Error as error:
            raise OutcomeUnknown(
                f"The server of {self._source} was lost while it committed. What became of the "
                "change is being found out."
            ) from error

    def _status(self, connection: psycopg.Connection[tuple[Any, ...]], xid: int) -> Found | None:
        """Returns what the server's own record says, None where it keeps it no more."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            try:
                status = rows(connection, "SELECT pg_xact_status($1::text::xid8)", str(xid))[0][0]
            except psycopg.errors.InvalidParameterValue:
                return None  # a number of the future: the server was put back to an earlier state
            if status != "in progress":
                return _FOUND.get(status)
            if time.monotonic() > deadline:
                raise SourceUnavailable(
                    f"The server of {self._source} still works on a change that was cut off. Try "
                    "again in a moment."
                )
            time.sleep(0.1)

    def _estimate(self, pair: Pair, change: Change, caps: ChangeCaps) -> int | None:
        """Returns how many rows the server expects to change, None for a way back.

        Raises:
            Refused: far more than may be counted.
        """
        if change.sql is None:
            return None
        plans = json.loads(run_one(pair.writer, f"EXPLAIN (FORMAT JSON) {change.sql}") or b"[]")
        expected = max((_changed_rows(p["Plan"]) for p in plans), default=0)
        if expected > _FAR * caps.max_rows:
            raise refuse(
                "preview.too_many_rows",
                f"The server expects this to touch about {expected:,} rows; one change may touch "
                f"{caps.max_rows:,} (approvals.max_rows). It was not run.",
                alternative="Split it into smaller changes.",
            )
        return expected

    @contextlib.contextmanager
    def _told(self, cancel: Cancel) -> Iterator[None]:
        """Turns the driver's errors and faults into the guard's."""
        try:
            yield
        except Fault as fault:
            raise faults.to_error(fault.code, self._source) from None
        except psycopg.Error as error:
            code = code_of(error)
            if code == "interrupted":
                raise faults.stopped("cancelled" if cancel.is_set() else "timeout") from None
            raise faults.to_error(code, self._source) from None
        except (ValueError, TypeError, LookupError):  # a value that the driver cannot read
            raise faults.to_error("engine", self._source) from None


def _changed_rows(plan: Mapping[str, Any]) -> int:
    """Returns the most rows that a step which changes rows is fed, anywhere in the plan."""
    inner = plan.get("Plans", [])
    own = 0
    if plan.get("Node Type") == "ModifyTable":
        own = sum(int(p.get("Plan Rows", 0)) for p in inner[:1])
    return max([own, *(_changed_rows(p) for p in inner)])


def _performed(pair: Pair, change: Change, caps: ChangeCaps, told: Told = unheard) -> Capture:
    """Runs the statement, or puts rows back, and returns what the transaction has changed."""
    order = _order(change, caps)
    if order.defines:
        found = performed(definer(pair.writer), order, prove=False)
        return replace(found, image={**found.image, "xid": str(pair.xid)})
    if change.sql is not None:
        run_one(pair.writer, change.sql)
    # What waits for the commit would fail or fire after the rows were looked at.
    pair.writer.execute("SET CONSTRAINTS ALL IMMEDIATE")
    reading(pair.writer)
    if order.image is not None:
        replay(pair, order.image)
    return _captured(capture(pair, caps.max_rows, told), pair)


def _order(change: Change, caps: ChangeCaps) -> Order:
    return Order(
        sql=change.sql,
        image=None if change.undo_image is None else json.loads(change.undo_image),
        targets=change.targets,
        max_rows=caps.max_rows,
        timeout_ms=caps.timeout_ms,
        lock_timeout_ms=caps.lock_timeout_ms,
        schema=change.schema,
    )


def _captured(found: Net, pair: Pair) -> Capture:
    return Capture(
        tables=found.tables,
        image=image_of(found, pair.xid, out_of_reach(pair.writer, found)),
        schema_hash=found.schema_hash,
    )


def _taken_back(pair: Pair, done: Capture, caps: ChangeCaps) -> Sequence[TableChange] | None:
    """Takes the change back in its own transaction; returns what differs then, None if it fails."""
    try:
        before = counted(pair.writer)
        silent = replay(pair, done.image)
        kept = [t for t in done.tables if t.table in kept_in(done.image)]
        if silent and all(t.primary_key for t in done.tables if t not in kept):
            # No trigger ran, so only these tables changed, and every statement hit what it named.
            same = counted(pair.writer).keys() <= before.keys()
            return kept if same and is_back(pair.writer, done.image) else None
        return capture(pair, caps.max_rows).tables
    except (Fault, psycopg.Error):
        return None


_WORDS = {"inserted": "remove", "deleted": "bring back", "updated": "restore"}


_KEPT = "the write login may not change that table."
_AWAKE = "triggers run again, because the write login may not do without them."


def _notes(done: Capture, left: Sequence[TableChange] | None) -> Iterator[str]:
    if left is None:
        yield "Taking this back was tried and did not work."
    for table in left or ():
        why = _KEPT if table.table in kept_in(done.image) else _AWAKE
        for kind, count in sorted(Counter(row.kind for row in table.rows).items()):
            rows_ = "1 row" if count == 1 else f"{count:,} rows"
            yield f"Undo will not {_WORDS[kind]} {rows_} in {table.table}: {why}"
    for changed in done.tables:
        if not changed.primary_key:
            yield f"{changed.table} has no primary key: rows that are equal cannot be told apart."


def _diff(found: Capture, decided: Mapping[str, Any], caps: ChangeCaps, started: int) -> Diff:
    elapsed_us = (time.perf_counter_ns() - started) // 1000
    diff = json.loads(written(found, decided, caps.shown_rows, elapsed_us))["diff"]
    return _DIFF.validate_python(diff)
