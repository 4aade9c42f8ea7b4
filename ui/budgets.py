"""What people have used of their budgets, as numbers and as words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from guard.budget import Use
from guard.limitpolicy import Limits
from guard.limitrules import money, seconds
from guard.principal import Principal
from guard.rights import scope_of
from ui.parts import Parts

_SCARCE = 5
"""What is left is told on the ask page once it is less than one part in so many."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One budget of a person: what it is, what was used, and the limit or None."""

    what: str
    used: int
    limit: int | None
    unit: str

    @property
    def is_scarce(self) -> bool:
        """True when little of it is left."""
        return self.limit is not None and (self.limit - self.used) * _SCARCE < self.limit

    def said(self, amount: int, currency: str) -> str:
        """Returns an amount of it in words."""
        if self.unit == "ms":
            return seconds(amount)
        return money(amount, currency) if self.unit in _MONEY else f"{amount:,}"


COLUMNS = (
    ("Rows today", "rows", "today", "rows_per_day"),
    ("Rows this month", "rows", "month", "rows_per_month"),
    ("Time today", "ms", "today", "seconds_per_day"),
    ("Time this month", "ms", "month", "seconds_per_month"),
    ("Cost today", "cost_micros", "today", "cost_per_day"),
    ("Cost this month", "cost_micros", "month", "cost_per_month"),
    ("Model tokens today", "tokens", "today", "model_tokens_per_day"),
    ("Model tokens this month", "tokens", "month", "model_tokens_per_month"),
    ("Model cost today", "model_micros", "today", "model_cost_per_day"),
    ("Model cost this month", "model_micros", "month", "model_cost_per_month"),
)
_MONEY = frozenset({"cost_micros", "model_micros"})


def lines(
    person: Principal, used: Mapping[tuple[str, str], Use], limits: Mapping[str, int | None]
) -> tuple[Line, ...]:
    """Returns the person's budgets, those without a limit too, in the order of `COLUMNS`."""
    return tuple(
        Line(
            what=what,
            used=getattr(used.get((person.id, unit), Use()), span),
            limit=limits.get(key),
            unit=unit,
        )
        for what, unit, span, key in COLUMNS
    )


def largest(parts: Parts, person: Principal) -> Mapping[str, int | None]:
    """Returns the person's limits by key; where sources differ, the largest."""
    found: dict[str, int | None] = {}
    for limits in _reached(parts, person):
        for _, unit, _, key in COLUMNS:
            value = limit_of(limits, key, unit)
            before = found.get(key)
            if value is not None:
                found[key] = value if before is None else max(before, value)
    return found


def limit_of(limits: Limits, key: str, unit: str) -> int | None:
    """Returns a limit in the unit its use is counted in."""
    value: int | None = getattr(limits, key)
    return value * 1_000 if value is not None and unit == "ms" else value


def left(parts: Parts, person: Principal, source: str) -> str:
    """Returns what is left where little is, as a sentence; empty while there is enough."""
    current = parts.people.by_id(person.id)
    scope = scope_of(parts.policy, current, source) if current is not None else None
    if current is None or scope is None:
        return ""
    limits = {key: limit_of(scope.limits, key, unit) for _, unit, _, key in COLUMNS}
    currency = parts.policy.currency
    scarce = [
        f"{line.what.lower()}: {line.said(max(0, line.limit - line.used), currency)} of "
        f"{line.said(line.limit, currency)}"
        for line in lines(current, parts.budget.use([current.id]), limits)
        if line.limit is not None and line.is_scarce
    ]
    return f"Left of your limits: {'; '.join(scarce)}." if scarce else ""


def _reached(parts: Parts, person: Principal) -> Iterator[Limits]:
    for name in parts.policy.sources:
        scope = scope_of(parts.policy, person, name)
        if scope is not None:
            yield scope.limits
