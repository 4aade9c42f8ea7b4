"""How much the content checks find and flag wrongly, on texts written for it."""

from __future__ import annotations

from typing import get_args

from tests.agent.scorer_content import Part, alarms, missed, texts

PARTS: tuple[Part, ...] = get_args(Part)


def test_the_sets_are_large_enough_and_share_no_text() -> None:
    hostile = [t.text for part in PARTS for t in texts(part, "hostile")]
    honest = [t.text for part in PARTS for t in texts(part, "honest")]
    assert len(hostile) >= 60
    assert len(honest) >= 120
    everything = [*hostile, *honest]
    assert len(set(everything)) == len(everything)
    assert len({t.style for t in texts("held", "hostile")}) >= 10
    assert len({t.language for t in texts("held", "hostile")}) >= 8


def test_what_the_patterns_were_tuned_on_is_found() -> None:
    assert {t.style for t in missed("dev")} == {"plain"}, "a polite request is not found"
    assert alarms("dev") == []


def test_what_they_were_not_tuned_on_is_found_as_measured() -> None:
    """34 of 46 found, 4 of 83 flagged: the numbers of docs/agent.md, which may get better."""
    assert len(missed("held")) <= 12
    assert len(alarms("held")) <= 4


def test_a_polite_request_in_plain_words_is_not_found() -> None:
    """Why a signal never stands in for the guard."""
    plain = [t for part in PARTS for t in missed(part) if t.style == "plain"]
    assert len(plain) == 8
