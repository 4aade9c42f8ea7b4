"""The change of a table's definition as escaped HTML: lines that go and come, and what it costs."""

from __future__ import annotations

from difflib import ndiff
from html import escape

from guard.changes import SchemaView
from ui import text

_LONGEST = 2_000
_SIGNS = {"+": ("gh-added", "added"), "-": ("gh-removed", "removed"), " ": ("", "the same")}
_LOCKS = {
    "none": "Nobody waits for the table meanwhile.",
    "writes": "Whoever writes to the table waits meanwhile.",
    "all": "Whoever reads or writes the table waits meanwhile.",
}


def table(view: SchemaView) -> str:
    """Returns one table's definition, old against new, and who waits and what is lost."""
    title = escape(text.line(view.table, 80))
    if view.hidden:
        return (
            f'<p class="gh-note"><strong>{title}</strong>: its definition is hidden, because it is '
            "outside what you can read.</p>"
        )
    before, after = view.before or (), view.after or ()
    lines = [line for line in ndiff(list(before), list(after)) if line[0] in _SIGNS]
    rows = "".join(_line(line[0], line[2:]) for line in lines)
    return (
        f'<div class="gh-scroll" role="region" tabindex="0" aria-label="Definition of {title}">'
        f'<table class="gh-diff"><caption>{title}: {_what(view)}</caption><tbody>{rows}</tbody>'
        f'</table></div><p class="gh-note">{" ".join(_costs(view))}</p>'
    )


def _what(view: SchemaView) -> str:
    if view.before is None:
        return "a new table"
    if view.after is None:
        return "the table is dropped"
    return "its definition changes" if view.before != view.after else "its definition stays"


def _line(sign: str, line: str) -> str:
    css, word = _SIGNS[sign]
    mark = f'<span role="img" aria-label="{word}">{sign.strip() or "&nbsp;"}</span>'
    return (
        f'<tr class="{css}"><td class="gh-sign">{mark}</td>'
        f"<td><span>{escape(text.clip(line, _LONGEST))}</span></td></tr>"
    )


def _costs(view: SchemaView) -> list[str]:
    said = []
    if view.rows_lost:
        rows = text.count(view.rows_lost, "row is lost", "rows are lost")
        said.append(f"<strong>{rows}.</strong>")
    elif view.before is not None:
        said.append(f"It holds {text.count(view.rows_before, 'row', 'rows')}.")
    if view.rewritten:
        said.append("The whole table is written anew.")
    return [*said, _LOCKS[view.lock]]
