"""Searching the sealed events, which takes a while: on a click, with progress, to be stopped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from audit import AuditError, AuditLog, Filter, Record, SealedPage, Segment
from guard.principal import Principal
from ui import markup, panels, text
from ui.auditing import kept, reading, record, table
from ui.auditing.filters import Wanted
from ui.verdict import Verdict

_STATE, _REACHED = "sealed_state", "sealed_reached"
_ALT = "Sealed audit events, newest first"


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What was found so far for one filter. `before` is where to go on, None at the end."""

    wanted: Wanted
    asked: Filter
    records: tuple[Record, ...] = ()
    looked: int = 0
    before: int | None = None
    stopped: bool = False


def draw(
    log: AuditLog,
    person: Principal,
    wanted: Wanted,
    asked: Filter,
    people: record.People,
    zone: dt.tzinfo,
) -> Callable[[], None] | None:
    """Draws what is sealed and what was found in it; nothing where nothing that may fit is sealed.

    Returns what is to be run at the end of the page when somebody has just asked for a search.
    """
    try:
        segments = log.sealed_within(asked)
    except AuditError as error:
        st.html(panels.said(Verdict.FAILED, "The sealed events cannot be searched.", str(error)))
        return None
    if not segments:
        return None
    found = _state(wanted)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(panels.note(_said(segments, found)), width="content")
        word = _word(found)
        asked_for = word is not None and st.button(
            word, key="sealed", icon=":material/inventory_2:"
        )
    place = st.empty()
    if found is not None and found.records:
        _show(log, found.records, people, zone)
    if not asked_for:
        return None
    if found is None:
        found = _Found(wanted=wanted, asked=asked)
    return partial(_run, log, person, replace(found, stopped=False), place)


def _state(wanted: Wanted) -> _Found | None:
    found = st.session_state.get(_STATE)
    return found if isinstance(found, _Found) and found.wanted == wanted else None


def _said(segments: Sequence[Segment], found: _Found | None) -> str:
    span = f"Events {segments[-1].first:,} to {segments[0].last:,} are sealed"
    if found is None:
        return f"{span}: the search above does not look into them."
    looked = text.count(found.looked, "sealed event")
    number = text.count(len(found.records), "event")
    if found.stopped:
        matched = f" {number} matched so far." if found.records else ""
        return f"{span}. The search of them was stopped after {looked}.{matched}"
    if found.before is not None:
        return f"{span}. The newest {number} that match are below."
    return f"{span}. {number if found.records else 'No event'} of them matched, of {looked}."


def _word(found: _Found | None) -> str | None:
    if found is None:
        return "Search sealed events"
    if found.stopped:
        return "Go on with the search"
    return "Look for older ones" if found.before is not None else None


def _run(log: AuditLog, person: Principal, earlier: _Found, place: DeltaGenerator) -> None:
    """Searches with progress in `place`, and draws the page anew with what was found."""
    reading.searched(log, person, (*earlier.asked.used, "sealed"))
    with place.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, text="Searching the sealed events")
        # A click ends this run at its next word on the progress, and the next run says so.
        st.button("Stop", key="sealed_stop", on_click=_stopped, args=(earlier,))

    def progress(done: int, total: int) -> None:
        bar.progress(min(1.0, done / max(total, 1)), text=f"{done:,} of {total:,} sealed events")

    def reached(page: SealedPage) -> None:
        st.session_state[_REACHED] = page

    st.session_state.pop(_REACHED, None)
    try:
        page = log.search_sealed(
            earlier.asked, before=earlier.before, progress=progress, reached=reached
        )
    except AuditError as error:
        place.html(markup.notice("The sealed events cannot be searched", str(error)))
        return
    st.session_state[_STATE] = _with(earlier, page)
    st.rerun()


def _with(earlier: _Found, page: SealedPage) -> _Found:
    return replace(
        earlier,
        records=(*earlier.records, *page.records),
        looked=earlier.looked + page.looked,
        before=page.before,
    )


def _stopped(earlier: _Found) -> None:
    """Keeps what the segments held that were read to their end; the next search goes on there."""
    page = st.session_state.get(_REACHED)
    found = _with(earlier, page) if isinstance(page, SealedPage) else earlier
    st.session_state[_STATE] = replace(found, stopped=True)


def _show(log: AuditLog, records: Sequence[Record], people: record.People, zone: dt.tzinfo) -> None:
    with st.container(key="gh-sealed"):
        left, right = st.columns([8, 4], gap="small")
    with left:
        one = table.choose(records, people, zone, _ALT)
    with right, st.container(border=True, key="gh-sealed-event"):
        try:
            st.html(record.facts(one, people, zone))
        except AuditError as error:
            st.html(markup.notice(f"Event {one.seq:,}", str(error)))
        st.html(kept.inclusion(one.seq, log.head(), one.fits))
        record.hashed(log, one, sealed=True)
