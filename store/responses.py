"""How long requests waited for the first decision on them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from store.schema import approvals, change_requests
from store.states import ChangeState

_t = change_requests


@dataclass(frozen=True, kw_only=True)
class Wait:
    """One request: when it began to wait, when the first person decided, and its state now."""

    since: dt.datetime
    decided: dt.datetime | None
    state: ChangeState


def waits(conn: Connection, *, since: dt.datetime) -> tuple[Wait, ...]:
    """Returns the requests that began to wait for a person since then.

    Those that a rule approved waited for nobody and are left out.
    """
    first = (
        select(approvals.c.change, func.min(approvals.c.at).label("decided"))
        .group_by(approvals.c.change)
        .subquery()
    )
    query = (
        select(_t.c.pending_at.label("since"), first.c.decided, _t.c.state)
        .select_from(_t.outerjoin(first, first.c.change == _t.c.id))
        .where(_t.c.pending_at >= since, _t.c.auto.is_(None))
    )
    rows = conn.execute(query).all()
    return tuple(Wait(since=since, decided=decided, state=state) for since, decided, state in rows)
