"""Streamlit reads much of what it draws as Markdown, and Markdown loads pictures from anywhere."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.pages.conftest import ROOT

SCREENS = sorted([*(ROOT / "pages").glob("*.py"), *(ROOT / "ui").rglob("*.py")])
MARKDOWN = {
    "badge",
    "caption",
    "error",
    "exception",
    "header",
    "info",
    "latex",
    "magic",
    "markdown",
    "status",
    "subheader",
    "success",
    "table",
    "title",
    "toast",
    "warning",
    "write",
    "write_stream",
}
PICTURES = {"ImageColumn", "LinkColumn", "MarkdownColumn", "image", "audio", "video", "iframe"}


@pytest.mark.parametrize("path", SCREENS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_screen_draws_text_as_markdown_or_loads_what_text_names(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("st", "st.column_config")
    }
    assert not used & (MARKDOWN | PICTURES)
