"""Clauses -> conditions on rows that must, or must not, exist beside the rows asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from agent.planner.conditions import FAR, Resolved, add_periods, direct, fields_of, name_conditions
from agent.planner.frame import (
    Condition,
    Counted,
    Exists,
    IsMissing,
    Linked,
    Number,
    Ref,
    Sub,
)
from agent.planner.joins import Path
from agent.planner.lexicon import TableEntry
from agent.planner.numbers import bases_of, number_of, rows_number
from agent.planner.reading import (
    Clause,
    FlagTest,
    KeyTest,
    NameTest,
    NumberTest,
    PeriodTest,
    Test,
    TextTest,
    ValueTest,
)
from agent.planner.refs import (
    Scope,
    Unresolved,
    best,
)
from agent.planner.schema import Field
from agent.planner.vocabulary import Vocabulary


def _far(test: Test, scope: Scope) -> tuple[Condition, float] | None:
    """The condition on rows that point at the base; None when there are none."""
    for table in _tables_of(test, scope.vocabulary):
        for sub, inner in _subs(scope, (), scope.base, table):
            try:
                condition, cost = direct(_positive(test), inner)
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
            names = [f.table for f in fields_of(test)]
        case FlagTest():
            names = [e.field.table for e in test.entries]
        case KeyTest():
            names = [test.table.table]
        case NumberTest() | TextTest():
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
        inner.inside = True
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
        yield partial(_by_measure, child, scope, anchor, table)
        return
    entries = child.table.tables if child.table else tuple(TableEntry(t) for t in child.rows)
    for entry in entries:
        name = entry.table
        if child.role == "inverse" and entry.hop is not None:
            yield partial(_inverse, child, scope, anchor, entry)
            continue
        own = name == table and bool(child.tests)
        if child.bound is None and (own or scope.vocabulary.graph.distance(table, name)):
            yield partial(_forward, child, scope, anchor, table, name)
        for sub, inner in _subs(scope, anchor, table, name):
            if own and sub.base != table:
                continue  # what is said of this row would be looked for in rows that point at it
            yield partial(_backward, child, scope, sub, inner)
            break


def _along_role(child: Clause, scope: Scope, anchor: Path, out: Resolved) -> None:
    entry = child.table.tables[0] if child.table else None
    if entry is None or entry.hop is None or child.bound or child.children:
        raise Unresolved(child.text)
    if entry.hop.table != (anchor[-1].target if anchor else scope.base):
        raise Unresolved(child.text)
    _prefixed(child, scope, (*anchor, entry.hop), entry.table, out)


def _prefixed(child: Clause, scope: Scope, path: Path, table: str, out: Resolved) -> None:
    """Resolves a clause at the end of a path."""
    inner, level = Scope(scope.vocabulary, table), Resolved()
    inner.strict = scope.strict
    add_periods([t for t in child.tests if isinstance(t, PeriodTest)], inner, level)
    for test in child.tests:
        if not isinstance(test, PeriodTest):
            _inner_or_outer(test, scope, inner, level, out)
    for grandchild in child.children:
        _child(grandchild, inner, (), level)
    if path:
        out.add(Linked(path=path), part=False)
    for condition in (*level.conditions, *level.part):
        out.add(moved(condition, path), part=False)
    out.cost += level.cost + len(path)
    out.assumptions += level.assumptions


def _inverse(child: Clause, scope: Scope, anchor: Path, entry: TableEntry, out: Resolved) -> None:
    if entry.hop is None or entry.hop.target != (anchor[-1].target if anchor else scope.base):
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
        add_periods(usual, scope, out)
        rest = replace(child, tests=[t for t in child.tests if t not in usual])
        _prefixed(rest, scope, path, name, out)
        return
    if child.tests or child.children or len(paths[0]) != 1:
        raise Unresolved(child.text)
    hop = paths[0][0]
    out.add(IsMissing(ref=Ref(anchor, Field(hop.table, hop.columns[0]))), part=False)


def _backward(child: Clause, scope: Scope, sub: Sub, inner: Scope, out: Resolved) -> None:
    level = Resolved()
    add_periods([t for t in child.tests if isinstance(t, PeriodTest)], inner, level)
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


def resolve_clause(clause: Clause, scope: Scope, anchor: Path, out: Resolved) -> None:
    """Adds the conditions of a clause and of those below it to `out`.

    `anchor` is where the rows are to which the clauses below it belong.

    Raises:
        Unresolved: a condition has no place.
        Tied: a condition has two equally good places.
    """
    add_periods([t for t in clause.tests if isinstance(t, PeriodTest)], scope, out)
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
        condition, cost = direct(test, scope)
    except Unresolved as error:
        deep &= not scope.strict
        deep &= not (isinstance(test, TextTest) and test.near)
        far = _far(test, scope) if deep and not error.reason else None
        if far is None:
            raise
        condition, cost = far
    out.add(condition, part=test.after_pivot, cost=cost)


def _name(test: NameTest, scope: Scope, out: Resolved, *, deep: bool) -> None:
    """A person is found by two equalities, on the first and on the last name."""
    tables = [t for t in scope.vocabulary.people if not test.tables or t in test.tables]
    found = [f for t in tables for f in scope.find(scope.vocabulary.label(t)[0])]
    if found:
        chosen = best(found, test.text, 0, 0)
        for condition in name_conditions(test, scope.vocabulary, chosen.ref):
            out.add(condition, part=test.after_pivot)
        out.cost += chosen.cost
        return
    for table in tables if deep else ():
        for sub, inner in _subs(scope, (), scope.base, table):
            at = best(inner.find(scope.vocabulary.label(table)[0]), test.text, 0, 0)
            full = replace(sub, conditions=name_conditions(test, scope.vocabulary, at.ref))
            out.add(Exists(sub=full), part=test.after_pivot, cost=FAR + len(sub.link))
            return
    raise Unresolved(test.text)
