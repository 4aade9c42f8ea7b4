"""Two policy texts, line by line."""

from __future__ import annotations

import difflib

import streamlit as st

_LINES, _TALL = 18, 380


def show_diff(before: str, after: str, what: str) -> None:
    """Draws a text diff; a long one scrolls by itself, so that what follows stays in sight."""
    difference = changed(before, after, what)
    tall = difference.count("\n") > _LINES
    st.code(difference, language="diff", height=_TALL if tall else "content")


def changed(before: str, after: str, what: str) -> str:
    """Returns a unified diff of two policy texts."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "in force", what, lineterm=""
    )
    return "\n".join(lines)
