"""Shape -> Frame: tries every base table, keeps the cheapest that can hold the whole question."""

from __future__ import annotations

from dataclasses import replace

from agent.planner.conditions import Resolved, resolve_clause
from agent.planner.frame import (
    ColumnGroup,
    Condition,
    Frame,
    Group,
    InPeriod,
    IsValue,
    Number,
    Order,
    Ref,
    RowGroup,
    TimeGroup,
)
from agent.planner.joins import Path
from agent.planner.lexicon import TableEntry
from agent.planner.numbers import bases_of, heads_of, number_of
from agent.planner.reading import Item, KeyTest, Measure, NameTest, Reading, ValueTest
from agent.planner.refs import Choice, Scope, Tied, Unresolved, best, entry_of
from agent.planner.schema import Field, is_key, kind_of
from agent.planner.shape import Shape, shape_of
from agent.planner.timegrammar import Grain
from agent.planner.vocabulary import Vocabulary

MAX_SHOWN = 12
"""Columns a list shows when the semantic layer does not say which."""


def resolve(reading: Reading, vocabulary: Vocabulary) -> Frame:
    """Returns the query a reading stands for.

    Raises:
        Unresolved: no base table can hold all of it.
        Tied: two are equally good.
    """
    shape = shape_of(reading, vocabulary)
    tries: list[tuple[float, int, Frame]] = []
    failures: list[Unresolved] = []
    ties: list[Tied] = []
    for order, base in enumerate(_bases(shape, vocabulary)):
        try:
            cost, frame = _over(base, shape, vocabulary)
        except Unresolved as error:
            failures.append(error)
        except Tied as tie:
            ties.append(tie)
        else:
            tries.append((cost, order, frame))
    if tries:
        return _cheapest(tries)
    if ties:
        raise ties[0]
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
        return [b for b in options[0] if all(b in o or _countable(o) for o in options[1:])]
    if shape.rows is not None:
        return [shape.rows.table]
    tables = [c.field.table for item in shape.shown for c in item.columns]
    for test in shape.root.tests:
        if isinstance(test, KeyTest):
            tables.append(test.table.table)
    return list(dict.fromkeys(tables))


def _countable(bases: list[str]) -> bool:
    return bool(bases)


def _over(base: str, shape: Shape, vocabulary: Vocabulary) -> tuple[float, Frame]:
    scope = Scope(vocabulary, base, near=_near(base, shape, vocabulary))
    scope.mentioned = _mentioned(shape)
    scope.titles = not (shape.rows or any(m.aggregate == "count" for m in shape.measures))
    if shape.measures:
        return _numbers(shape, scope)
    return _rows(shape, scope)


def _near(base: str, shape: Shape, vocabulary: Vocabulary) -> str | None:
    near = shape.near
    if near is None or near == base or vocabulary.graph.distance(base, near) is None:
        return None
    return near


def _mentioned(shape: Shape) -> frozenset[str]:
    items = [*shape.groups, *shape.shown, *(m.item for m in shape.measures)]
    tables = {t.table for i in items for t in i.tables}
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
        group, price = _group(item, scope, shape)
        groups.append(group)
        cost += price
    having = []
    for measure, bound in shape.having:
        number, price = number_of(measure, scope)
        having.append((number, bound))
        cost += price
    frame = Frame(
        base=scope.base,
        numbers=tuple(numbers),
        groups=tuple(groups),
        conditions=tuple(resolved.conditions),
        part=tuple(resolved.part),
        having=tuple(having),
        transform=shape.transform,
        inner=shape.inner,
        assumptions=tuple(dict.fromkeys((*shape.assumptions, *resolved.assumptions))),
    )
    frame = _ranked(_compared(_grown(frame, shape, scope), shape), shape)
    _check(frame, shape)
    return cost, frame


def _group(item: Item, scope: Scope, shape: Shape) -> tuple[Group, float]:
    if item.grain is not None and not item.columns:
        return TimeGroup(ref=_when(shape, scope), grain=item.grain), 0
    if item.tables and not item.columns:
        return _row_group(item, scope)
    vocabulary = scope.vocabulary
    if item.grain is not None:
        wanted = [c for c in item.columns if kind_of(vocabulary.column(c.field)) == "date"]
        if not wanted or any(c.weak for c in wanted):
            return TimeGroup(ref=_when(shape, scope), grain=item.grain), 0
    errors: Unresolved | None = None
    try:
        found = scope.column(item, "filter")
    except Unresolved as error:
        if not item.tables:
            raise
        errors = error
    if errors is not None:
        return _row_group(item, scope)
    if found.ref.field.until is not None:
        raise Unresolved(item.text)
    if kind_of(vocabulary.column(found.ref.field)) == "date":
        return TimeGroup(ref=found.ref, grain="day"), found.cost
    return _by_column(found.ref, vocabulary), found.cost


def _by_column(ref: Ref, vocabulary: Vocabulary) -> Group:
    """The name of a row groups by the row: two artists may share a name."""
    label = vocabulary.label(ref.field.table)
    keys = vocabulary.table(ref.field.table).primary_key
    if label == (ref.field,) and len(keys) == 1:
        return RowGroup(path=ref.path, table=ref.field.table)
    return ColumnGroup(ref=ref)


def _row_group(item: Item, scope: Scope) -> tuple[Group, float]:
    entry = entry_of(item)
    if entry is None:
        raise Unresolved(item.text)
    path = scope.path(entry, item.text)
    if len(scope.vocabulary.table(entry.table).primary_key) != 1:
        raise Unresolved(item.text)
    return RowGroup(path=path, table=entry.table), len(path)


def _when(shape: Shape, scope: Scope) -> Ref:
    return scope.date(shape.root.dates, "the date").ref


def _grown(frame: Frame, shape: Shape, scope: Scope) -> Frame:
    if shape.transform != "growth":
        return frame
    grain = shape.grain or _grain_of(frame)
    group = TimeGroup(ref=_when(shape, scope), grain=grain)
    return replace(frame, groups=(group,))


def _grain_of(frame: Frame) -> Grain:
    """The unit of the one period named; growth "in 2025" is that year against the one before."""
    periods = [p for c in frame.conditions if isinstance(c, InPeriod) for p in c.periods]
    grains = {p.grain for p in periods}
    found = grains.pop() if len(grains) == 1 else None
    if found is not None and len(periods) == 1:
        return found
    choices = tuple(Choice(w, f"{w} growth") for w in ("monthly", "quarterly", "yearly"))
    raise Tied("growth", -1, -1, choices)


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


def _rows(shape: Shape, scope: Scope) -> tuple[float, Frame]:
    resolved = Resolved()
    resolve_clause(shape.root, scope, (), resolved)
    shown, cost, joined = _shown(shape, scope)
    frame = Frame(
        base=scope.base,
        shown=shown,
        distinct=shape.distinct and shape.rows is None and _categories(shape, scope, shown),
        conditions=(*resolved.conditions, *resolved.part),
        left_join=joined,
        assumptions=tuple(dict.fromkeys((*shape.assumptions, *resolved.assumptions))),
    )
    if not frame.distinct and shape.rows is None:
        frame = replace(frame, shown=_with_names(scope, shown))
    return resolved.cost + cost, _row_order(frame, shape, scope)


def _categories(shape: Shape, scope: Scope, shown: tuple[Ref, ...]) -> bool:
    if any(scope.vocabulary.masked(r.field) for r in shown):
        return False
    return True


def _with_names(scope: Scope, shown: tuple[Ref, ...]) -> tuple[Ref, ...]:
    """Puts the key and the name of the row before the columns asked for."""
    return tuple(dict.fromkeys((*_identity(scope.vocabulary, scope.base, ()), *shown)))


def _identity(vocabulary: Vocabulary, table: str, path: Path) -> tuple[Ref, ...]:
    keys = vocabulary.table(table).primary_key
    label = vocabulary.label(table)
    return tuple(Ref(path, f) for f in (*(Field(table, k) for k in keys), *label))


def _shown(shape: Shape, scope: Scope) -> tuple[tuple[Ref, ...], float, tuple[Path, ...]]:
    vocabulary = scope.vocabulary
    shown: list[Ref] = []
    joined: list[Path] = []
    cost = 0.0
    for item in shape.shown:
        if item.tables and not item.columns:
            path = _link(item, scope)
            joined.append(path)
            shown += _identity(vocabulary, path[-1].target, path)
            continue
        found = scope.column(item, "show")
        cost += max(found.cost, 0)
        shown.append(found.ref)
        if found.ref.path:
            joined.append(found.ref.path)
    if shape.rows is not None and not (shape.shown and not joined):
        shown = [*_all_columns(vocabulary, shape.rows), *shown]
    elif shape.rows is not None:
        shown = [*_identity(vocabulary, shape.rows.table, ()), *shown]
    return tuple(dict.fromkeys(shown)), cost, tuple(dict.fromkeys(joined))


def _link(item: Item, scope: Scope) -> Path:
    entry = entry_of(item)
    if entry is None:
        raise Unresolved(item.text)
    own = entry.hop is not None and entry.hop.table == scope.base
    path: Path = (entry.hop,) if entry.hop and own else scope.path(entry, item.text)
    if not path:
        raise Unresolved(item.text)
    return path


def _all_columns(vocabulary: Vocabulary, rows: TableEntry) -> list[Ref]:
    if rows.hop is not None:
        raise Unresolved(rows.table)
    table = vocabulary.table(rows.table)
    given = vocabulary.meaning(rows.table).columns
    label = [f.column for f in vocabulary.label(rows.table)]
    if given is not None:
        names = [c for c in given if table.column(c)]
    else:
        names = [
            c.name for c in table.columns if c.tag is None or c.name in label or is_key(table, c)
        ][:MAX_SHOWN]
    first = [*table.primary_key, *label]
    ordered = dict.fromkeys([*first, *names])
    return [Ref((), Field(rows.table, n)) for n in ordered]


def _row_order(frame: Frame, shape: Shape, scope: Scope) -> Frame:
    rank = shape.rank
    groups = tuple(_group(item, scope, shape)[0] for item in shape.groups)
    if rank is None:
        if groups:
            raise Unresolved(shape.groups[0].text)
        return frame
    ref = _row_rank(shape, scope)
    shown = frame.shown if ref in frame.shown else (*frame.shown, ref)
    order = Order(by=ref, descending=rank.descending, count=rank.count, partition=len(groups))
    return replace(frame, shown=shown, groups=groups, order=order)


def _row_rank(shape: Shape, scope: Scope) -> Ref:
    rank = shape.rank
    if rank is None:
        raise Unresolved("")
    if rank.by_date:
        return scope.date(shape.root.dates, rank.text).ref
    if rank.heads:
        fields = heads_of(scope.vocabulary, scope.base, rank.heads)
        return best([f for c in fields for f in scope.find(c)], rank.text, 0, 0).ref
    if rank.item is None:
        raise Unresolved(rank.text)
    return scope.column(rank.item, "filter").ref


def conditions_of(frame: Frame) -> tuple[Condition, ...]:
    """Returns every condition of the frame's own level."""
    metric = [c for n in frame.numbers for c in (*n.where, *n.when)]
    return (*frame.conditions, *frame.part, *metric)


def measures_of(numbers: tuple[Number, ...]) -> tuple[str, ...]:
    """Returns the names of the numbers."""
    return tuple(n.name for n in numbers)


def named(measure: Measure) -> str:
    """Returns what a measure was called."""
    return measure.item.text


def is_selection(test: object) -> bool:
    """True for tests that pick values."""
    return isinstance(test, ValueTest)
