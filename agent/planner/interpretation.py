"""Frame -> the plain sentence that is printed beside the answer, and the steps of the plan.

It is made from the frame alone, so that whatever the statement does is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from agent.planner.frame import (
    ColumnGroup,
    Condition,
    Counted,
    Exists,
    Frame,
    Group,
    InPeriod,
    IsFlag,
    IsMissing,
    IsNumber,
    IsText,
    IsValue,
    Linked,
    Number,
    Ref,
    RowGroup,
    TimeGroup,
)
from agent.planner.joins import Path
from agent.planner.level import holds_for_zero
from agent.planner.numbers import plural
from agent.planner.reading import Bound
from agent.planner.schema import Field, name_stems, spoken
from agent.planner.vocabulary import Vocabulary

_COMPARISONS = {
    "=": "exactly",
    "<>": "other than",
    ">": "more than",
    ">=": "at least",
    "<": "less than",
    "<=": "at most",
}
_PARTS = {"contains": "contains", "starts": "starts with", "ends": "ends with", "equals": "is"}
_GRAINS = {"weekday": "day of the week", "hour": "hour of the day"}


def interpret(frame: Frame, vocabulary: Vocabulary) -> str:
    """Returns one sentence that names everything in the statement."""
    parts = [_asked(frame, vocabulary)]
    conditions = [*frame.conditions, *_shared(frame)]
    told = [t for c in dict.fromkeys(conditions) if (t := say(c))]
    if told:
        parts.append("where " + " and ".join(told))
    for number, bound in frame.having:
        parts.append(f"only groups with {number.name} {_bound(bound)}")
    parts += _ordered(frame, vocabulary)
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "."


def _shared(frame: Frame) -> list[Condition]:
    """Conditions of a single metric stand with the others; of several, with each metric."""
    return list(frame.numbers[0].where) if len(frame.numbers) == 1 else []


def _asked(frame: Frame, vocabulary: Vocabulary) -> str:
    if not frame.numbers:
        return _listed(frame, vocabulary)
    names = [_number(n, alone=len(frame.numbers) == 1) for n in frame.numbers]
    text = " and ".join(names)
    groups = [_group(g) for g in frame.groups]
    match frame.transform:
        case "average":
            inner, outer = groups[-frame.inner :], groups[: -frame.inner]
            text = f"average of {text} per {' and '.join(inner)} (only those that have any)"
            return text + _by(outer)
        case "share":
            return f"{text} and its share of the total in percent" + _by(groups)
        case "part":
            part = " and ".join(t for c in frame.part if (t := say(c)))
            return f"percentage of {text} where {part}" + _by(groups)
        case "running":
            return f"running total of {text}" + _by(groups)
        case "growth":
            unit = groups[0]
            return f"{text} by {unit} and its growth in percent against the {unit} before"
        case _:
            return text + _by(groups)


def _by(groups: list[str]) -> str:
    return " by " + " and ".join(groups) if groups else ""


def _listed(frame: Frame, vocabulary: Vocabulary) -> str:
    columns = ", ".join(dict.fromkeys(_column(r) for r in frame.shown))
    counts = [c.number.name for c in frame.conditions if isinstance(c, Counted)]
    if frame.distinct:
        return f"distinct values of {columns} in {plural(spoken(frame.base))}"
    shown = ", ".join([columns, *counts])
    return f"{plural(spoken(frame.base))} ({shown})"


def _number(number: Number, *, alone: bool) -> str:
    notes = [number.note] if number.note else []
    if not alone:
        notes += [t for c in number.where if (t := say(c))]
    if number.when:
        word = "percentage" if number.aggregate == "share" else "rows"
        notes.append(f"{word} where " + " and ".join(say(c) for c in number.when))
    if number.definition is not None and number.definition.of:
        notes.insert(0, f"{_AGGREGATES[number.aggregate]} of {number.definition.of}")
    return number.name + (f" ({'; '.join(notes)})" if notes else "")


_AGGREGATES = {"sum": "sum", "avg": "average", "distinct": "number of different values"}


def _group(group: Group) -> str:
    match group:
        case ColumnGroup():
            return _column(group.ref)
        case RowGroup():
            return _row(group.path, group.table)
        case TimeGroup():
            return f"{_GRAINS.get(group.grain, group.grain)} of {_column(group.ref)}"


def _row(path: Path, table: str) -> str:
    singular = _singular(table)
    if path and path[-1].table == path[-1].target:
        return f"{singular} named by {spoken(path[-1].columns[0])}"
    return singular


def _singular(table: str) -> str:
    return " ".join(name_stems(table))


def _column(ref: Ref) -> str:
    return _field(ref.field, _row(ref.path, ref.path[-1].target) if ref.path else "")


def _field(field: Field, owner: str) -> str:
    words = spoken(field.column)
    if field.until is not None:
        words = f"days from {words} to {spoken(field.until)}"
    return words if not owner or words.startswith(owner) else f"{owner} {words}"


def say(condition: Condition) -> str:
    """Returns one condition in words."""
    match condition:
        case IsValue():
            values = " or ".join(f"“{v}”" for v in condition.values)
            word = "is neither" if condition.negated and len(condition.values) > 1 else "is"
            values = values.replace(" or ", " nor ") if word == "is neither" else values
            word = "is not" if condition.negated and word == "is" else word
            return f"{_column(condition.ref)} {word} {values}"
        case IsFlag():
            return f"{_column(condition.ref)} is {'true' if condition.value else 'false'}"
        case IsNumber():
            bound = _bound(condition.bound)
            return f"{_column(condition.ref)} is {bound.removeprefix('exactly ')}"
        case IsMissing():
            word = "is known" if condition.present else "is missing"
            return f"{_column(condition.ref)} {word}"
        case IsText():
            word = _PARTS[condition.mode]
            not_ = "not: " if condition.negated else ""
            return f"{not_}{_column(condition.ref)} {word} “{condition.literal}”"
        case InPeriod():
            periods = " or ".join(p.spoken() for p in condition.periods)
            return f"{_column(condition.ref)} is {periods}"
        case Linked():
            return f"there is a {_row(condition.path, condition.path[-1].target)}"
        case Exists():
            return _exists(condition)
        case Counted():
            return _counted(condition)
        case _:
            assert_never(condition)


def _exists(condition: Exists) -> str:
    about = plural(spoken(condition.sub.about))
    if condition.sub.about != condition.sub.base:
        about += f" (by {plural(spoken(condition.sub.base))})"
    inner = _inner(condition.sub.conditions)
    return f"there {'are no' if condition.negated else 'are'} {about}{inner}"


def _inner(conditions: Iterable[Condition]) -> str:
    told = [t for c in conditions if (t := say(c))]
    return f" [{' and '.join(told)}]" if told else ""


def _counted(condition: Counted) -> str:
    zero = ", none counting as 0" if holds_for_zero(condition.bound) else ""
    name = _number(condition.number, alone=True)
    return f"the {name}{_inner(condition.sub.conditions)} is {_bound(condition.bound)}{zero}"


def _bound(bound: Bound) -> str:
    unit = f" {bound.unit}s" if bound.unit else ""
    if bound.high is not None:
        return f"between {bound.number} and {bound.high}{unit}"
    return f"{_COMPARISONS[bound.comparison]} {bound.number}{unit}"


def _ordered(frame: Frame, vocabulary: Vocabulary) -> list[str]:
    order = frame.order
    if order is None:
        return [_usual_order(frame)] if frame.groups and frame.transform != "average" else []
    name = order.by.name if isinstance(order.by, Number) else _column(order.by)
    parts = [f"{'highest' if order.descending else 'lowest'} {name} first"]
    if order.count is not None:
        rows = "row" if order.count == 1 else f"{order.count} rows"
        within = ""
        if order.partition:
            groups = " and ".join(_group(g) for g in frame.groups[: order.partition])
            within = f" for each {groups}"
        parts.append(f"only the first {rows}{within}")
    return parts


def _usual_order(frame: Frame) -> str:
    if any(isinstance(g, TimeGroup) for g in frame.groups):
        return "in order of " + " and ".join(_group(g) for g in frame.groups)
    return f"highest {frame.numbers[0].name} first"


def steps_of(frame: Frame, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Returns the plan as short sentences, in the order the engine could follow them."""
    steps = [f"Start from {plural(spoken(frame.base))}."]
    joined = dict.fromkeys(_row(p, p[-1].target) for p in _paths(frame) if p)
    steps += [f"Look up the {name} of each row." for name in joined]
    conditions = [*frame.conditions, *_shared(frame)]
    steps += [f"Keep rows where {t}." for c in dict.fromkeys(conditions) if (t := say(c))]
    if frame.groups:
        steps.append(f"Group by {' and '.join(_group(g) for g in frame.groups)}.")
    steps += [f"Compute {_number(n, alone=True)}." for n in frame.numbers]
    steps += [f"Keep groups with {n.name} {_bound(b)}." for n, b in frame.having]
    ordered = _ordered(frame, vocabulary)
    return (*steps, *(f"{text[:1].upper()}{text[1:]}." for text in ordered))


def _paths(frame: Frame) -> list[Path]:
    refs = [*frame.shown, *(n.ref for n in frame.numbers if n.ref)]
    paths = [r.path for r in refs]
    for group in frame.groups:
        paths.append(group.path if isinstance(group, RowGroup) else group.ref.path)
    for condition in frame.conditions:
        if isinstance(condition, Linked):
            paths.append(condition.path)
        elif not isinstance(condition, Exists | Counted):
            paths.append(condition.ref.path)
    return [p[: n + 1] for p in paths for n in range(len(p))]
