"""Rules for the number asked for: counts, sums, averages, shares, growth and running totals."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from agent.planner.lexicon import ColumnEntry, DateVerb, FlagEntry
from agent.planner.reader import Reader, item_at
from agent.planner.reading import (
    Aggregate,
    Clause,
    FlagTest,
    Item,
    Measure,
    Unit,
    Unread,
)
from agent.planner.rules_tests import bound_at, values_at
from agent.planner.schema import Field
from agent.planner.timegrammar import Grain
from agent.planner.words import stems_of

_AGGREGATES: dict[str, Aggregate] = {"sum": "sum", "avg": "avg", "max": "max", "min": "min"}
_GRAINS: dict[str, Grain] = {g: g for g in get_args(Grain)}
_UNITS: dict[str, Unit] = {u: u for u in get_args(Unit)}


def measure(reader: Reader) -> bool:
    """A number asked for, or with a bound behind it a condition on that number."""
    tag = reader.current()
    if tag.op == "howmuch":
        reader.take()
        reader.how_much = True
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
    if limit is not None and reader.op(reader.past("be", "prep")) != "only":
        reader.take(reader.past("be", "prep") + limit[1])
        reader.open(Clause(measure=found, bound=limit[0], text=found.item.text))
        return True
    if mode == "sort":
        raise Unread(found.item.text)
    _add(reader, found)
    return True


def _add(reader: Reader, found: Measure) -> None:
    reading = reader.reading
    rank = reading.rank
    if rank is not None and rank.measure is None and reading.target is None and not rank.by_date:
        raise Unread(found.item.text)
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
    """Reads the values and flags before a head noun; returns True when "distinct" was among them."""
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
        inner = count_rows(reader, text)
        if aggregate == "avg":
            return replace(inner, over=True)
        if aggregate == "sum":
            return inner
        raise Unread(text)
    reader.take(at)
    grain = _inner_grain(reader)
    adjectives(reader)
    if aggregate == "avg" and reader.op() == "take":
        return _duration_measure(reader)
    found = item_at(reader)
    if found is None or (found[0].grain is not None and not found[0].columns):
        raise Unread(text)
    reader.take(found[1])
    return _aggregated(found[0], aggregate, grain, text)


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
    if reader.op() != "prep" or unit is None or unit.argument not in _UNITS:
        return found
    timed = any(c.field.until is not None or _is_length(c) for c in found.item.columns)
    if not timed or reader.current().text.casefold() != "in":
        return found
    reader.take(2)
    return replace(found, unit=_UNITS[unit.argument])


def _is_length(entry: ColumnEntry) -> bool:
    return length_unit(entry.field.column) is not None


def length_unit(column: str) -> Unit | None:
    """Returns the unit a column of lengths of time is in, from its name."""
    name = column.casefold()
    for unit in ("millisecond", "second", "minute", "hour"):
        if name.rstrip("s").endswith(unit):
            return _UNITS[unit]
    return "millisecond" if name.endswith("_ms") else None


def duration(reader: Reader) -> bool:
    """`how long does it take to close`, `that took more than 5 days to close`."""
    tag = reader.current()
    if tag.op == "to" and reader.duration is not None:
        return _to_verb(reader)
    if tag.op not in {"howlong", "take"}:
        return False
    if tag.op == "take" and reader.duration is not None:
        reader.take()
        return True
    found = _duration_ahead(reader)
    if found is None:
        return False
    reader.duration = found
    reader.take()
    if tag.op == "howlong":
        reader.reading.measures.append(Measure(aggregate="avg", item=found))
    return True


def _duration_measure(reader: Reader) -> Measure:
    found = _duration_ahead(reader)
    if found is None:
        raise Unread(reader.current().text)
    reader.take()
    reader.duration = found
    return Measure(aggregate="avg", item=found)


def _to_verb(reader: Reader) -> bool:
    verb = reader.tag(1)
    fields = {c.field for c in reader.duration.columns} if reader.duration else set()
    ends = {Field(f.table, f.until) for f in fields if f.until}
    if verb is None or not any(d.field in ends for d in verb.of(DateVerb)):
        return False
    reader.take(2)
    return True


def _duration_ahead(reader: Reader) -> Item | None:
    fields = [Field(*d.parts) for d in reader.vocabulary.semantics.durations.values()]
    for ahead in range(1, 12):
        tag = reader.tag(ahead)
        if tag is None:
            return None
        ends = {d.field for d in tag.of(DateVerb)}
        found = tuple(ColumnEntry(f) for f in fields if Field(f.table, f.until or "") in ends)
        if found and reader.op(ahead - 1) in {"to", "take", None}:
            return Item(text=f"time to {tag.text}", start=tag.start, end=tag.end, columns=found)
    return None


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
    elif tag.op == "growth":
        reading.growth = True
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
