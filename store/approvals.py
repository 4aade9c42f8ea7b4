"""Votes and comments on change requests.

The database itself refuses a vote by the author and a second standing vote of one person. A vote
stands until a new preview voids it (`changes.record_preview`); void votes stay for the record.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from store.records import build_all, columns
from store.schema import approvals, change_comments, change_requests
from store.states import Vote


@dataclass(frozen=True, kw_only=True)
class StoredApproval:
    """One person's yes or no to one statement and one fingerprint, as that person saw them."""

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
        )
    )


def votes(conn: Connection, change: int) -> tuple[StoredApproval, ...]:
    """Returns every vote on the request, void ones included, oldest first."""
    query = select(*columns(StoredApproval, approvals)).where(approvals.c.change == change)
    return build_all(StoredApproval, conn.execute(query.order_by(approvals.c.id)).all())


def yes_count(conn: Connection, change: int) -> int:
    """Returns how many people's standing yes is for the statement and fingerprint of now."""
    query = (
        select(func.count(approvals.c.approver.distinct()))
        .select_from(approvals.join(change_requests, approvals.c.change == change_requests.c.id))
        .where(
            approvals.c.change == change,
            approvals.c.decision == "approve",
            approvals.c.voided_at.is_(None),
            approvals.c.statement_sha == change_requests.c.statement_sha,
            approvals.c.fingerprint == change_requests.c.fingerprint,
        )
    )
    return conn.execute(query).scalar_one()


def add_comment(conn: Connection, change: int, *, author: str, text: str, now: dt.datetime) -> None:
    """Adds a comment; anyone who may see the request may also be its author."""
    conn.execute(insert(change_comments).values(change=change, author=author, text=text, at=now))


def comments(conn: Connection, change: int) -> tuple[Comment, ...]:
    """Returns the comments on the request, oldest first."""
    query = select(*columns(Comment, change_comments)).where(change_comments.c.change == change)
    return build_all(Comment, conn.execute(query.order_by(change_comments.c.id)).all())
