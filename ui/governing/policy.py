"""The policy in force, the file beside it, what waits for a second admin, and earlier versions."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pandas as pd
import streamlit as st

from guard.policyfile import Policy
from store import accounts
from store.policies import PolicyVersion
from store.states import CandidateOrigin
from ui import frame, panels, text, when
from ui.frame import Desk, attempt, usable
from ui.governing import proposals
from ui.governing.textdiff import show_diff
from ui.verdict import Verdict

_SHORT = 12
_TICK_SECONDS = 2.0


def draw(desk: Desk) -> None:
    """Draws the tab from what needs a decision down to what was decided."""
    with usable():
        running, versions = desk.parts.policy, desk.parts.governing.versions(limit=50)
    with desk.parts.store.read() as conn:
        names = {a.id: a.display_name for a in accounts.list_all(conn)}
    st.html(panels.note(_in_force(desk, running, versions[0], names)))
    _follow(_state(desk))
    for waiting in desk.parts.governing.waiting():
        with st.container(border=True, key=f"proposal_{waiting.id}"):
            proposals.draw(desk, waiting, running, names)
    _file(desk, running)
    _edit(desk, running)
    with st.expander("The text in force"):
        st.code(running.text, language="toml", height=480)
    _history(desk, versions, names)


@st.fragment(run_every=_TICK_SECONDS)
def _follow(drawn: tuple[int, ...]) -> None:
    """Draws the page anew once another policy is in force, or other proposals wait."""
    if _state(frame.again("admin")) != drawn:
        st.rerun()


def _state(desk: Desk) -> tuple[int, ...]:
    """The version in force and the proposals that wait."""
    governing = desk.parts.governing
    return (governing.versions(limit=1)[0].id, *(one.id for one in governing.waiting()))


def broken(path: Path) -> None:
    """Draws the file as it is, while no policy can be used."""
    try:
        st.code(text.clip(path.read_text(encoding="utf-8")), language="toml", height=480)
    except (OSError, ValueError):
        return  # the sentence above says that it cannot be read


def _in_force(desk: Desk, running: Policy, version: PolicyVersion, names: dict[str, str]) -> str:
    by = escape(text.line(_by(version, names), 80))
    return (
        f"In force: version {version.id}, {escape(text.line(running.name, 80))}, "
        f"{panels.code(running.sha256[:_SHORT])}, since "
        f"{escape(when.stamp(version.activated_at, desk.zone))} ({by}). Another one comes into "
        "force when one admin proposes it and a different admin activates it."
    )


def _by(version: PolicyVersion, names: dict[str, str]) -> str:
    if version.activated_by is not None:
        return names.get(version.activated_by, "somebody")
    if version.os_account is not None:
        return f"operator {version.os_account}, alone"
    return "the first start"


def _file(desk: Desk, running: Policy) -> None:
    """Says how the file on disk stands to the policy in force; it is never used by itself."""
    found = desk.parts.governing.on_disk()
    waiting = [c.id for c in desk.parts.governing.waiting() if c.text == found.text]
    where = panels.code(str(desk.parts.policies.file))
    if found.same:
        st.html(panels.note(f"The file {where} is the policy in force."))
    elif found.text is None:
        st.html(
            panels.said(
                Verdict.FAILED,
                "The file on disk cannot be used; the policy in force stays.",
                found.problem or "",
            )
        )
    elif waiting:
        st.html(panels.note(f"The file {where} is proposal {waiting[0]}. It is not used yet."))
    elif found.older is not None:
        st.html(panels.note(f"The file {where} is version {found.older}. It is not used."))
    else:
        st.html(
            panels.said(
                Verdict.REVIEW,
                "The file on disk differs from the policy in force, and is not used.",
                "Propose it, and a different admin can put it into force.",
            )
        )
        show_diff(running.text, found.text, "on disk")
        _form(desk, found.text, "file", "propose_file")


def _form(desk: Desk, candidate: str, origin: CandidateOrigin, key: str) -> None:
    note = st.text_input("Why is this change needed?", key=f"{key}_note", max_chars=500)
    if st.button("Propose this policy", key=key, type="primary", icon=":material/gavel:"):
        propose(desk, candidate, origin, note or "")


def propose(desk: Desk, candidate: str, origin: CandidateOrigin, note: str) -> None:
    """Puts a text before a second admin and draws the page anew."""
    with attempt():
        made = desk.parts.governing.propose(desk.caller, candidate, origin=origin, note=note)
        frame.tell(Verdict.DONE, "Proposed.", f"Proposal {made} waits for a different admin.")
    st.rerun()


def _edit(desk: Desk, running: Policy) -> None:
    with st.expander("Propose a change", icon=":material/edit:"):
        given = st.file_uploader("A policy file", type=["toml"], key="policy_upload")
        edited = st.text_area(
            "Or edit the text in force",
            running.text,
            height=360,
            key=f"policy_text_{running.sha256[:_SHORT]}",
        )
        candidate = edited or ""
        if given is not None:
            candidate = given.getvalue().decode("utf-8", "replace")
        if candidate != running.text:
            show_diff(running.text, candidate, "proposed")
        _form(desk, candidate, "edit", "propose_edit")


def _history(desk: Desk, versions: tuple[PolicyVersion, ...], names: dict[str, str]) -> None:
    st.html('<div class="gh-head"><h2>Versions</h2></div>')
    rows = [
        (v.id, when.stamp(v.activated_at, desk.zone), _by(v, names), v.sha256[:_SHORT])
        for v in versions
    ]
    st.dataframe(
        pd.DataFrame(rows, columns=["Version", "In force since", "By", "SHA-256"]),
        hide_index=True,
        alt="Policy versions",
    )
    older = [v.id for v in versions[1:] if v.sha256 != versions[0].sha256]
    if older:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            version = st.selectbox("Go back to version", older, key="older_version", width=180)
            if st.button("Propose it", key="roll_back", icon=":material/undo:") and version:
                with attempt():
                    made = desk.parts.governing.roll_back(desk.caller, version)
                    frame.tell(
                        Verdict.DONE, "Proposed.", f"Proposal {made} waits for a different admin."
                    )
                st.rerun()
