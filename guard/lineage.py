"""Which source columns the values of each output column derive from. Fails closed to unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guard.catalog import Catalog
from guard.statement import Statement

Flow = Literal["value", "implicit", "clean", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where one output column comes from, matched by position, never by name.

    `sources` are `(table, column)` pairs of base tables. `flow` is how the worst tagged of them arrives:
    `value` (the value itself, perhaps transformed), `implicit` (compared or ranked, so revealed in part),
    `clean` (counts, or no source at all), `unknown` (could not be traced: treat as personal data).
    """

    name: str
    sources: frozenset[tuple[str, str]]
    flow: Flow


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """One `Origin` per output column; `tagged_predicate` is true when tagged columns filter, join or order."""

    columns: tuple[Origin, ...]
    tagged_predicate: bool


def trace(statement: Statement, catalog: Catalog) -> Lineage:
    """Returns the lineage of a read.

    Any doubt makes a column `unknown`; when not even the width is known, `columns` is empty and the
    caller must treat every column of the result as unknown. Never raises.
    """
    raise NotImplementedError
