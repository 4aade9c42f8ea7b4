"""Questions kept with their SQL: saving one from an answer, the verified ones, and verifying."""

from __future__ import annotations

from html import escape

import streamlit as st

from agent import SavedCard
from store.conversations import Conversation
from ui import frame, panels, stored, text, when
from ui.asking import talk
from ui.asking.talk import Shown
from ui.frame import Desk, attempt, usable
from ui.verdict import Verdict

_SUGGESTED = 5
_SAVES = "saves"
_STATES = {
    "private": "yours alone",
    "offered": "waiting to be verified",
    "verified": "verified",
    "stale": "stale, and not used",
}


def offer(desk: Desk, source: str, shown: Shown) -> None:
    """Draws the way to keep an answered question with its SQL."""
    answer = shown.answer
    if answer is None or answer.status != "answered" or answer.query is None:
        return
    if shown.turn.kind not in ("question", "sql"):
        return
    steps = (s for s in shown.steps if s.call_id == answer.query)
    sql = next((stored.statement(s).sql for s in steps), "")
    if not sql:
        return
    asked = shown.turn.question if shown.turn.kind == "question" else ""
    # Once something is saved it is another popover, so that it closes.
    key = f"save_{shown.turn.id}_{st.session_state.get(_SAVES, 0)}"
    with st.popover("Save the question", icon=":material/bookmark:", key=key):
        question = st.text_input(
            "Question", asked[:500], max_chars=500, key=f"save_as_{shown.turn.id}"
        )
        st.html(panels.note("It is kept with its SQL, for you alone until you offer it."))
        if st.button("Save", key=f"save_now_{shown.turn.id}", type="primary"):
            with attempt():
                desk.parts.questions.keep(source, question or "", sql, desk.caller)
                frame.tell(Verdict.DONE, "Saved.", "You find it under Saved, below.")
                st.session_state[_SAVES] = st.session_state.get(_SAVES, 0) + 1
            st.rerun()


def suggestions(desk: Desk, source: str) -> None:
    """Draws verified questions to begin with."""
    with usable():
        cards = desk.parts.questions.verified(source, desk.caller, _SUGGESTED)
    if not cards:
        return
    st.html(panels.note("Verified by people here:"))
    by_label = {text.label(c.question): c for c in cards}
    picked = st.pills(
        "Verified questions",
        list(by_label),
        key=f"verified_{source}",
        wrap=True,
        label_visibility="collapsed",
    )
    if picked:
        _ask(desk, None, by_label[picked])


def draw(desk: Desk, conversation: Conversation | None, source: str, *, busy: bool) -> None:
    """Draws the tab: what may be asked, what is one's own, what waits to be verified."""
    with usable():
        verified = desk.parts.questions.verified(source, desk.caller)
        mine = desk.parts.questions.mine(source, desk.caller)
        waiting = desk.parts.questions.to_verify(source, desk.caller)
    with st.container(height=250, border=False, key="gh-saved"):
        if not (verified or mine or waiting):
            st.html(panels.note("Nothing is saved yet. Save a question under its answer."))
        for card in waiting:
            _to_verify(desk, conversation, card, busy=busy)
        for card in verified:
            if not card.own:
                _verified(desk, conversation, card, busy=busy)
        for card in mine:
            _own(desk, conversation, card, busy=busy)


def _verified(desk: Desk, talk_: Conversation | None, card: SavedCard, *, busy: bool) -> None:
    with st.container(border=True, key=f"saved_{card.id}"):
        _head(desk, card)
        with st.container(horizontal=True):
            if st.button("Ask", key=f"saved_ask_{card.id}", disabled=busy):
                _ask(desk, talk_, card)
            if {"reviewer", "admin"} & set(desk.person.roles):
                _delete(desk, card)


def _own(desk: Desk, talk_: Conversation | None, card: SavedCard, *, busy: bool) -> None:
    with st.container(border=True, key=f"saved_{card.id}"):
        _head(desk, card)
        with st.container(horizontal=True):
            if card.state == "verified":
                if st.button("Ask", key=f"saved_ask_{card.id}", disabled=busy):
                    _ask(desk, talk_, card)
            elif st.button("Run its SQL", key=f"saved_run_{card.id}", disabled=busy):
                _run(desk, talk_, card)
            if card.state == "private" and st.button("Offer it", key=f"saved_offer_{card.id}"):
                with attempt():
                    desk.parts.questions.offer(card.id, desk.caller)
                    frame.tell(Verdict.DONE, "Offered.", "Somebody else verifies it for everybody.")
                st.rerun()
            if card.state == "offered" and st.button("Take back", key=f"saved_back_{card.id}"):
                with attempt():
                    desk.parts.questions.take_back(card.id, desk.caller)
                st.rerun()
            _delete(desk, card)


def _to_verify(desk: Desk, talk_: Conversation | None, card: SavedCard, *, busy: bool) -> None:
    with st.container(border=True, key=f"saved_{card.id}"):
        _head(desk, card)
        st.code(text.clip(card.sql), language="sql", wrap_lines=True)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if st.button("Run its SQL", key=f"saved_run_{card.id}", disabled=busy):
                _run(desk, talk_, card)
            if st.button(
                "Verify", key=f"saved_verify_{card.id}", type="primary", icon=":material/verified:"
            ):
                with attempt():
                    desk.parts.questions.verify(card.id, desk.caller)
                    frame.tell(
                        Verdict.DONE, "Verified.", "Everybody who may read it is offered it."
                    )
                st.rerun()
            if card.state == "stale":
                _delete(desk, card)
                return
            with st.popover("Send back", key=f"saved_return_{card.id}"):
                reason = st.text_input("Why?", key=f"saved_reason_{card.id}", max_chars=500)
                if st.button("Send it back", key=f"saved_return_now_{card.id}"):
                    with attempt():
                        desk.parts.questions.take_back(card.id, desk.caller, reason or "")
                    st.rerun()


def _head(desk: Desk, card: SavedCard) -> None:
    state = _STATES.get(card.state, card.state)
    if card.state == "verified" and card.verified_at is not None:
        day = when.stamp(card.verified_at, desk.zone)
        state = f"verified by {text.line(card.verified_by, 80)} on {day}"
    elif not card.own:
        state = f"{state}, kept by {text.line(card.owner_name, 80)}"
    said = f". {text.line(card.comment, 300)}" if card.comment else ""
    st.html(
        f"<strong>{escape(text.line(card.question, 300))}</strong>"
        f"{panels.note(escape(f'{state[:1].upper()}{state[1:]}{said}'))}"
    )


def _delete(desk: Desk, card: SavedCard) -> None:
    if st.button("Delete", key=f"saved_delete_{card.id}", icon=":material/delete:"):
        with attempt():
            desk.parts.questions.remove(card.id, desk.caller)
        st.rerun()


def _ask(desk: Desk, talk_: Conversation | None, card: SavedCard) -> None:
    with attempt():
        talk.begin(desk, talk_, card.source, card.question)
    st.rerun()


def _run(desk: Desk, talk_: Conversation | None, card: SavedCard) -> None:
    with attempt():
        talk.begin(desk, talk_, card.source, card.sql, kind="sql")
    st.rerun()
