"""Conversations: one person, one source, `store.turns` made of `store.steps`."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, insert, select, update

from store.ids import new_id
from store.records import build, build_all, columns, expect_one
from store.schema import conversations


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """`owner` is an account id. `title` is made from a question and may hold what was typed."""

    id: str
    owner: str
    source: str
    title: str
    created_at: dt.datetime
    updated_at: dt.datetime


_t = conversations
_TITLE = 200


def create(
    conn: Connection, *, owner: str, source: str, title: str, now: dt.datetime
) -> Conversation:
    """Returns a new conversation. A title past 200 characters is cut."""
    made = Conversation(
        id=new_id(),
        owner=owner,
        source=source,
        title=_cut(title),
        created_at=now,
        updated_at=now,
    )
    conn.execute(insert(_t).values(**asdict(made)))
    return made


def find(conn: Connection, conversation: str) -> Conversation | None:
    """Returns the conversation whoever owns it, or None. Check who asks before showing it."""
    row = conn.execute(select(*columns(Conversation, _t)).where(_t.c.id == conversation)).first()
    return build(Conversation, row) if row else None


def find_own(conn: Connection, conversation: str, *, owner: str) -> Conversation | None:
    """Returns the conversation if that account owns it; None otherwise, as if it did not exist."""
    found = find(conn, conversation)
    return found if found is not None and found.owner == owner else None


def list_own(
    conn: Connection, owner: str, *, limit: int = 50, offset: int = 0
) -> tuple[Conversation, ...]:
    """Returns the account's conversations, the one used last first."""
    query = select(*columns(Conversation, _t)).where(_t.c.owner == owner)
    query = query.order_by(_t.c.updated_at.desc(), _t.c.id).limit(limit).offset(offset)
    return build_all(Conversation, conn.execute(query).all())


def rename(conn: Connection, conversation: str, *, owner: str, title: str) -> None:
    """Sets the title.

    Raises:
        IllegalMove: that account owns no such conversation.
    """
    touched = conn.execute(
        update(_t).where(_t.c.id == conversation, _t.c.owner == owner).values(title=_cut(title))
    )
    expect_one(touched, "There is no such conversation.")


def _cut(title: str) -> str:
    return title if len(title) <= _TITLE else title[: _TITLE - 1] + "…"
