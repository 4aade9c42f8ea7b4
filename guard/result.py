"""What a read gives: the one redacted object that pages, charts and files share."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from dataclasses import dataclass

import pyarrow as pa

from guard.decision import Allow
from redaction import ColumnReport

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """Redacted rows and everything that must be said with them.

    `table` is for the person's screen; `for_model` its first rows, redacted for a model, or None
    when no model asked. `columns` reports what was masked by position. `sql` is what ran, row
    filters and limit included; `truncated` says that more rows existed than `limit`. `audit` is
    the number of the outcome event.
    """

    source: str
    sql: str
    table: pa.Table
    columns: tuple[ColumnReport, ...]
    decision: Allow
    truncated: bool
    limit: int
    elapsed_us: int
    audit: int
    for_model: pa.Table | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order; they may repeat or be empty."""
        return tuple(self.table.column_names)

    @property
    def masked(self) -> int:
        """How many cells were masked."""
        return sum(c.masked_cells for c in self.columns)

    def rows(self) -> list[list[Plain]]:
        """Returns the redacted rows as plain JSON values, row by row, by position."""
        return plain_rows(self.table)


def plain_rows(table: pa.Table) -> list[list[Plain]]:
    """Returns the table's rows as plain JSON values; dates are ISO text."""
    columns = [[_plain(v) for v in column.to_pylist()] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)] if columns else []


def _plain(value: object) -> Plain:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, decimal.Decimal):
        number = float(value)
        return number if decimal.Decimal(repr(number)) == value else str(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
