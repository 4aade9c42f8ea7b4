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
    """One activation. `activated_by` is None where no account did it: a first start, an operator.

    `candidate` is the proposal that was reviewed, `os_account` the operator's account on the
    machine.
    """

    id: int
    sha256: str
    text: str
    activated_at: dt.datetime
    activated_by: str | None
    candidate: int | None
    os_account: str | None


@dataclass(frozen=True, kw_only=True)
class Head:
    """Which version is in force, without its text."""

    id: int
    sha256: str


_t = policy_versions
_HEAD = select(*columns(Head, _t)).order_by(_t.c.id.desc()).limit(1)


def activate(
    conn: Connection,
    text: str,
    *,
    activated_by: str | None,
    now: dt.datetime,
    candidate: int | None = None,
    os_account: str | None = None,
) -> PolicyVersion:
    """Returns the version of this text: the latest one if it is that, else a new one.

    Going back to an older text is a new version, because it is a new decision.
    """
    current = latest(conn)
    if current is not None and current.sha256 == digest(text):
        return current
    row = conn.execute(
        insert(_t)
        .values(
            sha256=digest(text),
            text=text,
            activated_at=now,
            activated_by=activated_by,
            candidate=candidate,
            os_account=os_account,
        )
        .returning(*columns(PolicyVersion, _t))
    ).one()
    return build(PolicyVersion, row)


def head(conn: Connection) -> Head | None:
    """Returns the number and hash of the version in force, or None before the first.

    Cheap enough for every statement.
    """
    row = conn.execute(_HEAD).first()
    return build(Head, row) if row else None


def latest(conn: Connection) -> PolicyVersion | None:
    """Returns the version in force, or None before the first."""
    row = conn.execute(
        select(*columns(PolicyVersion, _t)).order_by(_t.c.id.desc()).limit(1)
    ).first()
    return build(PolicyVersion, row) if row else None


def get(conn: Connection, version: int) -> PolicyVersion | None:
    """Returns that version, or None."""
    row = conn.execute(select(*columns(PolicyVersion, _t)).where(_t.c.id == version)).first()
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
