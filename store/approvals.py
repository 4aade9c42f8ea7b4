"""Votes and comments on change requests.

The database itself refuses a vote by the author and a second standing vote of one person. A vote
stands until a new preview voids it (`changes.record_preview`); void votes stay for the record.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, or_, select

from store.records import build_all, columns
from store.schema import approvals, change_comments, change_requests
from store.states import Vote


@dataclass(frozen=True, kw_only=True)
class StoredApproval:
    """One person's yes or no to one statement and one fingerprint, as that person saw them.

    `fast` says that it came sooner than the rows can be read, `bulk` that many came at once.
    """

    id: int
    change: int
    author: str
    approver: str
    decision: Vote
    statement_sha: str
    fingerprint: str
    comment: str
    at: dt.datetime
    voided_at: dt.datetime | None
    fast: bool
    bulk: bool


@dataclass(frozen=True, kw_only=True)
class Comment:
    """Something somebody said about a request."""

    id: int
    change: int
    author: str
    text: str
    at: dt.datetime


def vote(
    conn: Connection,
    change: int,
    *,
    approver: str,
    decision: Vote,
    statement_sha: str,
    fingerprint: str,
    comment: str,
    now: dt.datetime,
    fast: bool = False,
    bulk: bool = False,
) -> None:
    """Records a vote; the caller has checked role, state and version in this same transaction.

    Raises:
        StoreConflict: the approver is the author, has voted already, or there is no such request.
    """
    author = select(change_requests.c.author).where(change_requests.c.id == change)
    conn.execute(
        insert(approvals).values(
            change=change,
            author=author.scalar_subquery(),
            approver=approver,
            decision=decision,
            statement_sha=statement_sha,
            fingerprint=fingerprint,
            comment=comment,
            at=now,
            fast=fast,
            bulk=bulk,
        )
    )


def votes(conn: Connection, change: int) -> tuple[StoredApproval, ...]:
    """Returns every vote on the request, void ones included, oldest first."""
    query = select(*columns(StoredApproval, approvals)).where(approvals.c.change == change)
    return build_all(StoredApproval, conn.execute(query.order_by(approvals.c.id)).all())


def yes_count(conn: Connection, change: int) -> int:
    """Returns how many people's standing yes is for the statement and fingerprint of now."""
    return len(yes_of(conn, change))


def yes_of(conn: Connection, change: int) -> tuple[str, ...]:
    """Returns whose standing yes is for the statement and fingerprint of now, each person once."""
    query = (
        select(approvals.c.approver)
        .distinct()
        .select_from(approvals.join(change_requests, approvals.c.change == change_requests.c.id))
        .where(
            approvals.c.change == change,
            approvals.c.decision == "approve",
            approvals.c.voided_at.is_(None),
            approvals.c.statement_sha == change_requests.c.statement_sha,
            approvals.c.fingerprint == change_requests.c.fingerprint,
        )
    )
    return tuple(sorted(conn.execute(query).scalars()))


def recent_yes(conn: Connection, approver: str, *, since: dt.datetime) -> int:
    """Returns how many requests the person has said yes to since then."""
    query = select(func.count(approvals.c.change.distinct())).where(
        approvals.c.approver == approver,
        approvals.c.decision == "approve",
        approvals.c.at >= since,
    )
    return conn.execute(query).scalar_one()


def flagged(conn: Connection, *, since: dt.datetime) -> tuple[StoredApproval, ...]:
    """Returns the votes since then that were fast or came in bulk, newest first."""
    query = select(*columns(StoredApproval, approvals)).where(
        approvals.c.at >= since, or_(approvals.c.fast, approvals.c.bulk)
    )
    return build_all(StoredApproval, conn.execute(query.order_by(approvals.c.id.desc())).all())


def add_comment(conn: Connection, change: int, *, author: str, text: str, now: dt.datetime) -> None:
    """Adds a comment; anyone who may see the request may also be its author."""
    conn.execute(insert(change_comments).values(change=change, author=author, text=text, at=now))


def comments(conn: Connection, change: int) -> tuple[Comment, ...]:
    """Returns the comments on the request, oldest first."""
    query = select(*columns(Comment, change_comments)).where(change_comments.c.change == change)
    return build_all(Comment, conn.execute(query.order_by(change_comments.c.id)).all())
