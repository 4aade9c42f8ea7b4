"""What is done once for each visit to a page, however often Streamlit runs its script."""

from __future__ import annotations

import streamlit as st

_PAGE, _DONE = "visit_page", "visit_done"


def arrive(page: str) -> None:
    """Begins a new visit when this is another page than the last run's; the shell calls it."""
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE] = page
        st.session_state[_DONE] = ()


def first(what: str) -> bool:
    """Returns True the first time in this visit, False every further time."""
    done = st.session_state.get(_DONE, ())
    if what in done:
        return False
    st.session_state[_DONE] = (*done, what)
    return True
