"""What reaches a place in a statement: source columns, and how they arrive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SourceColumn = tuple[str, str]
"""A base table's column: `(table, column)`, as the catalog spells them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flows:
    """The source columns that reach one place.

    `value` columns arrive themselves, perhaps transformed; `implicit` ones are only compared or
    ranked, so they show in part. `unknown` says that something could not be followed.
    """

    value: frozenset[SourceColumn] = frozenset()
    implicit: frozenset[SourceColumn] = frozenset()
    unknown: bool = False

    def implied(self) -> Flows:
        """The same columns when only a comparison or an order of them is seen."""
        if not self.value:
            return self
        return Flows(implicit=self.value | self.implicit, unknown=self.unknown)


NOTHING = Flows()
UNKNOWN = Flows(unknown=True)


def union(parts: Iterable[Flows]) -> Flows:
    """Returns all that any of the parts carries."""
    found = [part for part in parts if part is not NOTHING]
    if not found:
        return NOTHING
    if len(found) == 1:
        return found[0]
    return Flows(
        value=frozenset().union(*(part.value for part in found)),
        implicit=frozenset().union(*(part.implicit for part in found)),
        unknown=any(part.unknown for part in found),
    )
