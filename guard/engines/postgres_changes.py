"""PostgreSQL as the write role: runs a change for real, sees every row it touched, rolls it back.

A preview runs the statement twice in transactions of their own that see the same rows: the columns
that differ are decided at execution. In the second one the change is also taken back, and what is
left then is the proof.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
from pydantic import TypeAdapter

from guard.diff import Diff
from guard.engines import faults
from guard.engines.base import Cancel, Captured, Change, ChangeCaps, Found, Reached, Told, unheard
from guard.engines.child.faults import Fault
from guard.engines.child.schema import performed, standing
from guard.engines.child.writing import Capture, Order
from guard.engines.child.writing import told as written
from guard.engines.postgres_back import put_back
from guard.engines.postgres_done import Done, FewRows, Left, Open, done, opened
from guard.engines.postgres_faults import code_of
from guard.engines.postgres_fixed import is_fixed
from guard.engines.postgres_images import found_in, replay
from guard.engines.postgres_large import LARGE
from guard.engines.postgres_largeimage import header_of, is_copied, staged, stands_as
from guard.engines.postgres_schema import definer, state_of
from guard.engines.postgres_session import (
    Login,
    Pair,
    check_counts,
    connected,
    paired,
    reading,
    run_one,
)
from guard.engines.postgres_stage import Stage
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

    def __init__(self, login: Login, source: str, *, large: int = LARGE) -> None:
        """Opens nothing yet. `source` is what messages call the database.

        More touched rows of one table than `large` stay on the server.
        """
        self._login = login
        self._source = source
        self._large = large

    def preview(
        self, change: Change, caps: ChangeCaps, cancel: Cancel, told: Told = unheard
    ) -> Diff:
        """Returns the exact diff of a change. Raises what `ChangeEngine.preview` does."""
        started = time.perf_counter_ns()
        if _defines(change):
            with self._told(cancel), paired(self._login, caps, cancel) as pair:
                found = performed(definer(pair.writer), _order(change, caps), prove=True)
            return _defined(found, {}, caps, started)
        with self._told(cancel), paired(self._login, caps, cancel) as pair:
            told(Reached(step="run", of=self._estimate(pair, change, caps)))
            run, silent = self._ran(pair, change, caps, told)
            fixed = silent if change.sql is None else True
            fixed = fixed and is_fixed(pair.writer, change.sql, run.relations)
            second = first = done(run, left_out={}, twice=not fixed)
            if fixed:
                told(Reached(step="back", of=first.total))
                left = first.taken_back()
            else:
                pair.writer.execute("ROLLBACK")
                told(Reached(step="run", of=first.total))
                if first.may_carry_now():
                    cancel.wait(1.0 - time.time() % 1.0)
                with paired(self._login, caps, cancel, seeing=pair) as again:
                    run, _ = self._ran(again, change, caps, told)
                    second = done(run, left_out={}, twice=True, first=first)
                    told(Reached(step="back", of=second.total))
                    left = second.taken_back()
        if cancel.is_set():
            raise faults.stopped("cancelled")  # else what was cut off would pass for no way back
        notes = tuple(_notes(second, left))
        # Of few rows the first run is shown; very many are gone with their transaction.
        shown = first if isinstance(second, FewRows) else second
        return Diff(
            tables=shown.tables(second.decided(first) if second is not first else {}),
            schema_hash=shown.schema_hash,
            undo="none" if left is None else "partial" if notes else "exact",
            undo_notes=notes,
            undo_verified=left is not None and not left,
            elapsed_us=_since(started),
        )

    def apply(
        self,
        change: Change,
        caps: ChangeCaps,
        ready: Callable[[Captured], None],
        cancel: Cancel,
    ) -> Captured:
        """Runs the change for good. Raises what `ChangeEngine.apply` does."""
        started, decided = time.perf_counter_ns(), dict(change.decided)
        with self._told(cancel), paired(self._login, caps, cancel) as pair:
            if _defines(change):
                captured = _applied(pair, _order(change, caps), caps, started)
            else:
                run, _ = self._ran(pair, change, caps, unheard)
                found = done(run, left_out=decided)
                diff = Diff(
                    tables=found.tables(decided),
                    schema_hash=found.schema_hash,
                    undo="exact",
                    undo_notes=(),
                    undo_verified=False,
                    elapsed_us=_since(started),
                )
                captured = Captured(diff=diff, undo_image=found.image())
            ready(captured)
            self._commit(pair)
            return captured

    def _ran(self, pair: Pair, change: Change, caps: ChangeCaps, told: Told) -> tuple[Open, bool]:
        """Runs the statement, or puts rows back; returns what was counted.

        The second value says that rows were put back with all triggers switched off.
        """
        stage, silent = Stage(pair), False
        if change.sql is not None:
            run_one(pair.writer, change.sql)
        # What waits for the commit would fail or fire after the rows were looked at.
        pair.writer.execute("SET CONSTRAINTS ALL IMMEDIATE")
        reading(pair.writer)
        if change.undo_image is not None:
            silent = _put_back(pair, stage, change.undo_image)
        check_counts(pair.writer)
        return opened(pair, stage, caps, told, least=self._large), silent

    def find(self, undo_image: bytes) -> Found:
        """Says what became of a change. Raises `SourceUnavailable` while it cannot be told."""
        copied = is_copied(undo_image)
        image: Mapping[str, Any] = header_of(undo_image) if copied else json.loads(undo_image)
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
                return stands_as(connection, undo_image) if copied else found_in(connection, image)

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


def _defines(change: Change) -> bool:
    """True when it changes the schema, or takes such a change back."""
    image = change.undo_image
    return change.schema or bool(image and not is_copied(image) and "ddl" in json.loads(image))


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


def _applied(pair: Pair, order: Order, caps: ChangeCaps, started: int) -> Captured:
    """Changes the schema; the transaction is still open."""
    found = performed(definer(pair.writer), order, prove=False)
    image = {**found.image, "xid": str(pair.xid)}
    return Captured(
        diff=_defined(found, {}, caps, started),
        undo_image=json.dumps(image, separators=(",", ":")).encode(),
    )


def _put_back(pair: Pair, stage: Stage, image: bytes) -> bool:
    """Puts rows back as they were; returns whether all triggers were switched off meanwhile."""
    if is_copied(image):
        return put_back(pair, stage, staged(pair.writer, stage, image)).silent
    return replay(pair, json.loads(image))


_WORDS = {"inserted": "remove", "deleted": "bring back", "updated": "restore"}


_KEPT = "the write login may not change that table."
_AWAKE = "triggers run again, because the write login may not do without them."


def _notes(found: Done, left: Sequence[Left] | None) -> Iterator[str]:
    if left is None:
        yield "Taking this back was tried and did not work."
    for table in left or ():
        why = _KEPT if table.kept else _AWAKE
        for kind, count in sorted((k, n) for k, n in table.counts.items() if n):
            rows_ = "1 row" if count == 1 else f"{count:,} rows"
            yield f"Undo will not {_WORDS[kind]} {rows_} in {table.table}: {why}"
    for name in found.unkeyed:
        yield f"{name} has no primary key: rows that are equal cannot be told apart."


def _defined(found: Capture, decided: Mapping[str, Any], caps: ChangeCaps, started: int) -> Diff:
    told_ = written(found, decided, caps.shown_rows, _since(started))
    return _DIFF.validate_python(json.loads(told_)["diff"])


def _since(started: int) -> int:
    """Returns the microseconds since then."""
    return (time.perf_counter_ns() - started) // 1000
