"""Billing records: one for every captured payment, and the test records that nobody cleaned up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random

from demo.sales import Order, Payment
from demo.world import stream

TEST_RECORDS = {(2026, 4): 870, (2026, 5): 14_200, (2026, 6): 640}
"""Test records by month. Those of May are more than one change may touch."""
_TEST_AMOUNTS = (1, 100, 999, 1_000, 4_200)


@dataclass(frozen=True, kw_only=True)
class BillingRecord:
    """One row of `billing_records`; `billed_amount` in cents. Test records belong to nobody."""

    id: int
    customer_id: int | None
    order_id: int | None
    billed_at: dt.datetime
    reference: str
    billed_amount: int
    is_test: bool


def billing_records(sold: Sequence[Order]) -> tuple[BillingRecord, ...]:
    """Returns the records, oldest first."""
    random = stream("billing")
    real: Iterator[tuple[dt.datetime, Order | None, int]] = (
        (p.paid_at, o, p.amount) for o in sold for p in o.payments if _is_billed(p)
    )
    tests = (
        (_moment(year, month, random), None, random.choice(_TEST_AMOUNTS))
        for (year, month), count in TEST_RECORDS.items()
        for _ in range(count)
    )
    rows = sorted(chain(real, tests), key=lambda row: row[0])
    return tuple(
        BillingRecord(
            id=i,
            customer_id=order.customer.id if order else None,
            order_id=order.id if order else None,
            billed_at=at,
            reference=f"{'INV' if order else 'TEST'}-{at:%Y%m}-{i:06d}",
            billed_amount=amount,
            is_test=order is None,
        )
        for i, (at, order, amount) in enumerate(rows, start=1)
    )


def _is_billed(payment: Payment) -> bool:
    return payment.status == "captured"


def _moment(year: int, month: int, random: Random) -> dt.datetime:
    return dt.datetime(year, month, 1) + dt.timedelta(seconds=random.randrange(30 * 86_400))
