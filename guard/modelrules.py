"""Which counters a request to a model claims, and what is said when one of them has no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from store.ledger import Resource


@dataclass(frozen=True, kw_only=True)
class ModelRule:
    """One budget: the key that sets it, whose it is, and what is said once it is used up.

    `place` is where the key stands: with the limits of a person, or in `[agent]` for everybody.
    """

    place: Literal["limit", "agent"]
    key: str
    scope: Literal["task", "person", "everybody"]
    window: Literal["task", "day", "month"]
    resource: Resource
    who: str

    @property
    def id(self) -> str:
        """The rule of the refusal."""
        return f"{self.place}.{self.key}"

    def sentence(self, limit: str, left: str, asked: str) -> str:
        """Returns what was reached and what is left of it."""
        span = "" if self.window == "task" else f" a {self.window}"
        verb = "use" if self.resource == "tokens" else "spend"
        what = f"{limit}{' tokens' if self.resource == 'tokens' else ''} on the model{span}"
        return (
            f"{self.who} may {verb} {what}, {left} left; the next request to it may need {asked}."
        )


def _rules() -> tuple[ModelRule, ...]:
    found = [
        ModelRule(
            place="limit",
            key=f"task_model_{word}",
            scope="task",
            window="task",
            resource=resource,
            who="One question",
        )
        for word, resource in _RESOURCES
    ]
    for window in _WINDOWS:
        for word, resource in _RESOURCES:
            found.append(
                ModelRule(
                    place="limit",
                    key=f"model_{word}_per_{window}",
                    scope="person",
                    window=window,
                    resource=resource,
                    who="Your questions",
                )
            )
            found.append(
                ModelRule(
                    place="agent",
                    key=f"{word}_per_{window}",
                    scope="everybody",
                    window=window,
                    resource=resource,
                    who="All people together",
                )
            )
    return tuple(found)


_RESOURCES: tuple[tuple[str, Resource], ...] = (("tokens", "tokens"), ("cost", "model_micros"))
_WINDOWS: tuple[Literal["day", "month"], ...] = ("day", "month")
RULES = _rules()
STEPS = "agent.max_requests"
TIME = "agent.max_seconds"
SPENT = frozenset(rule.id for rule in RULES) | {STEPS, TIME}
"""The rules of what is used up: a run that meets one is halted."""
