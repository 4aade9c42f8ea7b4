"""Trying a statement as somebody: which rule would win, what would be sent. Nothing runs."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import assert_never

import streamlit as st

from guard import Allow, Deny, Hold, Refusal
from guard.access import Access
from guard.decision import Terms
from guard.explaining import Explained
from guard.judging import Judgement
from guard.principal import Principal
from store import accounts
from ui import accesslook, panels, text
from ui.frame import Desk, usable
from ui.people import principal_of
from ui.verdict import Verdict, badge

_TRIED = "tried"


def draw(desk: Desk) -> None:
    """Draws the form and the decision."""
    people = _people(desk)
    with st.form("try", border=True):
        with st.container(horizontal=True):
            name = st.selectbox("As", sorted(people), key="try_as", width=220)
            source = st.selectbox("On", list(desk.parts.policy.sources), key="try_on", width=220)
        sql = st.text_area("Statement", key="try_sql", height=120, placeholder="SELECT ...")
        asked = st.form_submit_button("Judge it", type="primary", icon=":material/gavel:")
    st.html(panels.note("Only the decision is made: nothing runs. The trail says that you tried."))
    if asked and name is not None and source is not None:
        if not (sql or "").strip():
            st.html(panels.note("Write a statement first."))
            return
        with usable():
            st.session_state[_TRIED] = desk.parts.governing.try_as(
                desk.caller, people[name].id, source, sql or ""
            )
    tried = st.session_state.get(_TRIED)
    if isinstance(tried, Explained):
        _show(tried)


def _people(desk: Desk) -> dict[str, Principal]:
    with desk.parts.store.read() as conn:
        return {a.name: principal_of(a) for a in accounts.list_all(conn) if not a.disabled}


def _show(found: Explained) -> None:
    st.html(explained(found))
    if found.sql is not None:
        st.html(panels.note("<strong>What would be sent</strong>"))
        st.code(text.clip(found.sql), language="sql", wrap_lines=True)
        st.html(_columns(found))


def explained(found: Explained) -> str:
    """Returns the decision, also where the statement could not be judged or rewritten."""
    judged = found.judgement
    if judged is None or (found.refusal is not None and isinstance(judged.decision, Allow)):
        return _denied(found.refusal) if found.refusal is not None else ""
    return decision(judged)


def _columns(found: Explained) -> str:
    items = "".join(
        f"<li>{panels.code(text.line(c.name, 80))} "
        + (
            f"{badge(Verdict.MASKED)} {escape(c.masked)}"
            if c.masked
            else "shown; its values are still searched for personal data"
        )
        + "</li>"
        for c in found.columns
    )
    return f'<ul class="gh-notes">{items}</ul>'


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
    need = refusal.access_request
    asked = panels.note(f"They could ask for {accesslook.named(need)}.") if need else ""
    return f"{_said(Verdict.DENIED, refusal.rule, refusal.reason, part)}{panels.note(other)}{asked}"


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
