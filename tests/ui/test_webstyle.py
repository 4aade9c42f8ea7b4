from __future__ import annotations

import re

import pytest

from ui.webstyle import STYLE

PAIRS = [
    ("ink", "card"),
    ("ink", "page"),
    ("quiet", "card"),
    ("quiet", "page"),
    ("quiet", "accent-soft"),
    ("link", "card"),
    ("accent-ink", "accent"),
    ("problem", "problem-soft"),
    ("ok", "ok-soft"),
]


def _palettes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{([^}]*)\}", STYLE)
    of = re.compile(r"--([\w-]+): (#[0-9a-f]{6})")
    return {"light": dict(of.findall(light)), "dark": dict(of.findall(dark))}


def _luminance(colour: str) -> float:
    """Relative luminance, https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_has_enough_contrast(theme: str, text: str, ground: str) -> None:
    palette = _palettes()[theme]
    assert contrast(palette[text], palette[ground]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_edges_of_fields_can_be_seen(theme: str) -> None:
    palette = _palettes()[theme]
    assert contrast(palette["field"], palette["card"]) >= 3
