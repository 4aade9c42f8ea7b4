"""Rules for conditions: stored values, flags, bounds, missing values, parts of text, periods."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from agent.planner.lexicon import ColumnEntry
from agent.planner.reader import Reader, item_at
from agent.planner.reading import (
    Clause,
    FlagTest,
    Item,
    KeyTest,
    NameTest,
    PeriodTest,
    TextMode,
    TextTest,
    Unread,
    ValueTest,
)
from agent.planner.tagging import Tag
from agent.planner.words import fold, stem

MODES: dict[str, TextMode] = {m: m for m in get_args(TextMode)}


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
    if column is not None and is_of(test, column[0].columns) and not column[0].tables:
        test = narrowed(test, column[0].columns)
        reader.take(column[1])
    if negated and isinstance(previous, ValueTest) and previous.text == test.text:
        raise Unread(tag.text)
    if not negated and reader.clause is reader.reading.root:
        rows = _rows_behind(reader, test)
        if rows:
            reader.open(Clause(rows=rows, text=test.text))
    reader.add(replace(test, negated=negated))
    return True


def _rows_behind(reader: Reader, test: ValueTest) -> tuple[str, ...]:
    """`customers who returned something`: rows that point at those asked for hold the value."""
    asked = reader.asked_table()
    if asked is None:
        return ()
    tables = dict.fromkeys(v.field.table for v in test.options[0])
    graph = reader.vocabulary.graph
    if any(graph.distance(asked, t) is not None for t in tables):
        return ()
    return tuple(t for t in tables if graph.bases([asked, t]))


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
    spoken = [first.text]
    joins: set[str] = set()
    fields = {v.field for v in first.values}
    while True:
        joint = reader.past("and", "or", "vs", ahead=ahead + length)
        joined = joint > ahead + length
        joint = reader.past("prep", ahead=joint)
        tag = reader.tag(joint)
        if not joined or tag is None or not tag.values or tag.tables:
            break
        shared = fields & {v.field for v in tag.values}
        if not shared:
            break
        for index in range(ahead + length, joint):
            joins.add(reader.op(index) or "")
        fields, last, length = shared, tag, joint + 1 - ahead
        options.append(tag.values)
        spoken.append(tag.text)
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
            words=tuple(spoken),
            all_of=len(options) > 1 and "or" not in joins and "vs" not in joins,
        ),
        length,
    )


def is_of(test: ValueTest, columns: tuple[ColumnEntry, ...]) -> bool:
    """True when the value may stand in one of these columns."""
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
            before = reader.tag(at - 1) if at > ahead else None
            if before is None or not _of_column(before, tag):
                return None
        at += 1
    return None


def _of_column(value_tag: Tag, column_tag: Tag) -> bool:
    """`high priority`: a value and the name of its column."""
    named = {c.field for c in column_tag.columns}
    return any(v.field in named for v in value_tag.values)


def is_text(tag: Tag) -> bool:
    """Returns True for words that can be a part of a text."""
    return tag.literal is not None or not tag.op


def like(reader: Reader) -> bool:
    """`starting with Orbit`, `with 'love' in the title`: a part of a text, of a name by default."""
    tag = reader.current()
    if tag.op == "like":
        literal = reader.tag(1)
        if tag.argument == "equals" and literal is not None and literal.name is not None:
            reader.take()
            return True
        if tag.argument == "contains" and _holds_rows(reader, literal):
            reader.take()
            return True
        if literal is None or not is_text(literal) or literal.tables or literal.number is not None:
            return False
        return _part_of_text(reader, MODES[tag.argument], literal, 2)
    if tag.literal is not None and reader.op(1) == "prep":
        named = item_at(reader, reader.past("prep", "their", ahead=1))
        if not tag.values or (named is not None and named[0].columns):
            return _part_of_text(reader, "contains", tag, 1)
    return False


def part_of_name(reader: Reader) -> bool:
    """`headphones`: the last word of the names of some rows."""
    tag = reader.current()
    if tag.part_of is None or reader.mode in {"not", "without", "no", "never"}:
        return False
    reader.take()
    item = Item(text=tag.text, start=tag.start, end=tag.end, columns=(ColumnEntry(tag.part_of),))
    word = stem(fold(tag.text))
    reader.add(TextTest(mode="contains", literal=word, item=item, near=True))
    return True


def _holds_rows(reader: Reader, tag: Tag | None) -> bool:
    """`playlists containing Jazz tracks`: rows that belong to them, not a part of their name."""
    if tag is None or reader.mode is not None:
        return False
    if tag.op in {"most", "extreme", "cmp", "more"}:
        return True
    if counted_head(reader, 1) is not None:
        return True
    tables = reader.tables_of(reader.reading.target) or reader.known_tables()
    return bool(tag.values) and not any(v.field.table in tables for v in tag.values)


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
