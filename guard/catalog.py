"""What a source holds: tables, columns, keys, views and the declared tags.

A catalog is reflected by an engine (`Engine.reflect`) and then tagged from the policy
(`Catalog.tagged`). Names are matched without case, as the embedded engines do; where a server tells
case and schemas apart, `guard.names.find_table` does too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

ROW_IDS = frozenset({"rowid", "oid", "_rowid_", "_rowid"})
"""Names under which an engine gives a table's key without listing such a column."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. `type` is the engine's own name for it; `tag` a Presidio entity name or None.

    `generated` columns are computed by the engine and take no value of their own.
    """

    name: str
    type: str
    nullable: bool = True
    primary_key: bool = False
    tag: str | None = None
    generated: bool = False


@dataclass(frozen=True, kw_only=True)
class ForeignKey:
    """`columns` of the owning table point at `references` of `table`, position by position."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table or a view. `definition` is a view's SELECT text, None for a table.

    `name` is what the guard and the policy call it. On a server with schemas, `relation` is its
    name there, and `bare` is true when that name alone finds it on the search path. `hidden` are
    columns that are there and do not exist for the person: the engine knows their names.
    `unique` lists the columns of each unique index but the primary key, all of the table where an
    index holds an expression.
    """

    name: str
    columns: tuple[Column, ...]
    kind: Literal["table", "view"] = "table"
    schema: str | None = None
    relation: str | None = None
    bare: bool = True
    foreign_keys: tuple[ForeignKey, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    definition: str | None = None
    row_estimate: int | None = None
    hidden: tuple[Column, ...] = ()

    def conceals(self, name: str) -> bool:
        """True when the engine may take the name for a hidden column of this table."""
        if not self.hidden:
            return False
        wanted = name.casefold()
        if any(c.name.casefold() == wanted for c in self.hidden):
            return True
        return wanted in ROW_IDS and any(c.primary_key for c in self.hidden)

    def column(self, name: str) -> Column | None:
        """Returns the column of that name, or None."""
        return self._named.get(name.casefold())

    @cached_property
    def _named(self) -> Mapping[str, Column]:
        return {c.name.casefold(): c for c in reversed(self.columns)}

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Names of the primary key's columns, empty where there is none."""
        return tuple(c.name for c in self.columns if c.primary_key)


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Everything the guard knows of one source. A name that is not here does not exist for it."""

    source: str
    dialect: str
    tables: tuple[Table, ...]
    functions: frozenset[str] | None = None
    """The names, lower-case, that the server itself takes for a function of its own; any other may
    be somebody's. None where nobody's function can stand under a name of the reviewed list."""
    shadowed: frozenset[str] = frozenset()
    """The names of functions and operators of somebody's own that a change might call."""
    _index: Mapping[str, Table] = field(init=False, repr=False, compare=False)
    _exact: Mapping[tuple[str | None, str], Table] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {t.name.casefold(): t for t in self.tables})
        exact = {(t.schema, t.relation): t for t in self.tables if t.relation is not None}
        exact |= {(None, t.relation): t for t in self.tables if t.relation is not None and t.bare}
        object.__setattr__(self, "_exact", exact)

    @cached_property
    def words(self) -> frozenset[str]:
        """The names of all tables and columns, casefolded."""
        tables = {t.name.casefold() for t in self.tables}
        return frozenset(tables | {c.name.casefold() for t in self.tables for c in t.columns})

    def table(self, name: str) -> Table | None:
        """Returns the table or view of that name, or None."""
        return self._index.get(name.casefold())

    @property
    def is_exact(self) -> bool:
        """True when its tables have the very names the server tells apart by case and schema."""
        return bool(self._exact)

    def exactly(self, schema: str | None, relation: str) -> Table | None:
        """Returns what the server would find, None for the schema meaning the search path."""
        return self._exact.get((schema, relation))

    @staticmethod
    def without(table: Table, hidden: Sequence[Column]) -> Table:
        """Returns the table without these columns, which it remembers as hidden."""
        kept = [c for c in table.columns if c not in hidden]
        return replace(Catalog.only(table, kept), hidden=(*table.hidden, *hidden))

    @staticmethod
    def only(table: Table, columns: Sequence[Column]) -> Table:
        """Returns the table with just these columns; foreign keys that need others are dropped."""
        kept = {c.name.casefold() for c in columns}
        keys = tuple(k for k in table.foreign_keys if {c.casefold() for c in k.columns} <= kept)
        return replace(table, columns=tuple(columns), foreign_keys=keys)

    def tagged(self, tags: Mapping[str, str]) -> Catalog:
        """Returns a copy whose columns carry `tags`, keyed `table.column`; `NONE` takes one away.

        Tags that name no column are left out; `unknown_tags` lists them.
        """
        wanted = {k.casefold(): v for k, v in tags.items()}
        tables = tuple(
            replace(
                t,
                columns=tuple(
                    replace(c, tag=_cleared(wanted.get(f"{t.name}.{c.name}".casefold(), c.tag)))
                    for c in t.columns
                ),
            )
            for t in self.tables
        )
        return replace(self, tables=tables)

    def untagged(self) -> Catalog:
        """Returns a copy without any tag."""
        tables = tuple(
            replace(t, columns=tuple(replace(c, tag=None) for c in t.columns)) for t in self.tables
        )
        return replace(self, tables=tables)

    def unknown_tags(self, tags: Mapping[str, str]) -> tuple[str, ...]:
        """Returns the keys of `tags` that name no column of this catalog."""

        def known(key: str) -> bool:
            table, _, column = key.rpartition(".")
            found = self.table(table)
            return found is not None and found.column(column) is not None

        return tuple(key for key in tags if not known(key))


def _cleared(tag: str | None) -> str | None:
    """An admin's word that a column an engine marks by itself holds nothing personal."""
    return None if tag is not None and tag.casefold() == "none" else tag
