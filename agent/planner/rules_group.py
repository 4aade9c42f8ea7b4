"""Rules for groups ("by", "per", "each"), calendar units and the thing asked for ("which")."""

from __future__ import annotations

from dataclasses import replace

from agent.planner.numbers import default_aggregate
from agent.planner.reader import Reader, item_at
from agent.planner.reading import Item, Measure, Rank, Unread
from agent.planner.rules_measure import read_measure, starts_measure, total_of
from agent.planner.rules_tests import counted_head

_ADVERBS = {"daily", "weekly", "monthly", "quarterly", "yearly", "annual", "annually", "hourly"}


def group(reader: Reader) -> bool:
    """`by channel and year`, `per customer`, `for each country`; after a rank, what it is by."""
    tag = reader.current()
    if tag.op not in {"by", "each"}:
        return False
    ahead = reader.past("by", "each", "prep")
    following = reader.tag(ahead)
    if following is None:
        return False
    if tag.op == "by" and _names_a_row(reader, ahead):
        reader.take(ahead)
        return True
    rank = reader.reading.rank
    if tag.op == "by" and rank is not None and _may_measure(reader, rank, ahead):
        reader.take(ahead)
        return _rank_by(reader, rank)
    reader.take(ahead)
    return _groups(reader, per=tag.op == "each" or tag.text.casefold().endswith("per"))


def _names_a_row(reader: Reader, ahead: int) -> bool:
    """`albums by AC/DC`, `orders paid by gift card`, `tickets by customer 12`: a condition."""
    tag = reader.tag(ahead)
    if tag is None or tag.grain_only or reader.current().text.casefold() != "by":
        return False
    if (counted_head(reader, ahead) or 0) > ahead:
        return True
    if tag.name is not None or tag.literal is not None:
        return True
    if _value_of_column(reader, ahead):
        return True
    if tag.tables:
        following = reader.tag(ahead + 1)
        keyed_row = following is not None and following.number is not None and not tag.plural
        named = following is not None and bool(following.values or following.name)
        return keyed_row or (named and not tag.plural)
    if not tag.values:
        return False
    masked = all(reader.vocabulary.masked(c.field) for c in tag.columns)
    return not tag.columns or masked


def _value_of_column(reader: Reader, ahead: int) -> bool:
    """`by customer city Berlin`."""
    found = item_at(reader, ahead)
    value = reader.tag(ahead + found[1]) if found else None
    if found is None or value is None:
        return False
    fields = {c.field for c in found[0].columns}
    return any(v.field in fields for v in value.values)


def _may_measure(reader: Reader, rank: Rank, ahead: int) -> bool:
    if rank.measure is not None and not rank.selling:
        return False
    if starts_measure(reader, ahead):
        return True
    found = item_at(reader, ahead)
    if found is None or found[0].grain:
        return False
    if found[0].tables:
        return _counts(reader, found[0])
    return any(reader.vocabulary.is_measure(c.field) for c in found[0].columns)


def _counts(reader: Reader, item: Item) -> bool:
    """`top 5 customers by tickets` counts rows that belong to them; `tracks by genre` does not."""
    targets = reader.tables_of(reader.reading.target)
    graph = reader.vocabulary.graph
    target = reader.reading.target
    if target is not None and not targets:
        owners = {c.field.table for c in target.columns}
        return item.plural and any(
            graph.distance(t.table, o) is not None for t in item.tables for o in owners
        )
    return any(graph.distance(t.table, o) for t in item.tables for o in targets)


def _rank_by(reader: Reader, rank: Rank) -> bool:
    tag = reader.current()
    if starts_measure(reader):
        reader.reading.rank = replace(rank, measure=read_measure(reader))
        return True
    found = item_at(reader)
    if found is None:
        raise Unread(tag.text)
    reader.take(found[1])
    if found[0].tables and not found[0].columns:
        counted = Measure(aggregate="count", item=found[0])
        reader.reading.rank = replace(rank, measure=counted)
        return True
    reader.reading.rank = replace(rank, item=found[0], measure=None, heads=())
    return True


def _groups(reader: Reader, *, per: bool) -> bool:
    taken = 0
    while True:
        if counted_head(reader):
            raise Unread(reader.current().text)
        found = item_at(reader)
        if found is None or (found[0].metrics and not found[0].columns and not found[0].tables):
            break
        item, length = found
        reader.take(length)
        reader.reading.groups.append(replace(item, metrics=(), per=per))
        taken += 1
        joint = reader.past("and", "by", "each", "prep")
        if joint == 0 or not _another(reader, joint):
            break
        rank = reader.reading.rank
        if reader.op(joint - 1) == "by" and rank and _may_measure(reader, rank, joint):
            break
        per = (per and reader.op(joint - 1) != "by") or reader.op(joint - 1) == "each"
        reader.take(joint)
    return taken > 0


def _another(reader: Reader, joint: int) -> bool:
    """True when a further group follows, and not a new part of the question."""
    joined = {reader.op(n) for n in range(joint)}
    if joined == {"prep"}:
        return False
    found = item_at(reader, joint)
    if found is None or (found[0].metrics and not found[0].columns):
        return False
    after = reader.tag(joint + found[1])
    if found[0].tables and found[0].plural and after is not None and after.op == "by":
        raise Unread(found[0].text)
    return after is None or after.op not in {"cmp", "between", "like", "null"}


def calendar(reader: Reader) -> bool:
    """`monthly revenue`: a calendar unit as an adjective groups by it."""
    tag = reader.current()
    if tag.op != "grain" or tag.columns:
        return False
    found = item_at(reader)
    if found is None:
        return False
    words = tag.text.casefold().split()
    adverb = bool(_ADVERBS & set(words)) or " by " in tag.text.casefold()
    if adverb:
        reader.take()
        reader.reading.groups.append(found[0])
        return True
    reading = reader.reading
    bounded = tag.plural and reader.op(1) in {"with", "whose", "who"} and not reading.measures
    if reading.target is None and (reading.rank is not None or reading.which or bounded):
        reader.take()
        reading.target = found[0]
        return True
    return False


def which(reader: Reader) -> bool:
    """`which country ...`, `what channel ...`: the thing asked for."""
    tag = reader.current()
    if tag.op != "which":
        return False
    reader.take()
    following = reader.tag()
    reader.reading.which |= following is not None and following.op not in {"be", "have", "share"}
    return True


def target_column(reader: Reader) -> bool:
    """A column that is asked for: `which city`, `top 3 categories`, `email of ...`."""
    found = item_at(reader)
    if found is None or not found[0].columns or found[0].metrics:
        return False
    item, length = found
    reading = reader.reading
    if reader.mode in {"without", "no", "never", "not", "sort"}:
        return False
    total = total_of(reader, item)
    if total is not None and not (reading.target or reading.measures or reading.rank):
        reading.measures.append(total)
    elif reader.how_much and not reading.measures and _additive(reader, item):
        reader.reading.measures.append(_sum_of(item))
    elif reading.target is None and not reading.measures and (reading.rank or reading.which):
        reading.target = item
    elif _is_shown(reader):
        reading.shown.append(item)
    else:
        return False
    reader.mode_once()
    reader.take(length)
    return True


def _additive(reader: Reader, item: Item) -> bool:
    kinds = {default_aggregate(reader.vocabulary, c.field) for c in item.columns}
    return "avg" not in kinds


def _sum_of(item: Item) -> Measure:
    return Measure(aggregate="sum", item=item)


def _is_shown(reader: Reader) -> bool:
    """True for the first column of a list, for "their" columns and for further ones."""
    first = reader.reading.target is None and not reader.reading.measures
    return first or reader.mode == "their" or _lists_columns(reader)


def _lists_columns(reader: Reader) -> bool:
    """`name and price of ...`: further columns after the first."""
    return bool(reader.reading.shown) and reader.op(-1) == "and"
