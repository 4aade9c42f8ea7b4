"""How risky a change was found, why, and who must still say yes: the same for everybody."""

from __future__ import annotations

from html import escape

from guard.changes import ChangeView
from ui import panels, text

_WORDS = {1: ("ok", "check"), 2: ("wait", "clock"), 3: ("bad", "error")}


def line(view: ChangeView) -> str:
    """Returns the tier with every reason, the heaviest first, and who is needed."""
    number = view.card.tier
    if number is None:
        return ""
    reasons = "".join(
        f'<li><span class="gh-tier gh-{_WORDS.get(r.tier, _WORDS[3])[0]}">{r.tier}</span>'
        f"<span>{escape(text.line(r.text, 300))}</span></li>"
        for r in view.reasons
    )
    tone = _WORDS.get(number, _WORDS[3])[0]
    return (
        f'<details class="gh-risk gh-{tone}"{" open" if number > 1 else ""}>'
        f"<summary><strong>Tier {number}</strong> {escape(needs(view))}</summary>"
        f"<ul>{reasons}</ul></details>"
    )


def needs(view: ChangeView) -> str:
    """Returns who must say yes, as a sentence, and who is missing where it is still open."""
    people = text.count(view.approvers_needed, "person", "people")
    said = f"{people} other than the author must approve it"
    if view.admins_needed:
        admins = "an admin" if view.admins_needed == 1 else f"{view.admins_needed} admins"
        said += f", {admins} among them" if view.approvers_needed > 1 else f": {admins}"
    if view.card.auto:
        return f"Approved by a rule, without a person ({view.card.auto})."
    if view.card.state == "pending" and view.approvals:
        return f"{said}. {view.missing}"
    return f"{said}."


def over_cap(rows: int, most: int, *, own: bool) -> str:
    """Returns that a change is held because it touches too many rows, and the ways on."""
    return panels.panel(
        "bad",
        "block",
        [
            f"<strong>Held: over the row cap.</strong> It touches {rows:,} rows; one change may "
            f"touch {most:,}. Nothing has changed, and nobody can approve it as it is.",
            f"{'Withdraw' if own else 'Reject'} it and ask for smaller parts, or an admin raises "
            f"{panels.code('approvals.max_rows')} in the policy.",
        ],
    )
