"""The chart of an answer, from the same redacted rows as its table."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Sequence

import altair as alt
import pandas as pd
import pyarrow as pa

from agent import Chart
from ui import text

MOST_BARS = 40
_RESERVED = frozenset({"image", "title"})


def build(chart: Chart, rows: pa.Table) -> tuple[alt.Chart, str] | None:
    """Returns the chart and what it leaves out, or None where there is nothing to draw.

    Nothing is drawn where the column of numbers holds none, as when it is masked.
    """
    if max(chart.x, chart.y) >= rows.num_columns or rows.num_rows < 2:
        return None
    values = [_number(v) for v in rows.column(chart.y).to_pylist()]
    if not any(v is not None for v in values):
        return None
    labels = rows.column(chart.x).to_pylist()
    x, y = (_title(rows.column_names[i]) for i in (chart.x, chart.y))
    if chart.kind == "line":
        return _line(labels, values, x, y), ""
    drawn = _bars(labels[:MOST_BARS], values[:MOST_BARS], x, y)
    left = rows.num_rows - MOST_BARS
    return drawn, f"The chart shows the first {MOST_BARS} of {rows.num_rows:,} rows." * (left > 0)


def _bars(labels: Sequence[object], values: Sequence[float | None], x: str, y: str) -> alt.Chart:
    frame = pd.DataFrame({"x": _distinct(labels), "y": values})
    drawn: alt.Chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("y:Q", title=y),
            y=alt.Y("x:N", title=x, sort=None, axis=alt.Axis(labelLimit=220, labelOverlap=False)),
            tooltip=[alt.Tooltip("x:N", title=x), alt.Tooltip("y:Q", title=y, format=",")],
        )
        # Half of the last number stands right of its line.
        .properties(height=alt.Step(24), padding={"left": 5, "right": 22, "top": 5, "bottom": 5})
    )
    return drawn


def _line(labels: Sequence[object], values: Sequence[float | None], x: str, y: str) -> alt.Chart:
    days = [_day(v) for v in labels]
    if all(d is not None for d in days):
        frame = pd.DataFrame({"x": pd.to_datetime(pd.Series(days)), "y": values})
        place, shown = alt.X("x:T", title=x), alt.Tooltip("x:T", title=x)
    else:
        frame = pd.DataFrame({"x": _distinct(labels), "y": values})
        place = alt.X("x:O", title=x, sort=None, axis=alt.Axis(labelOverlap=True))
        shown = alt.Tooltip("x:O", title=x)
    drawn: alt.Chart = (
        alt.Chart(frame)
        .mark_line(point=len(frame) <= 60)
        .encode(
            x=place,
            y=alt.Y("y:Q", title=y),
            tooltip=[shown, alt.Tooltip("y:Q", title=y, format=",")],
        )
        .properties(height=260)
    )
    return drawn


def _distinct(labels: Sequence[object]) -> list[str]:
    """Labels as text; equal ones are numbered, so that their bars do not fall together."""
    seen: dict[str, int] = {}
    made = []
    for value in labels:
        shown = "(none)" if value is None else text.line(str(value), 60)
        seen[shown] = seen.get(shown, 0) + 1
        made.append(shown if seen[shown] == 1 else f"{shown} ({seen[shown]})")
    return made


def _title(name: str) -> str:
    shown = text.line(name, 60).replace("_", " ") or "value"
    # The tooltip would load a picture from a value that is called `image`.
    return f"{shown} " if shown.casefold() in _RESERVED else shown


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | decimal.Decimal):
        return None
    return float(value)


def _day(value: object) -> dt.date | None:
    if isinstance(value, dt.date):
        return value
    if not isinstance(value, str):
        return None
    try:
        return dt.date.fromisoformat(f"{value}-01" if len(value) == 7 else value)
    except ValueError:
        return None
