"""Everything the planner may know of one source for one person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agent.planner.joins import Graph
from agent.planner.lexicon import MANY_VALUES, Lexicon
from agent.planner.schema import Field, dates_of, find_column, is_key, kind_of, label_of
from agent.planner.semantics import Semantics, TableMeaning
from guard import Catalog, Column, Table

Dialect = Literal["sqlite", "duckdb", "postgres", "mysql"]


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What questions may be about.

    `catalog` MUST hold only what the person may see; tagged columns count as masked. `values` are
    the distinct values of text columns without personal data, keyed (table, column). `lookups` are
    masked columns on which equality is allowed. Building the index takes milliseconds per thousand
    values: keep the object and reuse it.
    """

    catalog: Catalog
    values: Mapping[tuple[str, str], tuple[str, ...]]
    today: dt.date
    dialect: Dialect
    semantics: Semantics
    lookups: frozenset[tuple[str, str]] = frozenset()
    graph: Graph = field(init=False, repr=False, compare=False)
    lexicon: Lexicon = field(init=False, repr=False, compare=False)
    people: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Tables whose rows may be looked up by first and last name."""
    categories: frozenset[Field] = field(init=False, repr=False, compare=False)
    """Text columns with few enough values to be listed."""

    def __post_init__(self) -> None:
        graph = Graph(self.catalog, self.semantics)
        object.__setattr__(self, "graph", graph)
        labels = {t.name: self.label(t.name) for t in self.catalog.tables}
        lexicon = Lexicon(self.catalog, self.semantics, self.values, graph, labels)
        object.__setattr__(self, "lexicon", lexicon)
        keys = frozenset((t.casefold(), c.casefold()) for t, c in self.lookups)
        object.__setattr__(self, "lookups", keys)
        object.__setattr__(self, "people", self._people())
        object.__setattr__(self, "categories", self._categories())

    def table(self, name: str) -> Table:
        """Returns the table, which must be in the catalog."""
        found = self.catalog.table(name)
        if found is None:
            raise KeyError(name)
        return found

    def column(self, of: Field) -> Column:
        """Returns the column of a field, which must be in the catalog."""
        found = find_column(self.catalog, of.table, of.column)
        if found is None:
            raise KeyError(of)
        return found

    def meaning(self, table: str) -> TableMeaning:
        """Returns what the semantic layer says of a table."""
        return self.semantics.tables.get(table, TableMeaning())

    def label(self, table: str) -> tuple[Field, ...]:
        """Returns the columns that name a row, masked ones included."""
        given = self.meaning(table).label
        names = label_of(self.table(table)) if given is None else given
        visible = (Field(table, n) for n in names if self.table(table).column(n))
        return tuple(visible)

    def usual_date(self, table: str) -> Field | None:
        """Returns the date that a table is about, if it is declared or the only one."""
        owner = self.table(table)
        name = self.meaning(table).date
        names = [name] if name else list(dates_of(owner))
        column = owner.column(names[0]) if len(names) == 1 else None
        return Field(table, column.name) if column is not None and column.tag is None else None

    def is_measure(self, of: Field) -> bool:
        """True for numbers and durations that are no keys: what can be summed or ordered by."""
        if of.until is not None:
            return True
        column = self.column(of)
        return kind_of(column) == "number" and not is_key(self.table(of.table), column)

    def masked(self, of: Field) -> bool:
        """True when the values may not be filtered, grouped or ordered by."""
        return self.column(of).tag is not None

    def looks_up(self, of: Field) -> bool:
        """True when the field may be compared with an exact value."""
        return not self.masked(of) or of.key in self.lookups

    def _people(self) -> tuple[str, ...]:
        labels = {t.name: self.label(t.name) for t in self.catalog.tables}
        return tuple(
            t for t, pair in labels.items() if len(pair) == 2 and all(map(self.looks_up, pair))
        )

    def _categories(self) -> frozenset[Field]:
        found = set()
        for (table, column), listed in self.values.items():
            owner = self.catalog.table(table)
            own = owner.column(column) if owner else None
            if owner and own and len(listed) <= MANY_VALUES:
                found.add(Field(owner.name, own.name))
        return frozenset(found)
