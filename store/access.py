"""Access requests and the grants they become. The states are `states.ACCESS_MOVES`.

A grant is a request in the state `granted` whose `until` lies ahead: time alone ends it, and the
move to `ended` only writes down that it has. What is asked and opened is JSON, opaque here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, select

from store.errors import IllegalMove
from store.records import build, build_all, columns, move_row
from store.schema import access_requests
from store.states import ACCESS_MOVES, AccessState


@dataclass(frozen=True, kw_only=True)
class AccessRequest:
    """One request. `expires_at` is when it lapses undecided, `until` when its grant ends.

    `decided_by` is who granted or rejected it, `ended_by` who revoked it; neither is ever `person`.
    """

    id: int
    person: str
    source: str
    needs_json: str
    reason: str
    hours: int
    state: AccessState
    created_at: dt.datetime
    expires_at: dt.datetime
    decided_by: str | None
    decided_at: dt.datetime | None
    comment: str
    granted_json: str | None
    until: dt.datetime | None
    ended_by: str | None
    ended_at: dt.datetime | None


_t = access_requests
_LIVE = (
    select(*columns(AccessRequest, _t))
    .where(_t.c.person == bindparam("who"), _t.c.state == "granted", _t.c.until > bindparam("now"))
    .order_by(_t.c.id)
)


def create(
    conn: Connection,
    *,
    person: str,
    source: str,
    needs_json: str,
    reason: str,
    hours: int,
    now: dt.datetime,
    expires_at: dt.datetime,
) -> AccessRequest:
    """Returns a new request that waits for an admin."""
    row = conn.execute(
        insert(_t)
        .values(
            person=person,
            source=source,
            needs_json=needs_json,
            reason=reason,
            hours=hours,
            state="pending",
            created_at=now,
            expires_at=expires_at,
            comment="",
        )
        .returning(*columns(AccessRequest, _t))
    ).one()
    return build(AccessRequest, row)


def find(conn: Connection, request: int) -> AccessRequest | None:
    """Returns the request whoever made it, or None. Check who asks before showing it."""
    row = conn.execute(select(*columns(AccessRequest, _t)).where(_t.c.id == request)).first()
    return build(AccessRequest, row) if row else None


def get(conn: Connection, request: int) -> AccessRequest:
    """Returns the request, which must exist.

    Raises:
        IllegalMove: there is none.
    """
    found = find(conn, request)
    if found is None:
        raise IllegalMove(f"There is no access request {request}.")
    return found


def list_all(
    conn: Connection,
    *,
    states: Collection[AccessState] | None = None,
    person: str | None = None,
    limit: int = 100,
) -> tuple[AccessRequest, ...]:
    """Returns the requests, newest first, those in `states` and of `person` only where given."""
    query = select(*columns(AccessRequest, _t)).order_by(_t.c.id.desc()).limit(limit)
    if states is not None:
        query = query.where(_t.c.state.in_(states))
    if person is not None:
        query = query.where(_t.c.person == person)
    return build_all(AccessRequest, conn.execute(query).all())


def live(conn: Connection, person: str, *, now: dt.datetime) -> tuple[AccessRequest, ...]:
    """Returns the person's grants that hold at this moment."""
    return build_all(AccessRequest, conn.execute(_LIVE, {"who": person, "now": now}).all())


def count_waiting(conn: Connection, admin: str, *, now: dt.datetime) -> int:
    """Returns how many requests of others wait for a decision."""
    query = select(func.count()).where(
        _t.c.state == "pending", _t.c.person != admin, _t.c.expires_at > now
    )
    return conn.execute(query).scalar_one()


def grant(
    conn: Connection,
    request: int,
    *,
    by: str,
    granted_json: str,
    until: dt.datetime,
    comment: str,
    now: dt.datetime,
) -> None:
    """Makes a waiting request a grant.

    Raises:
        IllegalMove: it is not waiting any more. The store itself refuses `by` the person who asked.
    """
    _move(
        conn,
        request,
        "pending",
        "granted",
        decided_by=by,
        decided_at=now,
        comment=comment,
        granted_json=granted_json,
        until=until,
    )


def reject(conn: Connection, request: int, *, by: str, comment: str, now: dt.datetime) -> None:
    """Ends a waiting request with a reason.

    Raises:
        IllegalMove: it is not waiting any more.
    """
    _move(conn, request, "pending", "rejected", decided_by=by, decided_at=now, comment=comment)


def withdraw(conn: Connection, request: int, *, now: dt.datetime) -> None:
    """Takes a waiting request back.

    Raises:
        IllegalMove: it is not waiting any more.
    """
    _move(conn, request, "pending", "withdrawn", ended_at=now)


def revoke(conn: Connection, request: int, *, by: str, comment: str, now: dt.datetime) -> None:
    """Ends a grant before its time.

    Raises:
        IllegalMove: it is no live grant any more.
    """
    _move(conn, request, "granted", "revoked", ended_by=by, ended_at=now, comment=comment)


def expire_due(conn: Connection, *, now: dt.datetime) -> tuple[AccessRequest, ...]:
    """Writes down what time has ended: requests nobody decided, grants past their end."""
    due = select(*columns(AccessRequest, _t)).where(
        ((_t.c.state == "pending") & (_t.c.expires_at <= now))
        | ((_t.c.state == "granted") & (_t.c.until <= now))
    )
    found = build_all(AccessRequest, conn.execute(due.with_for_update()).all())
    for one in found:
        _move(
            conn, one.id, one.state, "expired" if one.state == "pending" else "ended", ended_at=now
        )
    return found


def _move(
    conn: Connection, request: int, source: AccessState, target: AccessState, **values: object
) -> None:
    move_row(conn, _t, request, source, target, ACCESS_MOVES, values)
