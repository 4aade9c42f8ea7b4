"""Tags -> Reading. A cursor over the tags; each rule takes what it knows, nothing is skipped.

Rules are tried in order at every tag. A tag that no rule takes ends the reading with `Unread`: what
was recognised is never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.planner.lexicon import ColumnEntry
from agent.planner.operators import Op
from agent.planner.reading import Clause, Item, NullTest, PeriodTest, Reading, Test, Unread
from agent.planner.tagging import Tag
from agent.planner.timegrammar import Grain
from agent.planner.vocabulary import Vocabulary

Rule = Callable[["Reader"], bool]


class Reader:
    """The cursor and what has been read so far."""

    def __init__(self, tags: Sequence[Tag], vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.tags = _without_noise(tags)
        self.at = 0
        self.reading = Reading()
        self.clause = self.reading.root
        self.parents: dict[int, Clause] = {}
        self.opened: list[Clause] = []
        self.duration: Item | None = None
        self.how_much = False
        self.count_first: int | None = None
        """A number of rows said before what they are: "5 products with the lowest stock"."""
        self.who = False
        self.joined = False
        self.mode: Op | None = None
        """The connecting word just read: with, without, not, never, their, sort."""
        self.verb: Tag | None = None
        self.passive = False
        """True when the verb was passive: what was sold, not who sold."""

    def tag(self, ahead: int = 0) -> Tag | None:
        """Returns the tag `ahead` of the cursor, or None past either end."""
        index = self.at + ahead
        return self.tags[index] if 0 <= index < len(self.tags) else None

    def op(self, ahead: int = 0) -> Op | None:
        """Returns the operator there, if it is one."""
        tag = self.tag(ahead)
        return tag.op if tag else None

    def current(self) -> Tag:
        """Returns the tag under the cursor, which must not be past the end."""
        return self.tags[self.at]

    def past(self, *ops: Op, ahead: int = 0) -> int:
        """Returns the offset of the first tag from `ahead` on that is none of these operators."""
        while (tag := self.tag(ahead)) is not None and tag.op in ops and not tag.entries:
            ahead += 1
        return ahead

    def take(self, count: int = 1) -> Tag:
        """Moves past `count` tags and returns the last of them."""
        self.at += count
        return self.tags[self.at - 1]

    def mode_once(self) -> Op | None:
        """Returns the connecting word and forgets it."""
        mode, self.mode = self.mode, None
        return mode

    def add(self, test: Test, clause: Clause | None = None) -> None:
        """Adds a condition to the clause being read."""
        if self.reading.pivoted:
            test = replace(test, after_pivot=True)
        (clause or self.clause).tests.append(test)

    def open(self, child: Clause, *, of: Clause | None = None) -> Clause:
        """Opens a clause below `of`, or below the one being read, and returns it."""
        parent = of or self.clause
        child.after_pivot = self.reading.pivoted
        parent.children.append(child)
        self.parents[id(child)] = parent
        self.opened.append(child)
        self.clause = child
        return child

    def close(self) -> None:
        """Returns to the clause around the one being read."""
        self.clause = self.parents.get(id(self.clause), self.reading.root)

    def known_tables(self) -> set[str]:
        """Returns the tables that the question is about so far: target, measures, open clauses."""
        found = set(self.tables_of(self.reading.target))
        for measure in self.reading.measures:
            columns = {c.field.table for c in measure.item.columns}
            found |= self.tables_of(measure.item) or (columns if len(columns) == 1 else set())
        rank = self.reading.rank
        if rank is not None and rank.measure is not None:
            found |= self.tables_of(rank.measure.item)
        return found

    def asked_table(self) -> str | None:
        """Returns the table whose rows are asked for or counted, if it is certain."""
        reading = self.reading
        items = [reading.target] if reading.target else []
        items += [m.item for m in reading.measures if m.aggregate == "count"]
        tables = {t.table for i in items if i for t in i.tables if t.hop is None}
        sums = any(m.aggregate != "count" for m in reading.measures)
        return tables.pop() if len(tables) == 1 and not sums and reading.rank is None else None

    def tables_of(self, item: Item | None) -> set[str]:
        """Returns the tables an item may be about."""
        if item is None:
            return set()
        metrics = [self.vocabulary.lexicon.metrics[m.name] for m in item.metrics]
        return {t.table for t in item.tables} | {d.table for m in metrics for d in m.by}


def _without_noise(tags: Sequence[Tag]) -> tuple[Tag, ...]:
    kept = []
    for tag in tags:
        if tag.op == "noise":
            if not tag.entries:
                continue
            tag = replace(tag, op=None)
        kept.append(tag)
    return tuple(kept)


def item_at(reader: Reader, ahead: int = 0) -> tuple[Item, int] | None:
    """Returns the item that starts `ahead` of the cursor and how many tags it takes."""
    tag = reader.tag(ahead)
    if tag is None:
        return None
    if tag.tables:
        compound = _compound(reader, ahead)
        if compound is not None:
            return compound
    if tag.op == "grain" and not tag.columns:
        return _item(tag, grain=tag.argument), 1  # type: ignore[arg-type]  # operators.py gives grains
    if not (tag.tables or tag.columns or tag.metrics):
        return None
    if tag.columns and not tag.metrics:
        qualified = _qualified(reader, ahead, tag)
        if qualified is not None:
            return qualified
    return _item(tag, grain=tag.argument if tag.op == "grain" else None), 1  # type: ignore[arg-type]  # as above


def _item(tag: Tag, *, grain: Grain | None = None) -> Item:
    return Item(
        text=tag.text,
        start=tag.start,
        end=tag.end,
        tables=tag.tables,
        columns=tag.columns,
        metrics=tag.metrics,
        grain=grain,
        plural=tag.plural,
    )


def _compound(reader: Reader, ahead: int) -> tuple[Item, int] | None:
    """`ticket category`: a column by way of its table."""
    table, column = reader.tag(ahead), reader.tag(ahead + 1)
    if table is None or column is None:
        return None
    if column.text.casefold() in {"date", "dates"}:
        return _usual_date(reader, table, column)
    if not column.columns or column.op == "grain":
        return None
    owned = _owned(table, column.columns)
    if not owned:
        return None
    text = f"{table.text} {column.text}"
    item = Item(text=text, start=table.start, end=column.end, columns=owned, plural=column.plural)
    return item, 2


def _usual_date(reader: Reader, table: Tag, word: Tag) -> tuple[Item, int] | None:
    """`ticket date`: the date the table is usually about."""
    owners = {t.table for t in table.tables if t.hop is None}
    fields = [f for o in owners if (f := reader.vocabulary.usual_date(o)) is not None]
    if len(fields) != 1 or table.plural:
        return None
    text = f"{table.text} {word.text}"
    columns = (ColumnEntry(fields[0]),)
    return Item(text=text, start=table.start, end=word.end, columns=columns), 2


def _qualified(reader: Reader, ahead: int, tag: Tag) -> tuple[Item, int] | None:
    """`price of products`: a column, then the table it is of, which is read next."""
    link, table = reader.tag(ahead + 1), reader.tag(ahead + 2)
    if link is None or link.op != "prep" or link.text.casefold() not in {"of", "for"}:
        return None
    if table is None or not table.tables or not table.plural:
        return None
    owned = _owned(table, tag.columns)
    return (replace(_item(tag), columns=owned), 1) if owned else None


def _owned(table: Tag, columns: tuple[ColumnEntry, ...]) -> tuple[ColumnEntry, ...]:
    tables = {t.table for t in table.tables}
    owned = tuple(c for c in columns if c.field.table in tables)
    strong = tuple(c for c in owned if not c.weak)
    return strong or tuple(replace(c, weak=False) for c in owned)


def read(tags: Sequence[Tag], vocabulary: Vocabulary, rules: Sequence[Rule]) -> Reading:
    """Returns what the tags say.

    Raises:
        Unread: a tag that no rule could use.
    """
    reader = Reader(tags, vocabulary)
    while (tag := reader.tag()) is not None:
        before = reader.at
        if not any(rule(reader) for rule in rules) or reader.at == before:
            raise Unread(tag.text)
    if reader.mode in {"without", "not", "never", "no"}:
        raise Unread(reader.tags[-1].text)
    for clause in (reader.reading.root, *reader.opened):
        _unused_moment(clause, reader)
    _thing_done(reader)
    if reader.count_first is not None:
        raise Unread(str(reader.count_first))
    bounded = any(child.bound is not None for child in reader.reading.root.children)
    if reader.who and reader.reading.target is None and reader.reading.shown and not bounded:
        raise Unread("who")
    return reader.reading


def _thing_done(reader: Reader) -> None:
    """`what did customer 11 buy` asks for what was bought, not for the customer."""
    reading, verb = reader.reading, reader.verb
    if verb is None or reader.tags[0].text.casefold() != "what":
        return
    asked = reading.measures or reading.shown or reading.target or reading.rank or reading.groups
    if not asked and any(c.rows for c in reader.opened):
        raise Unread(verb.text)


def _unused_moment(clause: Clause, reader: Reader) -> None:
    """`tickets closed by ...`: a moment that no period or unit is about is at least known."""
    grouped = any(g.grain for g in reader.reading.groups) or reader.reading.growth
    dated = any(isinstance(t, PeriodTest) and t.fields == clause.dates for t in clause.tests)
    if not clause.dates or dated or (grouped and clause is reader.reading.root):
        return
    columns = tuple(ColumnEntry(f) for f in clause.dates)
    item = Item(text=clause.dates[0].column, start=0, end=0, columns=columns)
    clause.tests.append(NullTest(item=item, present=True))
