"""Which columns of a new source look like personal data, for an admin to confirm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from guard.catalog import Catalog, Column, Table
from guard.starters import Samples
from redaction import RedactionError, suggest_tag
from redaction.entities import MASKED

_SURE = 0.8


@dataclass(frozen=True, kw_only=True)
class Suggested:
    """A column that looks like personal data. `why` is a sentence that holds no value of it."""

    table: str
    column: str
    entity: str
    why: str

    @property
    def key(self) -> str:
        """How the policy names the column."""
        return f"{self.table}.{self.column}"

    @property
    def can_be_tagged(self) -> bool:
        """False where a dot in the column's name would make `table.column` mean another one."""
        return "." not in self.column


def suggested(catalog: Catalog, samples: Samples) -> tuple[Suggested, ...]:
    """Returns the suspicious columns of tables; views get their tags from the tables behind them.

    A column that points at a suspicious one is as suspicious, whatever it is called.
    """
    tables = [t for t in catalog.tables if t.kind == "table"]
    found: dict[tuple[str, str], Suggested] = {}
    for table in tables:
        for column in table.columns:
            one = _suspicion(table, column, samples.get((table.name, column.name), ()))
            if one is not None:
                found[_place(table.name, column.name)] = one
    pointers = [p for table in tables for p in _pointers(table)]
    while new := dict(_pointing(pointers, found)):
        found |= new
    return tuple(found.values())


def _suspicion(table: Table, column: Column, values: Sequence[object]) -> Suggested | None:
    one = Suggested(table=table.name, column=column.name, entity=MASKED, why="")
    try:
        suggestion = suggest_tag(table.name, column.name, column.type, values)
    except RedactionError:
        return replace(one, why="Its values could not be looked at, so they are masked.")
    if suggestion is None:
        return None
    sure = suggestion.confidence >= _SURE
    if not sure and not values and any(p[1] == column.name for p in _pointers(table)):
        return None  # "reports to" sounds like a name and is a number: what it points at decides
    why = suggestion.why if sure else f"{suggestion.why} Not sure."
    return replace(one, entity=suggestion.entity, why=why)


_Pointer = tuple[str, str, str, str]
"""Table and column of a foreign key, and the table and column it points at."""


def _pointers(table: Table) -> Iterator[_Pointer]:
    for key in table.foreign_keys:
        for name, target in zip(key.columns, key.references, strict=False):
            yield table.name, name, key.table, target


def _pointing(
    pointers: Sequence[_Pointer], found: dict[tuple[str, str], Suggested]
) -> Iterator[tuple[tuple[str, str], Suggested]]:
    for table, column, parent, target in pointers:
        origin = found.get(_place(parent, target))
        if origin is not None and _place(table, column) not in found:
            why = f"It points at {origin.key}."
            yield _place(table, column), replace(origin, table=table, column=column, why=why)


def _place(table: str, column: str) -> tuple[str, str]:
    return table.casefold(), column.casefold()
