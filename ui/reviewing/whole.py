"""The links to the whole diff of a request, for those whose rows do not fit on the screen."""

from __future__ import annotations

from guard.changes import ChangeView
from ui import panels, text
from ui.reviewing import download
from ui.verdict import icon


def offer(view: ChangeView) -> str:
    """Returns the links to the whole diff and what taking it is for, as HTML."""
    rows = text.count(view.card.rows, "row")
    links = "".join(
        f'<a class="gh-button" href="/export/{download.KIND}/{view.card.id}.{suffix}" download>'
        f"{icon('download')}Whole diff as {word}</a>"
        for suffix, word in (("csv", "CSV"), ("jsonl", "JSON Lines"))
    )
    said = (
        "You have downloaded all of it."
        if view.taken
        else "The page shows a part of it. Whoever approves it downloads all of it first."
    )
    if view.standing == "over_cap":
        said = "The page shows a part of it."
    return f'{panels.note(f"{rows} in all. {said}")}<div class="gh-actions">{links}</div>'
