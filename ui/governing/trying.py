"""Trying a statement as somebody: which rule would win. Nothing runs and nothing is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import assert_never

import streamlit as st

from guard import Allow, Caller, Deny, Hold, Refusal, Refused
from guard.access import Access
from guard.judging import Judgement
from guard.policy import Principal, Terms
from store import accounts
from ui import panels, text
from ui.frame import Desk, usable
from ui.people import principal_of
from ui.verdict import Verdict, badge


def draw(desk: Desk) -> None:
    """Draws the form and the decision."""
    people = _people(desk)
    with st.form("try", border=True):
        with st.container(horizontal=True):
            name = st.selectbox("As", sorted(people), key="try_as", width=220)
            source = st.selectbox("On", list(desk.parts.policy.sources), key="try_on", width=220)
        sql = st.text_area("Statement", key="try_sql", height=120, placeholder="SELECT ...")
        asked = st.form_submit_button("Judge it", type="primary", icon=":material/gavel:")
    st.html(panels.note("Only the decision is made: nothing runs, and nothing is recorded."))
    if not asked or name is None or source is None:
        return
    if not (sql or "").strip():
        st.html(panels.note("Write a statement first."))
        return
    _judge(desk, people[name], source, sql or "")


def _people(desk: Desk) -> dict[str, Principal]:
    with desk.parts.store.read() as conn:
        return {a.name: principal_of(a) for a in accounts.list_all(conn) if not a.disabled}


def _judge(desk: Desk, person: Principal, source: str, sql: str) -> None:
    caller = Caller(principal=person, channel="console")
    with usable(but=(Refused,)):
        try:
            judged = desk.parts.gate.judge(sql, source, caller)
        except Refused as refused:
            st.html(_denied(refused.refusal))
            return
    st.html(decision(judged))


def decision(judged: Judgement) -> str:
    """Returns the decision with the rule that won, and what the statement was taken to do."""
    match judged.decision:
        case Allow() as allow:
            said = _said(Verdict.ALLOWED, allow.rule, allow.reason)
            rows = [*_touched(judged.access), *_terms(allow.terms)]
        case Hold() as hold:
            said = _said(Verdict.REVIEW, hold.rule, hold.reason)
            approvers = text.count(hold.approvers, "other person", "other people")
            rows = [*_touched(judged.access), ("Must approve", approvers)]
        case Deny(refusal=refusal):
            said, rows = _denied(refusal), list(_touched(judged.access))
        case _:
            assert_never(judged.decision)
    facts = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return f'{said}<dl class="gh-facts">{facts}</dl>'


def _denied(refusal: Refusal) -> str:
    part = f" on {panels.code(text.line(refusal.part, 120))}" if refusal.part else ""
    other = f" {escape(text.line(refusal.alternative, 400))}" if refusal.alternative else ""
    return f"{_said(Verdict.DENIED, refusal.rule, refusal.reason, part)}{panels.note(other)}"


def _said(verdict: Verdict, rule: str, reason: str, part: str = "") -> str:
    return (
        f'<p class="gh-said">{badge(verdict)} <span class="gh-note">Rule {panels.code(rule)}'
        f'{part}</span></p><p class="gh-said">{escape(text.line(reason, 600))}</p>'
    )


def _touched(access: Access) -> Iterator[tuple[str, str]]:
    yield "Effect", f"{escape(access.tier)} ({escape(text.line(access.verb, 40))})"
    uses = dict.fromkeys(f"{u.table}.{u.column} ({u.clause})" for u in access.columns)
    for name, values in (
        ("Tables", access.tables),
        ("Changes", access.writes),
        ("Columns", tuple(uses)),
        ("Functions", access.functions),
    ):
        if values:
            yield name, ", ".join(panels.code(text.line(v, 120)) for v in values)


def _terms(terms: Terms) -> Iterator[tuple[str, str]]:
    for table, condition in terms.row_filters:
        yield f"Rows of {escape(text.line(table, 60))}", panels.code(text.line(condition, 400))
    limits = terms.limits
    yield (
        "Limits",
        f"{limits.display_rows:,} rows, {limits.timeout_seconds:g} s, {limits.max_bytes:,} bytes",
    )
