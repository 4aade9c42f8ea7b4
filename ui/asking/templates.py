"""The forms of the query templates a person may use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from agent import TemplateCall, call_in
from guard import Template
from guard.templates import allowed
from guard.toolpolicy import (
    Argument,
    DateArgument,
    DecimalArgument,
    EnumArgument,
    IntArgument,
    TextArgument,
    UuidArgument,
)
from store.conversations import Conversation
from ui import panels, text
from ui.asking import talk
from ui.frame import Desk, attempt

CHOSEN = "template"
_EFFECTS: Mapping[str, str] = {
    "read": "Only reads.",
    "write": "Proposes a change. Someone other than you decides on its rows.",
    "destructive": "Proposes to take rows away. Someone other than you decides on them.",
}


def draw(
    desk: Desk,
    conversation: Conversation | None,
    source: str,
    found: Sequence[Template],
    *,
    busy: bool,
) -> None:
    """Draws the choice of a template, and its form."""
    names = [template.name for template in found]
    picked = st.selectbox(
        "Template",
        names,
        key=f"{CHOSEN}_{source}",
        format_func=lambda name: text.label(name.replace("_", " "), 80),
        persist_state="session",
    )
    template = next((t for t in found if t.name == picked), found[0])
    settings = template.settings
    st.html(
        panels.note(f"{escape(text.clip(settings.description, 600))} {_EFFECTS[settings.effect]}")
    )
    with st.form(f"form_{source}_{template.name}", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            given = {
                name: _field(template.name, name, argument)
                for name, argument in settings.arguments.items()
            }
        reads = settings.effect == "read"
        reason = "" if reads else st.text_input("Reason, for the person who decides")
        sent = st.form_submit_button(
            "Run" if reads else "Propose",
            type="primary",
            icon=":material/play_arrow:" if reads else ":material/rule:",
            disabled=busy,
        )
    if not sent:
        return
    missing = [name for name, value in given.items() if value is None or value == ""]
    if missing or not (reads or reason.strip()):
        what = text.joined([_words(name) for name in missing] or ["a reason"])
        st.html(panels.note(f"Fill in {escape(what)} first."))
        return
    call = TemplateCall(template=template.name, arguments=dict(given))
    with attempt():
        talk.begin(desk, conversation, source, call.text(), kind="template", reason=reason.strip())
    st.rerun()


def asked(question: str) -> str:
    """Returns what a turn's form asked for, for `st.text`."""
    call = call_in(question)
    return text.clip(call.said() if call else question, 2_000)


def _field(template: str, name: str, argument: Argument) -> str | int | None:
    label = text.label(_words(name), 60)
    help_ = text.label(argument.description or f"Takes {allowed(argument)}.", 200)
    key = f"argument_{template}_{name}"
    match argument:
        case IntArgument():
            number: int | None = st.number_input(
                label,
                min_value=argument.min,
                max_value=argument.max,
                value=argument.default,
                step=1,
                help=help_,
                key=key,
            )
            return number
        case EnumArgument():
            chosen = argument.values.index(argument.default) if argument.default else 0
            return st.selectbox(
                label,
                argument.values,
                index=chosen,
                format_func=lambda value: text.label(value, 80),
                help=help_,
                key=key,
            )
        case DateArgument():
            day: dt.date | None = st.date_input(
                label,
                value=None,
                min_value=argument.min,
                max_value=argument.max,
                help=help_,
                key=key,
            )
            return day.isoformat() if day else None
        case TextArgument():
            return st.text_input(label, max_chars=argument.max_length, help=help_, key=key)
        case UuidArgument() | DecimalArgument():
            hint = text.line(allowed(argument), 60)
            return st.text_input(label, placeholder=hint, help=help_, key=key)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
