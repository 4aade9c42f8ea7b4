"""Shape -> Frame: tries every base table, keeps the cheapest that can hold the whole question."""

from __future__ import annotations

from dataclasses import replace

from agent.planner.clauses import resolve_clause
from agent.planner.conditions import Resolved
from agent.planner.frame import (
    ColumnGroup,
    Frame,
    Group,
    InPeriod,
    IsValue,
    Number,
    Order,
    RowGroup,
    TimeGroup,
)
from agent.planner.groups import date_of, group_of, only_known
from agent.planner.joins import Path
from agent.planner.listing import list_rows
from agent.planner.numbers import bases_of, number_of
from agent.planner.reading import KeyTest, NameTest, Reading
from agent.planner.refs import Choice, Scope, Tied, Unresolved
from agent.planner.shape import Shape
from agent.planner.shaping import shape_of
from agent.planner.timegrammar import Grain
from agent.planner.vocabulary import Vocabulary


def resolve(reading: Reading, vocabulary: Vocabulary) -> Frame:
    """Returns the query a reading stands for.

    Raises:
        Unresolved: no base table can hold all of it.
        Tied: two are equally good.
    """
    shape = shape_of(reading, vocabulary)
    tries: list[tuple[float, int, Frame]] = []
    failures: list[Unresolved] = []
    ties: list[tuple[int, Tied]] = []
    for order, base in enumerate(_bases(shape, vocabulary)):
        try:
            cost, frame = _over(base, shape, vocabulary)
        except Unresolved as error:
            failures.append(error)
        except Tied as tie:
            ties.append((order, tie))
        else:
            tries.append((cost, order, frame))
    metric = bool(shape.measures) and shape.measures[0].aggregate == "metric"
    if ties and (not tries or (metric and ties[0][0] < min(o for _, o, _ in tries))):
        raise ties[0][1]
    if tries:
        return _cheapest(tries)
    raise _telling(failures)


def _telling(failures: list[Unresolved]) -> Unresolved:
    told = [f for f in failures if f.reason] or failures
    return told[0] if told else Unresolved("", "I do not see which table this is about.")


def _cheapest(tries: list[tuple[float, int, Frame]]) -> Frame:
    return min(tries, key=lambda t: t[:2])[2]


def _bases(shape: Shape, vocabulary: Vocabulary) -> list[str]:
    if shape.measures:
        measures = [*shape.measures, *(m for m, _ in shape.having)]
        options = [bases_of(m, vocabulary) for m in measures]
        return [b for b in options[0] if all(b in o or bool(o) for o in options[1:])]
    if shape.rows is not None:
        return [shape.rows.table]
    tables = [c.field.table for item in shape.shown for c in item.columns]
    for test in shape.root.tests:
        if isinstance(test, KeyTest):
            tables.append(test.table.table)
    return list(dict.fromkeys(tables))


def _over(base: str, shape: Shape, vocabulary: Vocabulary) -> tuple[float, Frame]:
    scope = Scope(vocabulary, base, near=_near(base, shape, vocabulary))
    scope.mentioned = _mentioned(shape)
    scope.strict = any(m.aggregate not in {"count", "distinct"} for m in shape.measures)
    scope.alone = bool(shape.measures) and not shape.compare
    scope.titles = bool(shape.shown) and shape.rows is None
    if shape.measures:
        return _numbers(shape, scope)
    return list_rows(shape, scope)


def _near(base: str, shape: Shape, vocabulary: Vocabulary) -> str | None:
    near = shape.near
    if near is None or near == base or vocabulary.graph.distance(base, near) is None:
        return None
    return near


def _mentioned(shape: Shape) -> frozenset[str]:
    items = [*shape.groups, *shape.shown, *(m.item for m in shape.measures)]
    tables = {t.table for i in items for t in i.tables}
    qualified = [i for i in shape.groups if " " in i.text and not i.tables]
    tables |= {c.field.table for i in qualified for c in i.columns}
    keyed = {t.table.table for t in shape.root.tests if isinstance(t, KeyTest)}
    named = {t for n in shape.root.tests if isinstance(n, NameTest) for t in n.tables}
    return frozenset(tables | keyed | named)


def _anchor(scope: Scope) -> Path:
    paths = scope.paths(scope.near) if scope.near else []
    return paths[0] if len(paths) == 1 else ()


def _numbers(shape: Shape, scope: Scope) -> tuple[float, Frame]:
    resolved = Resolved()
    resolve_clause(shape.root, scope, _anchor(scope), resolved)
    cost = resolved.cost
    numbers = []
    for measure in shape.measures:
        number, price = number_of(measure, scope)
        numbers.append(number)
        cost += price
    groups: list[Group] = []
    for item in shape.groups:
        group, price = group_of(item, scope, shape)
        groups.append(group)
        cost += price
        if item is shape.asked and isinstance(group, ColumnGroup):
            only_known(group.ref, scope, resolved)
    having = []
    for measure, bound in shape.having:
        number, price = number_of(measure, scope)
        having.append((number, bound))
        cost += price
    numbers = [_as_asked(n, resolved) for n in numbers]
    frame = Frame(
        base=scope.base,
        numbers=tuple(numbers),
        groups=tuple(groups),
        conditions=tuple(resolved.conditions),
        part=tuple(resolved.part),
        having=tuple(having),
        transform=shape.transform,
        inner=shape.inner,
        assumptions=tuple(dict.fromkeys((*shape.assumptions, *resolved.assumptions, *scope.notes))),
    )
    frame = _per_own_row(frame, shape)
    frame = _ranked(_compared(_grown(frame, shape, scope), shape), shape)
    _check(frame, shape)
    return cost, frame


def _per_own_row(frame: Frame, shape: Shape) -> Frame:
    """“Average cost per order” over the orders themselves is the plain average."""
    own = [g for g in frame.groups if isinstance(g, RowGroup) and not g.path]
    if not own or shape.rank is not None or shape.transform:
        return frame
    if len(frame.groups) == 1 and all(n.kind == "avg" for n in frame.numbers):
        return replace(frame, groups=())
    raise Unresolved(
        shape.groups[0].text, f"That is one line for each {own[0].table}. Name a wider group."
    )


def _as_asked(number: Number, resolved: Resolved) -> Number:
    """A filter the question names replaces the metric's own filter of that column."""
    named = {c.ref.field for c in (*resolved.conditions, *resolved.part) if isinstance(c, IsValue)}
    kept = tuple(c for c in number.where if not (isinstance(c, IsValue) and c.ref.field in named))
    if kept == number.where:
        return number
    said = f"the usual condition of {number.name} gives way to the status or value you named"
    resolved.assumptions.append(said)
    return replace(number, where=kept, note="")


def _grown(frame: Frame, shape: Shape, scope: Scope) -> Frame:
    if shape.transform != "growth":
        return frame
    grain = shape.grain or _grain_of(frame, shape)
    group = TimeGroup(ref=date_of(shape, scope), grain=grain)
    return replace(frame, groups=(group,))


def _grain_of(frame: Frame, shape: Shape) -> Grain:
    """The unit of the one period named; growth "in 2025" is that year against the one before."""
    periods = [p for c in frame.conditions if isinstance(c, InPeriod) for p in c.periods]
    grains = {p.grain for p in periods}
    found = grains.pop() if len(grains) == 1 else None
    if found is not None and len(periods) == 1:
        return found
    choices = tuple(Choice(w, f"{w} ") for w in ("monthly", "quarterly", "yearly"))
    raise Tied("growth", shape.growth_at[0], shape.growth_at[0], choices)


def _compared(frame: Frame, shape: Shape) -> Frame:
    """Where several values or periods are compared, each gets a row of its own."""
    if not shape.compare:
        return frame
    several = [c for c in frame.conditions if isinstance(c, IsValue) and len(c.values) > 1]
    periods = [c for c in frame.conditions if isinstance(c, InPeriod) and len(c.periods) > 1]
    if len(several) + len(periods) == 1:
        group = _value_group(several[0]) if several else _period_group(periods[0])
        groups = frame.groups if group in frame.groups else (*frame.groups, group)
        return replace(frame, groups=groups)
    if frame.groups and not several and not periods:
        return frame
    raise Unresolved("compare", "I do not see the two things to compare.")


def _value_group(condition: IsValue) -> Group:
    if condition.negated:
        raise Unresolved("compare")
    return ColumnGroup(ref=condition.ref)


def _period_group(condition: InPeriod) -> Group:
    grains = {p.grain for p in condition.periods}
    grain = grains.pop() if len(grains) == 1 else None
    if grain is None:
        raise Unresolved("compare", "I can compare whole days, weeks, months, quarters or years.")
    return TimeGroup(ref=condition.ref, grain=grain)


def _ranked(frame: Frame, shape: Shape) -> Frame:
    rank = shape.rank
    if rank is None:
        return frame
    if rank.measure is None:
        raise Unresolved(rank.text)
    number = frame.numbers[shape.measures.index(rank.measure)]
    if not frame.groups:
        raise Unresolved(rank.text)
    order = Order(
        by=number, descending=rank.descending, count=rank.count, partition=shape.partition
    )
    return replace(frame, order=order)


def _check(frame: Frame, shape: Shape) -> None:
    """Refuses what would not mean what was asked."""
    if len(set(frame.groups)) < len(frame.groups):
        raise Unresolved("", "Two of the groups are the same.")
    time = [g for g in frame.groups if isinstance(g, TimeGroup)]
    if shape.transform == "running" and (len(time) != 1 or not frame.numbers[0].additive):
        raise Unresolved("running total")
    if shape.transform in {"share", "part"} and not frame.numbers[0].additive:
        raise Unresolved("share", "A share can be taken of counts and sums only.")
    if shape.transform == "share" and not frame.groups:
        raise Unresolved("share", "A share of what? Name a group, such as “by country”.")
    if shape.transform == "part" and not frame.part:
        raise Unresolved("share")
    if shape.transform == "average" and not shape.inner:
        raise Unresolved(
            frame.numbers[0].name,
            f"An average of “{frame.numbers[0].name}” needs a unit: for example per customer, per "
            "order or per month.",
        )
