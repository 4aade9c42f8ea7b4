"""The statements of `store.ledger`. Every read of a source passes several of them, twice."""

from __future__ import annotations

import functools

from sqlalchemy import BigInteger, bindparam, delete, insert, or_, select, update

from store.prepared import Prepared
from store.schema import budgets, reservations

COUNTER = (budgets.c.scope, budgets.c.window, budgets.c.resource)
_BALANCE = (*COUNTER, budgets.c.reserved, budgets.c.spent)
_AT = (
    (budgets.c.scope == bindparam("in_scope"))
    & (budgets.c.window == bindparam("in_window"))
    & (budgets.c.resource == bindparam("of_resource"))
)
_BY = bindparam("by", type_=budgets.c.reserved.type)
_NOW = bindparam("now", type_=budgets.c.updated_at.type)

STANDS = Prepared(select(*_BALANCE).where(_AT))
STANDING = select(*_BALANCE).where(
    budgets.c.scope.in_(bindparam("scopes", expanding=True)),
    budgets.c.window.in_(bindparam("windows", expanding=True)),
)
CREATE = insert(budgets)
RESERVE = Prepared(
    update(budgets)
    .where(_AT, budgets.c.spent + budgets.c.reserved + _BY <= bindparam("most", type_=BigInteger()))
    .values(reserved=budgets.c.reserved + _BY)
)
"""Leaves `updated_at`, which has an index: nothing prunes a counter on which something is reserved,
and whatever ends a reservation sets it."""
HOLD = Prepared(insert(reservations))
BOOK = Prepared(
    update(budgets)
    .where(_AT)
    .values(
        reserved=budgets.c.reserved - _BY,
        spent=budgets.c.spent + bindparam("used", type_=budgets.c.spent.type),
        updated_at=_NOW,
    )
)
_ENDED = (
    reservations.c.scope,
    reservations.c.window,
    reservations.c.resource,
    reservations.c.amount,
    reservations.c.on_lapse,
)
END_ONE = Prepared(
    delete(reservations).where(reservations.c.id == bindparam("which")).returning(*_ENDED)
)
END_LAPSED = Prepared(
    delete(reservations)
    .where(reservations.c.lapses_at <= bindparam("now", type_=reservations.c.lapses_at.type))
    .returning(*_ENDED)
)
END_OWNED = Prepared(
    delete(reservations).where(reservations.c.owner == bindparam("owner")).returning(*_ENDED)
)
OWNERS = select(reservations.c.owner).where(reservations.c.owner.is_not(None)).distinct()
"""Who holds reservations."""

_USED = (
    select(reservations.c.id)
    .where(
        reservations.c.scope == budgets.c.scope,
        reservations.c.window == budgets.c.window,
        reservations.c.resource == budgets.c.resource,
    )
    .exists()
)
_SHORT = or_(budgets.c.window.like("minute:%"), budgets.c.window == bindparam("task"))
PRUNE = delete(budgets).where(
    or_(
        budgets.c.updated_at < bindparam("before"),
        _SHORT & (budgets.c.updated_at < bindparam("short_before")),
    ),
    ~_USED,
)


@functools.cache
def locking(scopes: int, windows: int) -> Prepared:
    """Returns what reads, and on a server locks, the counters of so many scopes and windows.

    Its parameters are `scope_0` and so on, `window_0` and so on.
    """
    return Prepared(
        select(*_BALANCE)
        .where(
            budgets.c.scope.in_([bindparam(f"scope_{i}") for i in range(scopes)]),
            budgets.c.window.in_([bindparam(f"window_{i}") for i in range(windows)]),
        )
        .order_by(*COUNTER)
        .with_for_update()
    )
