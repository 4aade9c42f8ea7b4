"""The journal of a turn: every step before and after it happens, keyed by turn and call.

The key makes a step happen once: a finished step is answered from here and never run again. One
call id with other arguments is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from store.errors import IllegalMove
from store.ids import digest
from store.records import build, build_all, columns, expect_one
from store.schema import steps, turns
from store.states import StepState, Verdict
from store.turns import expect_held


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. `kind` says how to draw it; `seq` is the order of begin, not of execution."""

    turn: str
    call_id: str
    seq: int
    kind: str
    tool: str | None
    args_json: str
    args_sha: str
    state: StepState
    verdict: Verdict | None
    result_json: str | None
    elapsed_ms: int | None
    started_at: dt.datetime
    finished_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class Begun:
    """`fresh` is False when the step was there already: done, or left started by a crash."""

    step: Step
    fresh: bool


_t = steps


def begin(
    conn: Connection,
    turn: str,
    call_id: str,
    *,
    kind: str,
    tool: str | None,
    args_json: str,
    now: dt.datetime,
    owner: str | None = None,
) -> Begun:
    """Returns the step of this call, made now or found. `args_json` must be canonical.

    With an `owner`, only while that process holds the turn's lease.

    A found step that is `done` is to be replayed from its result. One that is `started` was cut
    off: only a read may be run again.

    Raises:
        IllegalMove: the call id was used with another tool or other arguments, there is no such
            turn, or it is not this owner's any more.
    """
    # Tools of one answer begin in parallel and each needs its own place, so the turn is locked.
    locked = select(turns.c.id).where(turns.c.id == turn).with_for_update()
    if conn.execute(locked).first() is None:
        raise IllegalMove("There is no such turn.")
    if owner is not None:
        expect_held(conn, turn, owner=owner)
    sha = digest(f"{tool or ''}\n{args_json}")
    found = find(conn, turn, call_id)
    if found is not None:
        if (found.args_sha, found.kind) != (sha, kind):
            raise IllegalMove(f"The call {call_id} was made before with other arguments.")
        return Begun(step=found, fresh=False)
    last = select(func.coalesce(func.max(_t.c.seq), 0)).where(_t.c.turn == turn)
    conn.execute(
        insert(_t).values(
            turn=turn,
            call_id=call_id,
            seq=conn.execute(last).scalar_one() + 1,
            kind=kind,
            tool=tool,
            args_json=args_json,
            args_sha=sha,
            state="started",
            started_at=now,
        )
    )
    return Begun(step=get(conn, turn, call_id), fresh=True)


def finish(
    conn: Connection,
    turn: str,
    call_id: str,
    *,
    verdict: Verdict | None,
    result_json: str,
    blob: bytes | None = None,
    elapsed_ms: int | None,
    now: dt.datetime,
    owner: str | None = None,
) -> None:
    """Records what a started step gave. Refusals are results too.

    Raises:
        IllegalMove: the step is not started, so somebody has finished it already, or the turn is
            not this owner's any more.
    """
    if owner is not None:
        expect_held(conn, turn, owner=owner)
    touched = conn.execute(
        update(_t)
        .where(_is(turn, call_id), _t.c.state == "started")
        .values(
            state="done",
            verdict=verdict,
            result_json=result_json,
            blob=blob,
            elapsed_ms=elapsed_ms,
            finished_at=now,
        )
    )
    expect_one(touched, f"The step {call_id} is not running.")


def find(conn: Connection, turn: str, call_id: str) -> Step | None:
    """Returns the step of that call, or None."""
    row = conn.execute(select(*columns(Step, _t)).where(_is(turn, call_id))).first()
    return build(Step, row) if row else None


def get(conn: Connection, turn: str, call_id: str) -> Step:
    """Returns the step of that call, which must exist.

    Raises:
        IllegalMove: there is none.
    """
    found = find(conn, turn, call_id)
    if found is None:
        raise IllegalMove(f"There is no step {call_id}.")
    return found


def list_of(conn: Connection, turn: str, *, after: int = 0) -> tuple[Step, ...]:
    """Returns the turn's steps in order, those past `after` (a `seq`) only."""
    query = select(*columns(Step, _t)).where(_t.c.turn == turn, _t.c.seq > after)
    return build_all(Step, conn.execute(query.order_by(_t.c.seq)).all())


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a step asked of a tool, and when."""

    tool: str
    args_json: str
    started_at: dt.datetime


def recent(conn: Connection, tools: Collection[str], *, limit: int) -> tuple[Sent, ...]:
    """Returns what the last steps of these tools asked, whoever's, newest first."""
    query = select(*columns(Sent, _t)).where(_t.c.tool.in_(tools))
    return build_all(Sent, conn.execute(query.order_by(_t.c.started_at.desc()).limit(limit)).all())


def blob(conn: Connection, turn: str, call_id: str) -> bytes | None:
    """Returns the bytes kept with a step (a redacted result), or None."""
    return conn.execute(select(_t.c.blob).where(_is(turn, call_id))).scalar_one_or_none()


def _is(turn: str, call_id: str) -> ColumnElement[bool]:
    return (_t.c.turn == turn) & (_t.c.call_id == call_id)
