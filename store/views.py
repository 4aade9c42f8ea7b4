"""Who was shown which diff, and when: a decision rests on it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from store.records import build, columns, expect_one
from store.schema import change_views

_t = change_views


@dataclass(frozen=True, kw_only=True)
class View:
    """One person's first look at one diff; `downloaded_at` is set once they took all of it."""

    change: int
    viewer: str
    fingerprint: str
    shown_at: dt.datetime
    downloaded_at: dt.datetime | None


def find(conn: Connection, change: int, viewer: str, fingerprint: str) -> View | None:
    """Returns that person's look at that diff, or None."""
    row = conn.execute(
        select(*columns(View, _t)).where(
            _t.c.change == change, _t.c.viewer == viewer, _t.c.fingerprint == fingerprint
        )
    ).first()
    return build(View, row) if row else None


def shown(
    conn: Connection, change: int, viewer: str, fingerprint: str, *, now: dt.datetime
) -> None:
    """Records that the diff was shown to the person; only the first time counts."""
    if find(conn, change, viewer, fingerprint) is None:
        conn.execute(
            insert(_t).values(change=change, viewer=viewer, fingerprint=fingerprint, shown_at=now)
        )


def downloaded(
    conn: Connection, change: int, viewer: str, fingerprint: str, *, now: dt.datetime
) -> None:
    """Records that the person took every row of the diff along.

    Raises:
        IllegalMove: the diff was never shown to the person.
    """
    touched = conn.execute(
        update(_t)
        .where(_t.c.change == change, _t.c.viewer == viewer, _t.c.fingerprint == fingerprint)
        .values(downloaded_at=now)
    )
    expect_one(touched, f"The diff of change request #{change} was not shown to this person.")
