"""What a source holds: tables, columns, keys, views and the declared tags.

A catalog is reflected by an engine (`Engine.reflect`) and then tagged from the policy
(`Catalog.tagged`). Names are matched without case, as the embedded engines do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. `type` is the engine's own name for it; `tag` a Presidio entity name or None."""

    name: str
    type: str
    nullable: bool = True
    primary_key: bool = False
    tag: str | None = None


@dataclass(frozen=True, kw_only=True)
class ForeignKey:
    """`columns` of the owning table point at `references` of `table`, position by position."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table or a view. `definition` is a view's SELECT text, None for a table."""

    name: str
    columns: tuple[Column, ...]
    kind: Literal["table", "view"] = "table"
    schema: str | None = None
    foreign_keys: tuple[ForeignKey, ...] = ()
    definition: str | None = None
    row_estimate: int | None = None

    def column(self, name: str) -> Column | None:
        """Returns the column of that name, or None."""
        wanted = name.casefold()
        return next((c for c in self.columns if c.name.casefold() == wanted), None)

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
    _index: Mapping[str, Table] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {t.name.casefold(): t for t in self.tables})

    def table(self, name: str) -> Table | None:
        """Returns the table or view of that name, or None."""
        return self._index.get(name.casefold())

    @staticmethod
    def only(table: Table, columns: Sequence[Column]) -> Table:
        """Returns the table with just these columns; foreign keys that need others are dropped."""
        kept = {c.name.casefold() for c in columns}
        keys = tuple(k for k in table.foreign_keys if {c.casefold() for c in k.columns} <= kept)
        return replace(table, columns=tuple(columns), foreign_keys=keys)

    def tagged(self, tags: Mapping[str, str]) -> Catalog:
        """Returns a copy whose columns carry `tags`, keyed `table.column`.

        Tags that name no column are left out; `unknown_tags` lists them.
        """
        wanted = {k.casefold(): v for k, v in tags.items()}
        tables = tuple(
            replace(
                t,
                columns=tuple(
                    replace(c, tag=wanted.get(f"{t.name}.{c.name}".casefold(), c.tag))
                    for c in t.columns
                ),
            )
            for t in self.tables
        )
        return replace(self, tables=tables)

    def unknown_tags(self, tags: Mapping[str, str]) -> tuple[str, ...]:
        """Returns the keys of `tags` that name no column of this catalog."""

        def known(key: str) -> bool:
            table, _, column = key.rpartition(".")
            found = self.table(table)
            return found is not None and found.column(column) is not None

        return tuple(key for key in tags if not known(key))
