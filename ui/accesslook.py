"""How access requests and grants look: words, colours and escaped HTML."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from html import escape

from guard import Need
from guard.accessdesk import AccessCard
from guard.accessgrants import TableGrant
from ui import panels, text, when
from ui.verdict import access_look

_KINDS = {
    "source": "the source",
    "table": "reading the table",
    "column": "reading the column",
    "lookup": "looking up exact values of",
    "propose": "proposing changes to",
}


def named(need: Need) -> str:
    """Returns what is asked for as HTML."""
    return f"{_KINDS[need.kind]} {panels.code(text.line(need.name, 160))}"


def wanted(card: AccessCard) -> str:
    """Returns everything a request asks for as HTML."""
    return text.joined([named(need) for need in card.needs])


def opened(tables: Sequence[TableGrant]) -> str:
    """Returns what a grant opens as HTML."""
    return "; ".join(_opened(t) for t in tables)


def _opened(table: TableGrant) -> str:
    said = []
    if table.columns:
        said.append(f"reading {_listed(table.columns)}")
    if table.lookup:
        said.append(f"looking up {_listed(table.lookup)}")
    if table.propose:
        said.append("proposing changes")
    return f"{panels.code(text.line(table.table, 80))}: {', '.join(said)}"


def _listed(names: Sequence[str]) -> str:
    return text.joined([escape(text.line(n, 60)) for n in names])


def duration(hours: int) -> str:
    """Returns a number of hours as one says it: `1 hour`, `7 days`."""
    if hours % 24 == 0:
        return text.count(hours // 24, "day")
    return text.count(hours, "hour")


def told(card: AccessCard, now: dt.datetime, zone: dt.tzinfo) -> str:
    """Returns what became of a request as a panel for the person who made it."""
    word, tone, picture = access_look(card.state)
    by = f" by {escape(text.line(card.decided_by_name, 80))}" if card.decided_by_name else ""
    lines = [f"<strong>{word}.</strong> "]
    match card.state:
        case "pending":
            lines[0] += (
                f"You asked for {wanted(card)} {when.ago(card.created_at, now)}. "
                "An admin other than you decides."
            )
        case "granted" | "ended" if card.until is not None:
            until = escape(when.stamp(card.until, zone))
            if card.live(now):
                lines[0] += f"Open until {until}: {opened(card.granted)}. Granted{by}."
            else:
                word, tone, picture = access_look("ended")
                lines = [f"<strong>{word}.</strong> Access to {wanted(card)} was open to {until}."]
        case "rejected":
            lines[0] += f"Your request for {wanted(card)} was rejected{by}."
        case "revoked":
            lines[0] += f"Access to {wanted(card)} was revoked{by}."
        case _:
            lines[0] += f"Nobody decided on {wanted(card)} in time. Ask again if you need it."
    if card.comment:
        lines.append(f'<span class="gh-note">{escape(text.clip(card.comment, 500))}</span>')
    return panels.panel(tone, picture, lines)
