"""The one bar that decides on a request, or the sentence that says why this person cannot.

What a click approves is what was drawn when it was clicked: the fingerprint and version travel with
the button, not with the page that is drawn after the click.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import streamlit as st

from guard.changes import ChangeCard, ChangeView
from guard.inbox import REVIEWERS
from guard.previews import STOPPED
from store.states import ChangeState
from ui import frame, panels
from ui.frame import Desk, attempt
from ui.reviewing import inbox
from ui.verdict import Verdict

_CLICKED = "approving"
_OPEN: frozenset[ChangeState] = frozenset({"draft", "previewing", "pending", "approved"})


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was on the screen when somebody clicked to approve it."""

    change: int
    fingerprint: str
    version: int


def draw(desk: Desk, view: ChangeView, *, whole: bool) -> None:
    """Draws what this person may do with the request now.

    Without `whole`, not all of it was drawn before, and nothing approves it.
    """
    if view.standing != "decide" or not whole:
        _forget()
    match view.standing:
        case "decide":
            _decide(desk, view, whole=whole)
        case "over_cap":
            _decide(desk, view, whole=False)
        case "author":
            _stands(
                "You asked for this change, so someone else must review it.",
            )
            _withdraw(desk, view.card)
        case "voted":
            _stands(f"You have approved this. {view.missing}".rstrip())
        case "not_reviewer":
            _stands("Deciding on changes needs the reviewer role.")
        case "out_of_scope":
            _stands("Part of this change is outside what you can read, so you cannot decide on it.")
        case "closed":
            _closed(desk, view)


def _decide(desk: Desk, view: ChangeView, *, whole: bool) -> None:
    change, last = view.card.id, _is_last(desk, view)
    seen = Seen(change=change, fingerprint=view.fingerprint or "", version=view.version)
    comment = st.text_input("Comment", key=f"comment_{change}", placeholder="Required to reject")
    with st.container(horizontal=True):
        if whole:
            st.button(
                "Approve and apply" if last else "Approve",
                key=f"approve_{change}",
                type="primary",
                icon=":material/check:",
                shortcut="Ctrl+Enter",
                on_click=_remember,
                args=(seen,),
            )
        rejected = st.button("Reject", key=f"reject_{change}", icon=":material/close:")
    if rejected:
        _reject(desk, change, comment or "")
    clicked = st.session_state.get(_CLICKED)
    if isinstance(clicked, Seen) and clicked.change == change:
        _confirm(clicked, view, comment or "", last)
    else:
        _forget()


def _is_last(desk: Desk, view: ChangeView) -> bool:
    """True when this person's yes is the one that is missing."""
    admins = sum(v.as_admin for v in view.votes if v.decision == "approve" and not v.void) + (
        "admin" in desk.person.roles
    )
    enough = view.approvals + 1 >= view.approvers_needed
    return enough and admins >= view.admins_needed


def _remember(seen: Seen) -> None:
    st.session_state[_CLICKED] = seen


def _forget() -> None:
    st.session_state.pop(_CLICKED, None)


@st.dialog("Approve this change?", icon=":material/rule:", on_dismiss=_forget)
def _confirm(seen: Seen, view: ChangeView, comment: str, last: bool) -> None:
    desk = frame.again("reviewer", "admin")
    card = view.card
    policy = desk.parts.policy.sources.get(card.source)
    source = (policy.title if policy else "") or card.source
    then = "It is applied at once." if last else "It waits for another approval."
    st.html(
        panels.panel(
            "wait",
            "clock",
            [
                f"<strong>{escape(source)}, {escape(card.environment)}.</strong> "
                f"{panels.effect(card.tables)}",
                then,
            ],
        )
    )
    with st.container(horizontal=True):
        yes = st.button("Approve and apply" if last else "Approve", key="confirm", type="primary")
        no = st.button("Cancel", key="cancel")
    if yes:
        _approve(desk, seen, comment)
    if yes or no:
        _forget()
        st.rerun()


def _approve(desk: Desk, seen: Seen, comment: str) -> None:
    review = desk.parts.review
    with attempt(), st.spinner("Applying it"):
        enough = review.approve(
            seen.change,
            desk.caller,
            fingerprint=seen.fingerprint,
            version=seen.version,
            comment=comment,
        )
        inbox.open_(seen.change)
        if enough:
            review.apply(seen.change, desk.caller)
            inbox.show("Applied")


def _reject(desk: Desk, change: int, comment: str) -> None:
    if not comment.strip():
        st.html(panels.note("Say why you reject it; the author reads that."))
        return
    with attempt():
        desk.parts.review.reject(change, desk.caller, comment)
        inbox.open_(change)
        inbox.show("Rejected")
    st.rerun()


def _withdraw(desk: Desk, card: ChangeCard) -> None:
    if st.button("Withdraw", key=f"withdraw_{card.id}", icon=":material/undo:"):
        with attempt():
            desk.parts.review.withdraw(card.id, desk.caller)
            inbox.open_(card.id)
            inbox.show("All")
        st.rerun()


def _closed(desk: Desk, view: ChangeView) -> None:
    card = view.card
    if card.state not in ("draft", "previewing") and view.error != STOPPED:
        st.html(panels.became(card, view.votes))
    if card.state == "approved":
        _apply(desk, view)
    elif card.state == "executed":
        _undo(desk, view)
    elif card.state == "unknown":
        _stands("It is not known whether this was applied. Look at the source, then tell an admin.")


def _apply(desk: Desk, view: ChangeView) -> None:
    card = view.card
    own = card.author == desk.person.id
    with st.container(horizontal=True):
        if (own or desk.person.roles & REVIEWERS) and st.button(
            "Apply now", key=f"apply_{card.id}", type="primary", icon=":material/play_arrow:"
        ):
            with attempt(), st.spinner("Applying it"):
                desk.parts.review.apply(card.id, desk.caller)
                inbox.show("Applied")
            inbox.open_(card.id)
            st.rerun()
        if own:
            _withdraw(desk, card)


def _undo(desk: Desk, view: ChangeView) -> None:
    undoing = (
        desk.parts.review.inbox.card(view.undo_requests[0], desk.caller)
        if (view.undo_requests)
        else None
    )
    if undoing is not None:
        # A link to this same page would lose its query at the next click.
        if st.button(
            f"Undo is request #{undoing.id}", key=f"undoing_{undoing.id}", icon=":material/undo:"
        ):
            inbox.open_(undoing.id)
            inbox.show("All")
            st.rerun()
        if undoing.state in _OPEN:
            return
    with st.popover("Undo", icon=":material/undo:"):
        st.html(panels.note("Undoing is a change too: it becomes a request that someone reviews."))
        reason = st.text_input(
            "Reason", key=f"undo_reason_{view.card.id}", placeholder="Why take it back?"
        )
        asked = st.button("Ask to undo", key=f"undo_{view.card.id}", type="primary")
    if not asked:
        return
    if not (reason or "").strip():
        st.html(panels.note("Say why it should be taken back; the reviewer decides on that."))
        return
    with attempt():
        inbox.open_(desk.parts.review.begin_undo(view.card.id, desk.caller, reason or ""))
        inbox.show("Waiting")
    st.rerun()


def _stands(sentence: str) -> None:
    st.html(panels.said(Verdict.RECORDED, sentence))
