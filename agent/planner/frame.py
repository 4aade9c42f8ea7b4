"""A question as a query: rows, numbers, groups, conditions and order, by column and join path.

A `Path` runs from the base table along foreign keys, many-to-one; `()` is the base itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from agent.planner.joins import Path
from agent.planner.reading import Bound, TextMode
from agent.planner.schema import Field
from agent.planner.semantics import Definition
from agent.planner.timegrammar import Grain, Period


@dataclass(frozen=True, slots=True)
class Ref:
    """A column at the end of a path."""

    path: Path
    field: Field


@dataclass(frozen=True, kw_only=True)
class IsValue:
    """One of these values, or none of them when negated."""

    ref: Ref
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, kw_only=True)
class IsFlag:
    """A boolean column is true, or false."""

    ref: Ref
    value: bool


@dataclass(frozen=True, kw_only=True)
class IsNumber:
    """A number, or the days of a duration, within a bound times `factor`."""

    ref: Ref
    bound: Bound
    factor: Fraction = Fraction(1)


@dataclass(frozen=True, kw_only=True)
class IsMissing:
    """A column without a value, or with one when `present`."""

    ref: Ref
    present: bool = False


@dataclass(frozen=True, kw_only=True)
class IsText:
    """A part of a text column."""

    ref: Ref
    mode: TextMode
    literal: str
    negated: bool = False


@dataclass(frozen=True, kw_only=True)
class InPeriod:
    """A date within one of these periods."""

    ref: Ref
    periods: tuple[Period, ...]


@dataclass(frozen=True, kw_only=True)
class Linked:
    """The row at the end of the path exists."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class Exists:
    """Some row of another table points here and meets conditions, or no row when negated."""

    sub: Sub
    negated: bool = False


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A number over the rows that point here is within a bound."""

    sub: Sub
    number: Number
    bound: Bound


Condition = IsValue | IsFlag | IsNumber | IsMissing | IsText | InPeriod | Linked | Exists | Counted


@dataclass(frozen=True, kw_only=True)
class Sub:
    """Rows of `base` that reach the row at `anchor` of the outer query by `link`."""

    base: str
    link: Path
    anchor: Path
    about: str
    """The table the words named, which may lie behind `base`."""
    conditions: tuple[Condition, ...] = ()


NumberKind = Literal["count", "distinct", "sum", "avg", "min", "max", "metric"]


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number over rows of the base."""

    kind: NumberKind
    name: str
    """What it is called in words and, with underscores, in the result."""
    ref: Ref | None = None
    definition: Definition | None = None
    aggregate: str = ""
    paths: tuple[tuple[str, Path], ...] = ()
    """For a metric: the way to each table its definition uses."""
    where: tuple[Condition, ...] = ()
    when: tuple[Condition, ...] = ()
    factor: Fraction = Fraction(1)
    note: str = ""

    @property
    def additive(self) -> bool:
        """True when values of parts add up to the value of the whole."""
        return self.kind in {"count", "sum"} or (
            self.kind == "metric" and self.aggregate in {"sum", "count"}
        )


@dataclass(frozen=True, kw_only=True)
class ColumnGroup:
    """Groups by the values of a column."""

    ref: Ref


@dataclass(frozen=True, kw_only=True)
class RowGroup:
    """Groups by the rows at the end of a path; shown by key and label."""

    path: Path
    table: str


@dataclass(frozen=True, kw_only=True)
class TimeGroup:
    """Groups by a calendar unit of a date."""

    ref: Ref
    grain: Grain


Group = ColumnGroup | RowGroup | TimeGroup


@dataclass(frozen=True, kw_only=True)
class Order:
    """The order of the result and how many rows of it."""

    by: Ref | Number
    descending: bool
    count: int | None = None
    partition: int = 0
    """How many of the first groups the rows are counted in; 0 for the whole result."""


Transform = Literal["", "share", "part", "running", "growth", "average"]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The whole query.

    Without numbers it lists rows (`shown`), distinct ones if so marked. `transform` says what is
    done with the one number: its `share` of the total over the groups, the `part` of it under
    the `part` conditions, its `running` total, its `growth` against the period before, or the
    `average` of it over the last `inner` groups.
    """

    base: str
    shown: tuple[Ref, ...] = ()
    distinct: bool = False
    numbers: tuple[Number, ...] = ()
    groups: tuple[Group, ...] = ()
    conditions: tuple[Condition, ...] = ()
    part: tuple[Condition, ...] = ()
    having: tuple[tuple[Number, Bound], ...] = ()
    order: Order | None = None
    transform: Transform = ""
    inner: int = 0
    assumptions: tuple[str, ...] = ()
    left_join: tuple[Path, ...] = ()
