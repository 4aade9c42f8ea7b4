"""How soon reviewers decide, and whose approvals look as if nobody had read the rows."""

from __future__ import annotations

from html import escape

from guard.response import Hasty, Response
from ui import panels, text
from ui.frame import Desk


def line(desk: Desk) -> str:
    """Returns the measured response of the last 30 days, and a warning where one is due."""
    measured = desk.parts.responses.measure()
    hasty = desk.parts.responses.hasty()
    warning = _warning(hasty) if hasty else ""
    return f'<div class="gh-response">{panels.note(_said(measured))}{warning}</div>'


def _said(found: Response) -> str:
    target = text.count(found.target_minutes, "minute")
    if found.median_seconds is None:
        if not found.counted:
            return f"Target: a first decision within {target}. None is measured yet."
        return f"Target: a first decision within {target}. Nobody has decided yet: {found.counted}."
    share = f"{100 * found.in_time / found.counted:.0f} %" if found.counted else "none"
    return (
        f"First decision in the last 30 days: median <strong>{_spell(found.median_seconds)}"
        f"</strong>, <strong>{share}</strong> of {found.counted:,} within {target}."
    )


def _spell(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def _warning(people: tuple[Hasty, ...]) -> str:
    lines = ["<strong>Approvals of the last 7 days that look unread.</strong>"]
    for person in people:
        facts = []
        if person.fast:
            facts.append(f"{person.fast} sooner than the rows can be read")
        if person.bulk:
            facts.append(f"{person.bulk} among many at once")
        lines.append(f"{escape(text.line(person.name, 80))}: {', '.join(facts)}.")
    return panels.panel("wait", "clock", lines)
