"""How far a preview is, while it is made, and the button that stops it."""

from __future__ import annotations

from html import escape

import streamlit as st

from guard import Illegal
from guard.changes import ChangeCard
from guard.engines.base import Reached
from guard.underway import UnderWay
from ui import frame, panels, text
from ui.frame import attempt
from ui.reviewing import inbox

_TICK_SECONDS = 0.5
_ELSEWHERE = (
    "It is being prepared. Only the instance of the console that prepares it knows how far it is. "
    "Nothing has changed."
)


def line(found: UnderWay | None) -> str:
    """Returns how far the preview is, as HTML; `found` is None where another process makes it."""
    if found is None:
        return panels.note(_ELSEWHERE)
    said = escape(f"{_step(found.reached)} {found.seconds:.0f} s so far.")
    return f'<div class="gh-underway" role="status">{_bar(found.reached)}{panels.note(said)}</div>'


def _bar(reached: Reached | None) -> str:
    if reached is None or not reached.of or not reached.rows:
        return "<progress></progress>"
    return f'<progress max="{reached.of}" value="{reached.rows}"></progress>'


def _step(reached: Reached | None) -> str:
    if reached is None:
        return "Waiting for the source."
    about = text.count(reached.of, "row") if reached.of else ""
    match reached.step:
        case "run":
            return f"Running the change on about {about}." if about else "Running the change."
        case "rows":
            return f"Reading the rows it touches{_of(reached)}."
        case "before":
            return f"Reading the rows as they were{_of(reached)}."
        case "after":
            return f"Reading the rows as they would be{_of(reached)}."
        case "back":
            return f"Taking it back to see that undo works{f', {about}' if about else ''}."


def _of(reached: Reached) -> str:
    if not reached.rows and not reached.of:
        return ""
    of = f" of about {reached.of:,}" if reached.of else ""
    return f": {reached.rows:,}{of}"


@st.fragment(run_every=_TICK_SECONDS)
def draw(card: ChangeCard) -> None:
    """Draws the preview's progress twice a second; who asked for it may stop it."""
    desk = frame.again("analyst", "reviewer", "admin")
    try:
        found = desk.parts.review.under_way(card.id, desk.caller)
    except Illegal:
        return
    st.html(line(found))
    if card.author != desk.person.id or (found is None and card.undo_of is not None):
        return  # an undo has no turn, by which another instance would hear of it
    stopping = found is not None and found.stopping
    if st.button(
        "Stopping" if stopping else "Stop",
        key=f"stop_{card.id}",
        icon=":material/stop_circle:",
        disabled=stopping,
    ):
        with attempt():
            desk.parts.review.stop_preview(card.id, desk.caller)
            inbox.open_(card.id)  # it leaves the list of what waits
    st.html(panels.note("Whatever it does is rolled back: nothing is changed."))
