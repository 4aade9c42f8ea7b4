"""Filters of the audit page that people gave a name. Each is its owner's alone.

`query` is what the address says of the filter, which names nobody and holds nothing personal.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from store.errors import IllegalMove
from store.records import build_all, columns
from store.schema import audit_filters

MOST = 50
"""How many filters one person may keep."""


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """One filter with its name."""

    id: int
    owner: str
    name: str
    query: str
    created_at: dt.datetime


_t = audit_filters


def keep(conn: Connection, *, owner: str, name: str, query: str, now: dt.datetime) -> None:
    """Keeps a filter, in place of the owner's one with that name.

    Raises:
        IllegalMove: the owner keeps as many as one may.
    """
    conn.execute(delete(_t).where(_t.c.owner == owner, _t.c.name == name))
    if conn.execute(select(func.count()).where(_t.c.owner == owner)).scalar_one() >= MOST:
        raise IllegalMove(f"You keep {MOST} filters already. Remove one first.")
    conn.execute(insert(_t).values(owner=owner, name=name, query=query, created_at=now))


def list_own(conn: Connection, owner: str) -> tuple[AuditFilter, ...]:
    """Returns what the account keeps, by name."""
    query = select(*columns(AuditFilter, _t)).where(_t.c.owner == owner)
    return build_all(AuditFilter, conn.execute(query.order_by(func.lower(_t.c.name))).all())


def remove(conn: Connection, owner: str, filter_id: int) -> None:
    """Removes a filter of that owner; nothing when it is gone already."""
    conn.execute(delete(_t).where(_t.c.owner == owner, _t.c.id == filter_id))
