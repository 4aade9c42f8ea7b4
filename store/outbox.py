"""Notices on their way out: written with what they tell of, sent later, at least once.

A notice waits, is claimed for a while, and ends as sent or given up. One that was claimed by a
process which died is claimed again when that while is over. Notices of one request to one target
leave in their order: a ticket is opened before it is closed.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from store.records import build_all, columns, expect_one
from store.schema import notice_references, notices
from store.states import NoticeEvent, NoticeState

_t = notices
_OPEN = ("waiting", "sending")


@dataclass(frozen=True, kw_only=True)
class StoredNotice:
    """One notice for one target. `key` is the same at every attempt, for whoever must not repeat.

    `attempts` counts those begun, this one included; `fields_json` is opaque here.
    """

    id: int
    key: str
    target: str
    change: int
    event: NoticeEvent
    fields_json: str
    state: NoticeState
    attempts: int
    next_at: dt.datetime
    created_at: dt.datetime
    error: str | None


def add(
    conn: Connection,
    *,
    target: str,
    change: int,
    event: NoticeEvent,
    fields_json: str,
    now: dt.datetime,
) -> None:
    """Queues a notice in the transaction of what it tells of."""
    conn.execute(
        insert(_t).values(
            key=secrets.token_hex(16),
            target=target,
            change=change,
            event=event,
            fields_json=fields_json,
            state="waiting",
            attempts=0,
            next_at=now,
            created_at=now,
        )
    )


def is_due(conn: Connection, *, now: dt.datetime) -> bool:
    """True when there may be something to claim; costs one look at an index."""
    query = select(_t.c.id).where(_t.c.state.in_(_OPEN), _t.c.next_at <= now).limit(1)
    return conn.execute(query).first() is not None


def claim(
    conn: Connection, *, owner: str, now: dt.datetime, until: dt.datetime, limit: int = 20
) -> tuple[StoredNotice, ...]:
    """Returns notices that are due, now this owner's until `until`; of several owners one has each.

    A notice is not due before every earlier one of its request and target has ended.
    """
    earlier = _t.alias()
    blocked = (
        select(earlier.c.id)
        .where(
            earlier.c.target == _t.c.target,
            earlier.c.change == _t.c.change,
            earlier.c.id < _t.c.id,
            earlier.c.state.in_(_OPEN),
        )
        .exists()
    )
    due = (
        select(_t.c.id)
        .where(_t.c.state.in_(_OPEN), _t.c.next_at <= now, ~blocked)
        .order_by(_t.c.id)
        .limit(limit)
    )
    found = tuple(conn.execute(due).scalars())
    taken = conn.execute(
        update(_t)
        .where(_t.c.id.in_(found), _t.c.state.in_(_OPEN), _t.c.next_at <= now)
        .values(state="sending", claimed_by=owner, next_at=until, attempts=_t.c.attempts + 1)
        .returning(_t.c.id)
    )
    mine = tuple(taken.scalars())
    query = select(*columns(StoredNotice, _t)).where(_t.c.id.in_(mine)).order_by(_t.c.id)
    return build_all(StoredNotice, conn.execute(query).all())


def sent(conn: Connection, notice: int, *, owner: str, now: dt.datetime) -> None:
    """Ends a notice that has arrived.

    Raises:
        IllegalMove: it is not this owner's any more.
    """
    _end(conn, notice, owner, {"state": "sent", "ended_at": now, "error": None})


def failed(
    conn: Connection,
    notice: int,
    *,
    owner: str,
    error: str,
    now: dt.datetime,
    again_at: dt.datetime | None,
) -> None:
    """Puts a notice back until `again_at`, or gives it up where that is None.

    Raises:
        IllegalMove: it is not this owner's any more.
    """
    if again_at is None:
        _end(conn, notice, owner, {"state": "given_up", "ended_at": now, "error": error})
    else:
        _end(conn, notice, owner, {"state": "waiting", "next_at": again_at, "error": error})


def _end(conn: Connection, notice: int, owner: str, values: dict[str, object]) -> None:
    touched = conn.execute(
        update(_t)
        .where(_t.c.id == notice, _t.c.state == "sending", _t.c.claimed_by == owner)
        .values(claimed_by=None, **values)
    )
    expect_one(touched, f"Notice {notice} is not sent by this process any more.")


def list_all(conn: Connection, *, limit: int = 100) -> tuple[StoredNotice, ...]:
    """Returns the newest notices."""
    query = select(*columns(StoredNotice, _t)).order_by(_t.c.id.desc()).limit(limit)
    return build_all(StoredNotice, conn.execute(query).all())


def given_up(conn: Connection, *, since: dt.datetime, limit: int = 100) -> tuple[StoredNotice, ...]:
    """Returns the notices that were given up since then, newest first."""
    query = select(*columns(StoredNotice, _t)).where(
        _t.c.state == "given_up", _t.c.ended_at >= since
    )
    return build_all(StoredNotice, conn.execute(query.order_by(_t.c.id.desc()).limit(limit)).all())


def again(conn: Connection, notice: int, *, now: dt.datetime) -> None:
    """Puts a notice that was given up back, to be sent at once.

    Raises:
        IllegalMove: it was not given up, or somebody has put it back already.
    """
    touched = conn.execute(
        update(_t)
        .where(_t.c.id == notice, _t.c.state == "given_up")
        .values(state="waiting", next_at=now, ended_at=None)
    )
    expect_one(touched, f"Notice {notice} is not given up any more.")


def counts(conn: Connection, *, since: dt.datetime) -> dict[NoticeState, int]:
    """Returns how many notices made since then are in each state; absent states have none."""
    query = select(_t.c.state, func.count()).where(_t.c.created_at >= since).group_by(_t.c.state)
    return {state: number for state, number in conn.execute(query).all()}


def prune(conn: Connection, *, before: dt.datetime) -> int:
    """Forgets notices that ended before then; returns how many."""
    return conn.execute(
        delete(_t).where(and_(_t.c.ended_at.is_not(None), _t.c.ended_at < before))
    ).rowcount


def reference(conn: Connection, target: str, change: int) -> str | None:
    """Returns what the target called the thing it made for the request, or None."""
    return conn.execute(
        select(notice_references.c.value).where(
            notice_references.c.target == target, notice_references.c.change == change
        )
    ).scalar_one_or_none()


def remember(conn: Connection, target: str, change: int, value: str) -> None:
    """Keeps what the target calls the thing it made for the request; the newest counts."""
    conn.execute(
        delete(notice_references).where(
            notice_references.c.target == target, notice_references.c.change == change
        )
    )
    conn.execute(insert(notice_references).values(target=target, change=change, value=value))
