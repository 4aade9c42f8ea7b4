"""Rules for lengths of time: how long it takes, and units."""

from __future__ import annotations

from dataclasses import replace

from agent.planner.lexicon import ColumnEntry, DateVerb
from agent.planner.reader import Reader
from agent.planner.reading import (
    Item,
    Measure,
    Unread,
)
from agent.planner.schema import Field
from agent.planner.units import UNITS


def duration(reader: Reader) -> bool:
    """`how long does it take to close`, `that took more than 5 days to close`."""
    tag = reader.current()
    if tag.op == "to" and reader.duration is not None:
        return _to_verb(reader)
    if tag.op == "count" and reader.op(2) == "take":
        return _how_many_units(reader)
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


def _how_many_units(reader: Reader) -> bool:
    """`how many days does it take to close ...`."""
    unit = reader.tag(1)
    if unit is None or unit.argument not in UNITS:
        return False
    reader.take(2)
    measure = duration_measure(reader)
    reader.reading.measures.append(replace(measure, unit=UNITS[unit.argument]))
    return True


def duration_measure(reader: Reader) -> Measure:
    """Returns the average of the duration that a verb further on is the end of."""
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
