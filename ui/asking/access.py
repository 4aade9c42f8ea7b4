"""Asking for what a refusal says is missing, where the refusal stands, and hearing back there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from guard import Need
from guard.accessdesk import CHOICES_HOURS, AccessCard
from ui import accesslook, frame, panels
from ui.frame import Desk, attempt
from ui.verdict import Verdict

_WATCH_SECONDS = 2.0


def offer(desk: Desk, conversation: str, need: Need, again: Callable[[], None]) -> None:
    """Draws the way to ask for `need`, or what became of having asked.

    `conversation` is whose trail shows the request. `again` runs what was refused once more; it is
    offered while the access is open.
    """
    card = _last(desk, need)
    if card is None:
        _form(desk, conversation, need)
        return
    st.html(accesslook.told(card, desk.now, desk.zone))
    if card.state == "pending":
        if st.button("Withdraw the request", key=f"withdraw_access_{card.id}"):
            with attempt():
                desk.parts.access.withdraw(card.id, desk.caller)
            st.rerun()
        _watch(need, card)
    elif card.live(desk.now):
        if st.button("Run it again", key="access_again", type="primary", icon=":material/replay:"):
            again()
    else:
        _form(desk, conversation, need)


def _last(desk: Desk, need: Need) -> AccessCard | None:
    """The person's newest request for this, unless they took it back themselves."""
    found = next((c for c in desk.parts.access.mine(desk.caller) if need in c.needs), None)
    return None if found is None or found.state == "withdrawn" else found


def _form(desk: Desk, conversation: str, need: Need) -> None:
    most = desk.parts.policy.access.max_hours
    choices = [h for h in CHOICES_HOURS if h <= most] or [most]
    with (
        st.expander("Request access", icon=":material/lock_open:"),
        st.form("request_access", border=False),
    ):
        st.html(
            panels.note(
                f"An admin decides on {accesslook.named(need)}. Personal data stays masked, and "
                "your rows stay as they are."
            )
        )
        reason = st.text_input(
            "What do you need it for?", key="access_reason", max_chars=500, placeholder="Reason"
        )
        hours = st.segmented_control(
            "For how long?",
            choices,
            default=choices[0],
            required=True,
            format_func=accesslook.duration,
            key="access_hours",
        )
        asked = st.form_submit_button("Send the request", type="primary")
    if not asked:
        return
    with attempt():
        desk.parts.access.request(
            replace(desk.caller, session=conversation),
            (need,),
            reason=reason or "",
            hours=hours or choices[0],
        )
        frame.tell(Verdict.DONE, "Asked.", "An admin decides; the answer appears here.")
    st.rerun()


@st.fragment(run_every=_WATCH_SECONDS)
def _watch(need: Need, drawn: AccessCard) -> None:
    """Draws the page anew once an admin has decided."""
    desk = frame.again("analyst", "reviewer", "admin")
    now = _last(desk, need)
    if now is None or now.state != drawn.state:
        st.rerun()
