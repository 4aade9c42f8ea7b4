"""The ask page as a whole."""

from __future__ import annotations

from html import escape

import streamlit as st

from guard import Refused, SourceUnavailable, SourceView
from guard.principal import Principal
from store import conversations
from store.conversations import Conversation
from ui import budgets, frame, markup, panels, text, trail, when
from ui.asking import composer, conversation, saved, schema, talk, tracing
from ui.frame import Desk
from ui.verdict import Verdict

_HISTORY = 20
_TICK_SECONDS = 1.0


def draw(person: Principal) -> None:
    """Draws the page for this person."""
    desk = frame.desk(person)
    wanted = st.query_params.get(tracing.PARAMETER)
    if wanted:
        tracing.draw(desk, wanted)
        return
    current = talk.chosen(desk)
    if current is None and st.query_params.get(talk.PARAMETER):
        _not_found()
        return
    with frame.usable():
        sources = desk.parts.gate.sources(desk.caller)
    if current is None and not sources:
        st.html(
            markup.notice(
                "There is no source you may read.",
                "An admin can add you to a role of the policy.",
            )
        )
        return
    composer.take_over()
    source = _heading(desk, current, sources)
    left, right = st.columns([7, 4], gap="medium")
    with left:
        frame.problem()
        busy = False
        if current is None:
            _welcome(desk, source)
        else:
            busy = conversation.draw(desk, current)
        composer.draw(desk, current, source, busy=busy)
        with frame.usable():
            scarce = budgets.left(desk.parts, desk.person, source)
        if scarce:
            st.html(f"{panels.note(escape(scarce))}<style>:root{{--gh-left:2.5rem}}</style>")
    with right:
        _trail(current)


def _heading(desk: Desk, current: Conversation | None, sources: tuple[str, ...]) -> str:
    with st.container(horizontal=True, vertical_alignment="center", key="gh-heading"):
        title = text.line(current.title, 60) if current else "Ask your data"
        st.html(f'<h1 class="gh-title">{escape(title)}</h1>')
        source = current.source if current else _pick_source(desk, sources)
        with st.popover(
            "Tables", icon=":material/table:", on_change="rerun", key="tables"
        ) as tables:
            if tables.open:
                _tables(desk, source)
        # Another conversation has another list, so that it closes once one is opened.
        key = f"history_{current.id if current else 'new'}"
        with st.popover("History", icon=":material/history:", key=key):
            _history(desk, current)
        if current is not None and st.button("New", icon=":material/add:", key="new"):
            talk.open_(None)
            st.rerun()
    settings = desk.parts.policy.sources.get(source)
    name = (settings.title or source) if settings else source
    environment = f" · {settings.environment}" if settings else ""
    st.html(f'<p class="gh-sub">{escape(f"{name}{environment} · {desk.parts.runs.label}")}</p>')
    return source


def _pick_source(desk: Desk, sources: tuple[str, ...]) -> str:
    if len(sources) == 1:
        return sources[0]
    titles = {name: desk.parts.policy.sources[name].title or name for name in sources}
    picked = st.selectbox(
        "Source",
        sources,
        format_func=lambda name: text.line(titles[name], 60),
        key="source",
        label_visibility="collapsed",
        persist_state="session",
        width=180,
    )
    return picked or sources[0]


def _tables(desk: Desk, source: str) -> None:
    try:
        view: SourceView = desk.parts.gate.view(source, desk.caller)
    except (Refused, SourceUnavailable) as error:
        st.html(panels.said(Verdict.FAILED, "The tables cannot be listed.", str(error)))
        return
    st.html(schema.listed(view))


def _history(desk: Desk, current: Conversation | None) -> None:
    shown = st.session_state.get("history_shown", _HISTORY)
    with desk.parts.store.read() as conn:
        found = conversations.list_own(conn, desk.person.id, limit=shown + 1)
    if not found:
        st.html(panels.note("No conversations yet."))
    for one in found[:shown]:
        age = when.ago(one.updated_at, desk.now)
        if st.button(
            f"{text.label(one.title, 60)} · {age}",
            key=f"open_{one.id}",
            type="tertiary",
            disabled=current is not None and one.id == current.id,
        ):
            talk.open_(one.id)
            st.rerun()
    if len(found) > shown and st.button("Show older", key="older"):
        st.session_state["history_shown"] = shown + _HISTORY
        st.rerun()


def _welcome(desk: Desk, source: str) -> None:
    settings = desk.parts.policy.sources[source]
    if settings.description:
        st.html(f'<p class="gh-said">{escape(text.clip(settings.description, 400))}</p>')
    st.html(
        '<p class="gh-note">Every query is checked before it runs, and every step is recorded '
        '<span class="gh-wide">on the right</span><span class="gh-narrow">below</span>.</p>'
    )
    composer.starters(desk, source)
    saved.suggestions(desk, source)


def _not_found() -> None:
    st.html(
        markup.notice(
            "There is no such conversation.",
            "It may belong to someone else: only your own conversations open here.",
        )
    )
    if st.button("Start a new one", icon=":material/add:"):
        talk.open_(None)
        st.rerun()


def _trail(current: Conversation | None) -> None:
    st.html('<div class="gh-head"><h2>Audit trail</h2></div>')
    if current is None:
        st.html(trail.listed((), when.zone(), linked=False))
        return
    with st.container(height=600, key="gh-trail", border=False):
        _live_trail(current)


@st.fragment(run_every=_TICK_SECONDS)
def _live_trail(drawn: Conversation) -> None:
    """Draws the newest events; a question asked in another tab draws the whole page anew."""
    desk = frame.again("analyst", "reviewer", "admin")
    with desk.parts.store.read() as conn:
        current = conversations.find_own(conn, drawn.id, owner=desk.person.id)
    if current != drawn:
        st.rerun()
    with frame.usable():
        records = desk.parts.log.tail(trail.NEWEST, session=drawn.id)
    st.html(
        f"{panels.note(trail.counted(records))}"
        f"{trail.listed(records, desk.zone, linked='admin' in desk.person.roles)}"
    )
