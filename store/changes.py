"""Change requests: their rows, their states, and what is set in which state.

The moves are `states.CHANGE_MOVES`. A move is one UPDATE that names the state it leaves, so of two
processes exactly one makes it. What a request asks for (source, author, statement, reason) never
changes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from store.errors import IllegalMove
from store.records import build, build_all, columns, expect_one, move_row
from store.schema import (
    accounts,
    approvals,
    change_comments,
    change_requests,
    change_views,
)
from store.states import CHANGE_MOVES, ChangeState, UndoKind


@dataclass(frozen=True, kw_only=True)
class NewChange:
    """What a person asks for. `author` is an account id; agents act as the person who asked them.

    `conversation`, `turn` and `call_id` say where it came from; (turn, call_id) is unique, so a
    resumed run proposes once. `undo_of` is the request this one would undo.
    """

    source: str
    author: str
    statement: str
    statement_sha: str
    reason: str
    rule: str
    environment: str
    approvers_needed: int
    conversation: str | None = None
    turn: str | None = None
    call_id: str | None = None
    undo_of: int | None = None
    template: str | None = None


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What running it would do, as captured. The JSON texts are opaque here.

    `summary_json` is small enough for lists, `preview_json` is what reviewers see in full,
    `rows_packed` every row for a download. `tier` and the numbers of people follow from the rows;
    without them the request keeps those it was made with.
    """

    summary_json: str
    preview_json: str
    fingerprint: str
    undo_kind: UndoKind
    rows_packed: bytes | None = None
    tier: int | None = None
    tier_reasons_json: str | None = None
    approvers_needed: int | None = None
    admins_needed: int | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeSummary:
    """One line of an inbox: everything but the statement and the diff."""

    id: int
    source: str
    author: str
    reason: str
    state: ChangeState
    version: int
    environment: str
    approvers_needed: int
    admins_needed: int
    tier: int | None
    auto: str | None
    drifts: int
    undo_of: int | None
    undo_kind: UndoKind | None
    summary_json: str | None
    created_at: dt.datetime
    updated_at: dt.datetime
    expires_at: dt.datetime
    pending_at: dt.datetime | None
    decided_at: dt.datetime | None
    executed_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class StoredChange(ChangeSummary):
    """A request in full. The undo image and the packed rows are read on their own: they are large.

    `auto` names what approved it where no person did, `template` the shape of its statement.
    `version` counts every change of the row; a decision names the one it saw. `exec_token` is the
    process that executes it; the fingerprints let a recovery find out whether the write happened.
    """

    statement: str
    statement_sha: str
    rule: str
    conversation: str | None
    turn: str | None
    call_id: str | None
    template: str | None
    tier_reasons_json: str | None
    preview_json: str | None
    fingerprint: str | None
    exec_token: str | None
    before_fingerprint: str | None
    after_fingerprint: str | None
    error: str | None


_t = change_requests
_LAST = 2**63 - 1
"""No id is larger; the drivers cannot even ask for one that is."""


def create(
    conn: Connection, new: NewChange, *, now: dt.datetime, expires_at: dt.datetime
) -> StoredChange:
    """Returns the new request, a draft. Ids count up and are never used twice.

    Raises:
        StoreConflict: the same call of the same turn has proposed already; see `by_call`.
    """
    change = conn.execute(
        insert(_t)
        .values(
            **asdict(new),
            state="draft",
            version=1,
            created_at=now,
            updated_at=now,
            expires_at=expires_at,
        )
        .returning(_t.c.id)
    ).scalar_one()
    return get(conn, change)


def find(conn: Connection, change: int) -> StoredChange | None:
    """Returns the request, or None; any number may be asked for."""
    if abs(change) > _LAST:
        return None
    row = conn.execute(select(*columns(StoredChange, _t)).where(_t.c.id == change)).first()
    return build(StoredChange, row) if row else None


def get(conn: Connection, change: int) -> StoredChange:
    """Returns the request, which must exist.

    Raises:
        IllegalMove: there is no such request.
    """
    found = find(conn, change)
    if found is None:
        raise IllegalMove(f"There is no change request #{change}.")
    return found


def by_call(conn: Connection, turn: str, call_id: str) -> StoredChange | None:
    """Returns the request which that call of that turn has made, or None."""
    row = conn.execute(
        select(*columns(StoredChange, _t)).where(_t.c.turn == turn, _t.c.call_id == call_id)
    ).first()
    return build(StoredChange, row) if row else None


def undo_requests(conn: Connection, change: int) -> tuple[ChangeSummary, ...]:
    """Returns the requests that would undo this one, newest first."""
    query = select(*columns(ChangeSummary, _t)).where(_t.c.undo_of == change)
    return build_all(ChangeSummary, conn.execute(query.order_by(_t.c.id.desc())).all())


def list_all(
    conn: Connection,
    *,
    states: Collection[ChangeState] | None = None,
    author: str | None = None,
    source: str | None = None,
    search: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> tuple[ChangeSummary, ...]:
    """Returns the requests that match every filter given, newest first.

    `search` is a request's number, or a part of its reason, its source or its author's name, or
    the beginning of a table's name.
    """
    wanted = _filters(states, author, source)
    if search is not None:
        wanted.append(_found(search))
    query = select(*columns(ChangeSummary, _t)).where(*wanted)
    query = query.order_by(_t.c.created_at.desc(), _t.c.id.desc()).limit(limit).offset(offset)
    return build_all(ChangeSummary, conn.execute(query).all())


def count(
    conn: Connection,
    *,
    states: Collection[ChangeState] | None = None,
    author: str | None = None,
    source: str | None = None,
) -> int:
    """Returns how many requests match every filter given."""
    query = select(func.count()).select_from(_t).where(*_filters(states, author, source))
    return conn.execute(query).scalar_one()


def count_to_review(conn: Connection, reviewer: str) -> int:
    """Returns how many wait for this person: pending, not their own, not voted on by them yet."""
    voted = select(approvals.c.change).where(
        approvals.c.approver == reviewer, approvals.c.voided_at.is_(None)
    )
    query = select(func.count()).where(
        _t.c.state == "pending", _t.c.author != reviewer, _t.c.id.not_in(voted)
    )
    return conn.execute(query).scalar_one()


def pulse(conn: Connection, *, author: str | None = None, change: int | None = None) -> str:
    """Returns a text that is another one after any move, vote, comment or download.

    It costs three counts, whatever the requests hold, so that a page can ask every second.
    """
    wanted = _filters(None, author, None)
    if change is not None:
        wanted.append(_t.c.id == change)
    moves = select(func.count(), func.coalesce(func.sum(_t.c.version), 0)).where(*wanted)
    said = [
        select(func.count()).where(
            table.c.change == change if change is not None else table.c.id.is_not(None)
        )
        for table in (approvals, change_comments)
    ]
    taken = select(func.count()).where(change_views.c.downloaded_at.is_not(None))
    if change is not None:
        taken = taken.where(change_views.c.change == change)
    requests, versions = conn.execute(moves).one()
    counts = [conn.execute(query).scalar_one() for query in (*said, taken)]
    return ".".join(str(n) for n in (requests, versions, *counts))


def _found(search: str) -> ColumnElement[bool]:
    text = search.strip().removeprefix("#")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    names = select(accounts.c.id).where(accounts.c.display_name.icontains(text, autoescape=True))
    return or_(
        _t.c.id == number,
        _t.c.author.in_(names),
        _t.c.reason.icontains(text, autoescape=True),
        _t.c.source.icontains(text, autoescape=True),
        _t.c.summary_json.icontains(f'"table":"{text}', autoescape=True),
    )


def _filters(
    states: Collection[ChangeState] | None, author: str | None, source: str | None
) -> list[ColumnElement[bool]]:
    filters: list[ColumnElement[bool]] = []
    if states is not None:
        filters.append(_t.c.state.in_(states))
    if author is not None:
        filters.append(_t.c.author == author)
    if source is not None:
        filters.append(_t.c.source == source)
    return filters


def move(
    conn: Connection,
    change: int,
    source: ChangeState,
    target: ChangeState,
    *,
    now: dt.datetime,
    expires_at: dt.datetime | None = None,
    error: str | None = None,
) -> None:
    """Takes the request from one state to the next. Of two processes that try, one succeeds.

    `expires_at` sets a new deadline (an approval that must be used soon); `error` is a sentence for
    the person, and a move without one clears it.

    Raises:
        IllegalMove: there is no such move, or the request is not in `source` any more.
    """
    values: dict[str, object] = {
        "updated_at": now,
        "version": _t.c.version + 1,
        "error": error,
    }
    if expires_at is not None:
        values["expires_at"] = expires_at
    if target in _DECIDED and source != "executing":
        values["decided_at"] = now
    if target == "executed":
        values["executed_at"] = now
    if target == "pending":
        values["pending_at"] = func.coalesce(_t.c.pending_at, now)
    if target == "drifted":
        values["drifts"] = _t.c.drifts + 1
    move_row(conn, _t, change, source, target, CHANGE_MOVES, values)


_DECIDED: frozenset[ChangeState] = frozenset({"approved", "rejected", "expired", "withdrawn"})


def record_preview(conn: Connection, change: int, preview: Preview, *, now: dt.datetime) -> None:
    """Sets what was captured. Every vote until now is void: it was for something else.

    Raises:
        IllegalMove: the request is not previewing.
    """
    captured = {name: value for name, value in asdict(preview).items() if value is not None}
    captured["rows_packed"] = preview.rows_packed
    touched = conn.execute(
        update(_t)
        .where(_t.c.id == change, _t.c.state == "previewing")
        .values(**captured, auto=None, updated_at=now, version=_t.c.version + 1)
    )
    expect_one(touched, f"Change request #{change} is not being previewed.")
    conn.execute(
        update(approvals)
        .where(approvals.c.change == change, approvals.c.voided_at.is_(None))
        .values(voided_at=now)
    )


def claim(conn: Connection, change: int, *, owner: str, now: dt.datetime) -> None:
    """Takes an approved request into execution by `owner` (`Store.instance`). One of several does.

    Raises:
        IllegalMove: it is not approved any more.
    """
    values: dict[str, object] = {
        "updated_at": now,
        "version": _t.c.version + 1,
        "error": None,
        "exec_token": owner,
        "before_fingerprint": None,
        "after_fingerprint": None,
        "undo_image": None,
    }
    move_row(conn, _t, change, "approved", "executing", CHANGE_MOVES, values)


def executing(conn: Connection) -> tuple[StoredChange, ...]:
    """Returns the requests in execution, for a recovery to look at."""
    query = select(*columns(StoredChange, _t)).where(_t.c.state == "executing")
    return build_all(StoredChange, conn.execute(query.order_by(_t.c.id)).all())


def record_execution(
    conn: Connection,
    change: int,
    *,
    owner: str,
    before_fingerprint: str,
    after_fingerprint: str,
    undo_image: bytes | None,
    now: dt.datetime,
) -> None:
    """Sets what a recovery needs to know, and the way back, before the target commits.

    Raises:
        IllegalMove: the request is not executed by this owner any more.
    """
    touched = conn.execute(
        update(_t)
        .where(_t.c.id == change, _t.c.state == "executing", _t.c.exec_token == owner)
        .values(
            before_fingerprint=before_fingerprint,
            after_fingerprint=after_fingerprint,
            undo_image=undo_image,
            updated_at=now,
            version=_t.c.version + 1,
        )
    )
    expect_one(touched, f"Change request #{change} is not executed by this process any more.")


def statements(conn: Connection, *, limit: int) -> tuple[str, ...]:
    """Returns the texts of the last requests, whoever's, newest first."""
    query = select(_t.c.statement).where(_t.c.undo_of.is_(None))
    return tuple(conn.execute(query.order_by(_t.c.id.desc()).limit(limit)).scalars())


def undo_image(conn: Connection, change: int) -> bytes | None:
    """Returns the stored way back, or None where there is none."""
    return conn.execute(select(_t.c.undo_image).where(_t.c.id == change)).scalar_one_or_none()


def rows_packed(conn: Connection, change: int) -> bytes | None:
    """Returns every row of the diff as it was packed, or None where they were not kept."""
    return conn.execute(select(_t.c.rows_packed).where(_t.c.id == change)).scalar_one_or_none()


def approve_by_rule(
    conn: Connection, change: int, auto: str, *, now: dt.datetime, expires_at: dt.datetime
) -> None:
    """Takes a pending request to approved without a person; `auto` names the rule that allows it.

    Raises:
        IllegalMove: it is not pending any more.
    """
    move(conn, change, "pending", "approved", now=now, expires_at=expires_at)
    conn.execute(update(_t).where(_t.c.id == change).values(auto=auto))


def overdue(conn: Connection, *, now: dt.datetime) -> bool:
    """True when there is a request to expire; costs less than trying to."""
    query = select(_t.c.id).where(_t.c.state == "pending", _t.c.expires_at <= now).limit(1)
    return conn.execute(query).first() is not None


def expire_due(conn: Connection, *, now: dt.datetime) -> tuple[int, ...]:
    """Expires every pending request whose deadline has passed; returns their ids.

    Run it in a transaction of its own: a refusal raised later must not roll the expiry back.
    """
    expired = conn.execute(
        update(_t)
        .where(_t.c.state == "pending", _t.c.expires_at <= now)
        .values(state="expired", updated_at=now, decided_at=now, version=_t.c.version + 1)
        .returning(_t.c.id)
    )
    return tuple(sorted(expired.scalars()))


def lapsed(conn: Connection, *, now: dt.datetime) -> tuple[int, ...]:
    """Returns the approved requests whose approval was not used in time."""
    query = select(_t.c.id).where(_t.c.state == "approved", _t.c.expires_at <= now)
    return tuple(conn.execute(query.order_by(_t.c.id)).scalars())


def remind_due(conn: Connection, *, now: dt.datetime) -> tuple[int, ...]:
    """Returns the pending requests that have used half of their time and nobody was reminded of."""
    query = select(_t.c.id, _t.c.pending_at, _t.c.expires_at).where(
        _t.c.state == "pending", _t.c.reminded_at.is_(None), _t.c.pending_at.is_not(None)
    )
    rows = conn.execute(query.order_by(_t.c.id)).all()
    return tuple(change for change, since, until in rows if now >= since + (until - since) / 2)


def mark_reminded(conn: Connection, found: Collection[int], *, now: dt.datetime) -> tuple[int, ...]:
    """Marks them as reminded of; returns those that this call has marked."""
    marked = conn.execute(
        update(_t)
        .where(_t.c.id.in_(found), _t.c.state == "pending", _t.c.reminded_at.is_(None))
        .values(reminded_at=now)
        .returning(_t.c.id)
    )
    return tuple(sorted(marked.scalars()))
