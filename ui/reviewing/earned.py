"""Statement templates that could run without a person: admins enable and end them here."""

from __future__ import annotations

import json
from html import escape

import streamlit as st

from guard.earned import ADMINS_NEEDED
from store.promotions import Promotion
from ui import panels, text, when
from ui.frame import Desk, attempt


def draw(desk: Desk) -> None:
    """Draws what is proposed and enabled, for admins, where the policy allows templates."""
    settings = desk.parts.policy.approvals.earned
    if "admin" not in desk.person.roles or not settings.enabled:
        return
    found = desk.parts.earned.open()
    waiting = sum(p.state == "proposed" for p in found)
    title = f"Templates that run by themselves ({waiting} to decide)" if waiting else "Templates"
    with st.expander(title, icon=":material/verified:", expanded=bool(waiting)):
        if not found:
            needed = text.count(settings.runs, "clean review")
            st.html(panels.note(f"None yet. A template is proposed after {needed} in a row."))
        for promotion in found:
            _one(desk, promotion)


def _one(desk: Desk, promotion: Promotion) -> None:
    with st.container(border=True, key=f"template_{promotion.id}"):
        st.code(text.clip(promotion.shape, 4_000), language="sql", wrap_lines=True)
        st.html(panels.note(_facts(desk, promotion)))
        voted = desk.person.id in desk.parts.earned.votes(promotion.id)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if promotion.state == "proposed" and voted:
                st.html(panels.note("You have said yes. Another admin must too."))
            elif promotion.state == "proposed" and st.button(
                "Let it run by itself", key=f"enable_{promotion.id}", icon=":material/check:"
            ):
                with attempt():
                    desk.parts.earned.enable(promotion.id, desk.caller)
                st.rerun()
            word = "Revoke" if promotion.state == "active" else "Decline"
            reason = st.text_input(
                "Reason",
                key=f"end_reason_{promotion.id}",
                placeholder=f"Required to {word.lower()}",
            )
            if st.button(word, key=f"end_{promotion.id}", icon=":material/block:"):
                with attempt():
                    desk.parts.earned.end(promotion.id, desk.caller, reason or "")
                st.rerun()


def _facts(desk: Desk, promotion: Promotion) -> str:
    tables = ", ".join(json.loads(promotion.tables_json))
    earned = (
        f"{text.count(promotion.runs, 'clean review')} by {promotion.authors:,} authors and "
        f"{promotion.approvers:,} approvers"
    )
    bounds = (
        f"at most {text.count(promotion.max_rows, 'row')} in {text.line(tables, 120)}, "
        f"{promotion.per_day:,} times a day, {promotion.hour_from}:00 to {promotion.hour_to}:00 UTC"
    )
    if promotion.state == "active" and promotion.expires_at is not None:
        until = when.left(promotion.expires_at, desk.now)
        state = f"<strong>Enabled.</strong> Expires {until}."
    else:
        yes = len(desk.parts.earned.votes(promotion.id))
        state = f"<strong>Proposed.</strong> {yes} of {ADMINS_NEEDED} admins have said yes."
    source = escape(text.line(promotion.source, 60))
    return f"{state} On {source}: {escape(earned)}. It would run by itself for {escape(bounds)}."
