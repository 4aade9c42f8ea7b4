"""How a turn ended, and the ways on from there: no ending is a dead end."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import streamlit as st

from agent import Answer, Refusal, unpack
from store import changes
from store.conversations import Conversation
from store.states import TurnKind
from ui import panels, text
from ui.asking import access, chart, result, talk
from ui.asking.talk import Shown
from ui.frame import Desk, attempt
from ui.reviewing import tier
from ui.verdict import Verdict

APPROVALS = Path(__file__).resolve().parents[2] / "pages" / "approvals.py"
TO_EDIT = "to_edit"
"""What a field is to take over in the next run: the kind of turn and its text."""


def reading(shown: Shown) -> str:
    """Returns how the question was read, as HTML; empty where there is no reading."""
    said = shown.answer.interpretation if shown.answer else None
    return panels.note(f"Read as: {escape(text.clip(said, 1_000))}") if said else ""


def draw(desk: Desk, talk_: Conversation, shown: Shown, *, latest: bool) -> None:
    """Draws the end of a turn. Only the latest one offers ways on."""
    answer = shown.answer
    if shown.turn.state == "interrupted" or answer is None:
        _interrupted(desk, talk_, shown, latest=latest)
        return
    if answer.notice:
        st.html(panels.said(Verdict.UNREACHABLE, "The model is away.", answer.notice))
    if answer.flags:
        st.html(_flagged(answer))
    match answer.status:
        case "answered":
            _answered(desk, shown, answer)
        case "asked_back":
            st.text(text.clip(answer.text))
            if latest:
                _ask_one_of(desk, talk_, [(o.label, o.question) for o in answer.options], "option")
        case "refused" | "halted":
            _refused(desk, talk_, shown, answer, latest=latest)
        case "proposed":
            _proposed(desk, answer.change, latest=latest)
        case "stopped":
            st.html(panels.said(Verdict.STOPPED, "Stopped.", _left(shown)))
        case "failed":
            st.html(panels.said(Verdict.FAILED, "This did not work.", answer.text))


def ways_on(desk: Desk, talk_: Conversation, shown: Shown) -> None:
    """Draws what can be done after a turn without an answer, into the row that it is called in."""
    answer = shown.answer
    if answer is None or shown.turn.state == "interrupted":
        return
    if answer.status in ("stopped", "failed"):
        _ask_again(desk, talk_, shown)
    elif answer.status in ("refused", "halted"):
        refusal = answer.refusal
        if refusal is None or shown.turn.kind == "question":
            _elsewhere(desk, talk_, shown)
        elif refusal.rule != panels.HELD or shown.turn.kind != "sql":
            _expected_read(desk, talk_, shown, refusal)


def _left(shown: Shown) -> str:
    proposed = any(step.kind == "proposal" for step in shown.steps)
    preview = " The preview was rolled back, so nothing was changed." if proposed else ""
    return f"Nothing more was run.{preview}"


def _flagged(answer: Answer) -> str:
    """Says what reads like orders to the agent; its names are ours, or those of a service."""
    found = [f"the {where} ({', '.join(names)})" for where, names in answer.flags.items()]
    verb = "reads" if len(found) == 1 else "read"
    sentence = (
        f"In this turn {text.joined(found)} {verb} like orders to the agent. It follows none, the "
        "guard holds whatever it does, and it may propose no change in this turn."
    )
    return panels.said(Verdict.TO_DO, "Flagged.", sentence)


def _answered(desk: Desk, shown: Shown, answer: Answer) -> None:
    if shown.turn.kind == "question":
        st.text(text.clip(answer.text))
    if answer.query is None:
        return
    packed = talk.rows_of(desk, shown.turn.id, answer.query)
    if packed is None:
        return
    if answer.chart is not None:
        made = chart.build(answer.chart, unpack(packed))
        if made is not None:
            st.altair_chart(made[0], alt=text.line(answer.chart.title))
            if made[1]:
                st.html(panels.note(made[1]))


def download(desk: Desk, shown: Shown) -> str:
    """Returns the link to the rows of the answer as a file; nothing where there are none."""
    answer = shown.answer
    if answer is None or answer.status != "answered" or answer.query is None:
        return ""
    kept = talk.rows_of(desk, shown.turn.id, answer.query) is not None
    return result.download(shown.turn.id) if kept else ""


def _refused(
    desk: Desk, talk_: Conversation, shown: Shown, answer: Answer, *, latest: bool
) -> None:
    refusal = answer.refusal
    if refusal is None:
        st.html(panels.said(Verdict.UNKNOWN, "Not answered.", answer.text))
        if latest:
            _ask_one_of(desk, talk_, [(s, s) for s in answer.suggestions], "suggestion")
        return
    st.html(panels.denied(refusal, halted=answer.status == "halted"))
    if not latest:
        return
    if refusal.rule == panels.HELD and shown.turn.kind == "sql":
        _offer_proposal(desk, talk_, shown.turn.question)
    if refusal.access_request is not None:
        access.offer(
            desk,
            talk_.id,
            refusal.access_request,
            lambda: _go(desk, talk_, shown.turn.question, shown.turn.kind, shown.reason),
        )


def _expected_read(desk: Desk, talk_: Conversation, shown: Shown, refusal: Refusal) -> None:
    """A typed statement stays in the SQL tab; one that only reads can be run from here."""
    if refusal.rule == "write.expected":
        if st.button("Run it as a query", key="run_instead"):
            _go(desk, talk_, shown.turn.question, "sql")
        return
    word = "the form" if shown.turn.kind == "template" else "the statement"
    if st.button(f"Edit {word}", key="edit", icon=":material/edit:"):
        edit(shown)


def _offer_proposal(desk: Desk, talk_: Conversation, sql: str) -> None:
    with st.form("propose_held", border=False):
        reason = st.text_input(
            "Reason, for the person who decides",
            key="held_reason",
            placeholder="Why is this change needed?",
        )
        asked = st.form_submit_button("Propose as a change", type="primary", icon=":material/rule:")
    if asked:
        propose(desk, talk_, talk_.source, sql, reason)


def propose(desk: Desk, talk_: Conversation | None, source: str, sql: str, reason: str) -> None:
    """Asks for a change and draws the page anew; without a reason it says so and asks nothing."""
    with attempt():
        if not reason.strip():
            st.html(panels.said(Verdict.TO_DO, "Add a reason.", "The reviewer decides on it."))
            return
        talk.begin(desk, talk_, source, sql, kind="change", reason=reason.strip())
    st.rerun()


def _proposed(desk: Desk, change: int | None, *, latest: bool) -> None:
    card = desk.parts.review.inbox.card(change, desk.caller) if change is not None else None
    if card is None:
        st.html(panels.said(Verdict.UNKNOWN, "The request is gone.", "Look at your requests."))
        return
    most = desk.parts.policy.approvals.max_rows
    if card.state == "pending" and card.rows > most:
        st.html(tier.over_cap(card.rows, most, own=card.author == desk.person.id))
    elif card.state == "pending":
        st.html(panels.pending(card))
    else:
        st.html(panels.became(card, desk.parts.review.inbox.votes(card.id, desk.caller)))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            APPROVALS,
            label=f"Open request #{card.id}",
            icon=":material/rule:",
            query_params={"change": str(card.id)},
        )
        own = card.state == "pending" and latest
        if own and st.button("Withdraw", key=f"withdraw_{card.id}", icon=":material/undo:"):
            with attempt():
                desk.parts.review.withdraw(card.id, desk.caller)
            st.rerun()


def _interrupted(desk: Desk, talk_: Conversation, shown: Shown, *, latest: bool) -> None:
    left = _requests(desk, shown)
    applied = [c for c in left if c.state in ("executing", "executed", "unknown", "undone")]
    proof = "" if applied else " No write was applied."
    why = shown.turn.error or "The server restarted while this was running."
    sentence = f"{why}{proof}"
    st.html(panels.said(Verdict.INTERRUPTED, "Interrupted.", sentence))
    for stored in left:
        _proposed(desk, stored.id, latest=latest)
    if not left and latest:
        _ask_again(desk, talk_, shown)


def _requests(desk: Desk, shown: Shown) -> Sequence[changes.StoredChange]:
    """The requests that this turn's proposals have made, finished steps or not."""
    calls = [f"{s.turn}/{s.call_id}" for s in shown.steps if s.kind == "proposal"]
    with desk.parts.store.read() as conn:
        found = (changes.by_call(conn, shown.turn.id, call) for call in calls)
        return [c for c in found if c is not None]


def _ask_again(desk: Desk, talk_: Conversation, shown: Shown) -> None:
    word = "Ask again" if shown.turn.kind == "question" else "Run again"
    if st.button(word, key="again", icon=":material/replay:"):
        _go(desk, talk_, shown.turn.question, shown.turn.kind, shown.reason)


def _ask_one_of(
    desk: Desk, talk_: Conversation, offers: Sequence[tuple[str, str]], key: str
) -> None:
    """Buttons that each ask a question; their texts come from the model."""
    with st.container(horizontal=True):
        for number, (label, question) in enumerate(offers):
            if st.button(text.label(label), key=f"{key}_{number}"):
                _go(desk, talk_, question, "question")


def _elsewhere(desk: Desk, talk_: Conversation, shown: Shown) -> None:
    """The ways on from a question that was not answered: word it otherwise, or ask another."""
    settings = desk.parts.policy.sources.get(talk_.source)
    if st.button("Edit the question", key="edit", icon=":material/edit:"):
        edit(shown)
    with st.popover("Ask about another table", icon=":material/table:"):
        for number, question in enumerate(settings.starters if settings else ()):
            if st.button(text.label(question), key=f"elsewhere_{number}", type="tertiary"):
                _go(desk, talk_, question, "question")


def _go(desk: Desk, talk_: Conversation, question: str, kind: TurnKind, reason: str = "") -> None:
    with attempt():
        talk.begin(desk, talk_, talk_.source, question, kind=kind, reason=reason)
    st.rerun()


def edit(shown: Shown) -> None:
    """Puts what was asked back into its field and draws the page anew with that tab open."""
    st.session_state[TO_EDIT] = (shown.turn.kind, shown.turn.question)
    st.rerun()
