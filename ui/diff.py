"""The rows of a change, before and after, as an escaped HTML table with what differs marked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

from guard.changes import RowView, TableView
from guard.diff import Cell
from ui import text
from ui.verdict import icon

_LONGEST = 600
_SIGNS = {"updated": ("~", "changed"), "inserted": ("+", "added"), "deleted": ("-", "removed")}


def table(view: TableView, shown: int = 200, differs: Collection[str] = ()) -> str:
    """Returns one table's diff: old over new, at most `shown` rows, and what is left out.

    The columns in `differs` come first and are marked: the table beside it has other values there.
    """
    title = escape(text.line(view.table, 80))
    if view.hidden:
        return (
            f'<p class="gh-note"><strong>{title}</strong>: its rows are hidden, because they are '
            "outside what you can read.</p>"
        )
    order = _order(view, differs)
    rows = "".join(_row(row, order) for row in view.rows[:shown])
    head = "".join(_heading(view, i, differs) for i in order)
    return (
        f'<div class="gh-scroll" role="region" tabindex="0" aria-label="Rows of {title}">'
        f'<table class="gh-diff"><caption>{title}</caption><thead><tr>'
        f'<th scope="col" aria-label="What happens"></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_rest(view, shown)}"
    )


def _order(view: TableView, differs: Collection[str]) -> list[int]:
    """The first column, then what matters most, so that a wide table needs no scrolling.

    That is what differs from the table beside it, then what changes, then the rest.
    """
    changed = {i for row in view.rows for i, is_ in enumerate(row.changed) if is_}
    others = {i for i, name in enumerate(view.columns) if name in differs}
    rest = sorted(range(1, len(view.columns)), key=lambda i: (i not in others, i not in changed, i))
    return [*([0] if view.columns else []), *rest]


def _heading(view: TableView, position: int, differs: Collection[str]) -> str:
    name = view.columns[position]
    marks = ""
    if name in view.masked:
        marks += f'<span title="Masked by policy">{icon("hidden")}</span>'
    if name in view.decided:
        marks += f'<span title="Decided when it runs">{icon("clock")}</span>'
    cells = [c[position] for r in view.rows for c in (r.before, r.after) if c is not None]
    numbers = [_is_number(c) for c in cells if c is not None]
    css = "gh-number" if numbers and all(numbers) else ""
    if name in differs:
        css = f"{css} gh-differs".strip()
        marks += f'<span title="Differs from what was reviewed">{icon("error")}</span>'
    css = f' class="{css}"' if css else ""
    return f'<th scope="col"{css}>{escape(text.line(name, 60))}{marks}</th>'


def _row(row: RowView, order: Sequence[int]) -> str:
    sign, word = _SIGNS[row.kind]
    css = {"inserted": ' class="gh-added"', "deleted": ' class="gh-removed"'}.get(row.kind, "")
    cells = "".join(_cell(row, i) for i in order)
    mark = f'<span role="img" aria-label="{word}">{sign}</span>'
    return f'<tr{css}><td class="gh-sign">{mark}</td>{cells}</tr>'


def _cell(row: RowView, i: int) -> str:
    if row.before is None or row.after is None:
        only = row.after if row.before is None else row.before
        value = only[i] if only is not None else None
        return _plain(value)
    if not row.changed[i]:
        return _plain(row.after[i])
    old, new = _marked(row.before[i], row.after[i])
    number = " gh-number" if _is_number(row.after[i]) else ""
    return (
        f'<td class="gh-pair{number}"><span class="gh-old">{old}</span>'
        f'<span class="gh-new">{new}</span></td>'
    )


def _plain(value: Cell) -> str:
    number = ' class="gh-number"' if _is_number(value) else ""
    return f"<td{number}><span>{_shown(value)}</span></td>"


def _is_number(value: Cell) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _marked(old: Cell, new: Cell) -> tuple[str, str]:
    """Both values with the part between their common beginning and end marked."""
    if old is None or new is None:
        return _shown(old, whole=True), _shown(new, whole=True)
    before, after = _text(old), _text(new)
    if before == after:
        # Different values that look alike here: behind one mask, or apart only past the cut.
        return _shown(old), _shown(new)
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    return _middle(before, head, tail), _middle(after, head, tail)


def _middle(value: str, head: int, tail: int) -> str:
    end = len(value) - tail
    middle = f"<mark>{escape(value[head:end])}</mark>" if end > head else ""
    return f"{escape(value[:head])}{middle}{escape(value[end:])}"


def _common(one: str, other: str) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length


def _shown(value: Cell, *, whole: bool = False) -> str:
    if value is None:
        return "<em>NULL</em>"
    said = escape(_text(value))
    if said == "":
        return "<em>empty</em>"
    return f"<mark>{said}</mark>" if whole else said


def _text(value: Cell) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return text.clip(str(value), _LONGEST)


def _rest(view: TableView, shown: int) -> str:
    left = view.inserted + view.updated + view.deleted - min(len(view.rows), shown)
    if left <= 0:
        return ""
    rows = text.count(left, "more row is", "more rows are")
    return f'<p class="gh-note">{rows} not shown. The numbers above count all of them.</p>'
