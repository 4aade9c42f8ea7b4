"""Turns: one question and what became of it. The states are `states.TURN_MOVES`.

A running turn is leased to one process (`Store.instance`), which renews the lease while it works.
Every write to a running turn names its owner, so that a process that was thought dead cannot
overwrite the work of the one that took over.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from store.errors import IllegalMove
from store.ids import new_id
from store.records import build, build_all, columns, expect_one, move_row
from store.schema import conversations, turns
from store.states import TURN_MOVES, TurnKind, TurnState

LEASE = dt.timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One question. `answer_json` and `usage_json` are opaque here; `error` is a sentence.

    `resumable`: another process may go on with it once its owner is gone (`store.orphans`), which
    has happened `resumes` times. `saying` is the text a model has begun and not ended.
    """

    id: str
    conversation: str
    seq: int
    kind: TurnKind
    question: str
    model: str | None
    state: TurnState
    lease_owner: str | None
    lease_until: dt.datetime | None
    heartbeat_at: dt.datetime | None
    cancel_requested: bool
    answer_json: str | None
    usage_json: str | None
    error: str | None
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    resumable: bool
    resumes: int
    saying: str | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a turn ends with. `messages` is the model's history, for a turn that may go on."""

    answer_json: str | None = None
    usage_json: str | None = None
    messages: bytes | None = None
    error: str | None = None


_t = turns
OPEN: frozenset[TurnState] = frozenset({"queued", "running", "waiting"})


def add(
    conn: Connection,
    conversation: str,
    *,
    kind: TurnKind,
    question: str,
    model: str | None,
    now: dt.datetime,
    owner: str | None = None,
    resumable: bool = False,
) -> Turn:
    """Returns a new turn at the end of the conversation, queued.

    `owner` is the process in whose queue it waits, so that it is found when that process dies.

    Raises:
        IllegalMove: there is no such conversation.
    """
    # The update locks the conversation's row, so two additions cannot take the same place.
    touched = conn.execute(
        update(conversations).where(conversations.c.id == conversation).values(updated_at=now)
    )
    expect_one(touched, "There is no such conversation.")
    last = select(func.coalesce(func.max(_t.c.seq), 0)).where(_t.c.conversation == conversation)
    turn = new_id()
    conn.execute(
        insert(_t).values(
            id=turn,
            conversation=conversation,
            seq=conn.execute(last).scalar_one() + 1,
            kind=kind,
            question=question,
            model=model,
            state="queued",
            lease_owner=owner,
            cancel_requested=False,
            created_at=now,
            resumable=resumable,
            resumes=0,
        )
    )
    return get(conn, turn)


def find(conn: Connection, turn: str) -> Turn | None:
    """Returns the turn, or None."""
    row = conn.execute(select(*columns(Turn, _t)).where(_t.c.id == turn)).first()
    return build(Turn, row) if row else None


def get(conn: Connection, turn: str) -> Turn:
    """Returns the turn, which must exist.

    Raises:
        IllegalMove: there is no such turn.
    """
    found = find(conn, turn)
    if found is None:
        raise IllegalMove("There is no such turn.")
    return found


def list_of(conn: Connection, conversation: str) -> tuple[Turn, ...]:
    """Returns the turns of a conversation in order."""
    query = select(*columns(Turn, _t)).where(_t.c.conversation == conversation)
    return build_all(Turn, conn.execute(query.order_by(_t.c.seq)).all())


def messages(conn: Connection, turn: str) -> bytes | None:
    """Returns the stored model history of a turn, or None."""
    return conn.execute(select(_t.c.messages).where(_t.c.id == turn)).scalar_one_or_none()


def queued_before(conn: Connection, turn: Turn) -> int:
    """Returns how many queued turns are older: the place in the queue."""
    query = select(func.count()).where(_t.c.state == "queued", _t.c.created_at < turn.created_at)
    return conn.execute(query).scalar_one()


def move(
    conn: Connection, turn: str, source: TurnState, target: TurnState, *, now: dt.datetime
) -> None:
    """Takes a turn that nobody runs from one state to the next (a queued or waiting one).

    Raises:
        IllegalMove: no such move, not in `source` any more, or running: see `claim` and `finish`.
    """
    if "running" in (source, target):
        raise IllegalMove("A running turn is moved by the process that holds its lease.")
    move_row(conn, _t, turn, source, target, TURN_MOVES, _stamp(target, now))


def claim(
    conn: Connection,
    turn: str,
    *,
    source: TurnState = "queued",
    owner: str,
    now: dt.datetime,
    lease: dt.timedelta = LEASE,
) -> None:
    """Starts a queued, waiting or interrupted turn in this process. Of several, one succeeds.

    Raises:
        IllegalMove: the turn is not in `source` any more.
    """
    values = {
        "lease_owner": owner,
        "lease_until": now + lease,
        "heartbeat_at": now,
        "started_at": func.coalesce(_t.c.started_at, now),
    }
    move_row(conn, _t, turn, source, "running", TURN_MOVES, values)


def renew(
    conn: Connection, turn: str, *, owner: str, now: dt.datetime, lease: dt.timedelta = LEASE
) -> bool:
    """Keeps the lease and returns whether somebody asked to stop.

    Raises:
        IllegalMove: the turn is not this owner's any more. Stop working on it.
    """
    cancelled: bool | None = conn.execute(
        update(_t)
        .where(_held(turn, owner))
        .values(lease_until=now + lease, heartbeat_at=now)
        .returning(_t.c.cancel_requested)
    ).scalar_one_or_none()
    if cancelled is None:
        raise IllegalMove(_LOST)
    return cancelled


def checkpoint(
    conn: Connection, turn: str, *, owner: str, messages: bytes, usage_json: str
) -> None:
    """Saves the model's history before its tools run, so that a restart can go on from here.

    Raises:
        IllegalMove: the turn is not this owner's any more.
    """
    touched = conn.execute(
        update(_t)
        .where(_held(turn, owner))
        .values(messages=messages, usage_json=usage_json, saying=None)
    )
    expect_one(touched, _LOST)


def say(conn: Connection, turn: str, *, owner: str, text: str | None) -> None:
    """Keeps the text a model has begun, for the screen; None once it has ended.

    Raises:
        IllegalMove: the turn is not this owner's any more.
    """
    expect_one(conn.execute(update(_t).where(_held(turn, owner)).values(saying=text)), _LOST)


def leave(conn: Connection, *, owner: str, now: dt.datetime) -> None:
    """Ends the leases of a process that shuts down, so that others need not wait for their end."""
    conn.execute(
        update(_t)
        .where(_t.c.lease_owner == owner, _t.c.state.in_(("queued", "running")))
        .values(lease_until=now)
    )


def expect_held(conn: Connection, turn: str, *, owner: str) -> None:
    """Holds the caller's transaction to the lease, whose row it locks.

    Raises:
        IllegalMove: the turn is not this owner's any more. Write nothing.
    """
    held = select(_t.c.id).where(_held(turn, owner)).with_for_update()
    if conn.execute(held).first() is None:
        raise IllegalMove(_LOST)


def finish(
    conn: Connection,
    turn: str,
    target: TurnState,
    outcome: Outcome,
    *,
    owner: str,
    now: dt.datetime,
) -> None:
    """Ends this owner's run of a turn, `waiting` for the person included, and frees the lease.

    Raises:
        IllegalMove: no such move, or the turn is not this owner's any more.
    """
    if target not in TURN_MOVES["running"]:
        raise IllegalMove(f"A turn never goes from running to {target}.")
    given = {k: v for k, v in vars(outcome).items() if v is not None}
    touched = conn.execute(
        update(_t)
        .where(_held(turn, owner))
        .values(
            state=target,
            lease_owner=None,
            lease_until=None,
            saying=None,
            **given,
            **_stamp(target, now),
        )
    )
    expect_one(touched, _LOST)


def request_cancel(conn: Connection, turn: str, *, now: dt.datetime) -> TurnState:
    """Asks a turn to stop and returns the state it is in now.

    A queued or waiting turn is cancelled at once; a running one is told at its next heartbeat.
    """
    conn.execute(
        update(_t)
        .where(_t.c.id == turn, _t.c.state.in_(("queued", "waiting")))
        .values(state="cancelled", cancel_requested=True, **_stamp("cancelled", now))
    )
    conn.execute(
        update(_t).where(_t.c.id == turn, _t.c.state == "running").values(cancel_requested=True)
    )
    return get(conn, turn).state


def _held(turn: str, owner: str) -> ColumnElement[bool]:
    return (_t.c.id == turn) & (_t.c.state == "running") & (_t.c.lease_owner == owner)


def _stamp(target: TurnState, now: dt.datetime) -> dict[str, dt.datetime]:
    return {} if target in OPEN else {"finished_at": now}


_LOST = "This turn is run by another process now, or has ended."
