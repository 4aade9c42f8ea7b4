"""Filters of the audit page that this person gave a name, to find them again."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import streamlit as st

from guard.principal import Principal
from store import StoreError, auditfilters
from ui import panels, session, text
from ui.auditing import filters
from ui.verdict import Verdict

_LONGEST = 64
_NAME, _PROBLEM = "filter_name", "filter_problem"


def draw(person: Principal, query: Mapping[str, str], *, whole: bool) -> None:
    """Draws the filters that are kept and the field to keep the one on the screen.

    `query` is what the address says of it; not `whole` when something personal was left out.
    """
    with session.store().read() as conn:
        kept = auditfilters.list_own(conn, person.id)
    with st.popover("Saved", icon=":material/bookmark:"):
        for one in kept:
            _one(person, one)
        if not kept:
            st.html(panels.note("You keep no filter yet."))
        if problem := st.session_state.pop(_PROBLEM, None):
            st.html(panels.said(Verdict.FAILED, "The filter was not kept.", problem))
        if not query:
            st.html(panels.note("Choose a filter first, then give it a name here."))
            return
        if not whole:
            st.html(panels.note("What looks personal in this filter is not kept with it."))
        st.text_input("Name", key=_NAME, max_chars=_LONGEST, placeholder="Denied this week")
        address = filters.address(query)
        st.button("Keep this filter", key="filter_keep", on_click=_keep, args=(person, address))


def _one(person: Principal, one: auditfilters.AuditFilter) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            text.label(one.name, _LONGEST),
            key=f"filter_{one.id}",
            type="tertiary",
            on_click=_open,
            args=(one.query,),
        )
        st.button(
            "Remove",
            key=f"filter_{one.id}_remove",
            type="tertiary",
            icon=":material/delete:",
            help=f"Remove “{text.label(one.name, _LONGEST)}”",
            on_click=_remove,
            args=(person, one.id),
        )


def _open(query: str) -> None:
    st.query_params.from_dict(dict(parse_qsl(query)))
    st.session_state.pop("page", None)


def _keep(person: Principal, query: str) -> None:
    name = " ".join(str(st.session_state.get(_NAME) or "").split())[:_LONGEST]
    if not name:
        st.session_state[_PROBLEM] = "Give it a name to find it by."
        return
    store = session.store()
    try:
        with store.write() as conn:
            auditfilters.keep(conn, owner=person.id, name=name, query=query, now=store.now())
    except StoreError as error:
        st.session_state[_PROBLEM] = str(error)
    else:
        st.session_state[_NAME] = ""


def _remove(person: Principal, filter_id: int) -> None:
    with session.store().write() as conn:
        auditfilters.remove(conn, person.id, filter_id)
