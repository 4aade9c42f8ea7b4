"""The tables and columns a person may read, as escaped HTML."""

from __future__ import annotations

from html import escape

from guard import Catalog, Column, SourceView, Table
from ui import text
from ui.verdict import icon


def listed(view: SourceView) -> str:
    """Returns every table the person may read, each to be opened, with masked columns marked."""
    if not view.catalog.tables:
        return '<p class="gh-note">There is no table here that you may read.</p>'
    limited = {table.casefold() for table, _ in view.row_filters}
    tables = "".join(_table(t, t.name.casefold() in limited) for t in view.catalog.tables)
    return f'<div class="gh-tables">{tables}</div>'


def columns(catalog: Catalog) -> int:
    """Returns how many columns the tables have together."""
    return sum(len(t.columns) for t in catalog.tables)


def _table(table: Table, limited: bool) -> str:
    facts = [text.count(len(table.columns), "column")]
    if table.kind == "view":
        facts.insert(0, "view")
    if limited:
        facts.append("your rows only")
    items = "".join(_column(c) for c in table.columns)
    return (
        f"<details><summary>{escape(text.line(table.name, 80))} "
        f"<span>{', '.join(facts)}</span></summary><ul>{items}</ul></details>"
    )


def _column(column: Column) -> str:
    kind = escape(text.line(column.type, 40).lower())
    key = " · key" if column.primary_key else ""
    masked = (
        f'<span class="gh-masked">{icon("hidden")}masked '
        f"({escape(column.tag.replace('_', ' ').lower())})</span>"
        if column.tag
        else ""
    )
    return f"<li>{escape(text.line(column.name, 80))}<span>{kind}{key}</span>{masked}</li>"
