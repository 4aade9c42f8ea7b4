"""Budgets: reserve the worst case before, settle what it really was after.

A counter belongs to (scope, window, resource): `person:<id>`, `day:2026-06-30`, `rows`. Amounts are
whole numbers; the resource names the unit (`rows`, `calls`, `cost_micros`). A reservation is
granted by one UPDATE that holds the limit in its condition, so no two can share the last of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningDelete

from store.errors import IllegalMove
from store.ids import new_id
from store.schema import budgets, reservations
from store.states import LapseRule


@dataclass(frozen=True, kw_only=True)
class Counter:
    """What is counted, for whom, in which stretch of time."""

    scope: str
    window: str
    resource: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An amount asked of one counter, which may not pass `limit`.

    `on_lapse` says what becomes of it if nobody settles: `spend` where the cost may have arisen,
    `release` where the thing counted ended with its process (statements running at once).
    """

    counter: Counter
    amount: int
    limit: int
    on_lapse: LapseRule = "spend"


@dataclass(frozen=True, kw_only=True)
class Granted:
    """Every claim was granted. Settle `reservation` once, whatever happened."""

    reservation: str


@dataclass(frozen=True, kw_only=True)
class Exhausted:
    """Nothing was reserved: this claim did not fit. `left` is what its counter still has."""

    claim: Claim
    left: int


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What a counter stands at."""

    reserved: int
    spent: int


def minute(now: dt.datetime) -> str:
    """Returns the window of this minute, UTC."""
    return f"minute:{now.astimezone(dt.UTC):%Y-%m-%dT%H:%M}"


def day(now: dt.datetime) -> str:
    """Returns the window of this day, UTC."""
    return f"day:{now.astimezone(dt.UTC):%Y-%m-%d}"


def month(now: dt.datetime) -> str:
    """Returns the window of this month, UTC."""
    return f"month:{now.astimezone(dt.UTC):%Y-%m}"


NOW = "now"
"""The window of things that count only while they last."""


def reserve(
    conn: Connection, claims: Sequence[Claim], *, now: dt.datetime, lapses_at: dt.datetime
) -> Granted | Exhausted:
    """Grants every claim, or none and says which did not fit.

    Args:
        conn: a write transaction.
        claims: at most one a counter.
        now: the time.
        lapses_at: when a reservation nobody settled may be swept.
    """
    reservation = new_id()
    # One order for everybody, so that two reservations cannot wait for each other.
    ordered = sorted(claims, key=lambda c: (c.counter.scope, c.counter.window, c.counter.resource))
    for claim in ordered:
        left = _take(conn, claim, now)
        if left is not None:
            _release(conn, _END_ONE, reservation, now)
            return Exhausted(claim=claim, left=left)
        held = {
            "id": reservation,
            **vars(claim.counter),
            "amount": claim.amount,
            "on_lapse": claim.on_lapse,
            "created_at": now,
            "lapses_at": lapses_at,
        }
        conn.execute(_HOLD, held)
    return Granted(reservation=reservation)


def settle(
    conn: Connection, reservation: str, spent: Mapping[Counter, int], *, now: dt.datetime
) -> None:
    """Turns a reservation into what was really spent; a counter left out of `spent` spent nothing.

    Raises:
        IllegalMove: it was settled or swept already, or `spent` names a counter it does not hold.
    """
    held = _release(conn, _END_ONE, reservation, now)
    if not held:
        raise IllegalMove("This reservation was settled before.")
    if not set(spent) <= {counter for counter, _, _ in held}:
        raise IllegalMove("What was spent is not what was reserved.")
    for counter, amount in spent.items():
        _spend(conn, counter, amount)


def sweep(conn: Connection, *, now: dt.datetime) -> int:
    """Ends every reservation that lapsed, each claim by its own rule; returns how many claims."""
    lapsed = _release(conn, _END_LAPSED, now, now)
    for counter, amount, rule in lapsed:
        if rule == "spend":
            _spend(conn, counter, amount)
    return len(lapsed)


def balance(conn: Connection, counter: Counter) -> Balance:
    """Returns what the counter stands at; one never used stands at zero."""
    row = conn.execute(_STANDS, _at(counter)).first()
    return Balance(reserved=row.reserved, spent=row.spent) if row else Balance(reserved=0, spent=0)


def prune(conn: Connection, *, before: dt.datetime) -> int:
    """Removes counters untouched since `before` on which nothing is reserved; returns how many."""
    used = (
        select(reservations.c.id)
        .where(
            reservations.c.scope == budgets.c.scope,
            reservations.c.window == budgets.c.window,
            reservations.c.resource == budgets.c.resource,
        )
        .exists()
    )
    return conn.execute(delete(budgets).where(budgets.c.updated_at < before, ~used)).rowcount


def _take(conn: Connection, claim: Claim, now: dt.datetime) -> int | None:
    """Reserves the claim and returns None, or returns what is left."""
    granted = _reserve(conn, claim, now)
    if not granted and not _exists(conn, claim.counter):
        _create(conn, claim.counter, now)
        granted = _reserve(conn, claim, now)
    if granted:
        return None
    stands = balance(conn, claim.counter)
    return max(0, claim.limit - stands.spent - stands.reserved)


def _reserve(conn: Connection, claim: Claim, now: dt.datetime) -> bool:
    granted = conn.execute(
        _RESERVE, _at(claim.counter) | {"by": claim.amount, "most": claim.limit, "now": now}
    )
    return granted.rowcount == 1


def _exists(conn: Connection, counter: Counter) -> bool:
    return conn.execute(_STANDS, _at(counter)).first() is not None


def _create(conn: Connection, counter: Counter, now: dt.datetime) -> None:
    try:
        with conn.begin_nested():
            conn.execute(
                insert(budgets).values(**vars(counter), reserved=0, spent=0, updated_at=now)
            )
    except IntegrityError:
        # Another instance has just made the same counter; ours is that one.
        return


def _release(
    conn: Connection, end: ReturningDelete[Any], which: object, now: dt.datetime
) -> list[tuple[Counter, int, LapseRule]]:
    """Deletes reservations, takes them off their counters, and returns them."""
    rows = conn.execute(end, {"which": which}).all()
    released = []
    for row in sorted(rows, key=lambda r: (r.scope, r.window, r.resource)):
        counter = Counter(scope=row.scope, window=row.window, resource=row.resource)
        conn.execute(_RELEASE, _at(counter) | {"by": row.amount, "now": now})
        released.append((counter, row.amount, row.on_lapse))
    return released


def _spend(conn: Connection, counter: Counter, amount: int) -> None:
    conn.execute(_SPEND, _at(counter) | {"by": amount})


def _at(counter: Counter) -> dict[str, object]:
    return {
        "in_scope": counter.scope,
        "in_window": counter.window,
        "of_resource": counter.resource,
    }


# Built once: every statement through the gate passes here several times, and building a statement
# takes longer than running it.
_AT = (
    (budgets.c.scope == bindparam("in_scope"))
    & (budgets.c.window == bindparam("in_window"))
    & (budgets.c.resource == bindparam("of_resource"))
)
_BY = bindparam("by", type_=budgets.c.reserved.type)
_NOW = bindparam("now", type_=budgets.c.updated_at.type)
_STANDS = select(budgets.c.reserved, budgets.c.spent).where(_AT)
_RESERVE = (
    update(budgets)
    .where(_AT, budgets.c.spent + budgets.c.reserved + _BY <= bindparam("most"))
    .values(reserved=budgets.c.reserved + _BY, updated_at=_NOW)
)
_RELEASE = update(budgets).where(_AT).values(reserved=budgets.c.reserved - _BY, updated_at=_NOW)
_SPEND = update(budgets).where(_AT).values(spent=budgets.c.spent + _BY)
_HOLD = insert(reservations)
_END_ONE = (
    delete(reservations).where(reservations.c.id == bindparam("which")).returning(reservations)
)
_END_LAPSED = (
    delete(reservations)
    .where(reservations.c.lapses_at <= bindparam("which"))
    .returning(reservations)
)
