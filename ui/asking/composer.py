"""Where a person asks: a question, SQL of their own, or a template's form, by the same gate."""

from __future__ import annotations

import streamlit as st

from store.conversations import Conversation
from ui import panels, text
from ui.asking import outcome, saved, talk, templates
from ui.frame import Desk, attempt, failed, usable

MODE = "mode"
"""Which tab is open: `Ask`, `SQL`, `Saved` or `Templates`."""
SAVED = "Saved"
TEMPLATES = "Templates"
_SQL_TEXT = "sql_text"
_QUESTION = "question"


def draw(desk: Desk, conversation: Conversation | None, source: str, *, busy: bool) -> None:
    """Draws the tabs. While a turn runs nothing new can be sent; what is typed stays."""
    with usable():
        found = desk.parts.gate.templates(source, desk.caller)
    if not found and st.session_state.get(MODE) == TEMPLATES:
        st.session_state[MODE] = "Ask"
    ask, sql, kept, *rest = st.tabs(
        ["Ask", "SQL", SAVED, *([TEMPLATES] if found else [])], key=MODE, on_change="rerun"
    )
    # The tab says itself which one is open: after a restart the browser alone knows it.
    height = "17rem" if sql.open else "8.5rem" if ask.open else "23rem"
    st.html(f"<style>:root{{--gh-composer:{height}}}</style>")
    for tab in rest:
        with tab:
            templates.draw(desk, conversation, source, found, busy=busy)
    if kept.open:
        with kept:
            saved.draw(desk, conversation, source, busy=busy)
    with ask:
        _ask(desk, conversation, source, busy)
    with sql:
        _sql(desk, conversation, source, busy)


def take_over() -> None:
    """Puts what a button or the last run left for a field into it; call it before it is drawn."""
    match st.session_state.pop(outcome.TO_EDIT, None):
        case ("question", str(asked)):
            st.session_state[_QUESTION] = asked
            st.session_state[MODE] = "Ask"
        case ("sql" | "change", str(statement)):
            st.session_state[_SQL_TEXT] = statement
            st.session_state[MODE] = "SQL"
        case ("template", _):
            st.session_state[MODE] = TEMPLATES


def _ask(desk: Desk, conversation: Conversation | None, source: str, busy: bool) -> None:
    asked = st.chat_input("Ask a question", key=_QUESTION, disabled=busy)
    if not asked:
        return
    if len(asked) > talk.LONGEST_QUESTION:
        st.session_state[outcome.TO_EDIT] = ("question", asked)
        failed(
            f"A question has up to {talk.LONGEST_QUESTION:,} characters; this one has "
            f"{len(asked):,}. Shorten it."
        )
    else:
        with attempt():
            talk.begin(desk, conversation, source, asked)
    st.rerun()


def _sql(desk: Desk, conversation: Conversation | None, source: str, busy: bool) -> None:
    sql = st.text_area(
        "One statement",
        key=_SQL_TEXT,
        height=130,
        placeholder="SELECT ...",
        persist_state="session",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run = st.button(
            "Run",
            key="run_sql",
            type="primary",
            icon=":material/play_arrow:",
            shortcut="Ctrl+Enter",
            disabled=busy,
        )
        with st.popover("Propose as a change", icon=":material/rule:", disabled=busy):
            reason = st.text_input(
                "Reason, for the person who decides",
                key="reason",
                placeholder="Why is this change needed?",
            )
            st.html(panels.note("Nothing changes until someone other than you approves the rows."))
            proposed = st.button("Propose", key="propose", type="primary")
    if not (run or proposed):
        return
    if not sql or not sql.strip():
        st.html(panels.note("Write a statement first."))
    elif proposed:
        outcome.propose(desk, conversation, source, sql, reason or "")
    else:
        with attempt():
            talk.begin(desk, conversation, source, sql, kind="sql")
        st.rerun()


def starters(desk: Desk, source: str) -> None:
    """Draws the source's own questions, to begin with."""
    questions = desk.parts.policy.sources[source].starters
    if not questions:
        return
    picked = st.pills(
        "Questions to begin with",
        questions,
        format_func=text.label,
        key=f"starter_{source}",
        wrap=True,
        label_visibility="collapsed",
    )
    if picked:
        with attempt():
            talk.begin(desk, None, source, picked)
        st.rerun()
