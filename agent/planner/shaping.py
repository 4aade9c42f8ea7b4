"""Reading -> Shape: what the rows of the answer are, before any base table is chosen."""

from __future__ import annotations

from dataclasses import replace

from agent.planner.lexicon import ColumnEntry, MetricEntry, TableEntry
from agent.planner.numbers import bases_of, default_aggregate, heads_of, plural
from agent.planner.reading import (
    Clause,
    Item,
    KeyTest,
    Measure,
    NameTest,
    Rank,
    Reading,
    TextTest,
    ValueTest,
)
from agent.planner.refs import Choice, Tied, Unresolved, entry_of
from agent.planner.schema import Field, name_stems, spoken
from agent.planner.shape import DEFAULT_COUNT, Shape
from agent.planner.transforms import calendar, nested, transform
from agent.planner.vocabulary import Vocabulary
from agent.planner.words import stems_of


def shape_of(reading: Reading, vocabulary: Vocabulary) -> Shape:
    """Returns the shape of a reading.

    Raises:
        Unresolved: its parts do not make one question.
        Tied: a part was left open.
    """
    shape = Shape(root=reading.root, shown=list(reading.shown), rank=reading.rank)
    shape.measures = list(reading.measures)
    shape.groups = list(reading.groups)
    shape.distinct = reading.distinct
    shape.compare = reading.compare
    if reading.when:
        _when(reading, shape, vocabulary)
    if reading.who and reading.target is None and shape.rank and not reading.compare:
        reading.target = _who(shape, vocabulary)
    if reading.average:
        shape.measures = [_averaged(m) for m in shape.measures]
    _asked_column(reading, shape)
    _bounds(reading, shape)
    _target(reading, shape, vocabulary)
    if reading.trend and not any(g.grain for g in shape.groups) and shape.measures:
        shape.groups = [*shape.groups, calendar("month")]
        shape.assumptions.append("the trend is by month")
    nested(shape)
    transform(reading, shape)
    return shape


def _who(shape: Shape, vocabulary: Vocabulary) -> Item | None:
    """The people nearest to the number that "who" is ranked by, if one kind of them is nearest."""
    measure = shape.rank.measure if shape.rank else None
    if measure is None:
        return None
    people = [t.name for t in vocabulary.catalog.tables if len(vocabulary.label(t.name)) == 2]
    distances = [
        (d, p)
        for b in bases_of(measure, vocabulary)
        for p in people
        if (d := vocabulary.graph.distance(b, p)) is not None
    ]
    if not distances:
        return None
    lowest = min(d for d, _ in distances)
    nearest = {p for d, p in distances if d == lowest}
    if len(nearest) != 1:
        return None
    table = nearest.pop()
    shape.assumptions.append(f"“who” is a {' '.join(name_stems(table))}")
    return Item(text="who", start=0, end=0, tables=(TableEntry(table),))


def _when(reading: Reading, shape: Shape, vocabulary: Vocabulary) -> None:
    """“When was the first order”: the date itself."""
    if shape.measures or shape.groups:
        raise Unresolved("when")
    if shape.shown:
        return
    entry = entry_of(reading.target) if reading.target else _keyed(reading.root)
    date = vocabulary.meaning(entry.table).date if entry else None
    if entry is None or date is None:
        raise Unresolved("when", "I do not know which date is meant.")
    item = Item(text=spoken(date), start=0, end=0, columns=(ColumnEntry(Field(entry.table, date)),))
    rank = reading.rank
    if rank is None:
        shape.shown.append(item)
        return
    if not rank.by_date or rank.count is not None:
        raise Unresolved(rank.text)
    shape.measures.append(Measure(aggregate="max" if rank.descending else "min", item=item))
    shape.rank = None
    reading.target = None


def _keyed(root: Clause) -> TableEntry | None:
    return next((t.table for t in root.tests if isinstance(t, KeyTest)), None)


def _part(root: Clause) -> TableEntry | None:
    """`headphones under 100`: the rows with such names."""
    parts = [t.item for t in root.tests if isinstance(t, TextTest) and t.near and t.item]
    return TableEntry(parts[0].columns[0].field.table) if len(parts) == 1 else None


def _averaged(measure: Measure) -> Measure:
    if measure.aggregate in {"count", "metric"}:
        return replace(measure, over=True)
    return replace(measure, aggregate="avg")


def _asked_column(reading: Reading, shape: Shape) -> None:
    """“Cities with at least 50 customers”: the one column named is what is asked for."""
    bounded = any(child.bound is not None for child in reading.root.children)
    alone = reading.target is None and len(shape.shown) == 1 and not shape.measures
    if bounded and alone and not any(isinstance(t, KeyTest) for t in reading.root.tests):
        reading.target = shape.shown.pop()


def _bounds(reading: Reading, shape: Shape) -> None:
    """Where columns are asked for, counts bound the groups."""
    target = reading.target
    grouped = target is not None and not target.tables
    if not grouped and not (target is None and shape.groups):
        return
    kept = []
    for child in reading.root.children:
        measure = child.measure or _counting(child)
        if child.bound is None or child.negated or child.children or measure is None:
            kept.append(child)
            continue
        shape.having.append((measure, child.bound))
        reading.root.tests.extend(child.tests)
    if shape.having:
        shape.root = replace(reading.root, children=kept)


def _counting(child: Clause) -> Measure | None:
    return Measure(aggregate="count", item=child.table) if child.table else None


def _target(reading: Reading, shape: Shape, vocabulary: Vocabulary) -> None:
    target = reading.target
    rank = shape.rank
    if target is None:
        _without_target(reading, shape, vocabulary)
    elif target.tables and not (target.columns and _only_column(reading)):
        _table_target(reading, shape, target, vocabulary)
    else:
        _column_target(reading, shape, target, vocabulary)
    rank = shape.rank
    if rank is not None and rank.measure is not None and rank.measure not in shape.measures:
        shape.measures.append(rank.measure)
    for measure, _ in shape.having:
        if not shape.measures:
            shape.measures.append(measure)


def _only_column(reading: Reading) -> bool:
    return bool(reading.shown)


def _without_target(reading: Reading, shape: Shape, vocabulary: Vocabulary) -> None:
    if shape.groups and len(shape.shown) == 1 and not shape.measures and shape.rank is None:
        item = shape.shown[0]
        if any(vocabulary.is_measure(c.field) for c in item.columns):
            shape.measures = [Measure(aggregate="default", item=replace(item, tables=()))]
            shape.shown = []
    if shape.measures or shape.having:
        return
    if shape.rank is not None and shape.rank.measure is not None:
        return
    if _is_total(reading, shape, vocabulary):
        item = replace(shape.shown.pop(), tables=())
        shape.measures = [Measure(aggregate="sum", item=item)]
        shape.assumptions.append(f"“{item.text}” is the total")
        return
    if shape.shown:
        _refuse_last_word(reading, shape)
        shape.distinct |= _categories(shape, vocabulary) and not _one_row(reading.root, vocabulary)
        return
    if shape.groups:
        raise Unresolved(shape.groups[0].text, "I do not know what to count or add up.")
    shape.rows = _keyed(reading.root) or _part(reading.root)
    if shape.rows is None:
        named = [t for t in reading.root.tests if isinstance(t, NameTest) and len(t.tables) == 1]
        shape.rows = TableEntry(named[0].tables[0]) if named else None
    if shape.rows is None:
        raise Unresolved("", "I do not see what is asked for.")


def _refuse_last_word(reading: Reading, shape: Shape) -> None:
    """“The numbers”: the last word of a column's name asks for nothing when it stands alone."""
    weak = all(c.weak for item in shape.shown for c in item.columns)
    if weak and not (reading.root.tests or reading.root.children or reading.rank):
        raise Unresolved(shape.shown[0].text)


def _is_total(reading: Reading, shape: Shape, vocabulary: Vocabulary) -> bool:
    """“Refunded amount in June”: without a row or rows named, an amount is added up."""
    if len(shape.shown) != 1 or shape.rank is not None or _one_row(reading.root, vocabulary):
        return False
    fields = [c.field for c in shape.shown[0].columns]
    return bool(fields) and all(
        vocabulary.is_measure(f) and default_aggregate(vocabulary, f) == "sum" for f in fields
    )


def _categories(shape: Shape, vocabulary: Vocabulary) -> bool:
    """True when every column asked for is a category: its values are listed and name no row."""
    labels = {f for t in vocabulary.catalog.tables for f in vocabulary.label(t.name)}
    fields = [c.field for item in shape.shown for c in item.columns if not c.weak]
    return bool(fields) and all(f in vocabulary.categories and f not in labels for f in fields)


def _table_target(reading: Reading, shape: Shape, target: Item, vocabulary: Vocabulary) -> None:
    entry = entry_of(target)
    if entry is None:
        raise Unresolved(target.text)
    rank = shape.rank
    if rank is None or reading.sort:
        _plain_table(shape, target, entry, vocabulary)
        return
    if rank.measure is None and rank.item is not None and not _own(rank.item, entry, vocabulary):
        others = tuple(c for c in rank.item.columns if c.field.table != entry.table)
        item = replace(rank.item, columns=others or rank.item.columns)
        measure = Measure(aggregate="default", item=item)
        shape.rank = rank = replace(rank, measure=measure, item=None)
    if rank.measure is None and not (rank.item or rank.heads or rank.by_date):
        shape.rank = rank = _usual_rank(shape, rank, target, entry, vocabulary)
    if rank.heads == ("size",) and not heads_of(vocabulary, entry.table, ("size",)):
        shape.rank = rank = _usual_rank(shape, replace(rank, heads=()), target, entry, vocabulary)
    if rank.measure is None:
        _row_rank(shape, target, entry)
        return
    shape.near = entry.table
    shape.partition = len(shape.groups)
    shape.groups = [*shape.groups, replace(target, columns=(), metrics=())]
    _limit(shape, target)


def _plain_table(shape: Shape, target: Item, entry: TableEntry, vocabulary: Vocabulary) -> None:
    if shape.measures and _base_of_all(shape, entry, vocabulary):
        return
    if shape.measures:
        shape.near = entry.table
        shape.groups = [replace(target, columns=(), metrics=()), *shape.groups]
    elif shape.rank is not None and shape.rank.measure is not None:
        shape.near = entry.table
        shape.groups = [*shape.groups, replace(target, columns=(), metrics=())]
    elif shape.groups:
        _count_or_sort(shape, target, vocabulary)
        shape.measures = [Measure(aggregate="count", item=target)]
    else:
        shape.rows = entry


def _count_or_sort(shape: Shape, target: Item, vocabulary: Vocabulary) -> None:
    """“Products by price” may count them for each price, or put them in order."""
    group = shape.groups[0]
    numbers = [vocabulary.is_measure(c.field) for c in group.columns]
    if len(shape.groups) > 1 or not numbers or not all(numbers):
        return
    choices = (
        Choice(f"sorted by {group.text}", f"{target.text} sorted by {group.text}"),
        Choice(f"counted by {group.text}", f"number of {target.text} by {group.text}"),
    )
    raise Tied(f"by {group.text}", target.start, group.end, choices)


def _base_of_all(shape: Shape, entry: TableEntry, vocabulary: Vocabulary) -> bool:
    """“Order revenue by month”: the metric is over these rows anyway."""
    if not shape.groups:
        return False
    metrics = [m for m in shape.measures if m.aggregate == "metric"]
    bases = [bases_of(m, vocabulary) for m in metrics]
    return len(metrics) == len(shape.measures) and all(entry.table in b for b in bases)


def _own(item: Item, entry: TableEntry, vocabulary: Vocabulary) -> bool:
    """True when the column is one of the table itself, so that single rows are put in order."""
    own = [c for c in item.columns if c.field.table == entry.table]
    others = [c for c in item.columns if not c.weak and vocabulary.is_measure(c.field)]
    return any(not c.weak for c in own) or (bool(own) and not others)


def _row_rank(shape: Shape, target: Item, entry: TableEntry) -> None:
    shape.rows = entry
    shape.partition = len(shape.groups)
    _limit(shape, target)


def _limit(shape: Shape, target: Item) -> None:
    rank = shape.rank
    if rank is None or rank.count is not None or rank.text == "sorted":
        return
    count = DEFAULT_COUNT if target.plural and not shape.partition else 1
    if target.plural and shape.partition:
        count = 3
    if count > 1:
        shape.assumptions.append(f"“{rank.text}” without a number means the first {count}")
    shape.rank = replace(rank, count=count)


def _usual_rank(
    shape: Shape, rank: Rank, target: Item, entry: TableEntry, vocabulary: Vocabulary
) -> Rank:
    """What "top customers" are by, as the semantic layer says, or a question back."""
    if shape.measures:
        return replace(rank, measure=shape.measures[0])
    name = vocabulary.meaning(entry.table).rank_by
    if rank.by_popularity:
        found = vocabulary.lexicon.exactly(stems_of("units sold"))
        names = [e.name for e in found if isinstance(e, MetricEntry)]
        name = names[0] if names and name is not None else None
    if name is not None and name in vocabulary.lexicon.metrics:
        shape.assumptions.append(f"“{rank.text}” is by {name}")
        item = Item(text=name, start=0, end=0, metrics=(MetricEntry(name),))
        return replace(rank, measure=Measure(aggregate="metric", item=item))
    raise _ask_by(target, rank, vocabulary)


def _ask_by(target: Item, rank: Rank, vocabulary: Vocabulary) -> Exception:
    names = [m for m in vocabulary.lexicon.metrics if "rate" not in m][:4]
    choices = tuple(Choice(f"by {n}", f"{target.text} by {n}") for n in names)
    if len(choices) < 2 or rank.by_popularity:
        return Unresolved(rank.text, f"Say by what: “{rank.text} {target.text} by ...”.")
    return Tied(rank.text, target.start, target.end, choices)


def _column_target(reading: Reading, shape: Shape, target: Item, vocabulary: Vocabulary) -> None:
    rank = shape.rank
    plain = replace(target, tables=(), metrics=())
    if rank is None:
        if shape.measures or shape.having:
            shape.groups = [plain, *shape.groups]
            shape.asked = plain
            return
        shape.shown = [plain, *shape.shown]
        if shape.groups:
            raise Unresolved(shape.groups[0].text)
        shape.distinct |= not _one_row(reading.root, vocabulary)
        return
    if rank.item is not None and rank.measure is None:
        measure = Measure(aggregate="default", item=rank.item)
        shape.rank = rank = replace(rank, measure=measure, item=None)
    if rank.measure is None:
        shape.rank = rank = _column_rank(shape, rank, plain, vocabulary)
    shape.partition = len(shape.groups)
    shape.groups = [*shape.groups, plain]
    shape.asked = plain
    _limit(shape, target)


def _column_rank(shape: Shape, rank: Rank, item: Item, vocabulary: Vocabulary) -> Rank:
    if shape.measures:
        return replace(rank, measure=shape.measures[0])
    if rank.by_popularity and item.columns:
        tables = {c.field.table for c in item.columns if not c.weak} or {
            c.field.table for c in item.columns
        }
        if len(tables) == 1:
            table = tables.pop()
            name = plural(spoken(table))
            shape.assumptions.append(f"“{rank.text}” is by number of {name}")
            counted = Item(text=name, start=0, end=0, tables=(TableEntry(table),))
            return replace(rank, measure=Measure(aggregate="count", item=counted))
    raise _ask_by(item, rank, vocabulary)


def _one_row(root: Clause, vocabulary: Vocabulary) -> bool:
    """True when a condition names one row, so that a column of it is looked up."""
    labels = {f for t in vocabulary.catalog.tables for f in vocabulary.label(t.name)}
    for test in root.tests:
        if isinstance(test, KeyTest | NameTest):
            return True
        if isinstance(test, ValueTest) and len(test.options) == 1 and not test.negated:
            fields = {v.field for v in test.options[0]}
            if fields <= labels:
                return True
    return False
