"""Rules for orders and their ends: top and bottom, most and least, longest, latest, sorted by."""

from __future__ import annotations

from dataclasses import replace

from agent.planner.lexicon import MetricEntry, MetricVerb, RowsVerb
from agent.planner.reader import Reader, item_at
from agent.planner.reading import Aggregate, Item, Measure, Rank, Unread
from agent.planner.rules_bounds import metric_item
from agent.planner.rules_measure import (
    count_rows,
    read_measure,
    several_measures,
    starts_measure,
)
from agent.planner.rules_tests import counted_head
from agent.planner.tagging import Tag
from agent.planner.words import stems_of

_RANKING = {"top", "most", "extreme", "superlative", "latest", "earliest", "selling"}
_OPPOSITE = {"desc": "asc", "asc": "desc"}


def rank(reader: Reader) -> bool:
    """An end of an order, with the number of rows before or after the word."""
    tag = reader.current()
    ahead = 0
    count = None
    if tag.number is not None and reader.op(1) in _RANKING:
        count, ahead = _whole(tag), 1
    word = reader.tag(ahead)
    if word is None or word.op not in _RANKING:
        return False
    several = several_measures(reader)
    if several:
        reader.reading.measures.extend(several)
        return True
    reader.take(ahead + 1)
    following = reader.tag()
    if count is None and following is not None and following.number is not None:
        count = _whole(following)
        reader.take()
    reader.mode_once()
    _set(reader, _ranked(reader, word, count))
    return True


def number_first(reader: Reader) -> bool:
    """`5 products with ...`: how many rows of an order that is said later."""
    tag, following = reader.current(), reader.tag(1)
    if tag.number is None or tag.op or following is None or reader.count_first is not None:
        return False
    later = any(t.op in {"most", "extreme", "superlative"} for t in reader.tags[reader.at :])
    named = bool(following.tables or following.columns) and following.plural
    if reader.reading.target is not None or reader.reading.rank is not None:
        return False
    if not later or not named or reader.mode is not None:
        return False
    reader.count_first = _whole(tag)
    reader.reading.which = True
    reader.take()
    return True


def _whole(tag: Tag) -> int:
    number = tag.number
    if number is None or number != int(number) or not 0 < number <= 10_000:
        raise Unread(tag.text)
    return int(number)


def _set(reader: Reader, new: Rank | None) -> None:
    if new is None:
        return
    if reader.count_first is not None and new.count is None:
        new = replace(new, count=reader.count_first)
        reader.count_first = None
    reading = reader.reading
    alone = reading.target is None and len(reading.shown) == 1 and not reading.measures
    if alone and (new.measure is not None or new.item is not None):
        reading.target = reading.shown.pop()
    old = reader.reading.rank
    if old is not None:
        plain = old.measure is None and old.item is None and not (old.heads or old.by_date)
        if not plain or old.selling:
            raise Unread(new.text)
        new = replace(new, count=new.count or old.count)
    reader.reading.rank = new


def _ranked(reader: Reader, word: Tag, count: int | None) -> Rank | None:
    descending = word.argument != "asc"
    base = Rank(descending=descending, count=count, text=word.text)
    if word.op == "superlative":
        ranked = _by_adjective(base, word, reverse=False)
        if starts_measure(reader):
            return replace(ranked, heads=(), measure=read_measure(reader))
        found = item_at(reader)
        if found is not None and found[0].columns and not found[0].tables:
            return _most_of_column(reader, ranked, found[0], found[1])
        return ranked
    if word.op in {"latest", "earliest"}:
        return _by_date(reader, base)
    if word.op == "selling":
        return replace(base, selling=True, measure=_units(reader, word))
    if word.op == "top" and word.argument == "rank":
        reader.reading.sort = True
        return replace(base, text="sorted")
    if word.op == "top":
        return _top(reader, base)
    return _most(reader, base, word)


def _by_adjective(base: Rank, word: Tag, *, reverse: bool) -> Rank:
    head, _, direction = word.argument.partition(":")
    if reverse:
        direction = _OPPOSITE[direction]
    return replace(base, heads=(head,), descending=direction == "desc")


def _top(reader: Reader, base: Rank) -> Rank:
    """`top 5 ...`; a superlative behind it says by what."""
    verb = reader.tag()
    if verb is not None and verb.of(MetricVerb) and not verb.tables:
        reader.take()
        return replace(base, selling=True, measure=_units(reader, verb))
    return base


def _units(reader: Reader, word: Tag) -> Measure | None:
    """What "best selling" counts: units, where there is such a metric."""
    found = reader.vocabulary.lexicon.exactly(stems_of("units sold"))
    entries = tuple(e for e in found if isinstance(e, MetricEntry))
    if not entries:
        return None
    item = Item(text="units sold", start=word.start, end=word.end, metrics=entries)
    return Measure(aggregate="metric", item=item)


def _by_date(reader: Reader, base: Rank) -> Rank | None:
    found = item_at(reader)
    if _of_other_rows(reader):
        raise Unread(base.text)
    if base.text.casefold() == "oldest" and _of_people(reader):
        raise Unread(
            base.text, "“Oldest” can be by age or by a date. Name the date: “sorted by ...”."
        )
    if found is None or found[0].tables or not found[0].columns or base.count is not None:
        return replace(base, by_date=True)
    if reader.reading.target is not None:
        reader.take(found[1])
        return replace(base, item=found[0])
    reader.take(found[1])
    aggregate: Aggregate = "max" if base.descending else "min"
    reader.reading.measures.append(Measure(aggregate=aggregate, item=found[0]))
    return None


def _of_people(reader: Reader) -> bool:
    head = counted_head(reader)
    tag = reader.tag(head) if head is not None else None
    tables = {t.table for t in tag.tables} if tag else reader.tables_of(reader.reading.target)
    return any(len(reader.vocabulary.label(t)) == 2 for t in tables)


def _of_other_rows(reader: Reader) -> bool:
    """`customers whose first order`: the end of an order within each row is not read."""
    head = counted_head(reader)
    tag = reader.tag(head) if head is not None else None
    if tag is None:
        return False
    target = reader.tables_of(reader.reading.target)
    own = {t.table for t in tag.tables}
    return bool(reader.reading.measures) or bool(target and not own & target)


def _most(reader: Reader, base: Rank, word: Tag) -> Rank | None:
    following = reader.tag()
    measures = reader.reading.measures
    if (following is None or following.period) and word.op == "extreme" and len(measures) == 1:
        return replace(base, measure=measures[0])
    if following is None:
        return replace(base, measure=_of_verb(reader, word))
    if following.op == "adjective":
        reader.take()
        return _by_adjective(base, following, reverse=not base.descending)
    if following.op == "popular":
        reader.take()
        return replace(base, by_popularity=True, text=f"{word.text} {following.text}")
    if starts_measure(reader):
        return replace(base, measure=read_measure(reader))
    if counted_head(reader):
        return _most_rows(reader, base, word)
    found = item_at(reader)
    if found is not None and found[0].columns and not found[0].tables:
        return _most_of_column(reader, base, found[0], found[1])
    if counted_head(reader) is not None:
        return _most_rows(reader, base, word)
    if word.op == "extreme":
        return replace(base, heads=("size",))
    return replace(base, measure=_of_verb(reader, word))


def _most_of_column(reader: Reader, base: Rank, item: Item, length: int) -> Rank | None:
    reader.take(length)
    if reader.reading.target is not None or base.count is not None:
        return replace(base, item=item, heads=())
    aggregate: Aggregate = "max" if base.descending else "min"
    reader.reading.measures.append(Measure(aggregate=aggregate, item=item))
    return None


def _most_rows(reader: Reader, base: Rank, word: Tag) -> Rank:
    """`most orders` counts rows; `largest orders` puts single rows in order."""
    head = reader.tag(counted_head(reader) or 0)
    own = {t.table for t in head.tables} if head else set()
    target = reader.tables_of(reader.reading.target)
    if word.op == "extreme":
        if target and not own & target:
            raise Unread(word.text)
        return replace(base, heads=("size",))
    if target and own & target:
        raise Unread(word.text)
    return replace(base, measure=count_rows(reader, word.text))


def _of_verb(reader: Reader, word: Tag) -> Measure:
    """`spent the most`: the number the verb stands for."""
    verb = reader.verb
    if verb is None:
        raise Unread(word.text)
    units = _units(reader, verb) if reader.passive else None
    if units is not None and verb.of(RowsVerb):
        return units
    spent = verb.of(MetricVerb)
    if spent:
        return Measure(aggregate="metric", item=metric_item(verb, spent[0]))
    raise Unread(word.text)


def more(reader: Reader) -> bool:
    """`which has more orders, web or phone`: the greater of a few values."""
    tag = reader.current()
    if tag.op != "more":
        return False
    reader.take()
    reading = reader.reading
    if reading.rank is not None or reading.winner:
        raise Unread(tag.text)
    if starts_measure(reader):
        found = read_measure(reader)
    elif counted_head(reader) is not None:
        found = count_rows(reader, tag.text)
    elif len(reading.measures) == 1:
        found = reading.measures[0]
    else:
        found = _of_verb(reader, tag)
    reading.compare = reading.winner = True
    reading.rank = Rank(descending=tag.argument == "desc", count=1, measure=found, text=tag.text)
    return True


def _direction(reader: Reader) -> bool:
    """`customers per country, highest first`: the order of the one number, at the end."""
    tag, reading = reader.current(), reader.reading
    if tag.op not in {"asc", "desc"} or reader.tag(1) is not None or reading.rank is not None:
        return False
    if len(reading.measures) != 1 or tag.text.casefold() in {"newest first", "oldest first"}:
        return False
    reader.take()
    reading.sort = True
    reading.rank = Rank(descending=tag.op == "desc", measure=reading.measures[0], text="sorted")
    return True


def sort(reader: Reader) -> bool:
    """`sorted by price descending`: an order without an end."""
    if reader.mode != "sort":
        return _direction(reader)
    reader.mode_once()
    if reader.reading.rank is not None:
        return False
    new = Rank(descending=False, text="sorted")
    if starts_measure(reader):
        new = replace(new, measure=read_measure(reader), descending=True)
    else:
        found = item_at(reader)
        if found is None or not (found[0].columns or found[0].grain):
            return False
        reader.take(found[1])
        new = replace(new, item=found[0])
    direction = reader.op()
    if direction in {"asc", "desc"}:
        reader.take()
        new = replace(new, descending=direction == "desc")
    reader.reading.sort = True
    reader.reading.rank = new
    return True
