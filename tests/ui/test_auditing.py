"""What the audit page says of ranges and decisions, as pure functions."""

from __future__ import annotations

import datetime as dt
import json
import re
from zoneinfo import ZoneInfo

import pytest

from audit import Hour, LogHead, RemoteState, Segment, verify
from ui.auditing import kept, timeline, verifying
from ui.verdict import Verdict

START = dt.datetime(2026, 6, 30, 22, tzinfo=dt.UTC)


def head(size: int = 900, anchored: int = 900, **given: object) -> LogHead:
    return LogHead(
        **{  # type: ignore[arg-type]  # fields by name
            "size": size,
            "hash": "0" * 64,
            "logged": "",
            "note": "",
            "anchored": anchored,
            "failing": {},
            "remote": {},
            "overdue": False,
            **given,
        }
    )


def segment(first: int, last: int) -> Segment:
    return Segment(
        origin="o",
        first=first,
        last=last,
        first_prev="",
        last_hash="",
        last_logged="",
        frontier="",
        note="",
        sha256="",
        bytes=0,
        marks=(),
    )


def said(*args: object) -> list[str]:
    drawn = kept.ranges(*args)  # type: ignore[arg-type]  # as below
    return [re.sub(r"<[^>]+>", "", item) for item in drawn.split("</li>")[:-1]]


def test_ranges_tell_sealed_from_expired_and_live_from_anchored() -> None:
    old, newer = segment(1, 200), segment(201, 400)
    told = said(head(anchored=890), [old, newer], [old])
    assert told[0].startswith("Events 1 to 200 expired. Their manifests stay")
    assert told[1].startswith("Events 201 to 400 sealed in 1 file.")
    assert told[2] == "Events 401 to 900 can be searched and replayed here."
    assert told[-1] == "Events 1 to 890 anchored in the file of checkpoints."
    assert len(said(head(), [], [])) == 3


def test_a_place_that_fails_is_named_with_how_far_it_is() -> None:
    states = {
        "hook": RemoteState(size=700, waiting_s=3.0, failing="HTTPError"),
        "store": RemoteState(size=900, waiting_s=0.0, failing=None),
    }
    told = said(head(remote=states, failing={"file": "OSError"}, overdue=True), [], [])
    assert "Events 1 to 700 anchored with hook. It fails now: HTTPError." in told
    assert "Events 1 to 900 anchored with store." in told
    assert "file does not take checkpoints now: OSError." in told
    assert told[-1].startswith("Nothing new runs until")


def test_the_inclusion_of_an_event_names_the_farthest_anchor() -> None:
    states = {"hook": RemoteState(size=700, waiting_s=0.0, failing=None)}
    drawn = kept.inclusion(650, head(anchored=640, remote=states), True)
    assert "Included" in drawn
    assert "Anchored outside the log with hook, up to event 700." in drawn
    assert "Not anchored yet" in kept.inclusion(800, head(anchored=640, remote=states), True)
    assert "This event was changed." in kept.inclusion(1, head(), False)
    assert kept.line(head(anchored=899)) == "900 events, anchored outside the log up to 899."
    assert kept.line(head()) == "900 events, all anchored outside the log."


def hours(*offsets: int) -> list[Hour]:
    return [Hour(begins=START + dt.timedelta(hours=n), allowed=2, denied=1) for n in offsets]


@pytest.mark.parametrize(
    ("last", "step"), [(0, "hour"), (7 * 24, "hour"), (8 * 24, "day"), (401 * 24, "month")]
)
def test_a_bar_stands_for_as_much_as_can_be_seen(last: int, step: str) -> None:
    found = sorted({0, last})
    picture = timeline.drawn(hours(*found), None, dt.UTC, "light")
    assert picture is not None
    assert f"Decisions per {step}" in picture.heading
    total = 3 * len(found)
    assert picture.summary.startswith(f"{total} decisions in {len(found)} {step}")
    spec = json.loads(picture.chart.to_json())
    assert sum(row["number"] for rows in spec["datasets"].values() for row in rows) == total


def test_days_begin_where_the_reader_is() -> None:
    zone = ZoneInfo("Europe/Oslo")  # two hours ahead: 22:00 UTC is midnight of the next day
    picture = timeline.drawn(hours(-1, 0, 400), None, zone, "dark")
    assert picture is not None
    assert "Decisions per day" in picture.heading
    assert "in 3 days" in picture.summary


def test_the_colours_and_words_are_those_of_the_verdicts() -> None:
    assert timeline.drawn([], None, dt.UTC, "light") is None
    picture = timeline.drawn(
        [Hour(begins=START, allowed=1_000, held=1, denied=2)], None, dt.UTC, "light"
    )
    assert picture is not None
    for verdict, number in ((Verdict.ALLOWED, "1,000"), (Verdict.REVIEW, "1"), (Verdict.DENIED, 2)):
        assert f"{number} {verdict.value.lower()}" in picture.heading
    assert (
        picture.summary == "1,003 decisions in 1 hour: 1,000 allowed, 1 needs review and 2 denied."
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "1 ms"),
        (0.0424, "42 ms"),
        (0.9, "900 ms"),
        (1.25, "1.2 s"),
        (90.0, "90.0 s"),
        (150.0, "2.5 minutes"),
    ],
)
def test_a_check_says_how_long_it_took_in_a_unit_that_fits(seconds: float, words: str) -> None:
    report = verify.Report(
        status=0,
        origin="o",
        keys=(),
        first=1,
        last=7,
        records=7,
        since=0,
        sealed_through=0,
        proven_through=7,
        anchored_through=7,
        checkpoints=(1, 1),
        anchors=(1, 1),
        intents=None,
        filtered=False,
        findings=(),
        weaknesses=(),
        state=None,
        seconds=seconds,
    )
    said = verifying.said(report)
    assert said.sentence == f"7 events checked in {words}, from the first event to the latest."
