from __future__ import annotations

import datetime as dt

import pytest

from store import StoreError, clock


def test_the_time_is_aware_and_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEHOUSE_NOW", raising=False)
    assert clock.now().utcoffset() == dt.timedelta(0)


def test_a_frozen_clock_stands_still_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_NOW", "2026-06-30T11:00:00+02:00")
    assert clock.now() == clock.now() == dt.datetime(2026, 6, 30, 9, tzinfo=dt.UTC)


@pytest.mark.parametrize("text", ["2026-06-30T11:00:00", "noon"])
def test_a_frozen_time_without_an_offset_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEHOUSE_NOW", text)
    with pytest.raises(StoreError, match="GATEHOUSE_NOW"):
        clock.now()
