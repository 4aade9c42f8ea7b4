"""What the policy in force says of the audit trail."""

from __future__ import annotations

from html import escape
from urllib.parse import urlsplit

import streamlit as st

from guard.auditpolicy import AnchorPolicy, AuditPolicy
from ui import panels, text
from ui.frame import Desk


def draw(desk: Desk) -> None:
    """Draws the settings of `[audit]` in effect, those that the policy leaves out too."""
    with st.container(border=True, key="audit_settings"):
        st.html(card(desk.parts.policy.audit))


def card(settings: AuditPolicy) -> str:
    """Returns the settings as HTML. Of an address only the machine is told."""
    demand = settings.anchored_within_minutes
    rows = [
        ("Other machines", "<br>".join(map(_place, settings.anchors)) or _NOWHERE),
        ("A checkpoint goes there", f"every {_minutes(settings.anchor_minutes)}"),
        (
            "Nothing new runs",
            "whether one arrives or not"
            if demand is None
            else f"while none of them has a checkpoint younger than {_minutes(demand)}",
        ),
        ("Sealed events stay", _years(settings)),
    ]
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in rows)
    about = panels.note(
        f"As {panels.code('[audit]')} of the policy in force says, or by default. The file of"
        " checkpoints beside the log takes every one in any case."
    )
    return (
        f'<div class="gh-head"><h2>Audit trail</h2></div>{about}<dl class="gh-facts">{facts}</dl>'
    )


_NOWHERE = (
    "none. Whoever can write here could put back an older log with its older checkpoints, and "
    "nothing would show it."
)


def _place(anchor: AnchorPolicy) -> str:
    machine = urlsplit(anchor.to).hostname or "this machine"
    lock = f", locked for {text.count(anchor.lock_days, 'day')}" if anchor.lock_days else ""
    return f"{panels.code(anchor.name)} {escape(f'({anchor.kind}, {machine}{lock})')}"


def _minutes(number: float) -> str:
    return "minute" if number == 1 else f"{number:g} minutes"


def _years(settings: AuditPolicy) -> str:
    if settings.legal_hold:
        return "for good: there is a legal hold"
    years = f"{settings.retention_years:g}"
    return f"{years} {'year' if years == '1' else 'years'}, until somebody expires them"
