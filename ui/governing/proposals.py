"""One proposed policy: what it means, how recorded statements would turn out, and the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
import streamlit as st

from guard import Catalog, ConfigurationError, Principal, SourceUnavailable
from guard.policydiff import Effect, Meaning, meanings
from guard.policyfile import Policy
from guard.replay import Replay
from store import accounts
from store.candidates import Candidate
from ui import frame, panels, text, when
from ui.frame import Desk, attempt
from ui.governing.textdiff import show_diff
from ui.verdict import Icon, Tone, Verdict, badge, icon

_SHORT = 12
_EFFECTS: Mapping[Effect, tuple[str, Tone, Icon]] = {
    "gains": ("Gains", "wait", "check"),
    "loses": ("Loses", "quiet", "block"),
    "changes": ("Changes", "info", "dot"),
}
_SHOWN = 60


def draw(desk: Desk, candidate: Candidate, running: Policy, names: Mapping[str, str]) -> None:
    """Draws a proposal with everything a second admin decides on."""
    by = escape(text.line(names.get(candidate.proposed_by, "somebody"), 80))
    st.html(
        f'<div class="gh-head"><h2>Proposal {candidate.id}</h2>{badge(Verdict.REVIEW)}</div>'
        f'<p class="gh-sub">{by}, {when.ago(candidate.proposed_at, desk.now)} · '
        f"{panels.code(candidate.sha256[:_SHORT])}</p>"
        f'<p class="gh-said">{escape(text.clip(candidate.note, 500))}</p>'
    )
    try:
        policy = desk.parts.governing.parsed(candidate.text)
    except ConfigurationError as error:
        st.html(panels.said(Verdict.FAILED, "This program cannot use it.", str(error)))
    else:
        st.html(_meant(_meanings(desk, running, policy)))
        show_diff(running.text, candidate.text, "proposed")
        _replay(desk, candidate, running)
    _decide(desk, candidate, running)


def _meanings(desk: Desk, running: Policy, policy: Policy) -> tuple[Meaning, ...]:
    with desk.parts.store.read() as conn:
        known = accounts.list_all(conn)
    people = [p for a in known if (p := desk.parts.people.by_id(a.id)) is not None]
    return meanings(running, policy, _by_roles_alone(people), lambda name: _catalog(desk, name))


def _by_roles_alone(people: Sequence[Principal]) -> list[Principal]:
    """The people without their grants, which no policy gives."""
    return [
        Principal(id=p.id, name=p.name, display_name=p.display_name, roles=p.roles) for p in people
    ]


def _catalog(desk: Desk, source: str) -> Catalog | None:
    try:
        return desk.parts.sources.get(source).catalog()
    except (SourceUnavailable, ConfigurationError):
        return None


def _meant(found: Sequence[Meaning]) -> str:
    if not found:
        return panels.note("It means the same for everybody: only comments or names differ.")
    items = "".join(_item(meaning) for meaning in found[:_SHOWN])
    more = len(found) - _SHOWN
    rest = panels.note(f"{more:,} more differences; read the text below.") if more > 0 else ""
    return f'<ul class="gh-notes">{items}</ul>{rest}'


def _item(meaning: Meaning) -> str:
    word, tone, picture = _EFFECTS[meaning.effect]
    who = text.joined([escape(text.line(n, 40)) for n in meaning.people]) or "Everybody"
    return (
        f'<li class="gh-{tone}">{icon(picture)}<span><strong>{word}</strong> · {who}: '
        f"{escape(text.line(meaning.what, 400))}</span></li>"
    )


def _replay(desk: Desk, candidate: Candidate, running: Policy) -> None:
    last = running.activation.replay_last
    fresh = candidate.replay_json is not None and candidate.replay_base == running.sha256
    if candidate.replay_json is not None:
        if not fresh:
            st.html(
                panels.note("The policy in force has changed since this replay; replay it again.")
            )
        show(Replay.read(candidate.replay_json))
    word = "Replay again" if fresh else f"Replay the last {last:,} statements"
    with st.container(horizontal=True):
        asked = st.button(word, key=f"replay_{candidate.id}", icon=":material/replay:")
        place = st.empty()
    if asked:
        # A click on anything, this button first of all, ends the run of the script between two
        # statements; nothing is kept then.
        place.button("Stop", key=f"stop_replay_{candidate.id}", icon=":material/stop_circle:")
        bar = st.progress(0.0, text="Judging recorded statements")

        def progress(done: int, every: int) -> None:
            part = done / every if every else 1.0
            bar.progress(part, text=f"Judged {done:,} of {every:,} statements")

        with attempt():
            desk.parts.governing.replay(candidate.id, desk.caller, progress)
        st.rerun()


def show(found: Replay) -> None:
    """Draws what a replay found: counts first, then what would turn out otherwise."""
    left = "".join(
        f"<li>{icon('help')}<span>{count:,} not judged: {escape(text.line(reason, 200))}"
        "</span></li>"
        for reason, count in found.skipped
    )
    notes = "".join(f"<li>{icon('help')}<span>{escape(n)}</span></li>" for n in found.notes)
    judged = f"{found.judged:,} of the last {text.count(found.recorded, 'recorded statement')}"
    changed = sum(f.statements for f in found.flips)
    turned = (
        f"<strong>{text.count(changed, 'statement')} would turn out otherwise.</strong>"
        if changed
        else "None would turn out otherwise."
    )
    st.html(
        f'<p class="gh-said">{judged} judged by both policies, nothing was run. {turned}</p>'
        f'<ul class="gh-notes">{left}{notes}</ul>'
    )
    if not found.flips:
        return
    rows = [
        (
            f.turned,
            f.person,
            f.source,
            f.statements,
            f.before,
            f.after,
            "; ".join([*(f"+ {g}" for g in f.gained), *(f"- {g}" for g in f.lost)]),
            f.example,
        )
        for f in found.flips
    ]
    columns = [
        "What",
        "Person",
        "Source",
        "Statements",
        "Rule now",
        "Rule then",
        "Change",
        "Such as",
    ]
    st.dataframe(
        pd.DataFrame(rows, columns=columns),
        hide_index=True,
        alt="Statements that would turn out otherwise",
    )


def _decide(desk: Desk, candidate: Candidate, running: Policy) -> None:
    own = candidate.proposed_by == desk.person.id
    if own:
        st.html(panels.note("You proposed this policy, so a different admin must activate it."))
        if st.button("Withdraw", key=f"withdraw_{candidate.id}", icon=":material/undo:"):
            _reject(desk, candidate, "")
        return
    ready = candidate.replay_json is not None and candidate.replay_base == running.sha256
    reason = st.text_input(
        "Comment", key=f"policy_comment_{candidate.id}", placeholder="Needed to reject"
    )
    if not ready:
        st.html(panels.note("Replay recorded statements first, then it can be activated."))
    with st.container(horizontal=True):
        activate = st.button(
            "Activate this policy",
            key=f"activate_{candidate.id}",
            type="primary",
            icon=":material/gavel:",
            disabled=not ready,
        )
        reject = st.button("Reject", key=f"reject_policy_{candidate.id}", icon=":material/block:")
    if activate:
        with attempt():
            version = desk.parts.governing.activate(
                candidate.id, desk.caller, seen=candidate.sha256, base=running.sha256
            )
            sentence = f"Version {version.id} is in force from the next statement on."
            frame.tell(Verdict.DONE, "Activated.", sentence)
        st.rerun()
    if reject:
        _reject(desk, candidate, reason or "")


def _reject(desk: Desk, candidate: Candidate, reason: str) -> None:
    with attempt():
        desk.parts.governing.reject(candidate.id, desk.caller, reason)
        frame.tell(Verdict.DONE, "Done.", f"Proposal {candidate.id} is over.")
    st.rerun()
