"""Rules for tables, verbs and connecting words: which rows must exist beside those asked for."""

from __future__ import annotations

from dataclasses import replace

from agent.planner.lexicon import (
    ColumnEntry,
    DateVerb,
    MetricVerb,
    RoleVerb,
    RowsVerb,
    TableEntry,
)
from agent.planner.reader import Reader, item_at
from agent.planner.reading import (
    Clause,
    ClauseRole,
    Item,
    KeyTest,
    Measure,
    NameTest,
    NullTest,
    Unread,
)
from agent.planner.rules_bounds import metric_item
from agent.planner.rules_measure import adjectives
from agent.planner.rules_tests import counted_head, narrowed, values_at
from agent.planner.schema import Field
from agent.planner.tagging import Tag

_NEGATIVE = {"without", "no", "never", "not"}


def table(reader: Reader) -> bool:
    """A table with its adjectives: what is asked for, or rows that must exist beside it."""
    head = counted_head(reader)
    if head is None:
        return False
    tag = reader.tag(head)
    found = item_at(reader, head)
    if tag is None or found is None or not found[0].tables:
        return False
    item = found[0]
    if reader.mode == "their" and head == 0 and reader.reading.target is not None:
        reader.take(found[1])
        reader.mode_once()
        reader.reading.shown.append(item)
        return True
    if reader.mode not in _NEGATIVE and (_owns_measure(reader, item) or _already(reader, item)):
        return _again(reader, head)
    if reader.reading.target is None and not reader.reading.measures and not _pending(reader):
        return _as_target(reader, item, head)
    if head == 0:
        named = _named_row(reader, item)
        if named:
            return True
    _open_table(reader, item)
    return _with_adjectives(reader, head)


def _pending(reader: Reader) -> bool:
    clause = reader.clause
    return clause is not reader.reading.root and clause.table is None


def _owns_measure(reader: Reader, item: Item) -> bool:
    """`average price of products`: the table says which column is meant."""
    measures = reader.reading.measures
    if not measures or _pending(reader) or item.tables[0].hop is not None:
        return False
    tables = {t.table for t in item.tables}
    columns = measures[-1].item.columns
    owned = tuple(c for c in columns if c.field.table in tables)
    if not owned or measures[-1].item.tables or reader.clause is not reader.reading.root:
        return False
    measures[-1] = replace(measures[-1], item=replace(measures[-1].item, columns=owned))
    return True


def _already(reader: Reader, item: Item) -> bool:
    tables = {t.table for t in item.tables if t.hop is None}
    clause = reader.clause
    if _pending(reader):
        return False
    own = reader.tables_of(clause.table) | set(clause.rows)
    return bool(tables & (own or reader.known_tables()))


def _again(reader: Reader, head: int) -> bool:
    """The same table once more: its adjectives count, the word itself adds nothing."""
    adjectives(reader)
    tag = reader.take()
    reader.mode_once()
    following = reader.tag()
    if not head and following is not None and following.values and not tag.plural:
        return _value_of(reader, tag)
    return True


def _value_of(reader: Reader, table_tag: Tag) -> bool:
    test, length = values_at(reader, 0)
    tables = {t.table for t in table_tag.tables}
    columns = reader.vocabulary.lexicon.label_entries(tables)
    reader.take(length)
    reader.add(narrowed(test, columns))
    return True


def _as_target(reader: Reader, item: Item, head: int) -> bool:
    if reader.mode in _NEGATIVE:
        return False
    reading = reader.reading
    if reader.how_much and not reading.measures:
        _open_table(reader, item)
        return _with_adjectives(reader, head)
    if head == 0 and _named_row(reader, item):
        return True
    before = reader.tag(-1) if reader.at else None
    if reading.shown and before is not None and before.columns and not before.op and head == 0:
        raise Unread(before.text)
    counted = (reading.share, reading.growth, reading.running, reading.compare, reading.trend)
    if any(counted):
        reading.measures.append(Measure(aggregate="count", item=item))
    else:
        reading.target = item
    reader.mode_once()
    return _with_adjectives(reader, head)


def _named_row(reader: Reader, item: Item) -> bool:
    """`the playlist Grunge`, `product Kasa Headphones`: one row by its name."""
    following = reader.tag(1)
    if following is None or item.plural:
        return False
    tables = {t.table for t in item.tables}
    if following.name is not None:
        reader.take(2)
        reader.mode_once()
        first, last = following.name
        named = NameTest(first=first, last=last, text=following.text, tables=tuple(tables))
        reader.add(named)
        return True
    if not any(v.field.table in tables for v in following.values):
        return False
    test, length = values_at(reader, 1)
    columns = reader.vocabulary.lexicon.label_entries(tables)
    reader.take(1 + length)
    reader.mode_once()
    reader.add(narrowed(test, columns))
    return True


def _open_table(reader: Reader, item: Item) -> None:
    mode = reader.mode_once()
    clause = reader.clause
    own = {t.table for t in item.tables if t.hop is None}
    if mode in _NEGATIVE and own & reader.tables_of(reader.reading.target):
        raise Unread(item.text)
    if clause is not reader.reading.root and clause.table is None and not clause.tests:
        tables = {t.table for t in item.tables}
        if clause.rows and not tables & set(clause.rows) and clause.bound is None:
            reader.open(Clause(table=item, text=item.text))
            return
        clause.table = item
        clause.negated |= mode in _NEGATIVE
        return
    reader.open(Clause(table=item, negated=mode in _NEGATIVE, text=item.text))


def _with_adjectives(reader: Reader, head: int) -> bool:
    """Takes the values and flags before the head into the clause, then the head itself."""
    if head:
        adjectives(reader)
    reader.take()
    return True


def verb(reader: Reader) -> bool:
    """A verb: a moment, rows that must exist, a number, or nothing new."""
    tag = reader.current()
    if not tag.verbs or (tag.tables and not _acts(reader)):
        return False
    if tag.of(RoleVerb):
        return _role(reader, tag)
    _narrow_measure(reader, tag)
    if _moment(reader, tag):
        return True
    if tag.values:
        return False
    return _rows(reader, tag)


def _narrow_measure(reader: Reader, tag: Tag) -> None:
    """`total amount paid`: of the columns the number may be, those of the verb's rows."""
    measures = reader.reading.measures
    if not measures or reader.mode in _NEGATIVE or reader.clause is not reader.reading.root:
        return
    tables = {v.table for v in tag.of(RowsVerb)} | {v.field.table for v in tag.of(DateVerb)}
    columns = measures[-1].item.columns
    kept = tuple(c for c in columns if c.field.table in tables)
    if kept and len({c.field.table for c in columns}) > 1:
        measures[-1] = replace(measures[-1], item=replace(measures[-1].item, columns=kept))


def _acts(reader: Reader) -> bool:
    """A word that is a table's name too is a verb after "never", "not" or "last"."""
    return reader.mode in {"never", "not"}


def _moment(reader: Reader, tag: Tag) -> bool:
    dates = tag.of(DateVerb)
    if not dates:
        return False
    fields = tuple(d.field for d in dates)
    mode = reader.mode
    dated = _dated(reader)
    if reader.reading.when and not tag.of(RowsVerb):
        reader.take()
        reader.reading.shown.append(_column_item(tag, fields))
        return True
    if tag.values and mode != "never" and (mode == "not" or not dated):
        return False
    if not _is_about(reader, fields):
        return not tag.of(RowsVerb) and _rows_of_moment(reader, tag, fields)
    if mode in {"never", "not"} and not dated and not tag.of(RowsVerb):
        reader.take()
        reader.mode_once()
        reader.add(NullTest(item=_column_item(tag, fields)))
        return True
    if mode in _NEGATIVE:
        return False
    reader.take()
    reader.clause.dates = fields
    reader.verb = tag
    return True


def _rows_of_moment(reader: Reader, tag: Tag, fields: tuple[Field, ...]) -> bool:
    """`customers who ordered`: a moment of other rows means that there is such a row."""
    mode = reader.mode_once()
    if not reader.known_tables():
        return False
    rows = tuple(dict.fromkeys(f.table for f in fields))
    if _of_owner(reader, rows):
        return False
    reader.take()
    _to_subject(reader)
    reader.open(Clause(rows=rows, negated=mode in _NEGATIVE, dates=fields, text=tag.text))
    return True


def _of_owner(reader: Reader, rows: tuple[str, ...]) -> bool:
    """`orders that joined`: only the customer of an order joins, and none was named."""
    asked = reader.asked_table()
    graph = reader.vocabulary.graph
    plain = reader.clause is reader.reading.root
    return plain and asked is not None and any(graph.distance(asked, t) for t in rows)


def _is_about(reader: Reader, fields: tuple[Field, ...]) -> bool:
    tables = {f.table for f in fields}
    return bool(tables & (reader.known_tables() | set(reader.clause.rows)))


def _dated(reader: Reader) -> bool:
    """True when a period or a calendar unit follows closely."""
    at = reader.past("prep", "by", "each", "be", ahead=1)
    tag = reader.tag(at)
    return tag is not None and (tag.period is not None or tag.op == "grain")


def _column_item(tag: Tag, fields: tuple[Field, ...]) -> Item:
    entries = tuple(ColumnEntry(f) for f in fields)
    return Item(text=tag.text, start=tag.start, end=tag.end, columns=entries)


def _rows(reader: Reader, tag: Tag) -> bool:
    rows = tuple(v.table for v in tag.of(RowsVerb))
    spent = tag.of(MetricVerb)
    reader.verb = tag
    reader.passive = reader.op(-1) == "be"
    mode = reader.mode
    if reader.how_much and spent and not reader.reading.measures:
        reader.take()
        item = metric_item(tag, spent[0])
        reader.reading.measures.append(Measure(aggregate="metric", item=item))
        return True
    if spent and mode not in _NEGATIVE and _number_follows(reader):
        reader.take()
        return True
    if not rows:
        rows = tuple(sorted(reader.tables_of(metric_item(tag, spent[0])))) if spent else ()
    if not rows:
        return False
    if mode not in _NEGATIVE and set(rows) & (reader.known_tables() | _open_rows(reader)):
        reader.take()
        return True
    reader.take()
    reader.mode_once()
    _to_subject(reader)
    reader.open(Clause(rows=rows, negated=mode in _NEGATIVE, text=tag.text))
    return True


def _open_rows(reader: Reader) -> set[str]:
    clause = reader.clause
    return set(clause.rows) | reader.tables_of(clause.table)


def _to_subject(reader: Reader) -> None:
    """After "and", a verb is about the rows asked for again."""
    if reader.joined and reader.clause is not reader.reading.root:
        reader.close()
    reader.joined = False


def _number_follows(reader: Reader) -> bool:
    at = reader.past("prep", "be", ahead=1)
    tag = reader.tag(at)
    if tag is None or tag.op not in {"most", "more", "cmp", "between"}:
        return False
    if tag.op in {"most", "more"}:
        return True
    after = reader.tag(at + 2)
    return after is None or not (after.tables or after.op == "times")


def _role(reader: Reader, tag: Tag) -> bool:
    """`reports to`, `supported by`: along a foreign key with a name of its own."""
    verbs = tag.of(RoleVerb)
    chosen = verbs[0]
    hop = chosen.hop
    known = reader.known_tables()
    following = reader.tag(reader.past("prep", "to", ahead=1))
    grouped = following is not None and following.op in {"each", "by"}
    groups = {t.hop for g in reader.reading.groups for t in g.tables}
    named = [t for t in reader.reading.root.tests if isinstance(t, KeyTest | NameTest)]
    if named and reader.reading.target is None:
        raise Unread(tag.text, "Ask it the other way round: “employees who report to ...”.")
    own_way = hop.table in known and hop.table != hop.target
    if reader.mode in _NEGATIVE:
        raise Unread(tag.text)
    reader.take()
    if grouped or own_way or hop in groups:
        return True
    if reader.reading.target is None:
        table = hop.target if chosen.inverse else hop.table
        reader.reading.target = Item(
            text=tag.text, start=tag.start, end=tag.end, tables=(TableEntry(table),), plural=True
        )
    item = Item(text=tag.text, start=tag.start, end=tag.end, tables=(TableEntry(hop.target, hop),))
    role: ClauseRole = "inverse" if chosen.inverse else "forward"
    reader.open(Clause(table=item, role=role, text=tag.text))
    return True


def connect(reader: Reader) -> bool:
    """Connecting words that only set what the next part means."""
    tag = reader.current()
    if tag.op in {"with", "without", "no", "never", "not", "their", "sort"}:
        if reader.mode in _NEGATIVE or (tag.op != "with" and reader.mode == "sort"):
            return False
        reader.mode = tag.op
        if reader.joined and tag.op in {"with", "without"}:
            _to_subject(reader)
    elif tag.op == "and":
        reader.joined = True
    elif tag.op == "which":
        return False
    elif tag.op == "when":
        reader.reading.when = True
    elif tag.op == "distinct":
        reader.reading.distinct = True
    elif tag.op in {"be", "who", "whose", "have", "prep", "to", "vs", "or"}:
        return _soft(reader, tag)
    else:
        return False
    reader.take()
    return True


def _soft(reader: Reader, tag: Tag) -> bool:
    following = reader.tag(1)
    if tag.op == "or" and (following is None or not following.values):
        return False
    if tag.op == "vs" and (following is None or following.period is None):
        return False
    if tag.op == "whose" and reader.at == 0:
        return False
    if tag.op == "vs":
        reader.reading.compare = True
    if tag.op == "who" and reader.reading.target is None and not reader.reading.measures:
        reader.who = reader.reading.who = True
    shared = reader.reading.share and reader.reading.measures
    if tag.op in {"be", "who", "have", "whose"} and shared:
        reader.reading.pivoted = True
    reader.take()
    return True
