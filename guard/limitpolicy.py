"""Caps and budgets: the part of the policy file under every `limits` key, and how several join.

A limit can be set for everybody (`[limits]`), for an environment, a source, a role and a person;
only the keys that are written there count. The later one wins: everybody, environment, source,
role (of several roles the largest value), person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]


class Limits(BaseModel):
    """Caps on one statement, and budgets of one person over all sources.

    A key without a value is no limit. Days and months are those of UTC. Money is in millionths of
    the policy's `currency`, whole numbers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    display_rows: Positive = 1_000
    """Rows shown at most; more are cut with a notice."""
    max_rows: Positive | None = None
    """Rows a statement may return at all; with more it is refused and nothing is shown. Up to this
    many are fetched, and count for `max_bytes`."""
    max_bytes: Positive = 50_000_000
    """Bytes of result a source may return; with more the statement is refused."""
    max_estimated_rows: Positive | None = None
    """Rows the source expects to return, asked before the statement runs."""
    max_estimated_bytes: Positive | None = None
    """Bytes the source expects to read, asked before the statement runs."""
    without_estimate: Literal["refuse", "run"] = "refuse"
    """What becomes of a statement that needs an estimate from a source that gives none."""
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 20
    """After this a statement is stopped on the server."""
    parallel: Positive = 4
    """Statements of one person running at once."""
    calls_per_minute: Positive = 120
    """Statements one person may send in a minute."""
    tool_calls_per_minute: Positive | None = None
    """Calls of one tool a person's agent may make in a minute."""
    session_calls_per_minute: Positive | None = None
    """Statements one conversation may send in a minute."""
    rows_per_day: Positive | None = 1_000_000
    """Rows one person may be shown in a day."""
    rows_per_month: Positive | None = None
    """Rows one person may be shown in a month."""
    seconds_per_day: Positive | None = None
    """Seconds the statements of one person may run in a day."""
    seconds_per_month: Positive | None = None
    """Seconds the statements of one person may run in a month."""
    cost_per_day: Positive | None = None
    """What the statements of one person may cost in a day."""
    cost_per_month: Positive | None = None
    """What the statements of one person may cost in a month."""
    task_statements: Positive | None = None
    """Statements one question may send; a run that would pass it is halted."""
    task_rows: Positive | None = None
    """Rows one question may be shown."""
    task_seconds: Positive | None = None
    """Seconds the statements of one question may run."""
    task_cost: Positive | None = None
    """What the statements of one question may cost."""
    task_model_tokens: Positive | None = None
    """Tokens of a model one question may use."""
    task_model_cost: Positive | None = None
    """What one question may cost at a model."""
    model_tokens_per_day: Positive | None = None
    """Tokens of a model the questions of one person may use in a day."""
    model_tokens_per_month: Positive | None = None
    """Tokens of a model the questions of one person may use in a month."""
    model_cost_per_day: Positive | None = None
    """What the questions of one person may cost at a model in a day."""
    model_cost_per_month: Positive | None = None
    """What the questions of one person may cost at a model in a month."""
    reveal_rows: Positive = 20
    """Rows of which one reveal may show masked values."""
    reveal_rows_per_day: Positive = 200
    """Rows of which one person may be shown masked values in a day."""

    @property
    def fetched_rows(self) -> int:
        """How many rows a source is asked for at most."""
        return self.max_rows or self.display_rows

    @property
    def shown_rows(self) -> int:
        """How many rows are shown at most."""
        return min(self.display_rows, self.fetched_rows)

    @property
    def needs_estimate(self) -> bool:
        """True when a cap is on what the source expects."""
        return self.max_estimated_rows is not None or self.max_estimated_bytes is not None


NO_LIMITS = Limits()
"""Where it stands for a source, role or person: no key is set."""


def joined(
    everybody: Limits, layers: Sequence[Limits], roles: Iterable[Limits], person: Limits | None
) -> Limits:
    """Returns the limits in force: `everybody`, then each layer, the roles', and the person's.

    `layers` come in the order of their weight, the environment's before the source's.
    """
    set_: dict[str, object] = {}
    for layer in layers:
        set_ |= _given(layer)
    of_roles: dict[str, list[float | str]] = {}
    for role in roles:
        for key, value in _given(role).items():
            of_roles.setdefault(key, []).append(value)
    set_ |= {key: max(values, key=_order) for key, values in of_roles.items()}
    if person is not None:
        set_ |= _given(person)
    return everybody.model_copy(update=set_) if set_ else everybody


def _given(limits: Limits) -> dict[str, float | str]:
    keys = limits.model_fields_set
    return {k: v for k in keys if (v := getattr(limits, k)) is not None} if keys else {}


def _order(value: float | str) -> float:
    return value if isinstance(value, int | float) else float(value == "run")
