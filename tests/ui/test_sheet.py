"""The colours of our own HTML inside the pages can be read on every ground they stand on."""

from __future__ import annotations

import pytest

from tests.ui.test_webstyle import contrast
from ui.sheet import COLOURS

READABLE = 4.5
"""WCAG 2.2, 1.4.3, for text of this size."""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "quiet", "accent", "ok", "bad", "wait"])
@pytest.mark.parametrize("ground", ["raised", "soft"])
def test_text_can_be_read(theme: str, text: str, ground: str) -> None:
    colours = COLOURS[theme]  # type: ignore[index]  # both are themes
    assert contrast(colours[text], colours[ground]) >= READABLE


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_stands_in_a_diff_and_on_a_button_can_be_read(theme: str) -> None:
    colours = COLOURS[theme]  # type: ignore[index]  # both are themes
    for ground in ("old", "old-mark", "new", "new-mark"):
        assert contrast(colours["ink"], colours[ground]) >= READABLE
    for tone in ("ok", "bad", "wait", "info"):
        assert contrast(colours[tone], colours[f"{tone}-soft"]) >= READABLE
    assert contrast("#ffffff", colours["primary"]) >= READABLE
