"""Questions that people keep with their SQL. The states are `states.SAVED_MOVES`.

A private one is its owner's alone. `key` is what a question must be equal in to be the same one;
`reads_json` is what the statement read when it was verified, opaque here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from store.errors import IllegalMove
from store.records import build, build_all, columns, expect_one, move_row
from store.schema import saved_questions
from store.states import SAVED_MOVES, SavedState


@dataclass(frozen=True, kw_only=True)
class SavedQuestion:
    """One question. `verified_by` is never its `owner`; `comment` says why it is as it is."""

    id: int
    owner: str
    source: str
    question: str
    key: str
    sql: str
    state: SavedState
    created_at: dt.datetime
    updated_at: dt.datetime
    verified_by: str | None
    verified_at: dt.datetime | None
    reads_json: str | None
    comment: str


_t = saved_questions


def create(
    conn: Connection,
    *,
    owner: str,
    source: str,
    question: str,
    key: str,
    sql: str,
    now: dt.datetime,
) -> SavedQuestion:
    """Returns a new private question."""
    row = conn.execute(
        insert(_t)
        .values(
            owner=owner,
            source=source,
            question=question,
            key=key,
            sql=sql,
            state="private",
            created_at=now,
            updated_at=now,
            comment="",
        )
        .returning(*columns(SavedQuestion, _t))
    ).one()
    return build(SavedQuestion, row)


def find(conn: Connection, saved: int) -> SavedQuestion | None:
    """Returns the question whoever owns it, or None. Check who asks before showing it."""
    row = conn.execute(select(*columns(SavedQuestion, _t)).where(_t.c.id == saved)).first()
    return build(SavedQuestion, row) if row else None


def list_own(
    conn: Connection, owner: str, source: str, *, limit: int = 200
) -> tuple[SavedQuestion, ...]:
    """Returns what the account keeps for the source, the newest first."""
    query = select(*columns(SavedQuestion, _t)).where(_t.c.owner == owner, _t.c.source == source)
    rows = conn.execute(query.order_by(_t.c.id.desc()).limit(limit)).all()
    return build_all(SavedQuestion, rows)


def list_in(
    conn: Connection, source: str, states: Collection[SavedState], *, limit: int = 200
) -> tuple[SavedQuestion, ...]:
    """Returns the source's questions in these states, whoever owns them, the newest first."""
    query = select(*columns(SavedQuestion, _t)).where(_t.c.source == source, _t.c.state.in_(states))
    rows = conn.execute(query.order_by(_t.c.id.desc()).limit(limit)).all()
    return build_all(SavedQuestion, rows)


def verified(conn: Connection, source: str, key: str) -> SavedQuestion | None:
    """Returns the source's one verified question with that key, or None."""
    query = select(*columns(SavedQuestion, _t)).where(
        _t.c.source == source, _t.c.key == key, _t.c.state == "verified"
    )
    row = conn.execute(query).first()
    return build(SavedQuestion, row) if row else None


def count_own(conn: Connection, owner: str) -> int:
    """Returns how many questions the account keeps."""
    return conn.execute(select(func.count()).where(_t.c.owner == owner)).scalar_one()


def offer(conn: Connection, saved: SavedQuestion, *, now: dt.datetime) -> None:
    """Puts a private question before those who verify.

    Raises:
        IllegalMove: it is not private any more.
    """
    _move(conn, saved, "private", "offered", now, comment="")


def take_back(conn: Connection, saved: SavedQuestion, *, comment: str, now: dt.datetime) -> None:
    """Makes an offered question private again, with the reason.

    Raises:
        IllegalMove: it is not offered any more.
    """
    _move(conn, saved, "offered", "private", now, comment=comment)


def verify(
    conn: Connection, saved: SavedQuestion, *, by: str, reads_json: str, now: dt.datetime
) -> None:
    """Makes an offered or stale question a verified one.

    Raises:
        IllegalMove: it is neither any more. The store itself refuses `by` its owner, and a second
            verified question with the same key (`StoreConflict`).
    """
    values = {"verified_by": by, "verified_at": now, "reads_json": reads_json, "comment": ""}
    _move(conn, saved, saved.state, "verified", now, **values)


def mark_stale(conn: Connection, saved: SavedQuestion, *, comment: str, now: dt.datetime) -> None:
    """Takes a verified question out of use, with the reason.

    Raises:
        IllegalMove: it is not verified any more.
    """
    _move(conn, saved, "verified", "stale", now, comment=comment)


def remove(conn: Connection, saved: SavedQuestion) -> None:
    """Deletes a question.

    Raises:
        IllegalMove: it is gone, or in another state than it was.
    """
    touched = conn.execute(delete(_t).where(_t.c.id == saved.id, _t.c.state == saved.state))
    expect_one(touched, "This question has changed or is gone. Look again.")


def _move(
    conn: Connection,
    saved: SavedQuestion,
    source: SavedState,
    target: SavedState,
    now: dt.datetime,
    **values: object,
) -> None:
    if saved.state != source:
        raise IllegalMove(f"This question is {saved.state}, not {source}.")
    move_row(conn, _t, saved.id, source, target, SAVED_MOVES, {"updated_at": now, **values})
