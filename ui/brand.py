"""The product's name and mark."""

from __future__ import annotations

import base64
from typing import Literal

NAME = "Gatehouse"
WHAT = (
    "Ask questions of live data. Every query is checked before it runs, every change needs a "
    "second person, and every step is recorded."
)

_SHAPE = (
    '<rect width="32" height="32" rx="7" fill="#3454D1"/>'
    '<path fill="#fff" d="M7 26V12.5h3V9h3.2v3.5h5.6V9H22v3.5h3V26'
    'h-5.6v-5.4a3.4 3.4 0 0 0-6.8 0V26z"/>'
)
_OPEN = '<svg xmlns="http://www.w3.org/2000/svg"'
MARK = f'{_OPEN} viewBox="0 0 32 32" aria-hidden="true">{_SHAPE}</svg>'
"""A gatehouse: two merlons, a wall and an open arch."""

MARK_URI = "data:image/svg+xml;base64," + base64.b64encode(MARK.encode()).decode()


def wordmark(theme: Literal["light", "dark"]) -> str:
    """Returns the mark with the name beside it, as SVG for a background of that theme."""
    ink = "#e6e9ee" if theme == "dark" else "#1c2430"
    return (
        f'{_OPEN} viewBox="0 0 164 32" role="img" aria-label="{NAME}">{_SHAPE}'
        f'<text x="43" y="22.5" fill="{ink}" font-size="18.5" '
        'font-weight="650" font-family="Source Sans Pro, Source Sans, system-ui, sans-serif">'
        f"{NAME}</text></svg>"
    )
