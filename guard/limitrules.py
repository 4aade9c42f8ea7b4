"""Which counters one call asks of the ledger, and what is said when one of them has no more.

A rule's id is `limit.` and the key of the policy that set it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from guard import modelrules
from guard.errors import Refused, refuse
from guard.limitpolicy import Limits
from guard.policyfile import Policy
from guard.principal import Principal
from store import ledger
from store.ledger import Claim, Counter, Resource, ScopeKind

_GB = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a source costs, in millionths of `currency`, by second and by 10^9 bytes read."""

    per_second: int = 0
    per_gb: int = 0
    currency: str = "USD"

    def of(self, ms: int, scanned: int) -> int:
        """Returns what so many milliseconds and bytes cost, rounded up."""
        return -(-self.per_second * ms // 1_000) + -(-self.per_gb * scanned // _GB)


FREE = Price()


def is_spent(rule: str) -> bool:
    """True for the rules of what is used up: a run of the agent that meets one is halted."""
    return rule in _SPENT or rule in modelrules.SPENT


def price_of(policy: Policy, source: str) -> Price:
    """Returns what a source costs."""
    settings = policy.sources[source]
    return Price(
        per_second=settings.cost_per_second,
        per_gb=settings.cost_per_gb,
        currency=policy.currency,
    )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one call may use at worst.

    `session` is the conversation, `task` the turn or command it belongs to. `rows` is how many
    rows it may show and `ms` how long it may run; a statement that runs nothing uses neither.
    """

    person: Principal
    limits: Limits
    tool: str
    session: str | None = None
    task: str | None = None
    rows: int = 0
    ms: int = 0
    price: Price = FREE


Window = Literal["minute", "now", "day", "month", "task"]


@dataclass(frozen=True, kw_only=True)
class _Rule:
    key: str
    scope: ScopeKind
    window: Window
    resource: Resource
    sentence: str


_RULES = (
    _Rule(
        key="calls_per_minute",
        scope="person",
        window="minute",
        resource="calls",
        sentence="You may send {limit} statements a minute and {left} are left.",
    ),
    _Rule(
        key="tool_calls_per_minute",
        scope="tool",
        window="minute",
        resource="calls",
        sentence="The tool {tool} may be called {limit} times a minute and {left} calls are left.",
    ),
    _Rule(
        key="session_calls_per_minute",
        scope="session",
        window="minute",
        resource="calls",
        sentence="One conversation may send {limit} statements a minute and {left} are left.",
    ),
    _Rule(
        key="parallel",
        scope="person",
        window="now",
        resource="parallel",
        sentence="{limit} of your statements are running and {left} more may run at once.",
    ),
    _Rule(
        key="rows_per_day",
        scope="person",
        window="day",
        resource="rows",
        sentence="You may be shown {limit} rows a day and {left} are left; this may show {asked}.",
    ),
    _Rule(
        key="rows_per_month",
        scope="person",
        window="month",
        resource="rows",
        sentence="You may be shown {limit} rows a month and {left} are left; this may show "
        "{asked}.",
    ),
    _Rule(
        key="seconds_per_day",
        scope="person",
        window="day",
        resource="ms",
        sentence="Your statements may run for {limit} a day and {left} are left; this may take "
        "{asked}.",
    ),
    _Rule(
        key="seconds_per_month",
        scope="person",
        window="month",
        resource="ms",
        sentence="Your statements may run for {limit} a month and {left} are left; this may take "
        "{asked}.",
    ),
    _Rule(
        key="cost_per_day",
        scope="person",
        window="day",
        resource="cost_micros",
        sentence="Your statements may cost {limit} a day and {left} is left; this may cost "
        "{asked}.",
    ),
    _Rule(
        key="cost_per_month",
        scope="person",
        window="month",
        resource="cost_micros",
        sentence="Your statements may cost {limit} a month and {left} is left; this may cost "
        "{asked}.",
    ),
    _Rule(
        key="task_statements",
        scope="task",
        window="task",
        resource="statements",
        sentence="One question may send {limit} statements and {left} are left.",
    ),
    _Rule(
        key="task_rows",
        scope="task",
        window="task",
        resource="rows",
        sentence="One question may be shown {limit} rows and {left} are left; this may show "
        "{asked}.",
    ),
    _Rule(
        key="task_seconds",
        scope="task",
        window="task",
        resource="ms",
        sentence="The statements of one question may run for {limit} and {left} are left; this "
        "may take {asked}.",
    ),
    _Rule(
        key="task_cost",
        scope="task",
        window="task",
        resource="cost_micros",
        sentence="The statements of one question may cost {limit} and {left} is left; this may "
        "cost {asked}.",
    ),
)
_COUNTED = frozenset({"rows_per_day", "rows_per_month", "seconds_per_day", "seconds_per_month"})
"""Counted where no limit is set too, so that an admin sees what people use."""
_COSTS = frozenset({"cost_per_day", "cost_per_month"})
PARALLEL = "limit.parallel"
"""The rule of what is not used up, only taken: it passes when a statement ends."""
_SPENT = frozenset(f"limit.{rule.key}" for rule in _RULES) - {PARALLEL}


def claims(asked: Asked, now: dt.datetime) -> tuple[Claim, ...]:
    """Returns what one call claims of which counters."""
    return tuple(_claims(asked, now))


def cost_claims(asked: Asked, micros: int, now: dt.datetime) -> tuple[Claim, ...]:
    """Returns what one statement claims once it is known what it will read."""
    return tuple(
        Claim(counter=counter, amount=micros, limit=_limit(rule, asked.limits))
        for rule in _RULES
        if rule.resource == "cost_micros"
        and (rule.key in _COSTS or _limit(rule, asked.limits) is not None)
        and (counter := _counter(rule, asked, now)) is not None
    )


def exhausted(claim: Claim, left: int, asked: Asked, now: dt.datetime) -> Refused:
    """Returns the refusal: the limit, what is left of it and when there is more."""
    rule = next(r for r in _RULES if _counter(r, asked, now) == claim.counter)

    def told(amount: int) -> str:
        return _amount(rule.resource, amount, asked.price)

    said = rule.sentence.format(
        limit=told(claim.limit or 0), left=told(left), asked=told(claim.amount), tool=asked.tool
    )
    return refuse(
        f"limit.{rule.key}",
        f"{said} {opens(rule.window, claim.counter.window, now)}",
        alternative=f"Ask for fewer rows, with LIMIT {left}."
        if rule.resource == "rows" and left
        else None,
        fixable=rule.resource == "parallel",
    )


def _claims(asked: Asked, now: dt.datetime) -> Iterator[Claim]:
    costs = bool(asked.price.per_second or asked.price.per_gb)
    for rule in _RULES:
        limit = _limit(rule, asked.limits)
        if limit is None and rule.key not in _COUNTED and not (costs and rule.key in _COSTS):
            continue
        counter = _counter(rule, asked, now)
        if counter is None:
            continue
        yield Claim(
            counter=counter,
            amount=_worst(rule.resource, asked),
            limit=limit,
            on_lapse="release" if rule.resource == "parallel" else "spend",
        )


def _worst(resource: Resource, asked: Asked) -> int:
    match resource:
        case "rows":
            return asked.rows
        case "ms":
            return asked.ms
        case "cost_micros":
            return asked.price.of(asked.ms, 0)
        case _:
            return 1


def _limit(rule: _Rule, limits: Limits) -> int | None:
    value: int | None = getattr(limits, rule.key)
    return value * 1_000 if value is not None and rule.resource == "ms" else value


def _counter(rule: _Rule, asked: Asked, now: dt.datetime) -> Counter | None:
    scope = _scope(rule.scope, asked)
    if scope is None:
        return None
    return Counter(scope=scope, window=window(rule.window, now), resource=rule.resource)


def _scope(kind: ScopeKind, asked: Asked) -> str | None:
    match kind:
        case "person":
            return ledger.scope("person", asked.person.id)
        case "tool":
            return ledger.scope("tool", asked.person.id, asked.tool)
        case "session":
            return ledger.scope("session", asked.session) if asked.session else None
        case "task":
            return ledger.scope("task", asked.task) if asked.task else None
        case "source" | "everybody":
            return None


def window(kind: Window, now: dt.datetime) -> str:
    """Returns the name of the window of that kind that `now` is in."""
    match kind:
        case "minute":
            return ledger.minute(now)
        case "day":
            return ledger.day(now)
        case "month":
            return ledger.month(now)
        case "now":
            return ledger.NOW
        case "task":
            return ledger.TASK


def _amount(resource: Resource, amount: int, price: Price) -> str:
    if resource == "ms":
        return seconds(amount)
    return money(amount, price.currency) if resource == "cost_micros" else f"{amount:,}"


def seconds(ms: int) -> str:
    """Returns a stretch of time, in seconds as far as they are whole."""
    whole, rest = divmod(ms, 1_000)
    return f"{whole:,} s" if not rest else f"{ms / 1_000:,.1f} s"


def money(micros: int, currency: str) -> str:
    """Returns an amount of money; cents, and more places where they would hide it."""
    value = micros / 1_000_000
    return f"{value:,.2f} {currency}" if not micros or value >= 0.01 else f"{value:.6f} {currency}"


def opens(kind: Window, name: str, now: dt.datetime) -> str:
    """Returns when there is more in a window of that kind and name, as a sentence."""
    at = ledger.opens_at(name, now)
    if kind == "now":
        return "Wait for one to end."
    if at is None:
        return "Ask a new question to go on."
    if kind == "minute":
        wait = max(1, round((at - now).total_seconds()))
        return f"There are more in {wait} {'second' if wait == 1 else 'seconds'}."
    return f"There is more from {at:%-d %B %Y}, 00:00 UTC."
