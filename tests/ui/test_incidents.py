from __future__ import annotations

import logging

import pytest

from store import StoreError
from ui import incidents


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    pieces: list[str] = []
    monkeypatch.setattr("ui.incidents.st.html", pieces.append)
    return pieces


def _raised() -> Exception:
    try:
        try:
            raise KeyError("maria@example.com")
        except KeyError as cause:
            raise ValueError("row of maria@example.com") from cause
    except ValueError as error:
        return error


def test_promise_08_an_unforeseen_error_shows_a_number_and_logs_the_same_without_its_text(
    shown: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "gatehouse"):
        assert incidents.report(_raised())
    (record,) = caplog.records
    logged = record.getMessage()
    number = logged.split()[1]
    assert number in shown[0]
    assert "maria" not in logged + shown[0]
    assert record.exc_info is None
    assert "builtins.ValueError" in logged
    assert "caused by builtins.KeyError" in logged
    assert f"{__file__}:" in logged


def test_a_sentence_for_people_is_shown_as_it_is_and_escaped(
    shown: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert incidents.report(StoreError("The store <b> is busy."))
    assert "The store &lt;b&gt; is busy." in shown[0]
    assert caplog.records == []


def test_streamlits_own_log_of_the_error_is_dropped_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("streamlit.error_util")
    before = list(logger.filters)
    incidents.silence_streamlit()
    incidents.silence_streamlit()
    try:
        assert len(logger.filters) == len(before) + 1
        dropped = logger.makeRecord("x", logging.ERROR, "f", 1, "m", (), (ValueError, None, None))
        kept = logger.makeRecord("x", logging.ERROR, "f", 1, "m", (), None)
        assert not logger.filter(dropped)
        assert logger.filter(kept)
    finally:
        logger.filters[:] = before
