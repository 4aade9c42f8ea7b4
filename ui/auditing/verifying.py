"""Checking the chain from the page: what the verifier found, in the words of the person."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from audit import AuditLog, Report
from guard.principal import Principal
from ui import panels, text
from ui.auditing import reading
from ui.verdict import Verdict

_ASKED, _FOUND, _REACHED = "verify_asked", "verified", "verify_reached"
TAMPERED, WEAK = 1, 2


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is kept of a report for the rest of the visit."""

    verdict: Verdict
    title: str
    sentence: str
    details: str


def ask() -> None:
    """Has the chain checked by this run, or by a later one where something else cuts this one off.

    Until the check is done: a page that is still being drawn would lose the click.
    """
    st.session_state[_ASKED] = True


def asked() -> bool:
    """Returns whether a check was asked for and is not done."""
    return bool(st.session_state.get(_ASKED))


def run(log: AuditLog, person: Principal, place: DeltaGenerator) -> None:
    """Verifies the whole log with progress in `place`, records that, and keeps what was found.

    Raises:
        audit.AuditError: the log cannot be read, or the check cannot be recorded.
    """
    with place.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, text="Checking the chain")
        # A click ends this run at its next word on the progress, and the next run says so.
        st.button("Cancel", key="verify_cancel", on_click=_cancelled)

    def progress(done: int, total: int) -> None:
        st.session_state[_REACHED] = (done, total)
        bar.progress(min(1.0, done / max(total, 1)), text=f"{done:,} of {total:,} events")

    st.session_state.pop(_FOUND, None)
    st.session_state.pop(_REACHED, None)
    try:
        report = log.verify(progress=progress)
        # Streamlit may cut a run off at each word to it: what comes before the record is done anew,
        # and nothing comes after it.
        place.empty()
        st.session_state[_FOUND] = said(report)
        st.session_state.pop(_ASKED, None)
        reading.verified(log, person, report)
    except Exception:
        st.session_state.pop(_FOUND, None)
        st.session_state.pop(_ASKED, None)  # else every run would fail by it
        raise


def _cancelled() -> None:
    st.session_state.pop(_ASKED, None)
    done, total = st.session_state.get(_REACHED, (0, 0))
    st.session_state[_FOUND] = Found(
        verdict=Verdict.STOPPED,
        title="The check was stopped.",
        sentence=(f"{done:,} of {total:,} events were looked at. " if total else "")
        + "Nothing is said about the log.",
        details="",
    )


def show() -> None:
    """Draws what the last check of this visit found."""
    found = st.session_state.get(_FOUND)
    if not isinstance(found, Found):
        return
    st.html(panels.said(found.verdict, found.title, found.sentence))
    if found.details:
        with st.expander("What was checked", type="compact"):
            st.code(found.details, language=None)


def said(report: Report) -> Found:
    """Returns the report in a sentence."""
    took = f"{text.count(report.records, 'event')} checked in {_took(report.seconds)}"
    bad = report.first_bad
    if report.status == 0:
        verdict, title = Verdict.DONE, "Chain intact."
        sentence = f"{took}, from the first event to the latest."
    elif report.status == TAMPERED:
        verdict = Verdict.DENIED
        where = f" at event {bad.seq:,}" if bad and bad.seq else ""
        title = f"Chain broken{where}."
        meaning = f" {bad.meaning}" if bad else ""
        sentence = (
            "Events before it check out; it and later ones may have been altered. Export now and "
            f"tell your security team.{meaning}"
        )
    elif report.status == WEAK:
        verdict, title = Verdict.UNKNOWN, "Nothing wrong was found, but not all could be shown."
        sentence = " ".join([f"{took}.", *report.weaknesses])
    else:
        verdict, title = Verdict.FAILED, "The chain could not be verified."
        sentence = bad.meaning if bad else ""
    return Found(verdict=verdict, title=title, sentence=sentence, details=report.as_text())


def _took(seconds: float) -> str:
    """Returns a stretch of time: in milliseconds below a second, in minutes above 90 seconds."""
    if seconds < 1:
        return f"{max(1, round(seconds * 1_000)):,} ms"
    return f"{seconds:.1f} s" if seconds <= 90 else f"{seconds / 60:.1f} minutes"
