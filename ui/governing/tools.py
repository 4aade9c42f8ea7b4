"""Every tool there is: what it may bring about, who may use it, and how often."""

from __future__ import annotations

from html import escape

import streamlit as st

from guard import BUILT_IN, ToolEffect
from guard.policyfile import Policy
from guard.templates import takes
from guard.toolpolicy import TemplatePolicy
from ui import panels, text
from ui.frame import Desk

_WORDS: dict[ToolEffect, str] = {
    "read": "read",
    "write": "write, only proposed",
    "destructive": "destructive, only proposed",
}
_ABOUT = {
    "list_tables": "Lists the tables a person can read.",
    "describe_table": "Describes one of them.",
    "run_query": "Sends one SELECT through the guard.",
    "make_chart": "Draws the rows of the last query.",
    "propose_change": "Makes a change request of one INSERT, UPDATE or DELETE.",
}


def draw(desk: Desk) -> None:
    """Draws the built-in tools and the query templates of the policy in force."""
    policy = desk.parts.policy
    st.html(
        panels.note(
            "What a person and their agent may call. Nothing that writes is ever carried out by a "
            "tool: it becomes a request that another person decides on."
        )
    )
    rows = [_built_in(name, policy) for name in BUILT_IN]
    rows += [_template(name, settings, policy) for name, settings in policy.templates.items()]
    heads = "".join(f"<th>{h}</th>" for h in ("Tool", "Effect", "Source", "Roles", "A minute"))
    st.html(
        '<div class="gh-scroll" tabindex="0" role="region" aria-label="Tools">'
        f'<table class="gh-diff gh-tools"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
    if not policy.templates:
        st.html(panels.note("The policy has no query templates."))


def _built_in(name: str, policy: Policy) -> str:
    held = [r for r, s in policy.roles.items() if s.tools is not None and name not in s.tools]
    roles = f"all but {text.joined(held)}" if held else "all"
    rate = policy.limits.tool_calls_per_minute
    return _row(name, _ABOUT[name], BUILT_IN[name], "every source", roles, rate)


def _template(name: str, settings: TemplatePolicy, policy: Policy) -> str:
    may = [r for r in settings.roles if (t := policy.roles[r].tools) is None or name in t]
    about = f"{settings.description} Takes {takes(settings)}."
    roles, rate = text.joined(may) or "none", settings.calls_per_minute
    return _row(name, about, settings.effect, settings.source, roles, rate)


def _row(
    name: str, about: str, effect: ToolEffect, source: str, roles: str, rate: int | None
) -> str:
    cells = (
        f"{panels.code(text.line(name, 80))} {escape(text.clip(about, 400))}",
        escape(_WORDS[effect]),
        escape(text.line(source, 80)),
        escape(text.line(roles, 200)),
        f"{rate:,}" if rate is not None else "no rate of its own",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
