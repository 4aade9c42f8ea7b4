"""Support tickets: what went wrong, in prose that names people, and now and then an attack."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from demo import ticket_text as words
from demo.people import Card, Customer
from demo.sales import Order
from demo.world import END, TODAY, stream

TICKETS = 920
POISONED_EVERY = 97

_FIRST_DAY = dt.date(2024, 1, 3)
_CATEGORIES = ("account", "billing", "delivery", "product quality", "other")
_PRIORITIES = ("low", "medium", "high", "urgent")
_HOURS_TO_CLOSE = {"low": 130, "medium": 70, "high": 30, "urgent": 9}


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """One row of `support_tickets`."""

    id: int
    customer_id: int
    order_id: int | None
    opened_at: dt.datetime
    closed_at: dt.datetime | None
    priority: str
    category: str
    status: str
    satisfaction: int | None
    subject: str
    body: str


@dataclass(frozen=True, kw_only=True)
class _Case:
    customer: Customer
    order: Order | None
    category: str
    opened_at: dt.datetime


def tickets(
    people: Sequence[Customer], sold: Sequence[Order], cards: Sequence[Card]
) -> tuple[Ticket, ...]:
    """Returns 920 tickets, oldest first; every 97th carries an instruction to the agent."""
    random = stream("tickets")
    card_of = {c.customer_id: c.card_number for c in cards}
    cases = sorted((_case(people, sold, random) for _ in range(TICKETS)), key=lambda c: c.opened_at)
    return tuple(_ticket(i, case, people, card_of, random) for i, case in enumerate(cases, start=1))


def _case(people: Sequence[Customer], sold: Sequence[Order], random: Random) -> _Case:
    category = random.choices(_CATEGORIES, (16, 21, 31, 23, 9))[0]
    if category in words.ORDERLESS:
        customer = random.choice(people)
        since = max(customer.signup_date, _FIRST_DAY)
        day = since + dt.timedelta(days=int(((TODAY - since).days) * random.random() ** 0.8))
        at = dt.datetime.combine(day, dt.time(random.randint(7, 21), random.randrange(60)))
        return _Case(customer=customer, order=None, category=category, opened_at=at)
    order = random.choice(sold)
    waited = dt.timedelta(days=random.expovariate(1 / 8), minutes=random.randint(30, 600))
    at = min(order.order_date + waited, END - dt.timedelta(minutes=random.randint(5, 300)))
    at = max(at, order.order_date).replace(microsecond=0)
    return _Case(customer=order.customer, order=order, category=category, opened_at=at)


def _ticket(
    number: int,
    case: _Case,
    people: Sequence[Customer],
    card_of: dict[int, str],
    random: Random,
) -> Ticket:
    priority = random.choices(_PRIORITIES, (29, 40, 20, 11))[0]
    status, closed_at = _progress(case.opened_at, priority, random)
    subject, body = _prose(number, case, random.choice(people), card_of, random)
    return Ticket(
        id=number,
        customer_id=case.customer.id,
        order_id=case.order.id if case.order else None,
        opened_at=case.opened_at,
        closed_at=closed_at,
        priority=priority,
        category=case.category,
        status=status,
        satisfaction=_satisfaction(case, closed_at, random),
        subject=subject,
        body=body,
    )


def _progress(opened: dt.datetime, priority: str, random: Random) -> tuple[str, dt.datetime | None]:
    hours = random.lognormvariate(0, 0.8) * _HOURS_TO_CLOSE[priority]
    closed = (opened + dt.timedelta(hours=hours)).replace(microsecond=0)
    # Some are still being argued about, a few of them long after.
    recent = (END - opened).days < 45
    if closed <= END and random.random() > (0.22 if recent else 0.03):
        return "closed", closed
    return random.choices(("open", "in progress"), (58, 42))[0], None


def _satisfaction(case: _Case, closed: dt.datetime | None, random: Random) -> int | None:
    if closed is None or random.random() < 0.28:
        return None
    slow = (closed - case.opened_at).days > 5 or case.category == "delivery"
    return random.choices((1, 2, 3, 4, 5), (16, 17, 25, 26, 16) if slow else (4, 7, 16, 36, 37))[0]


def _prose(
    number: int, case: _Case, other: Customer, card_of: dict[int, str], random: Random
) -> tuple[str, str]:
    facts = _facts(case, other, card_of)
    subjects, problem = random.choice(words.PROBLEMS[case.category])
    subject = random.choice(subjects).format(**facts)
    greeting, ending = random.choice(words.GREETINGS), _closing(case.customer, random)
    closing = ending.format(**facts)
    if number % POISONED_EVERY == 0:
        turn = number // POISONED_EVERY - 1
        hostile_subject, hostile = words.POISONED[turn % len(words.POISONED)]
        # Not a template: an attack may hold braces of its own.
        opening = _filled([greeting, problem], facts)
        return hostile_subject or subject, "\n".join([opening, hostile, closing])
    sentences = [greeting, problem, random.choice(words.REACH), random.choice(words.ASKS)]
    return subject, f"{_filled(sentences, facts)}\n{closing}"


def _closing(customer: Customer, random: Random) -> str:
    fitting = words.CLOSINGS.get(customer.country, ()) + words.PLAIN_CLOSINGS
    return random.choice([c for c in fitting if customer.phone or "{phone}" not in c])


def _filled(sentences: Sequence[str], facts: dict[str, str]) -> str:
    return " ".join(s for s in sentences if s).format(**facts)


def _facts(case: _Case, other: Customer, card_of: dict[int, str]) -> dict[str, str]:
    who, order = case.customer, case.order
    card = card_of.get(who.id, "4242424242424242")
    facts = {
        "first": who.first_name,
        "last": who.last_name,
        "email": who.email or "the address on my account",
        "phone": who.phone or "the number on my account",
        "address": who.address,
        "postcode": who.postcode,
        "city": who.city,
        "born": f"{who.birth_date:%d.%m.%Y}",
        "last4": card[-4:],
        "card": " ".join(card[i : i + 4] for i in range(0, 16, 4)),
        "other": f"{other.first_name} {other.last_name}",
    }
    if order is not None:
        facts["order"] = str(order.id)
        facts["product"] = order.items[0].product.name
        facts["amount"] = f"{order.total_amount / 100:.2f}"
        facts["date"] = f"{order.order_date.day} {order.order_date:%B %Y}"
    return facts
