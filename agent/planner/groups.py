"""Items -> groups over a base table."""

from __future__ import annotations

from agent.planner.conditions import Resolved
from agent.planner.frame import (
    ColumnGroup,
    Group,
    IsMissing,
    Ref,
    RowGroup,
    TimeGroup,
)
from agent.planner.reading import Item
from agent.planner.refs import Scope, Unresolved, entry_of
from agent.planner.schema import kind_of, spoken
from agent.planner.shape import Shape
from agent.planner.timegrammar import Grain
from agent.planner.vocabulary import Vocabulary

"""Columns a list shows when the semantic layer does not say which."""


def only_known(ref: Ref, scope: Scope, resolved: Resolved) -> None:
    """“Which composer” asks for one that is known."""
    if scope.vocabulary.column(ref.field).nullable:
        resolved.add(IsMissing(ref=ref, present=True), part=False)


def group_of(item: Item, scope: Scope, shape: Shape) -> tuple[Group, float]:
    """Returns the group an item stands for, and what it costs."""
    if item.grain is not None and not item.columns:
        return _by_unit(date_of(shape, scope), item.grain, scope), 0
    if item.tables and not item.columns:
        return _row_group(item, scope)
    vocabulary = scope.vocabulary
    if item.grain is not None:
        wanted = [c for c in item.columns if kind_of(vocabulary.column(c.field)) == "date"]
        if not wanted or any(c.weak for c in wanted):
            return _by_unit(date_of(shape, scope), item.grain, scope), 0
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


def _by_unit(ref: Ref, grain: Grain, scope: Scope) -> TimeGroup:
    if grain == "hour" and scope.vocabulary.column(ref.field).type.casefold() == "date":
        raise Unresolved("hour", f"{spoken(ref.field.column)} holds days without a time.")
    return TimeGroup(ref=ref, grain=grain)


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


def date_of(shape: Shape, scope: Scope) -> Ref:
    """Returns the date that calendar units of the question are about."""
    return scope.date(shape.root.dates, "the date").ref
