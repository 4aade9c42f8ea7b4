"""Keeps the address of the audit page and the filter on the screen the same.

Whoever opens a link gets its filter; whoever changes the filter gets its link. A part of a link
that cannot be used is named in a sentence and left out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from urllib.parse import urlsplit

import streamlit as st

from guard import log_safe
from redaction import RedactionError
from ui.auditing import filters
from ui.auditing.filters import People, Wanted

_SEEN, _FRESH = "audit_seen", "audit_fresh"
_PROBLEMS, _JUDGED = "audit_problems", "audit_judged"
SESSION = "audit_session"
WIDGETS = ("find", "verdict", "who", "table", "when", "since", "until")
"""Keys of the widgets; the session has none and stands under `SESSION`."""


def arrive(people: People, zone: dt.tzinfo) -> None:
    """Puts the filter of a link into the widgets, before they are drawn. Once for each link."""
    query = _here()
    if st.session_state.get(_SEEN) == query:
        return
    wanted, problems = filters.from_query(query, people)
    st.session_state[_SEEN], st.session_state[_FRESH] = query, True
    st.session_state[_PROBLEMS] = problems
    for name in WIDGETS:
        value = getattr(wanted, name)
        if isinstance(value, dt.datetime):
            value = value.astimezone(zone).replace(tzinfo=None)
        st.session_state[name] = value if name in ("find", "table") else value or None
    st.session_state[SESSION] = wanted.session


def settle(wanted: Wanted, people: People) -> Mapping[str, str]:
    """Writes the filter into the address and returns what stands there."""
    query = filters.to_query(wanted, people, _personal)
    fresh = st.session_state.pop(_FRESH, False)
    if query != _here():
        if not fresh:
            st.session_state[_PROBLEMS] = ()
        for name in filters.NAMES:
            if name in query:
                st.query_params[name] = query[name]
            else:
                st.query_params.pop(name, None)
    st.session_state[_SEEN] = query
    return query


def back() -> None:
    """Goes back to the filter that was last on the screen; follow it with `st.rerun()`."""
    st.query_params.from_dict(st.session_state.pop(_SEEN, {}))


def problems() -> tuple[str, ...]:
    """Returns what of the link could not be used, a sentence each."""
    found: tuple[str, ...] = st.session_state.get(_PROBLEMS, ())
    return found


def link(**query: str) -> str:
    """Returns the whole address of this page with that query, to be given to somebody."""
    here = urlsplit(str(st.context.url or ""))
    return here._replace(path="/audit", query=filters.address(query), fragment="").geturl()


def _here() -> dict[str, str]:
    return {name: value for name in filters.NAMES if (value := st.query_params.get(name))}


def _personal(words: str) -> bool:
    """True when the redaction finds something personal in what somebody typed, or fails."""
    judged = st.session_state.get(_JUDGED)
    if judged is None or judged[0] != words:
        try:
            found = log_safe(words) != words
        except RedactionError:
            found = True
        judged = st.session_state[_JUDGED] = (words, found)
    return bool(judged[1])
