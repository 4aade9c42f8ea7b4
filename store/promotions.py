"""Templates on their way to running without a person: what they have earned, who enabled them."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from store.errors import IllegalMove
from store.records import build, build_all, columns, expect_one
from store.schema import approvals, change_requests, promotion_votes, promotions
from store.states import PromotionState

_p = promotions
_c = change_requests
_OPEN: tuple[PromotionState, ...] = ("proposed", "active")
_BAD_STATES = ("undoing", "undone", "undo_failed", "failed", "unknown", "rejected")


@dataclass(frozen=True, kw_only=True)
class NewPromotion:
    """A template the console proposes, with the bounds it would run in and what it has earned."""

    source: str
    template: str
    shape: str
    tables_json: str
    columns_json: str
    schema_hash: str
    max_rows: int
    per_day: int
    hour_from: int
    hour_to: int
    runs: int
    authors: int
    approvers: int


@dataclass(frozen=True, kw_only=True)
class Promotion(NewPromotion):
    """A stored one. `reason` says why it ended."""

    id: int
    state: PromotionState
    proposed_at: dt.datetime
    active_at: dt.datetime | None
    expires_at: dt.datetime | None
    ended_at: dt.datetime | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Record:
    """The clean requests of one template in a row, since the last that was not clean."""

    source: str
    template: str
    changes: tuple[int, ...]
    authors: int
    approvers: int


def records(conn: Connection, *, at_least: int) -> tuple[Record, ...]:
    """Returns the templates with so many clean requests in a row and nothing proposed for them.

    Clean: executed after people approved it, without drift, and not undone. What a promotion of the
    template has ended counts no more.
    """
    query = (
        select(_c.c.source, _c.c.template)
        .where(_c.c.template.is_not(None), _c.c.state == "executed", _c.c.auto.is_(None))
        .group_by(_c.c.source, _c.c.template)
        .having(func.count() >= at_least)
    )
    found = (_record(conn, source, template) for source, template in conn.execute(query).all())
    return tuple(r for r in found if r is not None and len(r.changes) >= at_least)


def _record(conn: Connection, source: str, template: str) -> Record | None:
    if find_open(conn, source, template) is not None:
        return None
    same = and_(_c.c.source == source, _c.c.template == template)
    last_bad = conn.execute(
        select(func.coalesce(func.max(_c.c.id), 0)).where(same, _bad())
    ).scalar_one()
    ended = conn.execute(
        select(func.max(_p.c.ended_at)).where(_p.c.source == source, _p.c.template == template)
    ).scalar_one_or_none()
    clean = [
        same,
        _c.c.id > last_bad,
        _c.c.state == "executed",
        _c.c.auto.is_(None),
        *([_c.c.created_at > ended] if ended is not None else []),
    ]
    rows = conn.execute(select(_c.c.id, _c.c.author).where(*clean).order_by(_c.c.id)).all()
    ids = tuple(change for change, _ in rows)
    people = conn.execute(
        select(func.count(approvals.c.approver.distinct())).where(
            approvals.c.change.in_(select(_c.c.id).where(*clean)),
            approvals.c.decision == "approve",
            approvals.c.voided_at.is_(None),
        )
    ).scalar_one()
    return Record(
        source=source,
        template=template,
        changes=ids,
        authors=len({author for _, author in rows}),
        approvers=people,
    )


def _bad() -> ColumnElement[bool]:
    """Failed, rejected, undone or asked to be undone, drifted, or of unknown outcome."""
    undo = _c.alias()
    asked = select(undo.c.id).where(undo.c.undo_of == _c.c.id).exists()
    return or_(_c.c.state.in_(_BAD_STATES), _c.c.drifts > 0, asked)


def went_wrong(conn: Connection, promotion: Promotion) -> int | None:
    """Returns a request of the template that was not clean since it was enabled, or None."""
    since = promotion.active_at or promotion.proposed_at
    query = select(func.min(_c.c.id)).where(
        _c.c.source == promotion.source,
        _c.c.template == promotion.template,
        _c.c.updated_at >= since,
        _bad(),
    )
    return conn.execute(query).scalar_one_or_none()


def used_since(conn: Connection, auto: str, *, since: dt.datetime) -> int:
    """Returns how many requests that rule has approved since then."""
    query = select(func.count()).where(_c.c.auto == auto, _c.c.created_at >= since)
    return conn.execute(query).scalar_one()


def propose(conn: Connection, new: NewPromotion, *, now: dt.datetime) -> int:
    """Returns the number of a new promotion, which nobody has enabled yet.

    Raises:
        StoreConflict: one for the template is open already.
    """
    values = asdict(new) | {"state": "proposed", "proposed_at": now}
    made: int = conn.execute(insert(_p).values(**values).returning(_p.c.id)).scalar_one()
    return made


def find(conn: Connection, promotion: int) -> Promotion | None:
    """Returns the promotion, or None."""
    row = conn.execute(select(*columns(Promotion, _p)).where(_p.c.id == promotion)).first()
    return build(Promotion, row) if row else None


def find_open(conn: Connection, source: str, template: str) -> Promotion | None:
    """Returns what is proposed or active for the template, or None."""
    row = conn.execute(
        select(*columns(Promotion, _p)).where(
            _p.c.source == source, _p.c.template == template, _p.c.state.in_(_OPEN)
        )
    ).first()
    return build(Promotion, row) if row else None


def list_all(conn: Connection, *, open_only: bool = False) -> tuple[Promotion, ...]:
    """Returns the promotions, newest first."""
    query = select(*columns(Promotion, _p)).order_by(_p.c.id.desc()).limit(100)
    if open_only:
        query = query.where(_p.c.state.in_(_OPEN))
    return build_all(Promotion, conn.execute(query).all())


def vote(conn: Connection, promotion: int, admin: str, *, now: dt.datetime) -> tuple[str, ...]:
    """Records an admin's yes to a proposed one; returns whose yeses it has now.

    Raises:
        IllegalMove: it is not proposed any more.
        StoreConflict: this admin has said yes already.
    """
    lock(conn, promotion)
    found = find(conn, promotion)
    if found is None or found.state != "proposed":
        raise IllegalMove(f"Template {promotion} is not proposed any more.")
    conn.execute(insert(promotion_votes).values(promotion=promotion, admin=admin, at=now))
    return votes(conn, promotion)


def votes(conn: Connection, promotion: int) -> tuple[str, ...]:
    """Returns the admins who have said yes."""
    query = select(promotion_votes.c.admin).where(promotion_votes.c.promotion == promotion)
    return tuple(conn.execute(query.order_by(promotion_votes.c.at)).scalars())


def activate(
    conn: Connection, promotion: int, *, now: dt.datetime, expires_at: dt.datetime
) -> None:
    """Enables a proposed one until then.

    Raises:
        IllegalMove: it is not proposed any more.
    """
    touched = conn.execute(
        update(_p)
        .where(_p.c.id == promotion, _p.c.state == "proposed")
        .values(state="active", active_at=now, expires_at=expires_at)
    )
    expect_one(touched, f"Template {promotion} is not proposed any more.")


def end(
    conn: Connection, promotion: int, state: PromotionState, reason: str, *, now: dt.datetime
) -> bool:
    """Ends an open one for that reason; False where it has ended already."""
    touched = conn.execute(
        update(_p)
        .where(_p.c.id == promotion, _p.c.state.in_(_OPEN))
        .values(state=state, ended_at=now, reason=reason)
    )
    return touched.rowcount == 1


def lock(conn: Connection, promotion: int) -> None:
    """Keeps other transactions from counting its uses until this one ends."""
    conn.execute(update(_p).where(_p.c.id == promotion).values(per_day=_p.c.per_day))
