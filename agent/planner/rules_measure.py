"""Rules for the number asked for: counts, sums, averages, shares, growth and running totals."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from agent.planner.lexicon import ColumnEntry, FlagEntry
from agent.planner.reader import Reader, item_at
from agent.planner.reading import (
    Aggregate,
    Clause,
    FlagTest,
    Item,
    Measure,
    Unread,
)
from agent.planner.rules_bounds import bound_at
from agent.planner.rules_duration import duration_measure
from agent.planner.rules_tests import is_of, narrowed, values_at
from agent.planner.schema import Field
from agent.planner.timegrammar import Grain
from agent.planner.units import UNITS, length_unit
from agent.planner.words import stems_of

_AGGREGATES: dict[str, Aggregate] = {"sum": "sum", "avg": "avg", "max": "max", "min": "min"}
_ENDS: dict[str, Aggregate] = _AGGREGATES | {"earliest": "min", "latest": "max"}
_EXTREMES: dict[str, Aggregate] = {"desc": "max", "asc": "min"}
_GRAINS: dict[str, Grain] = {g: g for g in get_args(Grain)}


def measure(reader: Reader) -> bool:
    """A number asked for, or with a bound behind it a condition on that number."""
    tag = reader.current()
    if tag.op == "howmuch":
        reader.take()
        reader.how_much = True
        return True
    several = several_measures(reader)
    if several:
        reader.reading.measures.extend(several)
        return True
    if tag.op == "avg" and not _item_follows(reader, 1):
        reader.take()
        reader.reading.average = True
        return True
    if not starts_measure(reader):
        return False
    mode = reader.mode_once()
    if mode in {"without", "no", "never", "not"}:
        return _without_metric(reader)
    found = read_measure(reader)
    limit = bound_at(reader, reader.past("be", "prep"))
    if limit is not None and _of_each_row(reader, found):
        _add(reader, found)
        reader.take(reader.past("be", "prep"))
        return True
    if limit is not None and reader.op(reader.past("be", "prep")) != "only":
        reader.take(reader.past("be", "prep") + limit[1])
        reader.open(Clause(measure=found, bound=limit[0], text=found.item.text))
        return True
    if mode == "sort":
        raise Unread(found.item.text)
    _add(reader, found)
    return True


def _of_each_row(reader: Reader, found: Measure) -> bool:
    """`how many orders were over 500`: nothing but rows is asked for, so each has the bound."""
    reading = reader.reading
    other = reading.target or reading.groups or reading.shown or reading.measures or reading.rank
    alone = not other and not reading.which and reader.clause is reading.root
    return alone and found.aggregate == "count" and not found.over


def several_measures(reader: Reader) -> list[Measure]:
    """Reads several aggregates of one column, such as `minimum and maximum price`."""
    aggregates: list[Aggregate] = []
    at = 0
    while (tag := reader.tag(at)) is not None and not tag.entries:
        end = _ENDS.get(tag.op or "") if tag.op != "extreme" else _EXTREMES[tag.argument]
        if end is None:
            break
        aggregates.append(end)
        at += 1
        if reader.op(at) != "and":
            break
        at = reader.past("and", ahead=at)
    if len(aggregates) < 2:
        return []
    found = item_at(reader, reader.past("prep", ahead=at))
    if found is None or not found[0].columns:
        return []
    reader.take(reader.past("prep", ahead=at) + found[1])
    return [Measure(aggregate=a, item=found[0]) for a in dict.fromkeys(aggregates)]


def _add(reader: Reader, found: Measure) -> None:
    reading = reader.reading
    rank = reading.rank
    if rank is not None and rank.measure is None and reading.target is None and not rank.by_date:
        raise Unread(found.item.text)
    if reading.measures and not reader.joined and not reader.reading.compare:
        raise Unread(found.item.text)
    target = reading.target
    if target is not None and target.tables and reader.joined and rank is None:
        reading.measures.append(Measure(aggregate="count", item=target))
        reading.target = None
    reading.measures.append(found)


def _without_metric(reader: Reader) -> bool:
    """`genres with no sales`: no row behind the metric."""
    found = item_at(reader)
    if found is None or not found[0].metrics:
        return False
    reader.take(found[1])
    tables = tuple(sorted(reader.tables_of(found[0])))
    reader.open(Clause(rows=tables, negated=True, text=found[0].text))
    return True


def starts_measure(reader: Reader, ahead: int = 0) -> bool:
    """True when a measure can be read `ahead` of the cursor."""
    tag = reader.tag(ahead)
    if tag is None:
        return False
    if tag.op in {"count", "sum", "avg", "max", "min"}:
        return True
    if tag.tables and reader.op(ahead + 1) not in {"by", "each"}:
        return False
    return bool(tag.metrics) and tag.op is None


def _item_follows(reader: Reader, ahead: int) -> bool:
    tag = reader.tag(reader.past("prep", ahead=ahead))
    return tag is not None and (
        bool(tag.tables or tag.columns or tag.metrics or tag.values or tag.flags)
        or tag.op in {"grain", "count", "sum", "distinct", "take"}
    )


def read_measure(reader: Reader) -> Measure:
    """Reads the measure under the cursor with its adjectives, which become conditions.

    Raises:
        Unread: an aggregate word without anything to aggregate.
    """
    tag = reader.current()
    if tag.op == "count":
        reader.take()
        return _with_unit(reader, count_rows(reader, tag.text))
    if tag.op in _AGGREGATES and not tag.metrics:
        following = reader.tag(1)
        compound = tag.columns and (following is None or not _item_follows(reader, 1))
        if not compound:
            reader.take()
            return _with_unit(reader, _aggregate(reader, _AGGREGATES[tag.op], tag.text))
    found = item_at(reader)
    if found is None:
        raise Unread(tag.text)
    reader.take(found[1])
    return _with_unit(reader, _of_item(found[0], "default"))


def _of_item(item: Item, aggregate: Aggregate) -> Measure:
    if item.metrics:
        return Measure(aggregate="metric", item=item)
    if item.tables:
        return Measure(aggregate="count", item=item)
    return Measure(aggregate=aggregate, item=item)


def adjectives(reader: Reader) -> bool:
    """Reads the values and flags before a noun; returns True when "distinct" was among them."""
    distinct = False
    while (tag := reader.tag()) is not None and not (tag.tables or tag.metrics):
        negated = tag.op == "not"
        ahead = 1 if negated else 0
        word = reader.tag(ahead)
        if tag.op == "distinct":
            distinct = True
            reader.take()
        elif word is not None and word.values and (negated or _modifies(reader, ahead)):
            test, length = values_at(reader, ahead)
            reader.take(ahead + length)
            column = reader.tag()
            if column is not None and column.columns and not column.tables:
                narrow = narrowed(test, column.columns)
                if narrow != test or is_of(test, column.columns):
                    test = narrow
                    reader.take()
            reader.add(replace(test, negated=negated))
        elif word is not None and word.flags:
            reader.take(ahead + 1)
            reader.add(_flag(word.flags, word.text, negated=negated))
        else:
            break
    return distinct


def _modifies(reader: Reader, ahead: int) -> bool:
    """True unless the word may be a column and no noun follows."""
    word, following = reader.tag(ahead), reader.tag(ahead + 1)
    if word is None or not word.columns:
        return True
    return following is not None and bool(following.tables or following.values or following.flags)


def _flag(entries: tuple[FlagEntry, ...], text: str, *, negated: bool) -> FlagTest:
    return FlagTest(entries=entries, text=text, negated=negated)


def count_rows(reader: Reader, text: str) -> Measure:
    """Reads what is counted, with its adjectives.

    Raises:
        Unread: nothing that can be counted follows.
    """
    distinct = adjectives(reader)
    found = item_at(reader)
    if found is None or found[0].grain is not None:
        raise Unread(text)
    reader.take(found[1])
    item = found[0]
    if item.metrics and not distinct:
        return Measure(aggregate="metric", item=item)
    if item.tables:
        return Measure(aggregate="count", item=item, distinct=distinct)
    return Measure(aggregate="distinct", item=item, distinct=True)


def _aggregate(reader: Reader, aggregate: Aggregate, text: str) -> Measure:
    at = reader.past("prep")
    if reader.op(at) == "count":
        reader.take(at + 1)
        unit = reader.tag()
        if unit is not None and unit.argument in UNITS and reader.op(1) == "to":
            return replace(duration_measure(reader), unit=UNITS[unit.argument])
        inner = count_rows(reader, text)
        if aggregate == "avg":
            return replace(inner, over=True)
        if aggregate == "sum":
            return inner
        raise Unread(text)
    reader.take(at)
    unit = reader.tag()
    if aggregate == "avg" and unit is not None and unit.argument in UNITS and reader.op(1) == "to":
        return replace(duration_measure(reader), unit=UNITS[unit.argument])
    usual = _usual_of_row(reader) if aggregate == "sum" else None
    if usual is not None:
        return Measure(aggregate="sum", item=usual)
    if aggregate == "avg" and reader.op() == "sum" and _item_follows(reader, 1):
        reader.take()
        inner = _aggregate(reader, "sum", text)
        return replace(inner, over=True)
    grain = _inner_grain(reader)
    adjectives(reader)
    if aggregate == "avg" and reader.op() == "take":
        return duration_measure(reader)
    found = item_at(reader)
    if found is None or (found[0].grain is not None and not found[0].columns):
        raise Unread(text)
    reader.take(found[1])
    if aggregate == "avg" and found[0].tables and not found[0].columns and reader.op() == "each":
        return Measure(aggregate="count", item=found[0], over=True)
    return _aggregated(found[0], aggregate, grain, text)


def _usual_of_row(reader: Reader) -> Item | None:
    """`total of invoice 20`: the usual measure of the one row, which is read next."""
    tag, number = reader.tag(), reader.tag(1)
    if tag is None or tag.plural or number is None or number.number is None:
        return None
    for entry in tag.tables:
        column = reader.vocabulary.meaning(entry.table).measure
        if column is not None:
            columns = (ColumnEntry(Field(entry.table, column)),)
            return Item(text=column, start=tag.start, end=tag.start, columns=columns)
    return None


def _aggregated(item: Item, aggregate: Aggregate, grain: Grain | None, text: str) -> Measure:
    if grain is not None and aggregate != "avg":
        raise Unread(text)
    if item.metrics:
        if aggregate in {"max", "min"}:
            raise Unread(text)
        return Measure(aggregate="metric", item=item, grain=grain, over=aggregate == "avg")
    if item.tables and not item.columns:
        if aggregate == "sum":
            return Measure(aggregate="count", item=item)
        if grain is not None:
            return Measure(aggregate="count", item=item, grain=grain, over=True)
    return Measure(aggregate=aggregate, item=item, grain=grain, over=grain is not None)


def _inner_grain(reader: Reader) -> Grain | None:
    tag = reader.tag()
    if tag is None or tag.op != "grain" or tag.columns:
        return None
    following = reader.tag(1)
    if following is None or not (following.metrics or following.tables or following.columns):
        return None
    reader.take()
    return _GRAINS[tag.argument]


def _with_unit(reader: Reader, found: Measure) -> Measure:
    """`resolution time in hours`."""
    unit = reader.tag(1)
    if reader.op() != "prep" or unit is None or unit.argument not in UNITS:
        return found
    timed = any(c.field.until is not None or _is_length(c) for c in found.item.columns)
    if not timed or reader.current().text.casefold() != "in":
        return found
    reader.take(2)
    return replace(found, unit=UNITS[unit.argument])


def unit_behind(reader: Reader) -> bool:
    """`... by Iron Maiden in minutes`: the unit of the number asked for."""
    measures = reader.reading.measures
    if reader.op() != "prep" or not measures or measures[-1].unit is not None:
        return False
    found = _with_unit(reader, measures[-1])
    if found is measures[-1]:
        return False
    measures[-1] = found
    return True


def _is_length(entry: ColumnEntry) -> bool:
    return length_unit(entry.field.column) is not None


def transform(reader: Reader) -> bool:
    """Words that change what is done with the number."""
    tag = reader.current()
    reading = reader.reading
    if tag.op == "share":
        reading.share = True
    elif tag.op == "distribution":
        reading.share = reading.distribution = True
    elif tag.op == "running":
        reading.running = True
    elif tag.op == "compare":
        reading.compare = True
    elif tag.op == "trend":
        reading.trend = True
    elif tag.op == "growth":
        reading.growth = True
        if not tag.argument:
            reading.growth_at = (tag.start, tag.end)
        named = _GRAINS.get(tag.argument)
        if named is not None and reading.growth_grain not in {None, named}:
            return False
        reading.growth_grain = named or reading.growth_grain
    else:
        return False
    reader.take()
    return True


def total_of(reader: Reader, item: Item) -> Measure | None:
    """Returns the sum that `total amount` may mean as well as the column of that name."""
    first, _, rest = item.text.casefold().partition(" ")
    if first != "total" or not rest:
        return None
    found = reader.vocabulary.lexicon.exactly(stems_of(rest))
    others = tuple(e for e in found if isinstance(e, ColumnEntry))
    columns = tuple(dict.fromkeys((*item.columns, *(replace(e, weak=False) for e in others))))
    return Measure(aggregate="sum", item=replace(item, columns=columns, tables=()))
