"""Periods in words, relative to Tuesday 2026-06-30."""

from __future__ import annotations

import datetime as dt

import pytest

from agent.planner.timegrammar import find_period
from agent.planner.words import words_of

TODAY = dt.date(2026, 6, 30)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("today", "2026-06-30", "2026-07-01"),
        ("yesterday", "2026-06-29", "2026-06-30"),
        ("in 2025", "2025-01-01", "2026-01-01"),
        ("last week", "2026-06-22", "2026-06-29"),
        ("this week", "2026-06-29", "2026-07-06"),
        ("last month", "2026-05-01", "2026-06-01"),
        ("this quarter", "2026-04-01", "2026-07-01"),
        ("previous quarter", "2026-01-01", "2026-04-01"),
        ("last year", "2025-01-01", "2026-01-01"),
        ("the last 7 days", "2026-06-23", "2026-07-01"),
        ("past two weeks", "2026-06-16", "2026-07-01"),
        ("last 6 months", "2025-12-30", "2026-07-01"),
        ("in the past year", "2025-06-30", "2026-07-01"),
        ("in March 2025", "2025-03-01", "2025-04-01"),
        ("in August", "2025-08-01", "2025-09-01"),
        ("in May of last year", "2025-05-01", "2025-06-01"),
        ("on March 14, 2025", "2025-03-14", "2025-03-15"),
        ("on 14 March 2025", "2025-03-14", "2025-03-15"),
        ("on 2025-03-14", "2025-03-14", "2025-03-15"),
        ("Q4 2025", "2025-10-01", "2026-01-01"),
        ("2025 Q1", "2025-01-01", "2025-04-01"),
        ("in the third quarter of 2024", "2024-07-01", "2024-10-01"),
        ("H2 2025", "2025-07-01", "2026-01-01"),
        ("first half of last year", "2025-01-01", "2025-07-01"),
        ("year to date", "2026-01-01", "2026-07-01"),
        ("so far this month", "2026-06-01", "2026-07-01"),
        ("since April 2026", "2026-04-01", None),
        ("after 2025-12-31", "2026-01-01", None),
        ("before 2025", None, "2025-01-01"),
        ("until March 2024", None, "2024-04-01"),
        ("between January and March 2025", "2025-01-01", "2025-04-01"),
        ("from 2025-12-24 to 2025-12-26", "2025-12-24", "2025-12-27"),
        ("from November 2025 to February 2026", "2025-11-01", "2026-03-01"),
    ],
)
def test_a_period_is_resolved(text: str, start: str | None, end: str | None) -> None:
    words = words_of(text)
    found = find_period(words, 0, TODAY)

    assert found is not None
    assert found.length == len(words)
    assert found.period.start == (dt.date.fromisoformat(start) if start else None)
    assert found.period.end == (dt.date.fromisoformat(end) if end else None)


@pytest.mark.parametrize(
    "text",
    [
        "customers",
        "last order",
        "may",
        "march on",
        "2025-13-45",
        "last 0 days",
        "last 4000 years",
        "next week",
    ],
)
def test_what_is_no_period_is_not_taken_for_one(text: str) -> None:
    assert find_period(words_of(text), 0, TODAY) is None


def test_the_year_of_a_bare_month_is_said_to_be_assumed() -> None:
    found = find_period(words_of("in August"), 0, TODAY)

    assert found is not None
    assert found.period.assumed == "August is that of 2025"
    assert found.period.spoken() == "from 2025-08-01 to 2025-08-31"


def test_the_last_day_of_a_longer_month_is_kept_within_the_month() -> None:
    found = find_period(words_of("last 4 months"), 0, TODAY)

    assert found is not None
    assert found.period.start == dt.date(2026, 2, 28)
