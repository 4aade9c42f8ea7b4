"""Every policy this store has run under: the text, when it came into force and who put it there."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from store.ids import digest
from store.records import build, build_all, columns
from store.schema import policy_versions


@dataclass(frozen=True, kw_only=True)
class PolicyVersion:
    """One activation. `activated_by` is None where the file was changed outside the console."""

    id: int
    sha256: str
    text: str
    activated_at: dt.datetime
    activated_by: str | None


_t = policy_versions


def activate(
    conn: Connection, text: str, *, activated_by: str | None, now: dt.datetime
) -> PolicyVersion:
    """Returns the version of this text: the latest one if it is that, else a new one.

    Going back to an older text is a new version, because it is a new decision.
    """
    current = latest(conn)
    if current is not None and current.sha256 == digest(text):
        return current
    row = conn.execute(
        insert(_t)
        .values(sha256=digest(text), text=text, activated_at=now, activated_by=activated_by)
        .returning(*columns(PolicyVersion, _t))
    ).one()
    return build(PolicyVersion, row)


def latest(conn: Connection) -> PolicyVersion | None:
    """Returns the version in force, or None before the first."""
    row = conn.execute(
        select(*columns(PolicyVersion, _t)).order_by(_t.c.id.desc()).limit(1)
    ).first()
    return build(PolicyVersion, row) if row else None


def find(conn: Connection, sha256: str) -> PolicyVersion | None:
    """Returns the last activation of that text, or None if it was never in force."""
    query = select(*columns(PolicyVersion, _t)).where(_t.c.sha256 == sha256)
    row = conn.execute(query.order_by(_t.c.id.desc()).limit(1)).first()
    return build(PolicyVersion, row) if row else None


def list_all(conn: Connection, *, limit: int = 100) -> tuple[PolicyVersion, ...]:
    """Returns the activations, newest first."""
    query = select(*columns(PolicyVersion, _t)).order_by(_t.c.id.desc()).limit(limit)
    return build_all(PolicyVersion, conn.execute(query).all())
