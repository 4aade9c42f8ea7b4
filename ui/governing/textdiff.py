"""Two policy texts, line by line."""

from __future__ import annotations

import difflib
from html import escape

import streamlit as st

from ui import text

_STYLES = {"-": "gh-removed", "+": "gh-added", "@": "gh-where"}


def show_diff(before: str, after: str, what: str) -> None:
    """Draws a text diff; a long one scrolls by itself, so that what follows stays in sight."""
    st.html(changed(before, after, what))


def changed(before: str, after: str, what: str) -> str:
    """Returns a unified diff of two policy texts as HTML, each line in the colour of its sign."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "in force", what, lineterm=""
    )
    drawn = "\n".join(_line(one, head=i < 2) for i, one in enumerate(lines))
    return (
        '<div class="gh-scroll gh-lines" role="region" tabindex="0" '
        f'aria-label="What changes in the text"><pre>{drawn}</pre></div>'
    )


def _line(line: str, *, head: bool) -> str:
    style = "" if head else _STYLES.get(line[:1], "")
    return f'<span class="{style}">{escape(text.visible(line)) or " "}</span>'
