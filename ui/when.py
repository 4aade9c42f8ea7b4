"""Moments as a page says them, in the reader's own time zone."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def zone() -> dt.tzinfo:
    """Returns the time zone of the reader's browser, UTC where it does not say."""
    name = st.context.timezone
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else dt.UTC
    except (ZoneInfoNotFoundError, ValueError):
        return dt.UTC


def ago(then: dt.datetime, now: dt.datetime) -> str:
    """Returns how long ago it was: `just now`, `4 min ago`, `3 h ago`, `2 days ago`."""
    seconds = (now - then).total_seconds()
    if seconds < _MINUTE:
        return "just now"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min ago"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h ago"
    days = int(seconds // _DAY)
    return "1 day ago" if days == 1 else f"{days} days ago"


def left(until: dt.datetime, now: dt.datetime) -> str:
    """Returns how much time is left: `in 40 min`, `in 5 h`, `in 2 days`, `now`."""
    seconds = (until - now).total_seconds()
    if seconds < _MINUTE:
        return "now"
    if seconds < 2 * _HOUR:
        return f"in {seconds // _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"in {seconds // _HOUR:.0f} h"
    return f"in {seconds // _DAY:.0f} days"


def clock(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Returns the time of day: `08:50:09`."""
    return f"{moment.astimezone(zone):%H:%M:%S}"


def stamp(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Returns day and time: `20 Nov 2026, 08:50:09`."""
    local = moment.astimezone(zone)
    return f"{local.day} {local:%b %Y, %H:%M:%S}"


def short(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Returns day and time without the year, for narrow columns: `20 Nov, 08:50:09`."""
    local = moment.astimezone(zone)
    return f"{local.day} {local:%b, %H:%M:%S}"
