"""Shape: what the rows of an answer are, before any base table is chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.planner.frame import Transform
from agent.planner.lexicon import TableEntry
from agent.planner.reading import (
    Bound,
    Clause,
    Item,
    Measure,
    Rank,
)
from agent.planner.timegrammar import Grain

DEFAULT_COUNT = 10
"""How many rows "the best products" are, when no number was said."""


@dataclass(kw_only=True)
class Shape:
    """The parts of an answer, still as words."""

    root: Clause
    rows: TableEntry | None = None
    """The table whose rows are listed, if rows are listed and the table is known."""
    shown: list[Item] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    groups: list[Item] = field(default_factory=list)
    partition: int = 0
    having: list[tuple[Measure, Bound]] = field(default_factory=list)
    rank: Rank | None = None
    asked: Item | None = None
    """The group that is the column asked for: rows without a value of it are no answer."""
    near: str | None = None
    transform: Transform = ""
    grain: Grain | None = None
    growth_at: tuple[int, int] = (0, 0)
    inner: int = 0
    distinct: bool = False
    compare: bool = False
    assumptions: list[str] = field(default_factory=list)
