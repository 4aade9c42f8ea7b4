"""Clauses -> conditions over a base table: filters on the way, rows that must exist, counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from agent.planner.frame import (
    Condition,
    Counted,
    Exists,
    InPeriod,
    IsFlag,
    IsMissing,
    IsNumber,
    IsText,
    IsValue,
    Linked,
    Number,
    Ref,
    Sub,
)
from agent.planner.joins import Path
from agent.planner.lexicon import TableEntry
from agent.planner.numbers import bases_of, heads_of, number_of, rows_number, unit_factor
from agent.planner.reading import (
    Bound,
    Clause,
    FlagTest,
    KeyTest,
    NameTest,
    NullTest,
    NumberTest,
    PeriodTest,
    Test,
    TextTest,
    ValueTest,
)
from agent.planner.refs import (
    Choice,
    Found,
    Scope,
    Tied,
    Unresolved,
    best,
    masked_reason,
)
from agent.planner.schema import Field, kind_of, spoken
from agent.planner.timegrammar import Period
from agent.planner.vocabulary import Vocabulary

FAR = 3.0
"""What a condition on rows that point here costs, beside one on the way."""


@dataclass
class Resolved:
    """Conditions of one query level; `part` are those after "that are", for shares."""

    conditions: list[Condition] = field(default_factory=list)
    part: list[Condition] = field(default_factory=list)
    cost: float = 0
    assumptions: list[str] = field(default_factory=list)

    def add(self, condition: Condition, *, part: bool, cost: float = 0) -> None:
        """Adds a condition unless it is there already."""
        place = self.part if part else self.conditions
        if condition not in place:
            place.append(condition)
        self.cost += cost


def resolve_clause(clause: Clause, scope: Scope, anchor: Path, out: Resolved) -> None:
    """Adds the conditions of a clause and of those below it to `out`.

    `anchor` is where the rows are to which the clauses below it belong.

    Raises:
        Unresolved: a condition has no place.
        Tied: a condition has two equally good places.
    """
    _periods([t for t in clause.tests if isinstance(t, PeriodTest)], scope, out)
    for test in clause.tests:
        if not isinstance(test, PeriodTest):
            _test(test, scope, out, deep=True)
    for child in clause.children:
        _child(child, scope, anchor, out)


def _test(test: Test, scope: Scope, out: Resolved, *, deep: bool) -> None:
    if isinstance(test, NameTest):
        _name(test, scope, out, deep=deep)
        return
    try:
        condition, cost = _direct(test, scope)
    except Unresolved as error:
        far = _far(test, scope) if deep and not error.reason else None
        if far is None:
            raise
        condition, cost = far
    out.add(condition, part=test.after_pivot, cost=cost)


def _direct(test: Test, scope: Scope) -> tuple[Condition, float]:
    """The condition on a column of the base or on the way from it."""
    match test:
        case ValueTest():
            return _value(test, scope)
        case FlagTest():
            return _flag(test, scope)
        case NumberTest():
            return _number(test, scope)
        case NullTest():
            found = scope.column(test.item, "filter")
            return IsMissing(ref=found.ref, present=test.present), found.cost
        case TextTest():
            return _text(test, scope)
        case KeyTest():
            return _key(test, scope)
        case NameTest() | PeriodTest():
            raise Unresolved(test.text)


def _fields(test: ValueTest) -> list[Field]:
    shared = [{v.field for v in option} for option in test.options]
    return [v.field for v in test.options[0] if all(v.field in s for s in shared)]


def _values_in(test: ValueTest, column: Field) -> tuple[str, ...]:
    return tuple(dict.fromkeys(v.value for o in test.options for v in o if v.field == column))


def _value(test: ValueTest, scope: Scope) -> tuple[Condition, float]:
    found = [
        Found(f.ref, f.cost + _vagueness(c, test, scope))
        for c in dict.fromkeys(_fields(test))
        for f in scope.find(c)
    ]
    chosen = _best_value(found, test)
    values = _values_in(test, chosen.ref.field)
    return IsValue(ref=chosen.ref, values=values, negated=test.negated), chosen.cost


def _vagueness(column: Field, test: ValueTest, scope: Scope) -> float:
    """What makes a column a less likely place of a value than its distance says.

    A title is seldom used to pick among rows of its own table, and a text that is no name of a row
    (a composer) less likely than the name of a row elsewhere (an artist).
    """
    label = column in scope.vocabulary.label(column.table)
    rare = any(v.rare for option in test.options for v in option if v.field == column)
    if label and not scope.titles and column.table == (scope.near or scope.base):
        return 2
    return 3 if rare and not label else 0


def _best_value(found: list[Found], test: ValueTest) -> Found:
    try:
        return best(found, test.text, test.start, test.end)
    except Tied as tie:
        choices = tuple(
            Choice(f"{c.label} {test.text}", f"{c.replacement} {test.text}") for c in tie.choices
        )
        raise Tied(tie.text, tie.start, tie.end, choices) from tie


def _flag(test: FlagTest, scope: Scope) -> tuple[Condition, float]:
    found = [(e, f) for e in test.entries for f in scope.find(e.field)]
    chosen = best([f for _, f in found], test.text, 0, 0)
    entry = next(e for e, f in found if f == chosen)
    return IsFlag(ref=chosen.ref, value=entry.value is not test.negated), chosen.cost


def _number(test: NumberTest, scope: Scope) -> tuple[Condition, float]:
    found = _measured(test, scope)
    factor = unit_factor(found.ref.field, test.bound.unit)
    if factor is None:
        raise Unresolved(test.bound.text)
    return IsNumber(ref=found.ref, bound=test.bound, factor=factor), found.cost


def _measured(test: NumberTest, scope: Scope) -> Found:
    vocabulary = scope.vocabulary
    if test.item is not None:
        return scope.column(test.item, "filter", vocabulary.is_measure)
    table = scope.near or scope.base
    fields = heads_of(vocabulary, table, test.heads or ("size",))
    found = [f for column in fields for f in scope.find(column)]
    return best(found, test.bound.text, 0, 0)


def _text(test: TextTest, scope: Scope) -> tuple[Condition, float]:
    exact = test.mode == "equals"
    vocabulary = scope.vocabulary

    def textual(column: Field) -> bool:
        return column.until is None and kind_of(vocabulary.column(column)) == "text"

    if test.item is not None:
        found = scope.column(test.item, "lookup" if exact else "filter", textual)
    else:
        label = vocabulary.label(scope.near or scope.base)
        if len(label) != 1:
            raise Unresolved(test.literal)
        if vocabulary.masked(label[0]) and not (exact and vocabulary.looks_up(label[0])):
            raise Unresolved(test.literal, masked_reason(spoken(label[0].column)))
        found = best(scope.find(label[0]), test.literal, 0, 0)
    if exact:
        return IsValue(ref=found.ref, values=(test.literal,), negated=test.negated), found.cost
    condition = IsText(ref=found.ref, mode=test.mode, literal=test.literal, negated=test.negated)
    return condition, found.cost


def _key(test: KeyTest, scope: Scope) -> tuple[Condition, float]:
    path = scope.path(test.table, test.text)
    keys = scope.vocabulary.table(test.table.table).primary_key
    if len(keys) != 1:
        raise Unresolved(test.text)
    bound = Bound(comparison="<>" if test.negated else "=", number=test.number)
    return IsNumber(ref=Ref(path, Field(test.table.table, keys[0])), bound=bound), len(path)


def _name(test: NameTest, scope: Scope, out: Resolved, *, deep: bool) -> None:
    """A person is found by two equalities, on the first and on the last name."""
    tables = [t for t in scope.vocabulary.people if not test.tables or t in test.tables]
    found = [f for t in tables for f in scope.find(scope.vocabulary.label(t)[0])]
    if found:
        chosen = best(found, test.text, 0, 0)
        for condition in _named(test, scope.vocabulary, chosen.ref):
            out.add(condition, part=test.after_pivot)
        out.cost += chosen.cost
        return
    for table in tables if deep else ():
        for sub, inner in _subs(scope, (), scope.base, table):
            at = best(inner.find(scope.vocabulary.label(table)[0]), test.text, 0, 0)
            full = replace(sub, conditions=_named(test, scope.vocabulary, at.ref))
            out.add(Exists(sub=full), part=test.after_pivot, cost=FAR + len(sub.link))
            return
    raise Unresolved(test.text)


def _named(test: NameTest, vocabulary: Vocabulary, first: Ref) -> tuple[Condition, ...]:
    last = Ref(first.path, vocabulary.label(first.field.table)[1])
    return (
        IsValue(ref=first, values=(test.first,)),
        IsValue(ref=last, values=(test.last,)),
    )


def _periods(tests: Sequence[PeriodTest], scope: Scope, out: Resolved) -> None:
    by_ref: dict[Ref, list[Period]] = {}
    for test in tests:
        found = scope.date(test.fields, test.text)
        by_ref.setdefault(found.ref, []).append(test.period)
        if test.period.assumed:
            out.assumptions.append(test.period.assumed)
    for ref, periods in by_ref.items():
        if len(periods) > 1 and _apart(periods):
            out.add(InPeriod(ref=ref, periods=tuple(periods)), part=False)
            continue
        for period in periods:
            out.add(InPeriod(ref=ref, periods=(period,)), part=False)


def _apart(periods: Sequence[Period]) -> bool:
    """True when the periods do not overlap, so that together they are meant one by one."""
    if any(p.start is None or p.end is None for p in periods):
        return False
    ordered = sorted((p.start, p.end) for p in periods if p.start and p.end)
    return all(a[1] <= b[0] for a, b in zip(ordered, ordered[1:], strict=False))


def _far(test: Test, scope: Scope) -> tuple[Condition, float] | None:
    """The condition on rows that point at the base; None when there are none."""
    for table in _tables_of(test, scope.vocabulary):
        for sub, inner in _subs(scope, (), scope.base, table):
            try:
                condition, cost = _direct(_positive(test), inner)
            except Unresolved:
                continue
            full = replace(sub, conditions=(condition,))
            negated = getattr(test, "negated", False)
            return Exists(sub=full, negated=negated), FAR + len(sub.link) + max(cost, 0)
    return None


def _positive(test: Test) -> Test:
    if isinstance(test, ValueTest | FlagTest | TextTest | KeyTest):
        return replace(test, negated=False)
    return test


def _tables_of(test: Test, vocabulary: Vocabulary) -> list[str]:
    match test:
        case ValueTest():
            names = [f.table for f in _fields(test)]
        case FlagTest():
            names = [e.field.table for e in test.entries]
        case KeyTest():
            names = [test.table.table]
        case NumberTest() | NullTest() | TextTest():
            names = [e.field.table for e in test.item.columns if not e.weak] if test.item else []
        case _:
            names = []
    return list(dict.fromkeys(names))


def _subs(scope: Scope, anchor: Path, table: str, about: str) -> Iterable[tuple[Sub, Scope]]:
    """Yields the ways to rows of `about` that belong to one row of `table`, the shortest first."""
    graph = scope.vocabulary.graph
    for base in graph.bases([table, about]):
        links = graph.paths(base, table)
        if not links or not links[0] or len(links) > 1:
            continue
        link = links[0]
        inner = Scope(scope.vocabulary, base, shut=link[-1], near=about)
        yield Sub(base=base, link=link, anchor=anchor, about=about), inner


def _child(child: Clause, scope: Scope, anchor: Path, out: Resolved) -> None:
    table = anchor[-1].target if anchor else scope.base
    if child.role == "forward":
        _along_role(child, scope, anchor, out)
        return
    tries: list[tuple[float, int, Resolved]] = []
    failures: list[Unresolved] = []
    for order, way in enumerate(_ways(child, scope, anchor, table)):
        attempt = Resolved()
        try:
            way(attempt)
        except Unresolved as error:
            failures.append(error)
        else:
            tries.append((attempt.cost, order, attempt))
    if not tries:
        raise failures[0] if failures else Unresolved(child.text)
    chosen = min(tries, key=lambda t: t[:2])[2]
    for condition in chosen.conditions:
        out.add(condition, part=child.after_pivot)
    for condition in chosen.part:
        out.add(condition, part=True)
    out.cost += chosen.cost
    out.assumptions += chosen.assumptions


Way = Callable[[Resolved], None]


def _ways(child: Clause, scope: Scope, anchor: Path, table: str) -> Iterable[Way]:
    """Yields every way to read a clause; each raises `Unresolved` when it does not fit."""
    if child.measure is not None:
        yield lambda out: _by_measure(child, scope, anchor, table, out)
        return
    entries = child.table.tables if child.table else tuple(TableEntry(t) for t in child.rows)
    for entry in entries:
        name = entry.table
        if child.role == "inverse" and entry.hop is not None:
            yield lambda out, e=entry: _inverse(child, scope, anchor, e, out)  # type: ignore[misc]  # bound now
            continue
        if child.bound is None and scope.vocabulary.graph.distance(table, name):
            yield lambda out, n=name: _forward(child, scope, anchor, table, n, out)  # type: ignore[misc]  # bound now
        for sub, inner in _subs(scope, anchor, table, name):
            yield lambda out, s=sub, i=inner: _backward(child, scope, s, i, out)  # type: ignore[misc]  # bound now
            break


def _along_role(child: Clause, scope: Scope, anchor: Path, out: Resolved) -> None:
    entry = child.table.tables[0] if child.table else None
    if entry is None or entry.hop is None or child.bound or child.children:
        raise Unresolved(child.text)
    _prefixed(child, scope, (*anchor, entry.hop), entry.table, out)


def _prefixed(child: Clause, scope: Scope, path: Path, table: str, out: Resolved) -> None:
    """Resolves a clause at the end of a path."""
    inner = Resolved()
    resolve_clause(child, Scope(scope.vocabulary, table), (), inner)
    out.add(Linked(path=path), part=False)
    for condition in (*inner.conditions, *inner.part):
        out.add(moved(condition, path), part=False)
    out.cost += inner.cost + len(path)
    out.assumptions += inner.assumptions


def _inverse(child: Clause, scope: Scope, anchor: Path, entry: TableEntry, out: Resolved) -> None:
    if entry.hop is None:
        raise Unresolved(child.text)
    sub = Sub(base=entry.hop.table, link=(entry.hop,), anchor=anchor, about=entry.hop.table)
    inner = Scope(scope.vocabulary, entry.hop.table, shut=entry.hop)
    _backward(child, scope, sub, inner, out)


def _forward(
    child: Clause, scope: Scope, anchor: Path, table: str, name: str, out: Resolved
) -> None:
    paths = scope.vocabulary.graph.paths(table, name)
    if len(paths) != 1:
        raise Unresolved(child.text)
    path = (*anchor, *paths[0])
    if not child.negated:
        usual = [t for t in child.tests if isinstance(t, PeriodTest) and not t.fields]
        _periods(usual, scope, out)
        rest = replace(child, tests=[t for t in child.tests if t not in usual])
        _prefixed(rest, scope, path, name, out)
        return
    if child.tests or child.children or len(paths[0]) != 1:
        raise Unresolved(child.text)
    hop = paths[0][0]
    out.add(IsMissing(ref=Ref(anchor, Field(hop.table, hop.columns[0]))), part=False)


def _backward(child: Clause, scope: Scope, sub: Sub, inner: Scope, out: Resolved) -> None:
    level = Resolved()
    _periods([t for t in child.tests if isinstance(t, PeriodTest)], inner, level)
    for test in child.tests:
        if not isinstance(test, PeriodTest):
            _inner_or_outer(test, scope, inner, level, out)
    near = scope.vocabulary.graph.paths(sub.base, sub.about)
    place = near[0] if len(near) == 1 else ()
    for grandchild in child.children:
        _child(grandchild, inner, place, level)
    full = replace(sub, conditions=(*level.conditions, *level.part))
    if child.bound is None:
        out.add(Exists(sub=full, negated=child.negated), part=False)
    else:
        if child.negated:
            raise Unresolved(child.text)
        number = rows_number(scope.vocabulary, full.base, full.about)
        out.add(Counted(sub=full, number=number, bound=child.bound), part=False)
    out.cost += FAR + len(sub.link) + level.cost
    out.assumptions += level.assumptions


def _inner_or_outer(test: Test, scope: Scope, inner: Scope, level: Resolved, out: Resolved) -> None:
    """A condition belongs to the rows just named if it can, else to those around them."""
    try:
        _test(test, inner, level, deep=False)
        return
    except Unresolved as error:
        if error.reason:
            raise
    try:
        _test(test, scope, out, deep=False)
    except Unresolved:
        _test(test, inner, level, deep=True)


def _by_measure(child: Clause, scope: Scope, anchor: Path, table: str, out: Resolved) -> None:
    """`with revenue above 1000`: a number over the rows that point here."""
    if child.measure is None or child.bound is None or child.negated:
        raise Unresolved(child.text)
    graph = scope.vocabulary.graph
    ways: list[tuple[float, int, Sub, Number, Resolved]] = []
    for order, base in enumerate(bases_of(child.measure, scope.vocabulary)):
        links = graph.paths(base, table)
        if len(links) != 1 or not links[0]:
            continue
        inner = Scope(scope.vocabulary, base, shut=links[0][-1])
        level = Resolved()
        try:
            number, cost = number_of(child.measure, inner)
            resolve_clause(child, inner, (), level)
        except Unresolved:
            continue
        conditions = (*level.conditions, *number.where)
        sub = Sub(base=base, link=links[0], anchor=anchor, about=base, conditions=conditions)
        number = replace(number, where=())
        ways.append((cost + level.cost + len(links[0]), order, sub, number, level))
    if not ways:
        raise Unresolved(child.text)
    cost, _, sub, number, level = min(ways, key=lambda w: w[:2])
    out.add(Counted(sub=sub, number=number, bound=child.bound), part=False, cost=cost + FAR)
    out.assumptions += level.assumptions


def moved(condition: Condition, path: Path) -> Condition:
    """Returns the condition at the end of a path."""
    match condition:
        case Exists() | Counted():
            sub = replace(condition.sub, anchor=(*path, *condition.sub.anchor))
            return replace(condition, sub=sub)
        case Linked():
            return Linked(path=(*path, *condition.path))
        case _:
            ref = Ref((*path, *condition.ref.path), condition.ref.field)
            return replace(condition, ref=ref)
