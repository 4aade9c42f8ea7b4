"""Shape -> Frame for lists: the columns shown and the order of single rows."""

from __future__ import annotations

from dataclasses import replace

from agent.planner.clauses import resolve_clause
from agent.planner.conditions import Resolved
from agent.planner.frame import (
    Exists,
    Frame,
    Order,
    Ref,
    Sub,
)
from agent.planner.groups import group_of
from agent.planner.joins import Path
from agent.planner.lexicon import TableEntry
from agent.planner.numbers import heads_of
from agent.planner.reading import Item
from agent.planner.refs import Scope, Tied, Unresolved, best, entry_of
from agent.planner.schema import Field, is_key
from agent.planner.shape import Shape
from agent.planner.vocabulary import Vocabulary


def list_rows(shape: Shape, scope: Scope) -> tuple[float, Frame]:
    """Returns the frame that lists rows of the base, and what it costs."""
    resolved = Resolved()
    resolve_clause(shape.root, scope, (), resolved)
    hop = shape.rows.hop if shape.rows else None
    if hop is not None:
        sub = Sub(base=hop.table, link=(hop,), anchor=(), about=hop.table)
        resolved.add(Exists(sub=sub), part=False)
    shown, cost, joined = _shown(shape, scope)
    frame = Frame(
        base=scope.base,
        shown=shown,
        distinct=shape.distinct and shape.rows is None and _categories(scope, shown),
        conditions=(*resolved.conditions, *resolved.part),
        left_join=joined,
        assumptions=tuple(dict.fromkeys((*shape.assumptions, *resolved.assumptions, *scope.notes))),
    )
    if not frame.distinct and shape.rows is None:
        frame = replace(frame, shown=_with_names(scope, shown))
    return resolved.cost + cost, _row_order(frame, shape, scope)


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
        try:
            found = scope.column(item, "show")
        except Tied as tie:
            label = vocabulary.label(scope.base)
            if set(tie.fields) != set(label):
                raise
            shown += [Ref((), f) for f in label]
            continue
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
    if rows.hop is not None and rows.hop.table == rows.hop.target:
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
    groups = tuple(group_of(item, scope, shape)[0] for item in shape.groups)
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


MAX_SHOWN = 12
"""Columns a list shows when the semantic layer does not say which."""


def _categories(scope: Scope, shown: tuple[Ref, ...]) -> bool:
    """True when distinct values may be listed: those of masked columns may not."""
    return not any(scope.vocabulary.masked(r.field) for r in shown)
