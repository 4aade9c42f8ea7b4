"""Which model answers, and a test of the way to it."""

from __future__ import annotations

import streamlit as st

from agent import Tried
from ui import frame, panels
from ui.checklist import said
from ui.frame import Desk
from ui.verdict import Verdict

_FOUND = "model_tried"


def draw(desk: Desk) -> None:
    """Draws the button and what the last try of this visit has shown; nothing without a model."""
    if desk.parts.choice.offline:
        return
    if st.button("Test the model", key="test_model", icon=":material/network_check:"):
        with frame.usable(), st.spinner("Asking the model"):
            st.session_state[_FOUND] = desk.parts.connection.test(desk.caller)
    tried: Tried | None = st.session_state.get(_FOUND)
    if tried is None:
        return
    if tried.problem is None:
        title = f"{tried.label} answers and calls tools."
        st.html(panels.said(Verdict.REACHABLE, title, said(tried)))
        return
    verdict = Verdict.TO_DO if tried.answers else Verdict.UNREACHABLE
    host = f" Host: {tried.host}." if tried.host else ""
    st.html(panels.said(verdict, f"{tried.label}:", f"{tried.problem}{host}"))
