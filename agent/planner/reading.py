"""What the words of a question say, before it is known which columns they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from agent.planner.lexicon import (
    ColumnEntry,
    FlagEntry,
    MetricEntry,
    TableEntry,
    ValueEntry,
)
from agent.planner.schema import Field
from agent.planner.timegrammar import Grain, Period
from agent.planner.units import Unit

Aggregate = Literal["count", "distinct", "sum", "avg", "min", "max", "metric", "default"]
Comparison = Literal["=", "<>", ">", ">=", "<", "<="]
ClauseRole = Literal["", "forward", "inverse"]
TextMode = Literal["contains", "starts", "ends", "equals"]


class Unread(Exception):
    """A part of the question cannot be used. `part` is that part, `reason` a sentence about it."""

    def __init__(self, part: str, reason: str = "") -> None:
        super().__init__(part)
        self.part = part
        self.reason = reason or f"I could not use this part: “{part}”."


@dataclass(frozen=True, kw_only=True)
class Item:
    """Something named: a table, a column, a metric or a calendar unit, with all it may be."""

    text: str
    start: int
    end: int
    tables: tuple[TableEntry, ...] = ()
    columns: tuple[ColumnEntry, ...] = ()
    metrics: tuple[MetricEntry, ...] = ()
    grain: Grain | None = None
    plural: bool = False
    per: bool = False
    """True when it stood after "per" or "each", not after "by"."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number asked for."""

    aggregate: Aggregate
    item: Item
    grain: Grain | None = None
    """The unit inside an average of sums: "average daily revenue"."""
    over: bool = False
    """True for an average of another measure: "average number of orders"."""
    distinct: bool = False
    unit: Unit | None = None
    """The unit of a duration, days if None."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A comparison with one number, or with two for a closed range."""

    comparison: Comparison
    number: Decimal
    high: Decimal | None = None
    unit: Unit | None = None
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class ValueTest:
    """One of several stored values; each spoken value keeps its candidates."""

    options: tuple[tuple[ValueEntry, ...], ...]
    text: str
    start: int
    end: int
    negated: bool = False
    after_pivot: bool = False
    all_of: bool = False
    """True when the values were joined by "and"."""
    words: tuple[str, ...] = ()
    """Each value as it was spoken."""


@dataclass(frozen=True, kw_only=True)
class FlagTest:
    """One side of a boolean column."""

    entries: tuple[FlagEntry, ...]
    text: str
    negated: bool = False
    after_pivot: bool = False


@dataclass(frozen=True, kw_only=True)
class NumberTest:
    """A bound on a column of the row; without an item on the table's usual measure."""

    bound: Bound
    item: Item | None
    heads: tuple[str, ...] = ()
    after_pivot: bool = False


@dataclass(frozen=True, kw_only=True)
class NullTest:
    """A column without a value, or with any value when `present`."""

    item: Item
    present: bool = False
    after_pivot: bool = False


@dataclass(frozen=True, kw_only=True)
class TextTest:
    """A part of a text column; without an item the name of the row."""

    mode: TextMode
    literal: str
    item: Item | None
    near: bool = False
    """True when it holds only for the row itself or on the way from it."""
    negated: bool = False
    after_pivot: bool = False


@dataclass(frozen=True, kw_only=True)
class KeyTest:
    """One row by its primary key."""

    table: TableEntry
    number: Decimal
    text: str
    negated: bool = False
    after_pivot: bool = False


@dataclass(frozen=True, kw_only=True)
class NameTest:
    """A person by first and last name."""

    first: str
    last: str
    text: str
    tables: tuple[str, ...] = ()
    """The tables the words named, any table of people if none."""
    after_pivot: bool = False


@dataclass(frozen=True, kw_only=True)
class PeriodTest:
    """A range of days; on one of `fields` if the words named them, else on the usual date."""

    period: Period
    fields: tuple[Field, ...]
    text: str
    after_pivot: bool = False


Test = ValueTest | FlagTest | NumberTest | NullTest | TextTest | KeyTest | NameTest | PeriodTest


@dataclass(kw_only=True)
class Clause:
    """Rows that must, or must not, exist beside the rows asked for, and their own conditions."""

    table: Item | None = None
    rows: tuple[str, ...] = ()
    """Tables a verb may mean, while no table was named."""
    negated: bool = False
    bound: Bound | None = None
    measure: Measure | None = None
    tests: list[Test] = field(default_factory=list)
    children: list[Clause] = field(default_factory=list)
    dates: tuple[Field, ...] = ()
    """What a verb said the dates of this clause are about."""
    role: ClauseRole = ""
    """Set for a named foreign key: along it, or the other way round."""
    after_pivot: bool = False
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Rank:
    """An order and how many rows of it. Without measure and item, the usual one of the table."""

    descending: bool
    count: int | None = None
    measure: Measure | None = None
    item: Item | None = None
    heads: tuple[str, ...] = ()
    """Column names an adjective is about."""
    by_date: bool = False
    by_popularity: bool = False
    selling: bool = False
    text: str = ""


@dataclass(kw_only=True)
class Reading:
    """The whole question."""

    root: Clause = field(default_factory=Clause)
    target: Item | None = None
    shown: list[Item] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    groups: list[Item] = field(default_factory=list)
    rank: Rank | None = None
    which: bool = False
    distinct: bool = False
    share: bool = False
    distribution: bool = False
    pivoted: bool = False
    running: bool = False
    trend: bool = False
    who: bool = False
    growth_at: tuple[int, int] = (0, 0)
    growth: bool = False
    growth_grain: Grain | None = None
    average: bool = False
    compare: bool = False
    winner: bool = False
    when: bool = False
    sort: bool = False
    ratio: list[Reading] = field(default_factory=list)
