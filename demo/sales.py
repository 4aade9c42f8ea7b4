"""Orders, what was in them and how they were paid: growing, seasonal, adding up to the cent."""

from __future__ import annotations

import datetime as dt
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from demo.catalogue import Product
from demo.people import Customer
from demo.world import (
    CHANNELS,
    COUNTRIES,
    COUNTRY_BY_NAME,
    END,
    FIRST_ORDER_DAY,
    METHODS,
    TODAY,
    stream,
)

_SEASON = (0.90, 0.86, 0.95, 0.97, 1.0, 1.0, 0.90, 0.86, 1.0, 1.05, 1.32, 1.45)
_WEEKDAY = (1.08, 1.04, 1.0, 0.98, 1.02, 1.0, 0.88)
_FIRST_DAY_ORDERS = 6.9
_YEARLY_GROWTH = 1.31
_HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 11, 14, 15, 14, 15, 13, 12, 12, 13, 14, 16, 19, 21, 18, 11, 5)
_CATEGORY_SEASON = {
    "Toys": {11: 1.7, 12: 2.4},
    "Sports": {4: 1.3, 5: 1.5, 6: 1.6, 7: 1.4, 12: 0.8},
    "Books": {7: 1.3, 12: 1.4},
    "Beauty": {2: 1.2, 5: 1.2, 12: 1.3},
    "Office": {1: 1.3, 8: 1.2, 9: 1.5},
}
_FREE_SHIPPING_FROM = 12_000
_BULK_BELOW = 15_000


@dataclass(frozen=True, kw_only=True)
class Item:
    """One row of `order_items`; money in cents, `unit_price` as it was on the day."""

    product: Product
    quantity: int
    unit_price: int

    @property
    def line_total(self) -> int:
        """Quantity times price, in cents."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, kw_only=True)
class Payment:
    """One row of `payments`: a try, a capture or a refund of the whole order, in cents."""

    order_id: int
    paid_at: dt.datetime
    amount: int
    method: str
    status: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """One row of `orders` with its items and payments."""

    id: int
    customer: Customer
    order_date: dt.datetime
    status: str
    channel: str
    shipping_country: str
    shipping_cost: int
    items: tuple[Item, ...]
    payments: tuple[Payment, ...]

    @property
    def customer_id(self) -> int:
        """Who ordered."""
        return self.customer.id

    @property
    def total_amount(self) -> int:
        """All lines and the shipping, in cents."""
        return sum(i.line_total for i in self.items) + self.shipping_cost


def orders(people: Sequence[Customer], goods: Sequence[Product]) -> tuple[Order, ...]:
    """Returns about 9,000 orders, oldest first; `people` must be in order of signing up."""
    random = stream("orders")
    moments = _moments(random)
    buyers = _Buyers(people, random)
    shelf = _Shelf(goods)
    return tuple(
        _order(i, buyers.pick(at.date(), random), at, shelf, random)
        for i, at in enumerate(moments, start=1)
    )


def _moments(random: Random) -> list[dt.datetime]:
    moments: list[dt.datetime] = []
    for n in range((TODAY - FIRST_ORDER_DAY).days + 1):
        day = FIRST_ORDER_DAY + dt.timedelta(days=n)
        expected = _FIRST_DAY_ORDERS * _YEARLY_GROWTH ** (n / 365.25)
        expected *= _SEASON[day.month - 1] * _WEEKDAY[day.weekday()]
        count = max(1, round(random.gauss(expected, expected**0.5)))
        hours = random.choices(range(24), _HOURS, k=count)
        midnight = dt.datetime.combine(day, dt.time())
        moments.extend(
            midnight + dt.timedelta(hours=h, seconds=random.randrange(3_600)) for h in hours
        )
    return sorted(moments)


class _Buyers:
    """Who orders: few often, many seldom, some never, nobody before signing up or once gone."""

    def __init__(self, people: Sequence[Customer], random: Random) -> None:
        self._people = people
        self._signups = [p.signup_date for p in people]
        keen = {"consumer": 1.0, "small business": 1.35, "enterprise": 1.9}
        self._upto = list(
            accumulate(
                0.0 if random.random() < 0.05 else random.gammavariate(1.9, keen[p.segment])
                for p in people
            )
        )

    def pick(self, day: dt.date, random: Random) -> Customer:
        """Returns a customer who signed up before `day` and has not left."""
        here = bisect(self._signups, day - dt.timedelta(days=1))
        while True:
            chosen = self._people[bisect(self._upto, random.random() * self._upto[here - 1])]
            if chosen.left_on is None or chosen.left_on > day:
                return chosen


class _Shelf:
    """What is offered on a day, by how well it sells in that month and to that segment."""

    def __init__(self, goods: Sequence[Product]) -> None:
        self._goods = goods
        self._cache: dict[tuple[int, int, bool], tuple[list[Product], list[float]]] = {}

    def pick(self, day: dt.date, business: bool, count: int, random: Random) -> list[Product]:
        """Returns up to `count` different products."""
        offered, upto = self._offer(day, business)
        picks = [offered[bisect(upto, random.random() * upto[-1])] for _ in range(count)]
        return list(dict.fromkeys(picks))

    def _offer(self, day: dt.date, business: bool) -> tuple[list[Product], list[float]]:
        key = (day.year, day.month, business)
        if key not in self._cache:
            first = day.replace(day=1)
            on = [
                p
                for p in self._goods
                if p.popularity > 0 and p.launched_on < first < p.last_sold_before
            ]
            weights = [self._weight(p, day.month, business) for p in on]
            self._cache[key] = (on, list(accumulate(weights)))
        return self._cache[key]

    @staticmethod
    def _weight(product: Product, month: int, business: bool) -> float:
        season = _CATEGORY_SEASON.get(product.category, {}).get(month, 1.0)
        liked = {"Office": 3.2, "Electronics": 1.6, "Toys": 0.3} if business else {}
        return product.popularity * season * liked.get(product.category, 1.0)


def _order(
    number: int, customer: Customer, at: dt.datetime, shelf: _Shelf, random: Random
) -> Order:
    channel = random.choices(CHANNELS, (52, 31, 11, 6))[0]
    if channel in ("store", "phone") and not 8 <= at.hour < 20:
        channel = "web"
    items = _items(customer, at.date(), shelf, random)
    to = customer.country if random.random() < 0.962 else random.choice(COUNTRIES).name
    goods = sum(i.line_total for i in items)
    shipping = 0 if channel == "store" or goods >= _FREE_SHIPPING_FROM else _shipping(to, random)
    status, payments = _course(number, customer, at, channel, goods + shipping, random)
    return Order(
        id=number,
        customer=customer,
        order_date=at,
        status=status,
        channel=channel,
        shipping_country=to,
        shipping_cost=shipping,
        items=items,
        payments=payments,
    )


def _shipping(country: str, random: Random) -> int:
    return COUNTRY_BY_NAME[country].shipping_cents + random.choice((0, 0, 0, 300, 500))


def _items(customer: Customer, day: dt.date, shelf: _Shelf, random: Random) -> tuple[Item, ...]:
    business = customer.segment != "consumer"
    lines = random.choices((1, 2, 3, 4, 5), (42, 29, 16, 8, 5))[0]
    picks = shelf.pick(day, business, lines, random)
    return tuple(_item(p, day, business, random) for p in picks)


def _item(product: Product, day: dt.date, business: bool, random: Random) -> Item:
    if business and product.unit_price < _BULK_BELOW:
        quantity = random.choices((1, 2, 3, 5, 8, 12), (44, 25, 14, 10, 5, 2))[0]
    else:
        quantity = random.choices((1, 2, 3, 4), (78, 15, 5, 2))[0]
    sale = day.month == 11 and day.day >= 20
    percent = random.choices((100, 90, 80), (40, 35, 25) if sale else (88, 9, 3))[0]
    return Item(product=product, quantity=quantity, unit_price=product.unit_price * percent // 100)


def _course(
    number: int, customer: Customer, at: dt.datetime, channel: str, total: int, random: Random
) -> tuple[str, tuple[Payment, ...]]:
    """Returns the order's status and its payments, which tell the same story."""
    method = _method(customer, channel, total, random)
    status = _status((TODAY - at.date()).days, channel, random)

    def payment(when: dt.datetime, outcome: str) -> Payment:
        return Payment(order_id=number, paid_at=when, amount=total, method=method, status=outcome)

    paid_at = at + _delay(method, random)
    payments: list[Payment] = []
    if method != "bank transfer" and random.random() < 0.045:
        payments.append(payment(at + dt.timedelta(seconds=random.randint(10, 50)), "failed"))
    unpaid = status == "cancelled" and random.random() < 0.55
    if not unpaid and paid_at <= END:
        payments.append(payment(paid_at, "captured"))
    elif not unpaid and status != "cancelled":
        status = "pending"  # the money is still on its way
    refund_at = paid_at + dt.timedelta(
        days=random.randint(1, 19), seconds=random.randint(0, 36_000)
    )
    if status == "returned" or (status == "cancelled" and not unpaid and paid_at <= END):
        payments.append(payment(min(refund_at, END), "refunded"))
    return status, tuple(p for p in payments if p.paid_at <= END)


def _delay(method: str, random: Random) -> dt.timedelta:
    if method == "bank transfer":
        return dt.timedelta(days=random.randint(0, 2), hours=random.randint(5, 20))
    return dt.timedelta(seconds=random.randint(60, 600))


def _method(customer: Customer, channel: str, total: int, random: Random) -> str:
    if channel == "store":
        return random.choices(METHODS, (86, 0, 0, 14))[0]
    if customer.segment != "consumer":
        return random.choices(METHODS, (44, 14, 41, 1))[0]
    return random.choices(METHODS, (56, 31, 7, 6 if total < 15_000 else 0))[0]


def _status(age_days: int, channel: str, random: Random) -> str:
    if random.random() < 0.052:
        return "cancelled"
    if age_days >= 25 and random.random() < 0.061:
        return "returned"
    if channel == "store":
        return "delivered"
    steps = ("pending", "shipped", "delivered")
    if age_days <= 1:
        return random.choices(steps, (82, 18, 0))[0]
    if age_days <= 4:
        return random.choices(steps, (28, 62, 10))[0]
    if age_days <= 9:
        return random.choices(steps, (5, 30, 65))[0]
    return random.choices(steps, (0, 3, 97) if age_days <= 30 else (0, 0, 1))[0]
