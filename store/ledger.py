"""Budgets: reserve the worst case before, settle what it really was after.

A counter belongs to (scope, window, resource): `person:<id>`, `day:2026-06-30`, `rows`. Amounts are
whole numbers in the smallest unit of the resource, which names it (`rows`, `calls`, `ms`,
`cost_micros`). A counter is passed by one UPDATE that holds the limit in its condition, so no two
reservations can share the last of it; all counters of one reservation pass together or not at all.

Where the process that held a reservation is gone, or let it lapse, a sweep ends it by each claim's
own rule, so nothing stays reserved for good and nothing is spent twice.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from store.errors import IllegalMove, StoreBusy
from store.ids import new_id
from store.schema import budgets, reservations
from store.states import LapseRule

ScopeKind = Literal["person", "session", "tool", "task", "source", "everybody"]
Resource = Literal[
    "calls",
    "parallel",
    "statements",
    "rows",
    "revealed",
    "ms",
    "cost_micros",
    "tokens",
    "model_micros",
]
"""`ms` is time in a source; `cost_micros` what statements cost, in millionths of the policy's
currency, and `model_micros` requests to models; `tokens` those sent to models and received."""

_ENDLESS = 2**62


@dataclass(frozen=True, kw_only=True)
class Counter:
    """What is counted, for whom, in which stretch of time. `scope` is made by `scope`."""

    scope: str
    window: str
    resource: Resource


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An amount asked of one counter, which may not pass `limit`; None only counts.

    `on_lapse` says what becomes of it if nobody settles: `spend` where the cost may have arisen,
    `release` where the thing counted ended with its process (statements running at once).
    """

    counter: Counter
    amount: int
    limit: int | None
    on_lapse: LapseRule = "spend"


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What a counter stands at."""

    reserved: int
    spent: int


@dataclass(frozen=True, kw_only=True)
class Granted:
    """Every claim was granted. Settle `reservation` once, whatever happened.

    `stands` is what each counter of the claims stands at, this reservation included.
    """

    reservation: str
    stands: Mapping[Counter, Balance]


@dataclass(frozen=True, kw_only=True)
class Exhausted:
    """Nothing was reserved: this claim did not fit. `left` is what its counter still has."""

    claim: Claim
    left: int


def scope(kind: ScopeKind, *names: str) -> str:
    """Returns the scope of a counter: `person:<id>`, `tool:<person's id>:<tool>`."""
    return ":".join((kind, *names))


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
TASK = "task"
"""The window of a task, which is over when the task is; its scope names the task."""


def opens_at(window: str, now: dt.datetime) -> dt.datetime | None:
    """Returns when the next window of the same kind begins, or None where time opens nothing."""
    now = now.astimezone(dt.UTC)
    match window.partition(":")[0]:
        case "minute":
            return now.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
        case "day":
            return now.replace(hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
        case "month":
            first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            return (first + dt.timedelta(days=32)).replace(day=1)
        case _:
            return None


def reserve(
    conn: Connection,
    claims: Sequence[Claim],
    *,
    now: dt.datetime,
    lapses_at: dt.datetime,
    owner: str | None = None,
) -> Granted | Exhausted:
    """Grants every claim, or none and says which did not fit.

    Args:
        conn: a write transaction.
        claims: at least one, at most one a counter.
        now: the time.
        lapses_at: when a reservation nobody settled may be swept.
        owner: the process that holds it (`Store.instance`); once it is dead, it may be swept too.
    """
    # One order for everybody, so that two reservations cannot wait for each other.
    ordered = sorted(claims, key=lambda c: (c.counter.scope, c.counter.window, c.counter.resource))
    before = _locked(conn, ordered)
    if all(_fits(claim, before) for claim in ordered):
        _take_all(conn, ordered, now)
        stands = {c.counter: _after(c, before[c.counter]) for c in ordered}
    else:
        exhausted = _take_each(conn, ordered, now)
        if exhausted is not None:
            return exhausted
        stands = dict(_locked(conn, ordered))
    reservation = new_id()
    held = {"id": reservation, "owner": owner, "created_at": now, "lapses_at": lapses_at}
    conn.execute(
        _HOLD,
        [{**held, **vars(c.counter), "amount": c.amount, "on_lapse": c.on_lapse} for c in ordered],
    )
    return Granted(reservation=reservation, stands=stands)


def settle(
    conn: Connection, reservation: str, spent: Mapping[Counter, int], *, now: dt.datetime
) -> None:
    """Turns a reservation into what was really spent; a counter left out of `spent` spent nothing.

    Raises:
        IllegalMove: it was settled or swept already, or `spent` names a counter it does not hold.
    """
    held = conn.execute(_END_ONE, {"which": reservation}).all()
    if not held:
        raise IllegalMove("This reservation was settled before.")
    counters = [_counter_of(row) for row in held]
    if not set(spent) <= set(counters):
        raise IllegalMove("What was spent is not what was reserved.")
    amounts = [row.amount for row in held]
    _book(conn, zip(counters, amounts, (spent.get(c, 0) for c in counters), strict=True), now)


def sweep(
    conn: Connection,
    *,
    now: dt.datetime,
    is_alive: Callable[[str], bool | None] | None = None,
) -> int:
    """Ends every reservation that lapsed or whose owner is dead, each claim by its own rule.

    Args:
        conn: a write transaction that has done nothing else, so that none waits for another.
        now: the time.
        is_alive: `Store.is_alive`; an owner it cannot tell about is left to lapse.

    Returns:
        How many claims were ended.
    """
    dead = [o for o in _owners(conn) if is_alive(o) is False] if is_alive is not None else []
    ended = [
        *conn.execute(_END_LAPSED, {"which": now}).all(),
        *(row for owner in dead for row in conn.execute(_END_OWNED, {"which": owner}).all()),
    ]
    booked = ((_counter_of(r), r.amount, r.amount if r.on_lapse == "spend" else 0) for r in ended)
    _book(conn, booked, now)
    return len(ended)


def balances(
    conn: Connection, scopes: Iterable[str], windows: Iterable[str]
) -> Mapping[Counter, Balance]:
    """Returns every counter of these scopes and windows that was ever used."""
    rows = conn.execute(_STANDING, {"scopes": tuple(scopes), "windows": tuple(windows)})
    return {_counter_of(r): Balance(reserved=r.reserved, spent=r.spent) for r in rows}


def balance(conn: Connection, counter: Counter) -> Balance:
    """Returns what the counter stands at; one never used stands at zero."""
    row = conn.execute(_STANDS, _at(counter)).first()
    return Balance(reserved=row.reserved, spent=row.spent) if row else _UNUSED


def prune(conn: Connection, *, now: dt.datetime) -> int:
    """Removes counters of windows long over on which nothing is reserved; returns how many."""
    used = (
        select(reservations.c.id)
        .where(
            reservations.c.scope == budgets.c.scope,
            reservations.c.window == budgets.c.window,
            reservations.c.resource == budgets.c.resource,
        )
        .exists()
    )
    short = or_(budgets.c.window.like("minute:%"), budgets.c.window == TASK)
    over = or_(
        budgets.c.updated_at < now - _KEPT, short & (budgets.c.updated_at < now - _KEPT_SHORT)
    )
    return conn.execute(delete(budgets).where(over, ~used)).rowcount


_KEPT = dt.timedelta(days=62)
_KEPT_SHORT = dt.timedelta(days=2)
"""A task is one turn of a conversation: none lasts this long."""


def _locked(conn: Connection, claims: Sequence[Claim]) -> Mapping[Counter, Balance]:
    """Returns what the counters stand at; nobody else changes them before this transaction ends.

    On SQLite a write transaction is alone; a server locks the rows, in the order of the claims.
    """
    counters = [claim.counter for claim in claims]
    scopes, windows = {c.scope for c in counters}, {c.window for c in counters}
    named = {f"scope_{i}": name for i, name in enumerate(scopes)}
    named |= {f"window_{i}": name for i, name in enumerate(windows)}
    rows = conn.execute(_locking(len(scopes), len(windows)), named)
    return {_counter_of(r): Balance(reserved=r.reserved, spent=r.spent) for r in rows}


@functools.cache
def _locking(scopes: int, windows: int) -> Select[Any]:
    """Built once for each number of names: a list of any length is put together at each use."""
    return (
        select(*_COUNTER, budgets.c.reserved, budgets.c.spent)
        .where(
            budgets.c.scope.in_([bindparam(f"scope_{i}") for i in range(scopes)]),
            budgets.c.window.in_([bindparam(f"window_{i}") for i in range(windows)]),
        )
        .order_by(*_COUNTER)
        .with_for_update()
    )


def _fits(claim: Claim, before: Mapping[Counter, Balance]) -> bool:
    stands = before.get(claim.counter)
    return stands is not None and stands.spent + stands.reserved + claim.amount <= _most(claim)


def _after(claim: Claim, before: Balance) -> Balance:
    return Balance(reserved=before.reserved + claim.amount, spent=before.spent)


def _take_all(conn: Connection, claims: Sequence[Claim], now: dt.datetime) -> None:
    """Takes claims that fit; each statement holds its limit all the same."""
    taken = conn.execute(_RESERVE, [_asked(claim, now) for claim in claims])
    if taken.rowcount != len(claims):
        raise StoreBusy("A counter changed while it was read. Nothing was counted. Try again.")


def _take_each(conn: Connection, claims: Sequence[Claim], now: dt.datetime) -> Exhausted | None:
    """Takes the claims one by one, making counters on the way; gives all back at the first no."""
    with conn.begin_nested() as attempt:
        for claim in claims:
            left = _take(conn, claim, now)
            if left is not None:
                attempt.rollback()
                return Exhausted(claim=claim, left=left)
    return None


def _take(conn: Connection, claim: Claim, now: dt.datetime) -> int | None:
    """Reserves the claim and returns None, or returns what is left."""
    granted = _reserve(conn, claim, now)
    if not granted and not _exists(conn, claim.counter):
        _create(conn, claim.counter, now)
        granted = _reserve(conn, claim, now)
    if granted:
        return None
    stands = balance(conn, claim.counter)
    return max(0, _most(claim) - stands.spent - stands.reserved)


def _reserve(conn: Connection, claim: Claim, now: dt.datetime) -> bool:
    return conn.execute(_RESERVE, _asked(claim, now)).rowcount == 1


def _asked(claim: Claim, now: dt.datetime) -> dict[str, object]:
    return _at(claim.counter) | {"by": claim.amount, "most": _most(claim), "now": now}


def _most(claim: Claim) -> int:
    return _ENDLESS if claim.limit is None else claim.limit


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


def _owners(conn: Connection) -> tuple[str, ...]:
    """Returns who holds reservations."""
    return tuple(conn.execute(_OWNERS).scalars())


def _book(conn: Connection, ended: Iterable[tuple[Counter, int, int]], now: dt.datetime) -> None:
    """Takes what was reserved off each counter and adds what was spent."""
    ordered = sorted(ended, key=lambda e: (e[0].scope, e[0].window, e[0].resource))
    if ordered:
        conn.execute(
            _BOOK, [_at(c) | {"by": held, "used": used, "now": now} for c, held, used in ordered]
        )


def _counter_of(row: Row[Any]) -> Counter:
    return Counter(scope=row.scope, window=row.window, resource=row.resource)


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
_COUNTER = (budgets.c.scope, budgets.c.window, budgets.c.resource)
_STANDING: Select[Any] = select(*_COUNTER, budgets.c.reserved, budgets.c.spent).where(
    budgets.c.scope.in_(bindparam("scopes", expanding=True)),
    budgets.c.window.in_(bindparam("windows", expanding=True)),
)
_UNUSED = Balance(reserved=0, spent=0)
_RESERVE = (
    update(budgets)
    .where(_AT, budgets.c.spent + budgets.c.reserved + _BY <= bindparam("most", type_=BigInteger()))
    .values(reserved=budgets.c.reserved + _BY, updated_at=_NOW)
)
_BOOK = (
    update(budgets)
    .where(_AT)
    .values(
        reserved=budgets.c.reserved - _BY,
        spent=budgets.c.spent + bindparam("used", type_=budgets.c.spent.type),
        updated_at=_NOW,
    )
)
_HOLD = insert(reservations)
_END_ONE = (
    delete(reservations).where(reservations.c.id == bindparam("which")).returning(reservations)
)
_END_LAPSED = (
    delete(reservations)
    .where(reservations.c.lapses_at <= bindparam("which", type_=reservations.c.lapses_at.type))
    .returning(reservations)
)
_END_OWNED = (
    delete(reservations).where(reservations.c.owner == bindparam("which")).returning(reservations)
)
_OWNERS = select(reservations.c.owner).where(reservations.c.owner.is_not(None)).distinct()
