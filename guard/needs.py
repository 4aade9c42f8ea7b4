"""What a denial says is missing, and what a grant opens for a while: plain values."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

NeedKind = Literal["source", "table", "column", "lookup", "propose"]


@dataclass(frozen=True, kw_only=True)
class Need:
    """One permission that would be needed, in the words of the statement that was refused.

    The names may belong to nothing: a hidden table and a misspelt one are refused alike, so they
    are asked for alike, and only the admin who decides sees which of the two it is.
    """

    kind: NeedKind
    source: str
    table: str | None = None
    column: str | None = None

    @property
    def name(self) -> str:
        """What is asked for, dotted: `shop.customers.email`."""
        return ".".join(n for n in (self.source, self.table, self.column) if n)


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What one live grant opens in one table until `until`.

    `columns` may be read, masked as ever where they are tagged; `lookup` may be compared with an
    exact value; `propose` allows change requests. Nothing here unmasks or lifts a row filter.
    """

    grant: int
    source: str
    table: str
    columns: tuple[str, ...] = ()
    lookup: tuple[str, ...] = ()
    propose: bool = False
    until: dt.datetime

    def of(self, table: str) -> bool:
        """True when this is about the table."""
        return self.table.casefold() == table.casefold()

    def opens(self, table: str, column: str) -> bool:
        """True when the column of the table may be read."""
        return self.of(table) and _has(self.columns, column)

    def looks_up(self, table: str, column: str) -> bool:
        """True when the column of the table may be compared with an exact value."""
        return self.of(table) and _has(self.lookup, column)


def _has(names: tuple[str, ...], name: str) -> bool:
    wanted = name.casefold()
    return any(n.casefold() == wanted for n in names)
