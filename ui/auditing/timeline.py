"""A picture of the decisions among the events found: how many of each kind, over time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import altair as alt
import pandas as pd

from audit import Hour
from ui import sheet, text
from ui.markup import Theme
from ui.verdict import Tone, Verdict, icon

Step = Literal["hour", "day", "month"]
_HOURLY, _DAILY = dt.timedelta(days=7), dt.timedelta(days=400)
_UNITS: Mapping[Step, str] = {
    "hour": "yearmonthdatehours",
    "day": "yearmonthdate",
    "month": "yearmonth",
}
_STEPS: Mapping[Step, dt.timedelta] = {
    "hour": dt.timedelta(hours=1),
    "day": dt.timedelta(days=1),
    "month": dt.timedelta(days=31),
}
_LABELS: Mapping[Step, str] = {"hour": "%d %b, %H:%M", "day": "%d %b", "month": "%b %Y"}
_SHOWN: Mapping[Step, str] = {"hour": "%d %b, %H:%M", "day": "%d %b %Y", "month": "%b %Y"}
_FEWEST = 24
"""Bars that there is room for at least, so that one alone is not as wide as the page."""
_KINDS: tuple[tuple[str, Verdict, Tone], ...] = (
    ("allowed", Verdict.ALLOWED, "ok"),
    ("held", Verdict.REVIEW, "wait"),
    ("denied", Verdict.DENIED, "bad"),
)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The chart, what stands above it as HTML, and the same in words for those who see neither."""

    chart: alt.Chart
    heading: str
    summary: str


def step_of(hours: Sequence[Hour]) -> Step:
    """Returns what one bar stands for: an hour for a week, a day for a year, else a month."""
    span = hours[-1].begins - hours[0].begins
    return "hour" if span <= _HOURLY else "day" if span <= _DAILY else "month"


def drawn(
    hours: Sequence[Hour], since: dt.datetime | None, zone: dt.tzinfo, theme: Theme
) -> Picture | None:
    """Returns the picture of these hours, oldest first, None where nothing was decided.

    It begins at `since`, where that is not far before the first of them.
    """
    if not hours:
        return None
    step = step_of(hours)
    bars: dict[tuple[dt.datetime, str], int] = {}
    for hour in hours:
        begins = _begin(hour.begins.astimezone(zone), step)
        for name, verdict, _ in _KINDS:
            if number := getattr(hour, name):
                bars[begins, verdict.value] = bars.get((begins, verdict.value), 0) + number
    totals = {
        verdict: sum(n for (_, what), n in bars.items() if what == verdict.value)
        for _, verdict, _ in _KINDS
    }
    moments = {at for at, _ in bars}
    near = since is not None and hours[0].begins - since < _HOURLY
    first = min(moments | {since}) if since is not None and near else min(moments)
    return Picture(
        chart=_chart(bars, step, (first, max(moments)), theme),
        heading=_heading(totals, step),
        summary=_summary(totals, len(moments), step),
    )


def _begin(moment: dt.datetime, step: Step) -> dt.datetime:
    if step == "hour":
        return moment.astimezone(dt.UTC)
    day = moment.replace(hour=0, day=moment.day if step == "day" else 1)
    return day.astimezone(dt.UTC)


def _chart(
    bars: Mapping[tuple[dt.datetime, str], int],
    step: Step,
    span: tuple[dt.datetime, dt.datetime],
    theme: Theme,
) -> alt.Chart:
    frame = pd.DataFrame(
        [(at, what, number) for (at, what), number in bars.items()],
        columns=["at", "what", "number"],
    )
    frame["order"] = frame["what"].map({v.value: i for i, (_, v, _) in enumerate(_KINDS)})
    colours = sheet.COLOURS[theme]
    scale = alt.Scale(
        domain=[verdict.value for _, verdict, _ in _KINDS],
        range=[colours[tone] for _, _, tone in _KINDS],
    )
    end = span[1] + _STEPS[step]
    begin = min(span[0], end - _FEWEST * _STEPS[step])
    at = f"{_UNITS[step]}(at):T"
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar(minBandSize=3)
        .encode(
            x=alt.X(
                at,
                title=None,
                scale=alt.Scale(domain=[begin.isoformat(), end.isoformat()]),
                axis=alt.Axis(labelOverlap=True, grid=False, format=_LABELS[step], tickCount=8),
            ),
            y=alt.Y("number:Q", title=None, stack=True, axis=alt.Axis(tickMinStep=1, tickCount=3)),
            color=alt.Color("what:N", scale=scale, legend=None),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip(at, title=step.capitalize(), format=_SHOWN[step]),
                alt.Tooltip("what:N", title="Decision"),
                alt.Tooltip("number:Q", title="Number", format=","),
            ],
        )
        .properties(height=110, padding={"left": 5, "right": 8, "top": 5, "bottom": 5})
    )
    return chart


def _heading(totals: Mapping[Verdict, int], step: Step) -> str:
    badges = " ".join(
        f'<span class="gh-badge gh-{tone}">{icon(verdict.icon)}{totals[verdict]:,} '
        f"{escape(_word(verdict, totals[verdict]))}</span>"
        for _, verdict, tone in _KINDS
        if totals[verdict]
    )
    return f'<p class="gh-note"><strong>Decisions per {step}</strong> {badges}</p>'


def _summary(totals: Mapping[Verdict, int], bars: int, step: Step) -> str:
    parts = [f"{n:,} {_word(verdict, n)}" for verdict, n in totals.items() if n]
    all_ = text.count(sum(totals.values()), "decision")
    return f"{all_} in {text.count(bars, step)}: {text.joined(parts)}."


def _word(verdict: Verdict, number: int) -> str:
    """Returns the verdict behind its number: `1 needs review`, `2 need review`."""
    said = verdict.value.lower()
    return said if number == 1 else said.replace("needs ", "need ", 1)
