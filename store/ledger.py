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
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from store import ledgersql
from store.errors import IllegalMove, StoreBusy
from store.ids import new_id
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


class Counter(NamedTuple):
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
    return f"minute:{_utc(now)[:16]}"


def day(now: dt.datetime) -> str:
    """Returns the window of this day, UTC."""
    return f"day:{_utc(now)[:10]}"


def month(now: dt.datetime) -> str:
    """Returns the window of this month, UTC."""
    return f"month:{_utc(now)[:7]}"


@functools.lru_cache(maxsize=8)
def _utc(now: dt.datetime) -> str:
    return now.astimezone(dt.UTC).isoformat()


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
    ordered = sorted(claims, key=lambda c: c.counter)
    before = _locked(conn, ordered)
    if all(_fits(claim, before) for claim in ordered):
        _take_all(conn, ordered)
        stands = {c.counter: _after(c, before[c.counter]) for c in ordered}
    else:
        exhausted = _take_each(conn, ordered, now)
        if exhausted is not None:
            return exhausted
        stands = dict(_locked(conn, ordered))
    reservation = new_id()
    ledgersql.HOLD.run(
        conn,
        [{**c.counter._asdict(), "amount": c.amount, "on_lapse": c.on_lapse} for c in ordered],
        {"id": reservation, "owner": owner, "created_at": now, "lapses_at": lapses_at},
    )
    return Granted(reservation=reservation, stands=stands)


def settle(
    conn: Connection, reservation: str, spent: Mapping[Counter, int], *, now: dt.datetime
) -> None:
    """Turns a reservation into what was really spent; a counter left out of `spent` spent nothing.

    Raises:
        IllegalMove: it was settled or swept already, or `spent` names a counter it does not hold.
    """
    held = _ended(ledgersql.END_ONE.rows(conn, {"which": reservation}))
    if not held:
        raise IllegalMove("This reservation was settled before.")
    if not set(spent) <= {claim.counter for claim in held}:
        raise IllegalMove("What was spent is not what was reserved.")
    _book(conn, ((c.counter, c.amount, spent.get(c.counter, 0)) for c in held), now)


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
    rows = ledgersql.END_LAPSED.rows(conn, {"now": now})
    for owner in dead:
        rows += ledgersql.END_OWNED.rows(conn, {"owner": owner})
    booked = ((c.counter, c.amount, c.amount if c.on_lapse == "spend" else 0) for c in _ended(rows))
    _book(conn, booked, now)
    return len(rows)


def balances(
    conn: Connection, scopes: Iterable[str], windows: Iterable[str]
) -> Mapping[Counter, Balance]:
    """Returns every counter of these scopes and windows that was ever used."""
    names = {"scopes": tuple(scopes), "windows": tuple(windows)}
    return _balances(tuple(row) for row in conn.execute(ledgersql.STANDING, names))


def balance(conn: Connection, counter: Counter) -> Balance:
    """Returns what the counter stands at; one never used stands at zero."""
    return _balances(ledgersql.STANDS.rows(conn, _at(counter))).get(counter, _UNUSED)


def prune(conn: Connection, *, now: dt.datetime) -> int:
    """Removes counters of windows long over on which nothing is reserved; returns how many."""
    when = {"before": now - _KEPT, "short_before": now - _KEPT_SHORT, "task": TASK}
    return conn.execute(ledgersql.PRUNE, when).rowcount


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
    return _balances(ledgersql.locking(len(scopes), len(windows)).rows(conn, named))


def _fits(claim: Claim, before: Mapping[Counter, Balance]) -> bool:
    stands = before.get(claim.counter)
    return stands is not None and stands.spent + stands.reserved + claim.amount <= _most(claim)


def _after(claim: Claim, before: Balance) -> Balance:
    return Balance(reserved=before.reserved + claim.amount, spent=before.spent)


def _take_all(conn: Connection, claims: Sequence[Claim]) -> None:
    """Takes claims that fit; each statement holds its limit all the same."""
    if _reserve(conn, claims) != len(claims):
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
    granted = _reserve(conn, [claim])
    if not granted and not ledgersql.STANDS.rows(conn, _at(claim.counter)):
        _create(conn, claim.counter, now)
        granted = _reserve(conn, [claim])
    if granted:
        return None
    stands = balance(conn, claim.counter)
    return max(0, _most(claim) - stands.spent - stands.reserved)


def _reserve(conn: Connection, claims: Sequence[Claim]) -> int:
    """Returns how many of the claims fitted and were taken."""
    asked = [{**_at(c.counter), "by": c.amount, "most": _most(c)} for c in claims]
    return ledgersql.RESERVE.run(conn, asked)


def _most(claim: Claim) -> int:
    return _ENDLESS if claim.limit is None else claim.limit


def _create(conn: Connection, counter: Counter, now: dt.datetime) -> None:
    try:
        with conn.begin_nested():
            unused = {**counter._asdict(), "reserved": 0, "spent": 0, "updated_at": now}
            conn.execute(ledgersql.CREATE, unused)
    except IntegrityError:
        # Another instance has just made the same counter; ours is that one.
        return


def _owners(conn: Connection) -> tuple[str, ...]:
    """Returns who holds reservations."""
    return tuple(conn.execute(ledgersql.OWNERS).scalars())


def _book(conn: Connection, ended: Iterable[tuple[Counter, int, int]], now: dt.datetime) -> None:
    """Takes what was reserved off each counter and adds what was spent."""
    ordered = sorted(ended, key=lambda e: e[0])
    if ordered:
        ledgersql.BOOK.run(
            conn,
            [{**_at(c), "by": held, "used": used} for c, held, used in ordered],
            {"now": now},
        )


def _balances(rows: Iterable[tuple[Any, ...]]) -> dict[Counter, Balance]:
    return {
        Counter(scope=scope, window=window, resource=resource): Balance(
            reserved=reserved, spent=spent
        )
        for scope, window, resource, reserved, spent in rows
    }


def _ended(rows: Iterable[tuple[Any, ...]]) -> list[Claim]:
    """Returns what was reserved; a limit is not kept with it."""
    return [
        Claim(
            counter=Counter(scope=scope, window=window, resource=resource),
            amount=amount,
            limit=None,
            on_lapse=on_lapse,
        )
        for scope, window, resource, amount, on_lapse in rows
    ]


def _at(counter: Counter) -> dict[str, object]:
    return {
        "in_scope": counter.scope,
        "in_window": counter.window,
        "of_resource": counter.resource,
    }


_UNUSED = Balance(reserved=0, spent=0)
