"""The approvals page as a whole; for those who only ask, the page of their own requests."""

from __future__ import annotations

import streamlit as st

from guard import Illegal
from guard.changes import ChangeCard
from guard.inbox import REVIEWERS
from guard.principal import Principal
from ui import frame, markup
from ui.frame import Desk
from ui.reviewing import access, decision, earned, inbox, request, response

_WATCH_SECONDS = 1.0


def draw(person: Principal) -> None:
    """Draws the page for this person."""
    desk = frame.desk(person)
    _expire(desk)
    drawn = desk.parts.review.inbox.pulse(desk.caller)
    reviews = bool(person.roles & REVIEWERS)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        title = "Approvals" if reviews else "My requests"
        st.html(f'<h1 class="gh-title">{title}</h1>', width="content")
        shown = inbox.pick_filter(desk)
    if reviews:
        st.html(response.line(desk))
        earned.draw(desk)
    access.own(desk)
    asked_for = inbox.opened()
    with st.container(key=f"gh-desk-{'one' if asked_for else 'all'}"):
        left, right = st.columns([3, 8], gap="medium")
        with left:
            words, source = inbox.search(desk)
            found = inbox.cards(desk, shown, words, source)
            current = asked_for or _first(found)
            narrowed = bool(words or source)
            inbox.draw(desk, found, shown, current, narrowed=narrowed)
        with right:
            frame.problem()
            if current is not None:
                _open(desk, current)
    _watch(drawn)


def _first(found: tuple[ChangeCard, ...]) -> int | None:
    return found[0].id if found else None


def _open(desk: Desk, change: int) -> None:
    try:
        with frame.usable(but=(Illegal,)):
            view = desk.parts.review.inbox.view(change, desk.caller)
    except Illegal as error:
        st.html(markup.notice(str(error), "It may be somebody else's, or the link is wrong."))
        if st.button("Show my requests" if not desk.person.roles & REVIEWERS else "Show all"):
            inbox.open_(None)
            st.rerun()
        return
    whole = request.draw(desk, view)
    decision.draw(desk, view, whole=whole)


def _expire(desk: Desk) -> None:
    """Lets overdue requests expire, so that none is shown as open that cannot be decided."""
    waiting = desk.parts.review.inbox.cards(desk.caller, {"pending"})
    if any(card.expires_at <= desk.now for card in waiting):
        with frame.usable():
            desk.parts.review.expire()


@st.fragment(run_every=_WATCH_SECONDS)
def _watch(drawn: str) -> None:
    """Draws the page anew once anything this person may see has changed."""
    desk = frame.again("analyst", "reviewer", "admin")
    if desk.parts.review.inbox.pulse(desk.caller) != drawn:
        st.rerun()
