"""The access a person has asked for, beside the changes they have asked for."""

from __future__ import annotations

import streamlit as st

from ui import accesslook, text
from ui.frame import Desk, usable

_SHOWN = 5


def own(desk: Desk) -> None:
    """Draws the person's newest access requests; nothing where there are none."""
    with usable():
        found = desk.parts.access.mine(desk.caller, limit=_SHOWN)
    if not found:
        return
    waiting = sum(c.state == "pending" for c in found)
    live = sum(c.live(desk.now) for c in found)
    words = [f"{waiting} waiting"] if waiting else []
    words += [f"{live} open now"] if live else []
    title = f"Access you asked for: {text.joined(words)}" if words else "Access you asked for"
    with st.expander(title, expanded=bool(words), icon=":material/lock_open:"):
        for card in found:
            st.html(accesslook.told(card, desk.now, desk.zone))
