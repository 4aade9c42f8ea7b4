"""Rules for conditions: stored values, flags, bounds, missing values, parts of text, periods."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import get_args

from agent.planner.lexicon import ColumnEntry, MetricEntry, MetricVerb
from agent.planner.reader import Reader, item_at
from agent.planner.reading import (
    Bound,
    Clause,
    Comparison,
    FlagTest,
    Item,
    KeyTest,
    Measure,
    NameTest,
    NullTest,
    NumberTest,
    PeriodTest,
    TextMode,
    TextTest,
    Unit,
    Unread,
    ValueTest,
)
from agent.planner.tagging import Tag

_COMPARISONS: dict[str, Comparison] = {c: c for c in get_args(Comparison)}
_MODES: dict[str, TextMode] = {m: m for m in get_args(TextMode)}
_UNITS: dict[str, Unit] = {u: u for u in get_args(Unit)}


def period(reader: Reader) -> bool:
    """A period, on the date a verb or column just named or on the usual one."""
    tag = reader.current()
    if tag.period is None:
        return False
    reader.take()
    mode = reader.mode_once()
    if mode in {"without", "not", "no", "never"}:
        raise Unread(tag.text)
    reader.add(PeriodTest(period=tag.period, fields=reader.clause.dates, text=tag.text))
    return True


def value(reader: Reader) -> bool:
    """One value, or several of the same column: `Germany, France or Spain`."""
    tag = reader.current()
    if not tag.values or not _means_value(reader, tag):
        return False
    test, length = values_at(reader, 0)
    reader.take(length)
    negated = reader.mode_once() in {"not", "without", "no", "never"}
    previous = reader.clause.tests[-1] if reader.clause.tests else None
    column = item_at(reader)
    if column is not None and _is_of(test, column[0].columns) and not column[0].tables:
        test = narrowed(test, column[0].columns)
        reader.take(column[1])
    if negated and isinstance(previous, ValueTest) and previous.text == test.text:
        raise Unread(tag.text)
    reader.add(replace(test, negated=negated))
    return True


def _means_value(reader: Reader, tag: Tag) -> bool:
    if tag.tables or tag.metrics:
        return False
    if not tag.columns:
        return True
    head = reader.tag(1)
    before = reader.op(-1) if reader.at else None
    return (head is not None and bool(head.tables)) or before in {"prep", "by", "not", "or"}


def values_at(reader: Reader, ahead: int) -> tuple[ValueTest, int]:
    """Returns the test of the value `ahead` and of those joined to it, and the tags it takes."""
    first = reader.tag(ahead)
    if first is None:
        raise Unread("")
    options, last, length = [first.values], first, 1
    joins: set[str] = set()
    fields = {v.field for v in first.values}
    while True:
        joint = reader.past("and", "or", "vs", ahead=ahead + length)
        tag = reader.tag(joint)
        if joint == ahead + length or tag is None or not tag.values or tag.tables:
            break
        shared = fields & {v.field for v in tag.values}
        if not shared:
            break
        for index in range(ahead + length, joint):
            joins.add(reader.op(index) or "")
        fields, last, length = shared, tag, joint + 1 - ahead
        options.append(tag.values)
    if "vs" in joins:
        reader.reading.compare = True
    kept = tuple(tuple(v for v in o if v.field in fields) for o in options)
    text = " ".join(t.text for t in (first, last)) if last is not first else first.text
    return (
        ValueTest(
            options=kept,
            text=text,
            start=first.start,
            end=last.end,
            all_of=len(options) > 1 and "or" not in joins and "vs" not in joins,
        ),
        length,
    )


def _is_of(test: ValueTest, columns: tuple[ColumnEntry, ...]) -> bool:
    named = {c.field for c in columns}
    return any(v.field in named for option in test.options for v in option)


def narrowed(test: ValueTest, columns: tuple[ColumnEntry, ...]) -> ValueTest:
    """Returns the test with only the candidates in these columns."""
    named = {c.field for c in columns}
    options = tuple(tuple(v for v in o if v.field in named) for o in test.options)
    return replace(test, options=options) if all(options) else test


def flag(reader: Reader) -> bool:
    """One side of a boolean column."""
    tag = reader.current()
    if not tag.flags or tag.tables:
        return False
    reader.take()
    negated = reader.mode_once() in {"not", "without", "no", "never"}
    reader.add(FlagTest(entries=tag.flags, text=tag.text, negated=negated))
    return True


def person(reader: Reader) -> bool:
    """A first and a last name."""
    tag = reader.current()
    if tag.name is None:
        return False
    reader.take()
    reader.add(NameTest(first=tag.name[0], last=tag.name[1], text=tag.text))
    return True


def keyed(reader: Reader) -> bool:
    """`order 118`, `customer id 42`: one row by its key."""
    tag = reader.current()
    if not tag.tables or tag.plural:
        return False
    at = 1
    following = reader.tag(1)
    if following is not None and following.text.casefold() in {"id", "nr", "no", "number"}:
        at = 2
    number = reader.tag(at)
    if number is None or number.number is None or number.number != int(number.number):
        return False
    if number.op is not None or reader.op(at + 1) in {"ormore", "orless", "times"}:
        return False
    reader.take(at + 1)
    negated = reader.mode_once() in {"not", "without", "no"}
    text = f"{tag.text} {number.text}"
    reader.add(KeyTest(table=tag.tables[0], number=number.number, text=text, negated=negated))
    return True


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
    if unit is not None and unit.op in {"unit", "grain"} and unit.argument in _UNITS:
        named = _UNITS[unit.argument]
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


def counted_head(reader: Reader, ahead: int = 0) -> int | None:
    """Returns the offset of the table that stands `ahead`, behind its adjectives, or None."""
    at = ahead
    while (tag := reader.tag(at)) is not None:
        if tag.tables and not (tag.op in {"sum"} and tag.columns):
            return at
        if tag.op == "not" or (tag.op in {"and", "or"} and at > ahead):
            following = reader.tag(at + 1)
            if following is None or not (following.values or following.flags):
                return None
        elif not (tag.values or tag.flags or tag.op == "distinct"):
            return None
        at += 1
    return None


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
    found = bound_at(reader, at)
    if found is None or negated or reader.op(at) == "only":
        return False
    bound, length = found
    reader.take(at + length)
    reader.mode_once()
    reader.add(NumberTest(bound=bound, item=item))
    return True


def _text_of_column(reader: Reader, item: Item, at: int, *, negated: bool) -> bool:
    tag, literal = reader.tag(at), reader.tag(at + 1)
    if tag is None:
        return False
    if tag.op == "like" and literal is not None and _is_text(literal):
        reader.take(at + 2)
        mode = _MODES[tag.argument]
    elif tag.literal is not None and not tag.values:
        reader.take(at + 1)
        mode, literal = "equals", tag
    else:
        return False
    reader.mode_once()
    text = literal.literal or literal.text
    reader.add(TextTest(mode=mode, literal=text, item=item, negated=negated))
    return True


def _is_text(tag: Tag) -> bool:
    return tag.literal is not None or not tag.op


def _value_of_column(reader: Reader, item: Item, at: int, length: int, *, negated: bool) -> bool:
    tag = reader.tag(at)
    if tag is None or not tag.values or reader.op(length) == "prep":
        return False
    test, taken = values_at(reader, at)
    if not _is_of(test, item.columns):
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
    if reader.mode in {"without", "no", "never"}:
        reader.take(length)
        reader.mode_once()
        reader.add(NullTest(item=item))
        return True
    present = reader.mode == "with" or reader.op(-1) == "have"
    if present and reader.known_tables():
        reader.take(length)
        reader.mode_once()
        reader.add(NullTest(item=item, present=True))
        return True
    return False


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


def like(reader: Reader) -> bool:
    """`starting with Orbit`, `with 'love' in the title`: a part of a text, of a name by default."""
    tag = reader.current()
    if tag.op == "like":
        literal = reader.tag(1)
        if literal is None or not _is_text(literal) or literal.tables or literal.number is not None:
            return False
        return _part_of_text(reader, _MODES[tag.argument], literal, 2)
    if tag.literal is not None and reader.op(1) == "prep":
        named = item_at(reader, reader.past("prep", "their", ahead=1))
        if not tag.values or (named is not None and named[0].columns):
            return _part_of_text(reader, "contains", tag, 1)
    return False


def _part_of_text(reader: Reader, mode: TextMode, literal: Tag, length: int) -> bool:
    reader.take(length)
    negated = reader.mode_once() in {"not", "without", "no"}
    item = None
    at = reader.past("prep", "their")
    found = item_at(reader, at) if at else None
    if found is not None and found[0].columns:
        item = found[0]
        reader.take(at + found[1])
    text = literal.literal or literal.text
    reader.add(TextTest(mode=mode, literal=text, item=item, negated=negated))
    return True


def literal_value(reader: Reader) -> bool:
    """A quoted value that is stored somewhere, or one that can be looked up by name."""
    tag = reader.current()
    if tag.literal is None or tag.values:
        return False
    reader.take()
    negated = reader.mode_once() in {"not", "without", "no"}
    reader.add(TextTest(mode="equals", literal=tag.literal, item=None, negated=negated))
    return True
