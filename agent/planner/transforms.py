"""What is done with the one number of a question: average, share, running total, growth."""

from __future__ import annotations

from dataclasses import replace

from agent.planner.reading import (
    Clause,
    Item,
    Reading,
)
from agent.planner.refs import Unresolved
from agent.planner.shape import Shape
from agent.planner.timegrammar import Grain


def nested(shape: Shape) -> None:
    """“Average number of orders per customer”: a number for each group, then their average."""
    over = [m for m in shape.measures if m.over]
    if not over:
        return
    measure = over[0]
    if len(shape.measures) > 1 or shape.rank is not None or shape.having:
        raise Unresolved(measure.item.text)
    plain = replace(measure, over=False, grain=None)
    shape.measures = [plain]
    inner = [g for g in shape.groups if g.per]
    outer = [g for g in shape.groups if not g.per]
    if measure.grain is not None:
        outer, inner = shape.groups, [calendar(measure.grain)]
    elif not inner and measure.aggregate == "count" and len(outer) == 1:
        outer, inner = [], outer
    if not inner:
        shape.transform = "average"
        return
    shape.groups = [*outer, *inner]
    shape.inner = len(inner)
    shape.transform = "average"


def calendar(grain: Grain) -> Item:
    """Returns the item of a calendar unit."""
    return Item(text=grain, start=0, end=0, grain=grain)


def transform(reading: Reading, shape: Shape) -> None:
    """Sets what is done with the number, as the question says."""
    asked = [reading.share, reading.running, reading.growth, shape.transform == "average"]
    if sum(map(bool, asked)) > 1:
        raise Unresolved(
            "", "I can do only one of share, running total, growth and average at once."
        )
    if not any(asked[:3]):
        return
    if len(shape.measures) != 1 or shape.rank is not None or shape.having:
        raise Unresolved("", "I do not see the one number that this is about.")
    if reading.running:
        shape.transform = "running"
        if not any(g.grain for g in shape.groups):
            shape.groups = [*shape.groups, calendar("month")]
            shape.assumptions.append("the running total is by month")
    elif reading.growth:
        _growth(reading, shape)
    else:
        _share(reading, shape)


def _growth(reading: Reading, shape: Shape) -> None:
    shape.transform = "growth"
    shape.growth_at = reading.growth_at
    grains = [g.grain for g in shape.groups if g.grain]
    if len(shape.groups) > len(grains) or len(grains) > 1:
        raise Unresolved("growth", "Growth can be shown over time only, not by other groups too.")
    named = {*grains, reading.growth_grain} - {None}
    if len(named) > 1:
        raise Unresolved("growth")
    shape.grain = grains[0] if grains else reading.growth_grain
    shape.groups = []


def _share(reading: Reading, shape: Shape) -> None:
    tests = [t for t in reading.root.tests if _selects(t)]
    if reading.distribution or not (tests or reading.root.children):
        shape.transform = "share"
        return
    if not reading.pivoted:
        if shape.groups:
            _share_tie(reading, shape)
        shape.root = _all_part(reading.root)
    shape.transform = "part"


def _selects(test: object) -> bool:
    return type(test).__name__ != "PeriodTest"


def _share_tie(reading: Reading, shape: Shape) -> None:
    raise Unresolved(
        shape.groups[0].text,
        "A share of some rows by groups can be read in two ways. Ask “percentage of ... that are "
        "... by ...”, or “distribution of ... by ...”.",
    )


def _all_part(root: Clause) -> Clause:
    tests = [replace(t, after_pivot=True) for t in root.tests]
    for child in root.children:
        child.after_pivot = True
    return replace(root, tests=tests)
