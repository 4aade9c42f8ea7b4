"""The list of requests: what waits, what was decided, one card each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

import streamlit as st

from guard.changes import ChangeCard
from store.states import ChangeState
from ui import panels, text, when
from ui.frame import Desk
from ui.verdict import state_badge

PARAMETER = "change"
"""The part of the address that names the open request."""
FILTERS: Mapping[str, tuple[ChangeState, ...] | None] = {
    "Waiting": ("draft", "previewing", "pending", "drifted"),
    "Approved": ("approved", "executing", "unknown"),
    "Applied": ("executed", "undoing", "undone", "undo_failed"),
    "Rejected": ("rejected",),
    "All": None,
}
_PAGE = 20
_SHOWN = "inbox_shown"
_FILTER = "show"
_NEXT = "show_next"
_SEARCH = "find"
_SOURCE = "inbox_source"
_ANY = ""
_EMPTY = {
    "Waiting": "Nothing is waiting for review.",
    "Approved": "Nothing is approved and not applied yet.",
    "Applied": "Nothing has been applied yet.",
    "Rejected": "Nothing has been rejected.",
    "All": "There are no requests yet.",
}


def show(name: str) -> None:
    """Makes the next run show this filter."""
    st.session_state[_NEXT] = name


def pick_filter(desk: Desk) -> str:
    """Draws the filter, kept in the address, and returns the chosen one."""
    wanted = st.session_state.pop(_NEXT, None)
    if wanted in FILTERS:
        st.session_state[_FILTER] = wanted
    waiting = desk.parts.review.inbox.count(desk.caller, FILTERS["Waiting"] or ())

    def named(name: str) -> str:
        return f"Waiting {waiting:,}" if name == "Waiting" and waiting else name

    picked = st.segmented_control(
        "Show",
        list(FILTERS),
        # Streamlit warns where a value is set and a default given.
        default=None if wanted in FILTERS else "Waiting",
        required=True,
        format_func=named,
        key=_FILTER,
        # What is open may not be among those that are listed then.
        on_change=open_,
        args=(None,),
        label_visibility="collapsed",
        bind="query-params",
        wrap=True,
    )
    return picked or "Waiting"


def search(desk: Desk) -> tuple[str, str | None]:
    """Draws the search and, where there are several, the choice of the source; returns both."""
    words = st.text_input(
        "Search requests",
        key=_SEARCH,
        placeholder="Number, reason, table or name",
        label_visibility="collapsed",
        icon=":material/search:",
        bind="query-params",
    )
    sources = desk.parts.gate.sources(desk.caller)
    if len(sources) < 2:
        return (words or "").strip(), None
    picked = st.selectbox(
        "Source",
        [_ANY, *sources],
        key=_SOURCE,
        label_visibility="collapsed",
        format_func=lambda name: _title(desk, name),
    )
    return (words or "").strip(), None if picked in (None, _ANY) else picked


def _title(desk: Desk, name: str) -> str:
    settings = desk.parts.policy.sources.get(name)
    return "All sources" if name == _ANY else text.label((settings and settings.title) or name)


def cards(
    desk: Desk, shown: str, words: str = "", source: str | None = None
) -> tuple[ChangeCard, ...]:
    """Returns the requests of a filter and search that this person may see, newest first."""
    limit = st.session_state.get(_SHOWN, _PAGE)
    return desk.parts.review.inbox.cards(
        desk.caller, FILTERS[shown], source=source, search=words or None, limit=limit + 1
    )


def draw(
    desk: Desk, found: tuple[ChangeCard, ...], shown: str, current: int | None, *, narrowed: bool
) -> None:
    """Draws one card for each request; a click opens it."""
    if not found and narrowed:
        st.html(panels.note("No request matches. Clear the search or choose another filter."))
        return
    if not found:
        st.html(panels.note(_EMPTY[shown]))
        if shown == "Waiting":
            st.html(panels.note("Changes are asked for on the Ask page, in words or in SQL."))
        return
    limit = st.session_state.get(_SHOWN, _PAGE)
    for card in found[:limit]:
        _card(desk, card, current, with_state=shown == "All")
    if len(found) > limit and st.button("Show more", key="more_requests"):
        st.session_state[_SHOWN] = limit + _PAGE
        st.rerun()


def _card(desk: Desk, card: ChangeCard, current: int | None, *, with_state: bool) -> None:
    key = f"gh-card-{'open' if card.id == current else 'closed'}-{card.id}"
    with st.container(border=True, key=key, gap="xxsmall"):
        title = text.label(card.reason, 90)
        if st.button(title, key=f"open_{card.id}", type="tertiary", wrap=True):
            open_(card.id)
            st.rerun()
        tables = text.joined([text.line(t.table, 40) for t in card.tables])
        rows = f"{text.count(card.rows, 'row')} in {tables}" if tables else card.source
        state = f"<br>{state_badge(card.state)}" if with_state else ""
        marks = "".join(f" · {mark}" for mark in _marks(desk, card))
        st.html(
            f'<p class="gh-note">#{card.id} · {escape(rows)}<br>{escape(card.author_name)} · '
            f"{when.ago(card.created_at, desk.now)}{marks}{state}</p>"
        )


def _marks(desk: Desk, card: ChangeCard) -> Iterator[str]:
    """What is special about a request, a few words each."""
    if card.tier is not None and card.tier > 1:
        yield f"tier {card.tier}"
    if card.auto is not None:
        yield "<strong>applied without a person</strong>"
    if card.state == "pending" and card.rows > desk.parts.policy.approvals.max_rows:
        yield "<strong>over the row cap</strong>"
    if card.undo_of is not None:
        yield f"undoes #{card.undo_of}"


def opened() -> int | None:
    """Returns the number of the request that the address names, or None."""
    wanted = st.query_params.get(PARAMETER, "")
    return int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else None


def open_(change: int | None) -> None:
    """Makes the address name a request, or none."""
    if change is None:
        st.query_params.pop(PARAMETER, None)
    else:
        st.query_params[PARAMETER] = str(change)
