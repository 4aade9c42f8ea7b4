"""When a data role's grant on a source is there: hours of the day, days of the week, a time zone.

Times are those on the wall of the zone: on the day clocks change, 08:00 is still 08:00. Hours that
end before they begin pass midnight and belong to the day they begin on.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)", re.ASCII)
_MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Hours:
    """A weekly timetable; `end` at midnight is the end of the day."""

    start: dt.time
    end: dt.time
    days: frozenset[int]
    zone: ZoneInfo

    @classmethod
    def of(cls, hours: str | None, days: tuple[Day, ...], zone: str) -> Hours | None:
        """Returns the timetable, or None where it is always open.

        Raises:
            ValueError: the hours or the zone are none; the message says what to write.
        """
        try:
            known = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(
                f"{zone!r} is not a time zone; write one like Europe/Berlin"
            ) from error
        if hours is None and not days:
            return None
        start, end = _parse(hours) if hours is not None else (dt.time(), dt.time())
        return cls(
            start=start,
            end=end,
            days=frozenset(DAYS.index(d) for d in days or DAYS),
            zone=known,
        )

    def is_open(self, at: dt.datetime) -> bool:
        """True when the grant is there at that moment."""
        local = at.astimezone(self.zone)
        now, today = local.time().replace(fold=0), local.weekday()
        until = now < self.end or self.end == dt.time()
        if self.start < self.end or self.end == dt.time():
            return today in self.days and self.start <= now and until
        begun = now >= self.start and today in self.days
        return begun or (now < self.end and (today - 1) % 7 in self.days)

    def opens(self, at: dt.datetime) -> dt.datetime:
        """Returns when it opens next, in its own zone; `at` itself where it is open."""
        if self.is_open(at):
            return at.astimezone(self.zone)
        local = at.astimezone(self.zone)
        for ahead in range(9):
            day = local.date() + dt.timedelta(days=ahead)
            moment = self._begins(day)
            if day.weekday() in self.days and moment > at:
                return moment.astimezone(self.zone)
        raise AssertionError("a timetable opens at least once in a week")

    def _begins(self, day: dt.date) -> dt.datetime:
        """The moment it begins; where clocks skip that time, the first one after the gap."""
        wall = dt.datetime.combine(day, self.start, tzinfo=self.zone)
        moment = wall.astimezone(dt.UTC)
        if moment.astimezone(self.zone).time() == self.start:
            return moment
        while self.is_open(moment - _MINUTE):
            moment -= _MINUTE
        return moment


def _parse(hours: str) -> tuple[dt.time, dt.time]:
    if not _HOURS.fullmatch(hours):
        raise ValueError(f'{hours!r} are no hours; write them like "08:00-18:00"')
    first, _, last = hours.partition("-")
    start = dt.time.fromisoformat(first)
    end = dt.time() if last == "24:00" else dt.time.fromisoformat(last)
    if start == end and last != "24:00":
        raise ValueError(f"{hours!r} begin and end at once; leave them out for the whole day")
    return start, end


def said(moment: dt.datetime) -> str:
    """Returns a moment as a person reads it, with its zone."""
    return f"{moment:%A} {moment.day} {moment:%B %Y}, {moment:%H:%M} ({moment.tzinfo})"
