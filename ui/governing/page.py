"""The page of policy and sources as a whole."""

from __future__ import annotations

from html import escape

import streamlit as st

from guard.principal import Principal
from ui import frame, markup, panels, session, sheet, text, when
from ui.frame import Desk
from ui.governing import (
    access,
    audittrail,
    budgets,
    checks,
    meaning,
    model,
    people,
    policy,
    sources,
    tools,
    trying,
    undelivered,
)
from ui.home import POLICY_FILE
from ui.verdict import Verdict
from ui.webparts import UNUSABLE

_TABS = (
    "Checklist",
    "Access",
    "Sources",
    "Meaning",
    "Policy",
    "Tools",
    "Try a statement",
    "Budgets",
    "People",
)


def draw(person: Principal) -> None:
    """Draws the page for this person. Without usable parts it says why and keeps what works."""
    sheet.apply()
    st.html('<h1 class="gh-title">Policy and sources</h1>')
    desk = _desk(person)
    if desk is None:
        _without_parts(person)
        return
    st.html(
        f'<p class="gh-sub">Questions are answered by: {escape(desk.parts.choice.label)}. '
        f"Set {panels.code('GATEHOUSE_MODEL')} and start again to change it.</p>"
    )
    model.draw(desk)
    frame.problem()
    _waiting(desk)
    undelivered.draw(desk)
    tabs = st.tabs(list(_TABS), key="tab", on_change="rerun", bind="query-params")
    for name, tab in zip(_TABS, tabs, strict=True):
        if tab.open:
            with tab, frame.usable():
                _draw(name, desk)


def _draw(name: str, desk: Desk) -> None:
    match name:
        case "Checklist":
            checks.draw(desk)
            audittrail.draw(desk)
        case "Access":
            access.draw(desk)
        case "Sources":
            sources.draw(desk)
        case "Meaning":
            meaning.draw(desk)
        case "Policy":
            policy.draw(desk)
        case "Tools":
            tools.draw(desk)
        case "Try a statement":
            trying.draw(desk)
        case "Budgets":
            budgets.draw(desk)
        case _:
            people.draw(desk.person, desk.parts.store, desk.parts.log)


def _waiting(desk: Desk) -> None:
    """Says what waits for this admin, whichever tab is open."""
    asked = desk.parts.access.waiting(desk.caller)
    proposed = desk.parts.governing.count(desk.caller)
    words = [text.count(asked, "access request")] if asked else []
    words += [text.count(proposed, "proposed policy", "proposed policies")] if proposed else []
    if words:
        verb = "waits" if asked + proposed == 1 else "wait"
        st.html(panels.said(Verdict.REVIEW, f"{text.joined(words)} {verb} for you."))


def _desk(person: Principal) -> Desk | None:
    try:
        return Desk(person=person, parts=session.parts(), zone=when.zone())
    except UNUSABLE as error:
        st.html(markup.notice("Nothing can be asked now.", str(error)))
        return None


def _without_parts(person: Principal) -> None:
    frame.problem()
    policy.broken(session.home() / POLICY_FILE)
    with frame.usable():
        people.draw(person, session.store(), session.audit_log())
