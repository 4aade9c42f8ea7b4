"""Access requests: what each would open exactly, opening it for a while, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd
import streamlit as st

from guard import Illegal
from guard.accessdesk import CHOICES_HOURS, AccessCard
from guard.accessgrants import TableGrant
from guard.plans import ColumnPlan, Plan, TablePlan
from ui import accesslook, frame, panels, text, when
from ui.frame import Desk, attempt, usable
from ui.verdict import Verdict, access_badge, access_look


def draw(desk: Desk) -> None:
    """Draws what waits, what is open now, and what was decided before."""
    with attempt():
        desk.parts.access.expire()
    with usable():
        cards = desk.parts.access.all(desk.caller)
    waiting = [c for c in cards if c.state == "pending"]
    live = [c for c in cards if c.live(desk.now)]
    if not waiting:
        st.html(panels.note("No request waits for a decision."))
    for card in reversed(waiting):
        with st.container(border=True, key=f"access_{card.id}"):
            _waiting(desk, card)
    st.html('<div class="gh-head"><h2>Open now</h2></div>')
    if not live:
        st.html(panels.note("Nobody has access beyond their roles."))
    for card in live:
        with st.container(border=True, key=f"open_{card.id}"):
            _live(desk, card)
    _history(desk, [c for c in cards if c not in waiting and c not in live])


def _heading(desk: Desk, card: AccessCard) -> None:
    person = escape(text.line(card.person_name, 80))
    st.html(
        f'<div class="gh-head"><h2>{person} asks for {accesslook.wanted(card)}</h2>'
        f"{access_badge(card.state)}</div>"
        f'<p class="gh-sub">#{card.id} · for {accesslook.duration(card.hours)} · '
        f"{when.ago(card.created_at, desk.now)}</p>"
        f'<p class="gh-said">{escape(text.clip(card.reason, 500))}</p>'
    )


def _waiting(desk: Desk, card: AccessCard) -> None:
    _heading(desk, card)
    if card.person == desk.person.id:
        st.html(panels.note("You asked for this access, so another admin must decide."))
        return
    try:
        with usable(but=(Illegal,)):
            plan = desk.parts.access.plan(card.id, desk.caller)
    except Illegal as error:
        st.html(panels.said(Verdict.FAILED, "This cannot be granted.", str(error)))
        plan = None
    tables = _choose(desk, card, plan) if plan is not None else ()
    _decide(desk, card, tables)


def _choose(desk: Desk, card: AccessCard, plan: Plan) -> Sequence[TableGrant]:
    """Draws exactly what would be opened, and returns what the admin leaves of it."""
    for name in plan.missing:
        st.html(
            panels.said(
                Verdict.TO_DO, "No such name.", f"{name} does not exist, so it cannot be opened."
            )
        )
    wanted = plan.tables
    if plan.whole_source:
        names = st.multiselect(
            "Tables to open",
            [t.table for t in plan.tables],
            key=f"tables_{card.id}",
            placeholder="Choose tables",
        )
        wanted = tuple(t for t in plan.tables if t.table in names)
    return [_table(card, table) for table in wanted]


def _table(card: AccessCard, table: TablePlan) -> TableGrant:
    st.html(_described(table))
    columns: list[str] = []
    if table.columns:
        columns = st.multiselect(
            f"Columns of {text.label(table.table, 60)} to open",
            [c.name for c in table.columns],
            default=[c.name for c in table.columns],
            key=f"columns_{card.id}_{table.table}",
        )
    return TableGrant(
        table=table.table,
        columns=tuple(columns),
        lookup=table.most.lookup,
        propose=table.propose,
    )


def _described(table: TablePlan) -> str:
    name = panels.code(text.line(table.table, 80))
    rows = (
        f"Rows stay limited to {panels.code(text.line(table.row_filter, 300))}."
        if table.row_filter
        else "All rows of the table."
    )
    extra = "".join(
        f"<li>Exact values of {panels.code(text.line(c.name, 60))} may be looked up; they are not "
        "shown.</li>"
        for c in table.lookup
    )
    if table.propose:
        extra += "<li>Changes may be proposed; a reviewer still decides on each.</li>"
    cells = "".join(_row(c) for c in table.columns)
    head = "<tr><th>Column</th><th>Type</th><th>What is shown</th><th>Now</th></tr>"
    drawn = (
        f'<div class="gh-scroll" tabindex="0" role="region" aria-label="Columns">'
        f'<table class="gh-diff"><thead>{head}</thead><tbody>{cells}</tbody></table></div>'
        if cells
        else ""
    )
    listed = f'<ul class="gh-notes">{extra}</ul>' if extra else ""
    return f'<p class="gh-said"><strong>{name}</strong> {rows}</p>{listed}{drawn}'


def _row(column: ColumnPlan) -> str:
    if column.tag is not None:
        shown = f"<span>masked as {panels.code(column.tag)}</span>"
    else:
        shown = "prose, searched for personal data" if column.free_text else "as it is"
    had = "readable already" if column.had else "would be opened"
    return (
        f"<tr><td>{escape(text.line(column.name, 80))}</td>"
        f"<td>{escape(text.line(column.type, 40))}</td><td>{shown}</td><td>{had}</td></tr>"
    )


def _decide(desk: Desk, card: AccessCard, tables: Sequence[TableGrant]) -> None:
    most = min(card.hours, desk.parts.policy.access.max_hours)
    choices = sorted({h for h in CHOICES_HOURS if h < most} | {most})
    hours = st.segmented_control(
        "Open it for",
        choices,
        default=most,
        required=True,
        format_func=accesslook.duration,
        key=f"hours_{card.id}",
    )
    comment = st.text_input(
        "Comment", key=f"comment_{card.id}", max_chars=500, placeholder="Needed to reject"
    )
    with st.container(horizontal=True):
        granted = st.button(
            "Grant access", key=f"grant_{card.id}", type="primary", icon=":material/lock_open:"
        )
        rejected = st.button("Reject", key=f"reject_{card.id}", icon=":material/block:")
    name = text.line(card.person_name, 80)
    if granted:
        with attempt():
            desk.parts.access.grant(
                card.id, desk.caller, tables, hours=hours or most, comment=comment or ""
            )
            long = accesslook.duration(hours or most)
            frame.tell(Verdict.DONE, "Granted.", f"{name} has access for {long}.")
        st.rerun()
    if rejected:
        with attempt():
            desk.parts.access.reject(card.id, desk.caller, comment or "")
            frame.tell(Verdict.DONE, "Rejected.", f"{name} reads why.")
        st.rerun()


def _live(desk: Desk, card: AccessCard) -> None:
    until = escape(when.stamp(card.until, desk.zone)) if card.until else ""
    st.html(
        f'<p class="gh-said"><strong>{escape(text.line(card.person_name, 80))}</strong> until '
        f"{until} {access_badge(card.state)}</p>"
        f'<p class="gh-note">{panels.code(text.line(card.source, 60))} '
        f"{accesslook.opened(card.granted)}</p>"
    )
    with st.popover("Revoke", icon=":material/block:"):
        reason = st.text_input("Why?", key=f"why_{card.id}", max_chars=500)
        if st.button("Revoke now", key=f"revoke_{card.id}", type="primary"):
            with attempt():
                desk.parts.access.revoke(card.id, desk.caller, reason or "")
                frame.tell(Verdict.DONE, "Revoked.", "The next statement is judged without it.")
            st.rerun()


def _history(desk: Desk, cards: Sequence[AccessCard]) -> None:
    if not cards:
        return
    st.html('<div class="gh-head"><h2>Before</h2></div>')
    rows = [
        (
            c.id,
            c.person_name,
            ", ".join(n.name for n in c.needs),
            access_look("ended" if c.state == "granted" else c.state)[0],
            c.decided_by_name or "",
            c.comment,
            when.stamp(c.created_at, desk.zone),
        )
        for c in cards
    ]
    columns = ["Request", "Person", "Access", "State", "By", "Comment", "Asked"]
    st.dataframe(
        pd.DataFrame(rows, columns=columns), hide_index=True, alt="Access requests of before"
    )
