"""One change request in full: what it does first, then who says what about it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import streamlit as st

from guard.changes import ChangeCard, ChangeView, SchemaView, TableView
from guard.previews import STOPPED
from redaction import redact_text
from store import conversations, turns
from store.states import ChangeState
from ui import diff, panels, schemadiff, stored, text, when
from ui.frame import Desk, attempt
from ui.reviewing import checks, drifted, tier, underway, whole
from ui.verdict import Verdict, badge, state_badge

ASK = Path(__file__).resolve().parents[2] / "pages" / "ask.py"
_TURNS = 3
_UNDECIDED: frozenset[ChangeState] = frozenset({"draft", "previewing", "pending", "drifted"})


def draw(desk: Desk, view: ChangeView) -> bool:
    """Draws the request: heading, numbers, rows, statement, checks, what was said.

    True when every row and all of the statement were drawn, or every row was downloaded: only then
    may the button that approves it follow.
    """
    card = view.card
    stopped = view.error == STOPPED
    st.html(_heading(desk, card, stopped=stopped))
    if card.state == "previewing":
        underway.draw(card)
        st.code(text.clip(view.statement), language="sql", wrap_lines=True)
        return False
    if card.tier is not None:  # else no preview was ever made
        _numbers(desk, card)
        st.html(tier.line(view))
    most = desk.parts.policy.approvals.max_rows
    if card.state == "pending" and card.rows > most:
        st.html(tier.over_cap(card.rows, most, own=card.author == desk.person.id))
    if view.error:
        st.html(
            panels.said(
                Verdict.STOPPED if stopped else Verdict.FAILED, "What happened:", view.error
            )
        )
    if view.undo_notes or card.undo == "none":
        st.html(_not_undone(view))
    drawn = _whole(view)
    rows, tried, said = st.tabs(["Rows and statement", "Checks", "Conversation"])
    with rows:
        _rows(view)
        _statement(view)
    with tried:
        st.html(checks.listed(desk, view))
    with said:
        _said(desk, view)
    return drawn


def _heading(desk: Desk, card: ChangeCard, *, stopped: bool) -> str:
    policy = desk.parts.policy.sources.get(card.source)
    source = (policy.title if policy else "") or card.source
    tables = text.joined([panels.code(text.line(t.table, 60)) for t in card.tables])
    facts = [
        f"#{card.id}",
        f"asked by {escape(card.author_name)} {when.ago(card.created_at, desk.now)}",
        f"table {tables}" if tables else "",
        f"source {escape(text.line(source, 60))}, {escape(card.environment)}",
    ]
    if card.undo_of is not None:
        facts.insert(1, f"undoes #{card.undo_of}")
    if card.state in ("pending", "approved"):
        facts.append(f"expires {when.left(card.expires_at, desk.now)}")
    over = card.state == "pending" and card.rows > desk.parts.policy.approvals.max_rows
    state = badge(Verdict.STOPPED) if stopped else state_badge(card.state)
    return (
        f'<div class="gh-head"><h2>{escape(text.line(card.reason, 300))}</h2>'
        f"{badge(Verdict.HELD) if over else state}</div>"
        f'<p class="gh-sub">{" · ".join(f for f in facts if f)}</p>'
    )


def _numbers(desk: Desk, card: ChangeCard) -> None:
    cap = desk.parts.policy.approvals.max_rows
    with st.container(horizontal=True):
        for name, value in (
            ("Changed", f"{sum(t.updated for t in card.tables):,}"),
            ("Added", f"{sum(t.inserted for t in card.tables):,}"),
            ("Removed", f"{sum(t.deleted for t in card.tables):,}"),
            ("Row cap", f"{card.rows:,} of {cap:,}"),
        ):
            st.metric(name, value, border=True)


def _rows(view: ChangeView) -> None:
    if not view.diff and not view.schema:
        st.html(panels.note("There is no preview."))
    if view.card.state in _UNDECIDED and (view.earlier or view.earlier_schema):
        drifted.draw(view)
    else:
        _changes(view.diff, view.schema)
    if view.cut:
        st.html(whole.offer(view))


def _changes(rows: Sequence[TableView], schema: Sequence[SchemaView]) -> None:
    for table in rows:
        st.html(diff.table(table))
    for definition in schema:
        st.html(schemadiff.table(definition))


def _statement(view: ChangeView) -> None:
    if view.card.undo_of is not None:
        undone = f"Every row is put back as it was before request #{view.card.undo_of}, or none is."
        st.html(panels.note(undone))
        return
    st.code(text.clip(view.statement), language="sql", wrap_lines=True)
    if view.card.state in (*_UNDECIDED, "approved"):
        st.html(panels.note("Exactly this text runs, or nothing."))


def _whole(view: ChangeView) -> bool:
    """True when the page holds all there is to read, or this person has taken all of it along."""
    written = len(view.statement) <= text.LONGEST
    return written and (not view.cut or view.taken)


def _not_undone(view: ChangeView) -> str:
    exact = view.card.undo == "exact"
    title = "Undo leaves this behind." if exact else "This cannot be undone exactly."
    if view.card.undo == "none":
        title = "This cannot be undone."
    lines = [f"<strong>{title}</strong>", *(escape(text.line(n, 300)) for n in view.undo_notes)]
    return panels.panel("bad", "error", lines)


def _said(desk: Desk, view: ChangeView) -> None:
    _asked_in(desk, view)
    votes = [
        f"<li>{escape(v.by)} <strong>{'approved' if v.decision == 'approve' else 'rejected'}"
        f"</strong>{' (void: the rows changed)' if v.void else ''}"
        f"{' (sooner than the rows can be read)' if v.fast else ''}"
        f"{' (one of many at once)' if v.bulk else ''} "
        f"<span>{when.ago(v.at, desk.now)}</span>"
        f"{f'<br>{escape(text.clip(v.comment, 2_000))}' if v.comment else ''}</li>"
        for v in view.votes
    ]
    comments = [
        f"<li>{escape(c.by)} <span>{when.ago(c.at, desk.now)}</span>"
        f"<br>{escape(text.clip(c.text, 2_000))}</li>"
        for c in view.comments
    ]
    if votes or comments:
        st.html(f'<ul class="gh-votes">{"".join([*votes, *comments])}</ul>')
    with st.form(f"comment_{view.card.id}", border=False, clear_on_submit=True):
        words = st.text_input("Say something about it", placeholder="It decides nothing.")
        sent = st.form_submit_button("Add comment")
    if sent:
        with attempt():
            desk.parts.review.comment(view.card.id, desk.caller, words)
        st.rerun()


def _asked_in(desk: Desk, view: ChangeView) -> None:
    """The last questions that led to the request, redacted: they were typed to somebody else."""
    if view.conversation is None:
        st.html(panels.note("It was not asked for in a conversation."))
        return
    with desk.parts.store.read() as conn:
        found = turns.list_of(conn, view.conversation)
        own = conversations.find_own(conn, view.conversation, owner=desk.person.id)
    before = [t for t in found if t.created_at <= view.card.created_at][-_TURNS:]
    key = desk.parts.masking.key(view.conversation)
    for turn in before:
        with st.chat_message("user", avatar=":material/person:"):
            st.text(redact_text(text.clip(turn.question, 4_000), sink="screen", key=key))
        answer = stored.answer(turn)
        if answer is not None and answer.text:
            with st.chat_message("assistant", avatar=":material/shield:"):
                st.text(redact_text(text.clip(answer.text, 4_000), sink="screen", key=key))
    if own is not None:
        st.page_link(
            ASK,
            label="Open the conversation",
            icon=":material/forum:",
            query_params={"c": view.conversation},
        )
