"""Rules for bounds and for what is said of a column: more than, between, is missing, contains."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import get_args

from agent.planner.lexicon import MetricEntry, MetricVerb
from agent.planner.reader import Reader, item_at
from agent.planner.reading import (
    Bound,
    Clause,
    Comparison,
    Item,
    Measure,
    NullTest,
    NumberTest,
    TextTest,
)
from agent.planner.rules_tests import MODES, counted_head, is_of, is_text, narrowed, values_at
from agent.planner.tagging import Tag
from agent.planner.units import UNITS

_COMPARISONS: dict[str, Comparison] = {c: c for c in get_args(Comparison)}


def bound_at(reader: Reader, ahead: int) -> tuple[Bound, int] | None:
    """Returns the bound that starts `ahead`: `more than 20`, `between 5 and 10`, `5 or more`."""
    tag = reader.tag(ahead)
    if tag is None:
        return None
    if tag.op == "between":
        return _closed(reader, ahead)
    if tag.op in {"cmp", "only"}:
        comparison = _COMPARISONS.get(tag.argument, "=")
        number = reader.tag(ahead + 1)
        if number is None or number.number is None or number.tables:
            return None
        return _with_unit(reader, ahead, comparison, number.number, 2)
    if tag.number is not None and reader.op(ahead + 1) in {"ormore", "orless"}:
        comparison = ">=" if reader.op(ahead + 1) == "ormore" else "<="
        return _with_unit(reader, ahead, comparison, tag.number, 2)
    return None


def _closed(reader: Reader, ahead: int) -> tuple[Bound, int] | None:
    low, joint, high = (reader.tag(ahead + n) for n in (1, 2, 3))
    if low is None or joint is None or high is None or joint.op not in {"and", "to"}:
        return None
    if low.number is None or high.number is None or low.number > high.number:
        return None
    found, length = _with_unit(reader, ahead, ">=", low.number, 4)
    return replace(found, high=high.number), length


def _with_unit(
    reader: Reader, ahead: int, comparison: Comparison, number: Decimal, length: int
) -> tuple[Bound, int]:
    unit = reader.tag(ahead + length)
    text = " ".join(t.text for t in reader.tags[reader.at + ahead : reader.at + ahead + length])
    if unit is not None and unit.op in {"unit", "grain"} and unit.argument in UNITS:
        named = UNITS[unit.argument]
        return Bound(comparison=comparison, number=number, unit=named, text=text), length + 1
    return Bound(comparison=comparison, number=number, text=text), length


def bounded(reader: Reader) -> bool:
    """A bound without a column before it: the column or the counted thing comes after it."""
    found = bound_at(reader, 0)
    tag = reader.current()
    if found is None and tag.number is not None and tag.op is None:
        found = _exact(reader)
    if found is None:
        return False
    bound, length = found
    after = reader.tag(length)
    if after is not None and after.op == "times":
        return _frequency(reader, bound, length + 1)
    reader.take(length)
    return _bound_on(reader, bound)


def _exact(reader: Reader) -> tuple[Bound, int] | None:
    """`with 3 orders`: a bare number before something counted."""
    number, after = reader.current().number, reader.tag(1)
    if number is None or after is None:
        return None
    counted = after.op == "times" or (bool(after.tables or after.metrics) and not after.op)
    if not counted or (reader.mode not in {"with"} and reader.op(-1) != "have" and not reader.verb):
        return None
    return Bound(comparison="=", number=number, text=reader.current().text), 1


def _frequency(reader: Reader, bound: Bound, length: int) -> bool:
    """`ordered more than 5 times`: the rows of the verb are counted."""
    clause = reader.clause
    if not clause.rows or clause.bound is not None or clause.negated:
        return False
    reader.take(length)
    clause.bound = bound
    return True


def _bound_on(reader: Reader, bound: Bound) -> bool:
    reader.mode_once()
    _in_metric(reader)
    tag = reader.tag()
    found = item_at(reader)
    if found is not None and found[0].metrics:
        reader.take(found[1])
        measure = Measure(aggregate="metric", item=found[0])
        reader.open(Clause(measure=measure, bound=bound, text=found[0].text))
        return True
    if tag is not None and counted_head(reader) is not None:
        clause = reader.clause
        if not (clause.rows and clause.table is None and not clause.tests and clause.bound is None):
            clause = reader.open(Clause(text=bound.text))
        clause.bound = bound
        return True
    if found is not None and found[0].columns:
        reader.take(found[1])
        reader.add(NumberTest(bound=bound, item=found[0]))
        return True
    return _bound_on_usual(reader, bound)


def _in_metric(reader: Reader) -> None:
    """`over 40,000 in revenue`: the bound is on what it is "in"."""
    named = reader.tag(1)
    if reader.op() != "prep" or reader.current().text.casefold() not in {"in", "of", "worth of"}:
        return
    if named is None or named.op or named.tables or bound_at(reader, 2) is not None:
        return
    counted = any(reader.vocabulary.is_measure(c.field) for c in named.columns)
    if named.metrics or counted:
        reader.take()


def _bound_on_usual(reader: Reader, bound: Bound) -> bool:
    verb = reader.verb
    spent = verb.of(MetricVerb) if verb is not None else ()
    if reader.duration is not None:
        reader.add(NumberTest(bound=bound, item=reader.duration))
    elif spent and verb is not None:
        item = metric_item(verb, spent[0])
        reader.open(Clause(measure=Measure(aggregate="metric", item=item), bound=bound))
    else:
        reader.add(NumberTest(bound=bound, item=None))
    return True


def metric_item(tag: Tag, verb: MetricVerb) -> Item:
    """Returns the metric a verb stands for, as if it had been named."""
    entry = MetricEntry(verb.name)
    return Item(text=verb.name, start=tag.start, end=tag.end, metrics=(entry,))


def comparative(reader: Reader) -> bool:
    """`longer than 10 minutes`, `cheaper than 20`."""
    tag = reader.current()
    if tag.op != "comparative":
        return False
    heads, _, sign = tag.argument.partition(":")
    number = reader.tag(1)
    if number is None or number.number is None:
        return False
    bound, length = _with_unit(reader, 0, _COMPARISONS[sign], number.number, 2)
    reader.take(length)
    reader.mode_once()
    found = item_at(reader)
    if found is not None and found[0].columns and not found[0].tables:
        reader.take(found[1])
        reader.add(NumberTest(bound=bound, item=found[0]))
        return True
    reader.add(NumberTest(bound=bound, item=None, heads=(heads,)))
    return True


def column_test(reader: Reader) -> bool:
    """A column and what is said of it: a bound, a value, a part of its text, that it is missing."""
    found = item_at(reader)
    if found is None or not found[0].columns or found[0].metrics:
        return False
    following = reader.tag(1)
    if reader.op() == "sum" and following is not None and (following.metrics or following.columns):
        return False
    item, length = found
    mode = reader.mode
    at = reader.past("be", "prep", ahead=length)
    negated = mode == "not" or reader.op(at) == "not"
    at = reader.past("not", "be", ahead=at)
    return (
        _bounded_column(reader, item, at, negated=negated)
        or _text_of_column(reader, item, at, negated=negated)
        or _value_of_column(reader, item, at, length, negated=negated)
        or _missing(reader, item, at, length, negated=negated)
    )


def _bounded_column(reader: Reader, item: Item, at: int, *, negated: bool) -> bool:
    found = bound_at(reader, at) or _equal(reader, item, at)
    if found is None or negated or reader.op(at) == "only":
        return False
    bound, length = found
    reader.take(at + length)
    reader.mode_once()
    reader.add(NumberTest(bound=bound, item=item))
    return True


def _equal(reader: Reader, item: Item, at: int) -> tuple[Bound, int] | None:
    """`with satisfaction 1`: the number itself."""
    tag, after = reader.tag(at), reader.tag(at + 1)
    if tag is None or tag.number is None or tag.op or (after is not None and after.tables):
        return None
    if not any(reader.vocabulary.is_measure(c.field) for c in item.columns):
        return None
    return Bound(comparison="=", number=tag.number, text=tag.text), 1


def _text_of_column(reader: Reader, item: Item, at: int, *, negated: bool) -> bool:
    tag, literal = reader.tag(at), reader.tag(at + 1)
    if tag is None:
        return False
    if tag.op == "like" and literal is not None and is_text(literal):
        reader.take(at + 2)
        mode = MODES[tag.argument]
    elif tag.literal is not None and not tag.values:
        reader.take(at + 1)
        mode, literal = "equals", tag
    else:
        return False
    reader.mode_once()
    text = literal.literal or literal.text
    reader.add(TextTest(mode=mode, literal=text, item=item, negated=negated))
    return True


def _value_of_column(reader: Reader, item: Item, at: int, length: int, *, negated: bool) -> bool:
    tag = reader.tag(at)
    if tag is None or not tag.values or reader.op(length) == "prep":
        return False
    test, taken = values_at(reader, at)
    if not is_of(test, item.columns):
        return False
    reader.take(at + taken)
    reader.mode_once()
    reader.add(replace(narrowed(test, item.columns), negated=negated))
    return True


def _missing(reader: Reader, item: Item, at: int, length: int, *, negated: bool) -> bool:
    if reader.op(at) == "null":
        reader.take(at + 1)
        reader.mode_once()
        reader.add(NullTest(item=item, present=negated))
        return True
    if reader.mode in {"without", "no", "never"} and not _related(reader, item):
        reader.take(length)
        reader.mode_once()
        if _always_a_number(reader, item):
            reader.add(NumberTest(bound=Bound(comparison="=", number=Decimal(0)), item=item))
        else:
            reader.add(NullTest(item=item))
        return True
    present = reader.mode == "with" or reader.op(-1) == "have"
    if present and reader.known_tables():
        reader.take(length)
        reader.mode_once()
        reader.add(NullTest(item=item, present=True))
        return True
    return False


def _always_a_number(reader: Reader, item: Item) -> bool:
    """True for columns of numbers that are never missing: to have none is to have zero."""
    return all(
        reader.vocabulary.is_measure(c.field)
        and (column := reader.vocabulary.table(c.field.table).column(c.field.column)) is not None
        and not column.nullable
        for c in item.columns
    )


def _related(reader: Reader, item: Item) -> bool:
    """True when the word names a table too, whose rows belong to those asked for."""
    known = reader.known_tables()
    bases = reader.vocabulary.graph.bases
    return any(bases([t.table, k]) for t in item.tables for k in known)


def missing(reader: Reader) -> bool:
    """`missing email`: the word stands before its column."""
    if reader.op() != "null":
        return False
    found = item_at(reader, 1)
    if found is None or not found[0].columns:
        return False
    reader.take(1 + found[1])
    reader.mode_once()
    reader.add(NullTest(item=found[0]))
    return True
