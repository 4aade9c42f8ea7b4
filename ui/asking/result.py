"""Redacted rows as the ask page shows them: a table, what is missing from it, a chart, a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import pyarrow as pa
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from ui import text
from ui.stored import ColumnNote, Ran
from ui.verdict import icon


def draw(ran: Ran, rows: pa.Table) -> None:
    """Draws the rows, sortable, and under them what was masked and what was cut."""
    if rows.num_columns:
        shown = presentable(rows)
        st.dataframe(
            shown, hide_index=True, column_config=_formats(shown), alt="The rows of the answer"
        )
    said = notes(ran)
    if said:
        st.html(said)


def _formats(rows: pa.Table) -> dict[str, ColumnConfig]:
    """Amounts with a comma between thousands; never ids or years, which are whole numbers.

    That form has three places, so columns with a fraction below one keep theirs.
    """
    amounts = (n for n, c in zip(rows.column_names, rows.columns, strict=True) if _is_amount(c))
    return {name: st.column_config.NumberColumn(format="localized") for name in amounts}


def _is_amount(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(column.type):
        return False
    return all(v == 0 or abs(v) >= 1 for v in column.to_pylist() if v is not None)


def notes(ran: Ran) -> str:
    """Returns what the rows do not show, and why, as HTML; empty when they show everything."""
    lines = [_masked(column) for column in ran.columns if column.masked or column.reason]
    items = [f"<li>{icon('hidden')}<span>{line}</span></li>" for line in lines]
    if ran.truncated:
        cut = (
            f"Showing the first <strong>{ran.rows:,}</strong> rows. Your limit is {ran.limit:,}. "
            "Aggregate or filter to see the rest."
        )
        items.append(f"<li>{icon('error')}<span>{cut}</span></li>")
    return f'<ul class="gh-notes">{"".join(items)}</ul>' if items else ""


def _masked(column: ColumnNote) -> str:
    reason = column.reason or ""
    if not column.masked:
        return escape(text.line(reason, 300))
    name = escape(text.line(column.name, 60)) or "a column without a name"
    are = "is" if column.masked == 1 else "are"
    because = text.line(reason.partition(" masked: ")[2], 300)
    why = f": {escape(because)}" if because else "."
    cells = text.count(column.masked, "cell")
    return f"{cells} in <strong>{name}</strong> {are} masked by policy{why}"


def download(turn: str) -> str:
    """Returns the link to the same rows as a CSV file."""
    return (
        f'<a class="gh-button" href="/export/result/{escape(turn)}" download>'
        f"{icon('download')}Download CSV</a>"
    )


def presentable(rows: pa.Table) -> pa.Table:
    """Returns the rows with a name of its own for each column, in types a browser can show."""
    columns = [_presentable(column) for column in rows.columns]
    return pa.table(columns, names=names(rows.column_names))


def names(given: Sequence[str]) -> list[str]:
    """Returns one name for each column: an empty one is numbered, a repeated one is counted."""
    seen = Counter[str]()
    made = []
    for position, name in enumerate(given, start=1):
        shown = text.line(name, 80) or f"column {position}"
        seen[shown] += 1
        again = f"{shown} ({seen[shown]})" if seen[shown] > 1 else shown
        while again != shown and again in given:
            seen[shown] += 1
            again = f"{shown} ({seen[shown]})"
        made.append(again)
    return made


def _presentable(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array([None if v is None else v.hex() for v in column.to_pylist()], pa.string())
    if pa.types.is_decimal(kind):
        return _numbers(column)
    if pa.types.is_nested(kind) or pa.types.is_interval(kind) or pa.types.is_duration(kind):
        return pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())
    return column


def _numbers(column: pa.ChunkedArray) -> pa.Array:
    """Decimals as numbers where that loses nothing, else as text."""
    values = column.to_pylist()
    floats = [None if v is None else float(v) for v in values]
    exact = all(
        v is None or (f is not None and type(v)(repr(f)) == v)
        for v, f in zip(values, floats, strict=True)
    )
    if exact:
        return pa.array(floats, pa.float64())
    return pa.array([None if v is None else str(v) for v in values], pa.string())
