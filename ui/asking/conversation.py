"""The conversation: finished turns as they are, the running one drawn anew twice a second."""

from __future__ import annotations

import streamlit as st

from store.conversations import Conversation
from ui import frame, panels, text
from ui.asking import outcome, saved, steps, talk, templates, tracing
from ui.asking.talk import Shown
from ui.frame import Desk

_TURNS = 8
_TICK_SECONDS = 0.5
_WATCH_SECONDS = 1.0
_MORE = "more_turns"


def draw(desk: Desk, conversation: Conversation) -> bool:
    """Draws the conversation and returns whether a turn of it is running."""
    pulse = desk.parts.review.inbox.pulse(desk.caller)
    asked_for = st.session_state.get(_MORE, {}).get(conversation.id, _TURNS)
    shown, before = talk.read(desk, conversation.id, asked_for)
    with st.container(height=560, key="gh-transcript", border=True, autoscroll=True):
        if before:
            _earlier(conversation, asked_for, before)
        for turn in shown[:-1]:
            _turn(desk, conversation, turn, latest=False)
        if shown:
            _latest(desk, conversation, shown[-1])
    if any(step.kind == "proposal" for turn in shown for step in turn.steps):
        _watch(pulse)
    return bool(shown) and shown[-1].running


@st.fragment(run_every=_WATCH_SECONDS)
def _watch(drawn: str) -> None:
    """Draws the page anew once something has happened to a request."""
    desk = frame.again("analyst", "reviewer", "admin")
    if desk.parts.review.inbox.pulse(desk.caller) != drawn:
        st.rerun()


def _latest(desk: Desk, conversation: Conversation, shown: Shown) -> None:
    if shown.running:
        _running(shown.turn.id)
    else:
        _turn(desk, conversation, shown, latest=True)


def _turn(desk: Desk, conversation: Conversation, shown: Shown, *, latest: bool) -> None:
    _asked(shown)
    with st.chat_message("assistant", avatar=":material/shield:"):
        if reading := outcome.reading(shown):
            st.html(reading)
        steps.draw(desk, conversation, shown, latest=latest)
        outcome.draw(desk, conversation, shown, latest=latest)
        if shown.answer is not None:
            _actions(desk, conversation, shown, latest=latest)


def _actions(desk: Desk, conversation: Conversation, shown: Shown, *, latest: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if link := outcome.download(desk, shown):
            st.html(link, width="content")
        if latest:
            outcome.ways_on(desk, conversation, shown)
            saved.offer(desk, conversation.source, shown)
        st.html(tracing.link(shown.turn.id), width="content")


def _asked(shown: Shown) -> None:
    with st.chat_message("user", avatar=":material/person:"):
        if shown.turn.kind == "question":
            st.text(text.clip(shown.turn.question))
            return
        if shown.turn.kind == "template":
            st.text(templates.asked(shown.turn.question))
            return
        st.code(text.clip(shown.turn.question), language="sql", wrap_lines=True)
        if shown.turn.kind == "change":
            reason = text.clip(shown.reason, 2_000)
            st.text(f"Proposed as a change: {reason}" if reason else "Proposed as a change")


@st.fragment(run_every=_TICK_SECONDS)
def _running(turn: str) -> None:
    """Draws the steps so far; when the turn has ended, the whole page is drawn once more."""
    desk = frame.again("analyst", "reviewer", "admin")
    found = talk.read_own(desk, turn)
    if found is None or not found[0].running:
        st.rerun()
    shown, before = found
    _asked(shown)
    with st.chat_message("assistant", avatar=":material/shield:"):
        steps.draw(desk, None, shown, latest=True)
    if before:
        others = text.count(before, "question is", "questions are")
        st.html(panels.note(f"{others} before yours."))
    asked_to_stop = shown.turn.cancel_requested
    if st.button(
        "Stopping" if asked_to_stop else "Stop",
        key="stop",
        icon=":material/stop_circle:",
        shortcut="Esc",
        disabled=asked_to_stop,
    ):
        with frame.attempt():
            desk.parts.runs.stop(turn)


def _earlier(conversation: Conversation, asked_for: int, before: int) -> None:
    if st.button(
        f"Show earlier questions ({before:,})", key="earlier", type="tertiary", width="stretch"
    ):
        more = st.session_state.setdefault(_MORE, {})
        more[conversation.id] = asked_for + _TURNS
        st.rerun()
