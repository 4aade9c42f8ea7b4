"""How changes are decided: the part of the policy file under `[approvals]` and `auto_apply`."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(gt=0)]
TierNumber = Annotated[int, Field(ge=1, le=3)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tier(_Part):
    """Who must say yes to a change of this tier."""

    approvers: Positive = 1
    """How many different people, never the author."""
    admins: Annotated[int, Field(ge=0)] = 0
    """How many of them must be admins."""

    @model_validator(mode="after")
    def _fits(self) -> Tier:
        if self.admins > self.approvers:
            raise ValueError(f"{self.admins} admins do not fit in {self.approvers} approvers")
        return self


class Tiers(_Part):
    """How risky a change is, from 1 to 3, and what each tier needs."""

    small_rows: Positive = 100
    """Up to this many rows are tier 1 by their number; more are tier 2."""
    large_rows: Positive = 5_000
    """More than this are tier 3."""
    personal_data: TierNumber = 2
    """What a change of columns with a tag is at least."""
    no_primary_key: TierNumber = 2
    decided_by_statement: TierNumber = 2
    """Values that the statement itself leaves open until it runs: nobody has seen them."""
    schema_change: TierNumber = 2
    partial_undo: TierNumber = 2
    no_undo: TierNumber = 3
    outside_production: TierNumber = 2
    """The highest tier in staging and development."""
    one: Tier = Tier()
    two: Tier = Tier(approvers=2)
    three: Tier = Tier(approvers=2, admins=1)

    @model_validator(mode="after")
    def _rising(self) -> Tiers:
        if self.large_rows < self.small_rows:
            raise ValueError("large_rows must not be less than small_rows")
        steps = [(t.approvers, t.admins) for t in (self.one, self.two, self.three)]
        if any(lower[i] > upper[i] for lower, upper in pairwise(steps) for i in (0, 1)):
            raise ValueError("a higher tier must not need fewer people than a lower one")
        return self

    def needs(self, tier: int) -> Tier:
        """Returns what that tier needs."""
        return (self.one, self.two, self.three)[tier - 1]


class Watch(_Part):
    """When approving looks as if nobody reads. It is flagged and recorded, never stopped."""

    count: Positive = 10
    """More approvals than this by one person ..."""
    minutes: Positive = 10
    """... in this many minutes are flagged."""
    rows_per_second: Positive = 20
    """A diff approved faster than it can be read at this speed is flagged."""
    least_seconds: Annotated[int, Field(ge=0)] = 2


class Earned(_Part):
    """Statement templates that may one day run without a person. Off unless switched on."""

    enabled: bool = False
    runs: Positive = 200
    """Clean reviews a template needs before it is proposed."""
    authors: Positive = 3
    approvers: Positive = 3
    days: Annotated[int, Field(gt=0, le=90)] = 90
    """After this an enabled template has to be enabled anew."""
    max_rows: Positive = 100
    """No template ever gets a larger bound."""
    per_day: Positive = 20
    hour_from: Annotated[int, Field(ge=0, le=23)] = 8
    hour_to: Annotated[int, Field(ge=1, le=24)] = 18
    """Hours of the day in UTC in which it may run by itself."""

    @model_validator(mode="after")
    def _hours(self) -> Earned:
        if self.hour_from >= self.hour_to:
            raise ValueError("hour_from must be before hour_to")
        return self


class AutoApply(_Part):
    """Changes outside production that run without a person; previewed, recorded and undoable."""

    max_rows: Positive
    tables: tuple[str, ...]
    """Every table that may be touched, triggers included."""
    agent: bool = False
    """True lets the agent's proposals run as well, not only what a person typed."""

    def covers(self, table: str) -> bool:
        """True when the table is one of them."""
        return table.casefold() in {t.casefold() for t in self.tables}


class Approvals(_Part):
    """How changes are decided."""

    approvers: Positive = 1
    """The least number of different people for any change; its tier may need more."""
    max_rows: Positive = 10_000
    """Rows a change may touch. A larger one is held and cannot be approved."""
    max_preview_rows: Positive = 100_000
    """Rows up to which a larger one is counted exactly; beyond them it is refused."""
    max_diff_rows: Positive = 200
    """Rows of a diff drawn on screen; totals stay exact."""
    expires_hours: Positive = 24
    apply_within_minutes: Positive = 30
    """How long an approval may wait to be used before the change is previewed again."""
    target_minutes: Positive = 15
    """How soon somebody should decide; measured and shown."""
    timeout_seconds: Positive = 60
    """What running a change may take, as a preview or for good."""
    lock_timeout_seconds: Positive = 2
    command_line: bool = True
    """False switches off approvals by `gatehouse changes approve`."""
    tiers: Tiers = Tiers()
    watch: Watch = Watch()
    earned: Earned = Earned()

    @model_validator(mode="after")
    def _counted(self) -> Approvals:
        # A cap raised past the default needs no second key.
        if self.max_preview_rows < self.max_rows and "max_preview_rows" in self.model_fields_set:
            raise ValueError("max_preview_rows must not be less than max_rows")
        return self

    @property
    def counted_rows(self) -> int:
        """Up to how many rows a change is previewed."""
        return max(self.max_rows, self.max_preview_rows)
