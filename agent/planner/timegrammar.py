"""Periods in words -> half-open ranges of days, relative to the day declared as today."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.planner.words import Word

Grain = Literal["day", "week", "month", "quarter", "year", "weekday", "hour"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """The days from `start` up to but without `end`; None leaves a side open.

    `grain` is the calendar unit the words named, if they named exactly one. `assumed` tells what
    the words left open, such as the year of a month.
    """

    start: dt.date | None
    end: dt.date | None
    grain: Grain | None = None
    assumed: str | None = None

    def spoken(self) -> str:
        """Returns the period as resolved dates, both days included."""
        last = self.end - dt.timedelta(days=1) if self.end else None
        if self.start and last:
            return f"on {self.start}" if self.start == last else f"from {self.start} to {last}"
        if self.start:
            return f"from {self.start} on"
        return f"before {self.end}"


@dataclass(frozen=True, slots=True)
class Found:
    """A period and how many words it took."""

    period: Period
    length: int


_YEAR = "january february march april may june july august september october november december"
_MONTHS = _YEAR.split()
_MONTH_NUMBERS = {m: n for n, m in enumerate(_MONTHS, start=1)}
_MONTH_NUMBERS |= {m[:3]: n for n, m in enumerate(_MONTHS, start=1)} | {"sept": 9}
_ALSO_WORDS = {"may", "march", "mar", "sep", "dec", "jan"}
_MONTH_CUES = {"in", "since", "before", "after", "until", "till", "from", "between", "and", "to"}
_MONTH_CUES |= {"during", "of", "for", "last", "vs", "versus", "through", "or", "with"}
_UNITS: dict[str, Grain] = {u: u for u in ("day", "week", "month", "quarter", "year")}
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4}
_ORDINALS |= {"4th": 4, "last": 4}
_MOST: dict[Grain, int] = {
    "day": 36_500,
    "week": 5_200,
    "month": 1_200,
    "quarter": 400,
    "year": 100,
}
"""How far back "the last N" may reach: a century."""
_PAST = {"last", "past", "previous", "preceding", "prior"}
_IN = {"in", "during", "for", "within", "of", "on", "over", "throughout", "at", "from", "the"}


def find_period(words: Sequence[Word], at: int, today: dt.date) -> Found | None:
    """Returns the period that starts at word `at`, with its preposition, or None."""
    word = words[at].norm
    if word in {"between", "from"}:
        found = _range(words, at, today)
        if found is not None:
            return found
    opened = _open_ended(words, at, today)
    if opened is not None:
        return opened
    skipped = at
    while skipped < len(words) and words[skipped].norm in _IN:
        skipped += 1
    if skipped >= len(words) or skipped - at > 3:
        return None
    inner = _unit(words, skipped, today)
    if inner is None:
        return None
    return Found(inner.period, inner.length + skipped - at)


def _norm(words: Sequence[Word], at: int) -> str:
    return words[at].norm if 0 <= at < len(words) else ""


def _skip_the(words: Sequence[Word], at: int) -> int:
    while _norm(words, at) in {"the", "start", "beginning"} or (
        _norm(words, at) == "of" and _norm(words, at - 1) in {"start", "beginning"}
    ):
        at += 1
    return at


def _range(words: Sequence[Word], at: int, today: dt.date) -> Found | None:
    begin = _skip_the(words, at + 1)
    first = _unit(words, begin, today)
    if first is None:
        return None
    middle = begin + first.length
    if _norm(words, middle) not in {"and", "to", "until", "till", "through", "up"}:
        return None
    start = _skip_the(words, middle + (2 if _norm(words, middle) == "up" else 1))
    last = _unit(words, start, today)
    if last is None or last.period.end is None:
        return None
    opened = first.period
    if opened.assumed and not last.period.assumed and opened.start and last.period.start:
        opened = _in_year(opened, last.period.start.year)
    if opened.start is None or opened.start >= last.period.end:
        return None
    period = Period(start=opened.start, end=last.period.end, assumed=opened.assumed)
    return Found(period, start + last.length - at)


def _in_year(period: Period, year: int) -> Period:
    if period.start is None or period.grain is None:
        return period
    start = period.start.replace(year=year, day=1)
    return Period(start=start, end=_advance(start, period.grain, 1), grain=period.grain)


def _open_ended(words: Sequence[Word], at: int, today: dt.date) -> Found | None:
    word = words[at].norm
    if word not in {"since", "after", "before", "until", "till", "starting", "prior", "through"}:
        return None
    skip = (
        2 if word in {"starting", "prior"} and _norm(words, at + 1) in {"in", "to", "from"} else 1
    )
    begin = _skip_the(words, at + skip)
    inner = _unit(words, begin, today)
    if inner is None:
        return None
    given = inner.period
    length = inner.length + begin - at
    if word in {"since", "starting"}:
        return Found(Period(start=given.start, end=None, assumed=given.assumed), length)
    if word == "after":
        return Found(Period(start=given.end, end=None, assumed=given.assumed), length)
    if word in {"before", "prior"}:
        return Found(Period(start=None, end=given.start, assumed=given.assumed), length)
    return Found(Period(start=None, end=given.end, assumed=given.assumed), length)


def _unit(words: Sequence[Word], at: int, today: dt.date) -> Found | None:
    """A period without preposition: a day, a month, a quarter, a year or a relative one."""
    if not 0 <= at < len(words):
        return None
    for reading in (_day, _month, _quarter_or_half, _relative, _to_date, _year):
        found = reading(words, at, today)
        if found is not None:
            return found
    return None


def _day(words: Sequence[Word], at: int, today: dt.date) -> Found | None:
    word = words[at]
    if word.kind == "date":
        try:
            return Found(_one_day(dt.date.fromisoformat(word.norm)), 1)
        except ValueError:
            return None
    if word.norm in {"today", "yesterday"}:
        return Found(_one_day(today - dt.timedelta(days=word.norm == "yesterday")), 1)
    return _written_day(words, at)


def _one_day(day: dt.date) -> Period:
    return Period(start=day, end=day + dt.timedelta(days=1), grain="day")


def _written_day(words: Sequence[Word], at: int) -> Found | None:
    """`March 14, 2025`, `14 March 2025`, `14th of March 2025`."""
    parts: list[int | str] = []
    length = 0
    while len(parts) < 3 and at + length < len(words):
        norm = _norm(words, at + length)
        length += 1
        if norm in {",", "of", "the"} and parts:
            continue
        digits = norm.removesuffix("st").removesuffix("nd").removesuffix("rd").removesuffix("th")
        if digits.isascii() and digits.isdigit():
            parts.append(int(digits))
        elif norm in _MONTH_NUMBERS:
            parts.append(norm)
        else:
            return None
    match parts:
        case [str(month), int(day), int(year)] | [int(day), str(month), int(year)]:
            return _checked_day(year, _MONTH_NUMBERS[month], day, length)
    return None


def _checked_day(year: int, month: int, day: int, length: int) -> Found | None:
    if not _plausible(year):
        return None
    try:
        return Found(_one_day(dt.date(year, month, day)), length)
    except ValueError:
        return None


def _plausible(year: int) -> bool:
    return 1900 <= year <= 2100


def _year_at(words: Sequence[Word], at: int, today: dt.date) -> tuple[int, int] | None:
    """The year named at `at` (a preceding `of` or `in` skipped) and the words it took."""
    skip = 1 if _norm(words, at) in {"of", "in", ","} else 0
    norm = _norm(words, at + skip)
    if norm.isascii() and norm.isdigit() and len(norm) == 4 and _plausible(int(norm)):
        return int(norm), skip + 1
    if norm in {"last", "this", "previous"} and _norm(words, at + skip + 1) == "year":
        return today.year - (norm != "this"), skip + 2
    return None


def _month(words: Sequence[Word], at: int, today: dt.date) -> Found | None:
    number = _MONTH_NUMBERS.get(words[at].norm)
    if number is None:
        return None
    named = _year_at(words, at + 1, today)
    if named is None and words[at].norm in _ALSO_WORDS:
        sure = _norm(words, at - 1) in _MONTH_CUES and (words[at].capital or at + 1 == len(words))
        if not sure:
            return None
    year = named[0] if named else today.year - (number > today.month)
    start = dt.date(year, number, 1)
    assumed = None if named else f"{_MONTHS[number - 1].title()} is that of {year}"
    period = Period(start=start, end=_advance(start, "month", 1), grain="month", assumed=assumed)
    return Found(period, 1 + (named[1] if named else 0))


def _quarter_or_half(words: Sequence[Word], at: int, today: dt.date) -> Found | None:
    norm = words[at].norm
    if len(norm) == 4 and norm.isascii() and norm.isdigit() and _part_code(_norm(words, at + 1)):
        code = _part_code(_norm(words, at + 1))
        return _part(code, int(norm), 2, None) if code else None
    code, length = _part_code(norm), 1
    if code is None and norm in _ORDINALS and _norm(words, at + 1) in {"quarter", "half"}:
        months = 3 if _norm(words, at + 1) == "quarter" else 6
        number = 2 if months == 6 and norm == "last" else _ORDINALS[norm]
        code, length = (months, number), 2
        if norm == "last" and _year_at(words, at + 2, today) is None:
            return None
    if code is None:
        return None
    named = _year_at(words, at + length, today)
    year = named[0] if named else today.year
    assumed = None if named else f"the year is {year}"
    return _part(code, year, length + (named[1] if named else 0), assumed)


def _part_code(norm: str) -> tuple[int, int] | None:
    """`q3` -> (3 months, the third); `h1` -> (6 months, the first)."""
    if len(norm) == 2 and norm[0] in "qh" and norm[1] in "1234":
        months = 3 if norm[0] == "q" else 6
        return (months, int(norm[1])) if int(norm[1]) * months <= 12 else None
    return None


def _part(code: tuple[int, int], year: int, length: int, assumed: str | None) -> Found | None:
    months, number = code
    if number * months > 12 or not _plausible(year):
        return None
    start = dt.date(year, (number - 1) * months + 1, 1)
    grain: Grain | None = "quarter" if months == 3 else None
    end = _advance(start, "month", months)
    return Found(Period(start=start, end=end, grain=grain, assumed=assumed), length)


def _relative(words: Sequence[Word], at: int, today: dt.date) -> Found | None:
    norm, after = words[at].norm, at + 1
    if norm not in _PAST and norm not in {"this", "current"}:
        return None
    count: int | None = None
    if after < len(words) and words[after].number is not None:
        number = words[after].number
        if number is None or number != int(number) or not 0 < number <= 36_500:
            return None
        count, after = int(number), after + 1
    unit = _UNITS.get(words[after].stem) if after < len(words) else None
    if unit is None:
        return None
    length = after + 1 - at
    if norm in {"this", "current"}:
        return None if count else Found(_calendar(today, unit, 0), length)
    if count is not None and count > _MOST[unit]:
        return None
    if count is not None or norm == "past":
        return Found(_rolling(today, unit, count or 1), length)
    return Found(_calendar(today, unit, 1), length)


def _rolling(today: dt.date, unit: Grain, count: int) -> Period:
    return Period(start=_advance(today, unit, -count), end=today + dt.timedelta(days=1))


def _calendar(today: dt.date, unit: Grain, back: int) -> Period:
    start = _advance(floor(today, unit), unit, -back)
    return Period(start=start, end=_advance(start, unit, 1), grain=unit)


def _to_date(words: Sequence[Word], at: int, today: dt.date) -> Found | None:
    norm = words[at].norm
    short: dict[str, Grain] = {"ytd": "year", "qtd": "quarter", "mtd": "month"}
    tomorrow = today + dt.timedelta(days=1)
    if norm in short:
        return Found(Period(start=floor(today, short[norm]), end=tomorrow), 1)
    if norm in _UNITS and [_norm(words, at + 1), _norm(words, at + 2)] == ["to", "date"]:
        return Found(Period(start=floor(today, _UNITS[norm]), end=tomorrow), 3)
    if norm == "so" and _norm(words, at + 1) == "far" and _norm(words, at + 2) == "this":
        unit = _UNITS.get(_norm(words, at + 3))
        if unit is not None:
            return Found(Period(start=floor(today, unit), end=tomorrow), 4)
    return None


def _year(words: Sequence[Word], at: int, today: dt.date) -> Found | None:
    named = _year_at(words, at, today)
    if named is None or named[1] != 1 or words[at].number is None:
        return None
    start = dt.date(named[0], 1, 1)
    return Found(Period(start=start, end=_advance(start, "year", 1), grain="year"), 1)


def floor(day: dt.date, unit: Grain) -> dt.date:
    """Returns the first day of the calendar unit that holds `day`; weeks start on Monday."""
    if unit == "week":
        return day - dt.timedelta(days=day.weekday())
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1) if unit == "year" else day


def _advance(day: dt.date, unit: Grain, count: int) -> dt.date:
    """Returns the day `count` units later; a day the month does not have becomes its last one."""
    if unit in {"day", "week"}:
        return day + dt.timedelta(days=count * (7 if unit == "week" else 1))
    months = day.year * 12 + day.month - 1 + count * {"month": 1, "quarter": 3}.get(unit, 12)
    year, month = divmod(months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return day.replace(year=year, month=month + 1, day=min(day.day, last))
        except ValueError:
            continue
    return day
