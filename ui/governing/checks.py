"""The safety checklist, tried when somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from ui import panels, text
from ui.checklist import Check, run_checks
from ui.frame import Desk
from ui.verdict import Verdict, badge

_FOUND = "checks"


def draw(desk: Desk) -> None:
    """Draws the button and what the last run of this visit found."""
    if st.button("Run the checks", key="run_checks", type="primary", icon=":material/checklist:"):
        st.session_state[_FOUND] = _run(desk)
    found: Sequence[Check] = st.session_state.get(_FOUND, ())
    if not found:
        st.html(
            panels.note(
                "Each item is tried for real: the engines are attacked, refusals are provoked, the "
                "trail is verified. It takes some seconds and changes nothing."
            )
        )
        return
    done = sum(1 for check in found if check.passed)
    st.progress(done / len(found), text=f"{done} of {len(found)} done")
    st.html(listed(found))


def listed(found: Sequence[Check]) -> str:
    """Returns the checks as HTML, what is to be done first."""
    items = "".join(_item(check) for check in sorted(found, key=lambda c: c.passed))
    return f'<ul class="gh-checks">{items}</ul>'


def _item(check: Check) -> str:
    verdict = Verdict.DONE if check.passed else Verdict.TO_DO
    detail = f"<p>{escape(text.line(check.detail, 400))}</p>" if check.detail else ""
    return f"<li>{badge(verdict)}<div><b>{escape(text.line(check.name))}</b>{detail}</div></li>"


def _run(desk: Desk) -> tuple[Check, ...]:
    bar = st.progress(0.0, text="Trying the first item")

    def progress(what: str, part: float) -> None:
        bar.progress(part, text=f"Trying {what}")

    found = run_checks(desk.parts, progress)
    bar.empty()
    return found
