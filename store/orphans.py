"""Turns whose process is gone: found by their lease, then taken over or marked as interrupted.

A turn that waits in the queue of a process is its orphan too. Of several instances that find the
same orphan one gets it: each write names the lease it has seen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from sqlalchemy import Connection, select, update

from store.records import build_all, columns, expect_one
from store.schema import turns as _t
from store.turns import LEASE, Turn, get

PATIENCE = dt.timedelta(minutes=10)
"""How long a turn may wait in the queue of a process nobody can tell about."""


def find(
    conn: Connection, *, now: dt.datetime, is_alive: Callable[[str], bool | None]
) -> tuple[Turn, ...]:
    """Returns the queued and running turns whose process is gone, oldest first.

    Args:
        conn: any transaction.
        now: the time.
        is_alive: `Store.is_alive`. Where it cannot tell, an expired lease decides.
    """
    query = select(*columns(Turn, _t)).where(_t.c.state.in_(("queued", "running")))
    found = build_all(Turn, conn.execute(query.order_by(_t.c.created_at)).all())
    return tuple(turn for turn in found if _is_orphan(turn, now, is_alive))


def take_over(
    conn: Connection, orphan: Turn, *, owner: str, now: dt.datetime, lease: dt.timedelta = LEASE
) -> Turn:
    """Returns the turn, which now runs under this owner's lease and counts one more resume.

    Raises:
        IllegalMove: it was taken over, went on or ended since it was found.
    """
    _still(
        conn,
        orphan,
        state="running",
        lease_owner=owner,
        lease_until=now + lease,
        heartbeat_at=now,
        started_at=orphan.started_at or now,
        resumes=orphan.resumes + 1,
    )
    return get(conn, orphan.id)


def interrupt(conn: Connection, orphan: Turn, *, why: str, now: dt.datetime) -> Turn:
    """Returns the turn, which has ended as interrupted; `why` is a sentence for the person.

    Raises:
        IllegalMove: as for `take_over`.
    """
    _still(
        conn,
        orphan,
        state="interrupted",
        lease_owner=None,
        lease_until=None,
        error=why,
        finished_at=now,
        saying=None,
    )
    return get(conn, orphan.id)


def _still(conn: Connection, orphan: Turn, **values: object) -> None:
    touched = conn.execute(
        update(_t)
        .where(
            _t.c.id == orphan.id,
            _t.c.state == orphan.state,
            _t.c.lease_owner == orphan.lease_owner,
            _t.c.resumes == orphan.resumes,
            # A lease that was renewed meanwhile belongs to a living process.
            _t.c.heartbeat_at.is_not_distinct_from(orphan.heartbeat_at),
        )
        .values(**values)
    )
    expect_one(touched, "This turn is no orphan any more.")


def _is_orphan(turn: Turn, now: dt.datetime, is_alive: Callable[[str], bool | None]) -> bool:
    if turn.lease_owner is None:
        return False  # queued by a version that named no owner
    alive = is_alive(turn.lease_owner)
    if alive is not None:
        return not alive
    if turn.state == "queued" and turn.lease_until is None:
        return turn.created_at + PATIENCE <= now
    return turn.lease_until is None or turn.lease_until <= now
