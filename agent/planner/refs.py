"""Items -> columns at a path from a base table: candidates, their cost, and ties."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from agent.planner.frame import Ref
from agent.planner.joins import Hop, Path
from agent.planner.lexicon import TableEntry
from agent.planner.reading import Item
from agent.planner.schema import Field, dates_of, kind_of, name_words, spoken
from agent.planner.vocabulary import Vocabulary

WEAK = 0.5
Use = Literal["show", "filter", "lookup"]


class Unresolved(Exception):
    """A part of the reading has no place in a query over this base. `reason` is for the person."""

    def __init__(self, part: str, reason: str = "") -> None:
        super().__init__(part)
        self.part = part
        self.reason = reason


@dataclass(frozen=True)
class Choice:
    """One way out of a tie: what to put in place of the words from `start` to `end`."""

    label: str
    replacement: str


class Tied(Exception):
    """Two readings are equally good."""

    def __init__(
        self,
        text: str,
        start: int,
        end: int,
        choices: tuple[Choice, ...],
        fields: tuple[Field, ...] = (),
    ) -> None:
        super().__init__(text)
        self.text = text
        self.start = start
        self.end = end
        self.choices = choices
        self.fields = fields


@dataclass(frozen=True)
class Found:
    """A resolved column and what it cost: 0 on the base itself, more the further away or vaguer."""

    ref: Ref
    cost: float


class Scope:
    """Where columns are looked for: a base table, and tables that no path may enter."""

    def __init__(
        self, vocabulary: Vocabulary, base: str, *, shut: Hop | None = None, near: str | None = None
    ) -> None:
        self.vocabulary = vocabulary
        self.base = base
        self.shut = shut
        self.near = near
        """A table whose own columns come first, such as the one asked for."""
        self.mentioned: frozenset[str] = frozenset()
        self.notes: list[str] = []
        """What vague words were taken for."""
        self.strict = False
        """True for sums, which conditions on other rows would make sums of something else."""
        self.alone = False
        """True for numbers that are not compared: values joined by "and" may be one or several."""
        self.inside = False
        """True below other rows, where several values may be spread over several of them."""
        self.titles = True
        """False when rows are asked for, which are seldom picked by their own title."""

    def path(self, entry: TableEntry, text: str) -> Path:
        """Returns the one way to a table.

        Raises:
            Unresolved: there is none, or more than one.
        """
        paths = self.paths(entry.table if entry.hop is None else entry.hop.table)
        if entry.hop is not None:
            paths = [(*p, entry.hop) for p in paths if entry.hop not in p]
        if not paths:
            raise Unresolved(text)
        if len(paths) > 1:
            raise Unresolved(text, f"“{text}” can be reached in more than one way.")
        return paths[0]

    def paths(self, table: str) -> list[Path]:
        """Returns the shortest ways to a table that do not use the key that is shut."""
        found = self.vocabulary.graph.paths(self.base, table)
        return [p for p in found if self.shut is None or self.shut not in p]

    def cost_of(self, path: Path, table: str) -> float:
        """Returns the price of a path; the near table's own columns are cheaper than the base's."""
        if self.near is not None and table == self.near:
            return -1
        return len(path) - (0.25 if table in self.mentioned else 0)

    def find(self, field: Field, extra: float = 0) -> list[Found]:
        """Returns the column at every shortest path to its table."""
        return [
            Found(Ref(path, field), self.cost_of(path, field.table) + extra)
            for path in self.paths(field.table)
        ]

    def column(self, item: Item, use: Use, wanted: Callable[[Field], bool] | None = None) -> Found:
        """Returns the best column for an item.

        Raises:
            Unresolved: none is in reach, or every one is masked.
            Tied: two are equally good.
        """
        entries = [e for e in item.columns if wanted is None or wanted(e.field)]
        allowed = [e for e in entries if self._allowed(e.field, use)]
        if entries and not allowed:
            raise Unresolved(item.text, masked_reason(item.text))
        found = [f for e in allowed for f in self.find(e.field, WEAK if e.weak else 0)]
        chosen = best(found, item.text, item.start, item.end)
        vague = {e.field for e in allowed if e.weak} - {e.field for e in allowed if not e.weak}
        if chosen.ref.field in vague:
            words = f"{spoken(chosen.ref.field.table)}.{chosen.ref.field.column}"
            self.notes.append(f"“{item.text}” is read as {words}")
        return chosen

    def _allowed(self, field: Field, use: Use) -> bool:
        if use == "show":
            return True
        return (
            self.vocabulary.looks_up(field)
            if use == "lookup"
            else not self.vocabulary.masked(field)
        )

    def date(self, fields: Collection[Field], text: str) -> Found:
        """Returns the date a period is about: one of `fields`, else the nearest usual one.

        Raises:
            Unresolved: no date is in reach.
            Tied: two are equally near.
        """
        allowed = [f for f in fields if not self.vocabulary.masked(f)]
        if fields and not allowed:
            raise Unresolved(text, masked_reason(text))
        named = [f for field in allowed for f in self._plain(field)]
        if named:
            return best(named, text, 0, 0)
        usual = [f for field in self._declared_dates() for f in self._plain(field)]
        own = [f for f in usual if f.cost == 0]
        found = own or [f for field in self._own_dates() for f in self._plain(field)] or usual
        if not found:
            raise Unresolved(text, f"No date is known for {spoken(self.base)}.")
        return best(found, text, 0, 0)

    def _plain(self, field: Field) -> list[Found]:
        """A date counts by its distance alone, whatever the question mentions."""
        return [Found(Ref(p, field), len(p)) for p in self.paths(field.table)]

    def _declared_dates(self) -> list[Field]:
        fields = []
        for table in self.vocabulary.catalog.tables:
            date = self.vocabulary.meaning(table.name).date
            column = table.column(date) if date else None
            if column is not None and column.tag is None:
                fields.append(Field(table.name, column.name))
        return fields

    def _own_dates(self) -> list[Field]:
        if self.vocabulary.meaning(self.base).date is not None:
            return []
        names = dates_of(self.vocabulary.table(self.base))
        return [Field(self.base, names[0])] if len(names) == 1 else []


def masked_reason(text: str) -> str:
    """Returns the sentence for a masked column in a filter, group or order."""
    return (
        f"“{text}” is personal data and masked for you, so it cannot be used to filter, group or "
        "sort."
    )


def best(found: list[Found], text: str, start: int, end: int) -> Found:
    """Returns the cheapest candidate.

    Raises:
        Unresolved: there is none.
        Tied: two different columns cost the same.
    """
    if not found:
        raise Unresolved(text)
    lowest = min(f.cost for f in found)
    cheapest = [f for f in found if f.cost == lowest]
    fields = list(dict.fromkeys(f.ref.field for f in cheapest))
    if len(fields) > 1:
        raise Tied(text, start, end, tuple(_choice(f) for f in fields), tuple(fields))
    if len(cheapest) > 1:
        raise Unresolved(text, f"“{text}” can be reached in more than one way.")
    return cheapest[0]


def _choice(field: Field) -> Choice:
    text = f"{spoken(field.table)} {spoken(field.column)}"
    return Choice(text, text)


def is_date(vocabulary: Vocabulary, field: Field) -> bool:
    """True for a date column."""
    return field.until is None and kind_of(vocabulary.column(field)) == "date"


def entry_of(item: Item) -> TableEntry | None:
    """Returns the table an item names, preferring a plain one.

    Raises:
        Tied: the word is used for several tables.
    """
    plain = [t for t in item.tables if t.hop is None]
    if len({t.table for t in plain}) > 1:
        names = [" ".join(name_words(t.table)) for t in plain]
        raise Tied(item.text, item.start, item.end, tuple(Choice(n, n) for n in names))
    return plain[0] if plain else (item.tables[0] if item.tables else None)
