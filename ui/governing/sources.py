"""The sources of the policy in force and how they are doing."""

from __future__ import annotations

from html import escape

import streamlit as st

from guard.policyfile import SourcePolicy
from guard.source import SourceState
from ui import panels, text
from ui.frame import Desk, attempt
from ui.verdict import Verdict, badge


def draw(desk: Desk) -> None:
    """Draws one card for each source."""
    for state in desk.parts.sources.states():
        with st.container(border=True, key=f"source_{state.name}"):
            st.html(card(state, desk.parts.policy.sources[state.name]))
            if st.button(
                "Read its tables again", key=f"refresh_{state.name}", icon=":material/refresh:"
            ):
                with attempt():
                    desk.parts.sources.get(state.name).refresh()
                st.rerun()


def card(state: SourceState, settings: SourcePolicy) -> str:
    """Returns what is known of a source as HTML."""
    verdict = badge(Verdict.REACHABLE if state.reachable else Verdict.UNREACHABLE)
    title = escape(text.line(settings.title or state.name, 80))
    rows = [
        ("Name in the policy", panels.code(state.name)),
        ("Engine", f"{escape(state.engine)}, {escape(state.environment)}"),
        ("Tables", f"{state.tables:,}" if state.reachable else "not known"),
        ("Personal columns", _tags(settings)),
        (
            "Changes",
            "can be proposed" if settings.writes else "cannot be proposed (writes = false)",
        ),
        ("Database", _place(settings)),
    ]
    if settings.today is not None:
        rows.append(("Today means", settings.today.isoformat()))
    facts = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    problem = panels.note(escape(text.line(state.problem, 400))) if state.problem else ""
    about = panels.note(escape(text.line(settings.description, 300)))
    return (
        f'<div class="gh-head"><h2>{title}</h2>{verdict}</div>{about}{problem}'
        f'<dl class="gh-facts">{facts}</dl>'
    )


def _tags(settings: SourcePolicy) -> str:
    confirmed = "" if settings.tags_confirmed else ", suggested and not confirmed yet"
    prose = f", {text.count(len(settings.free_text), 'column')} of prose"
    tagged = text.count(len(settings.tags), "tagged column")
    return f"{tagged}{prose if settings.free_text else ''}{confirmed}"


def _place(settings: SourcePolicy) -> str:
    if settings.database is not None:
        return panels.code(text.line(settings.database, 120))
    return f"named by the variable {panels.code(text.line(settings.database_secret or '', 80))}"
