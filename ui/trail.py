"""The newest audit events as an escaped HTML list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from html import escape

from audit import Record
from ui import text, when
from ui.verdict import Verdict, icon, of_event

NEWEST = 30
_HASH = 10


def listed(records: Sequence[Record], zone: dt.tzinfo, *, linked: bool) -> str:
    """Returns the records, oldest first as the log gives them, as a list with the newest on top.

    `linked` makes each hash lead to its event on the audit page, for those who may open it.
    """
    if not records:
        return '<p class="gh-note">Nothing yet. Each step appears here as it is recorded.</p>'
    items = "".join(_item(record, zone, linked) for record in reversed(records))
    # The list scrolls: without a link in it, the keyboard needs something to hold on to.
    held = "" if linked else ' tabindex="0" aria-label="Audit events"'
    return f'<ul class="gh-trail"{held}>{items}</ul>'


def counted(records: Sequence[Record]) -> str:
    """Returns how many events are shown."""
    if len(records) >= NEWEST:
        return f"The newest {NEWEST} events"
    return f"{text.count(len(records), 'event')}, newest first" if records else "No events yet"


def _item(record: Record, zone: dt.tzinfo, linked: bool) -> str:
    event = record.event
    verdict = of_event(event)
    word = "" if verdict is Verdict.RECORDED else f'<span class="gh-word">{verdict.value}</span>'
    return (
        f'<li class="gh-{verdict.tone}">{icon(verdict.icon)}<span class="gh-what">'
        f"<b>{escape(event.type)}</b>{word}"
        f'<time datetime="{event.time.isoformat()}">{when.clock(event.time, zone)}</time></span>'
        f"<p>{escape(text.line(event.summary))}</p>{_hash(record, linked)}</li>"
    )


def _hash(record: Record, linked: bool) -> str:
    short = record.hash[:_HASH]
    if not linked:
        return f'<span class="gh-hash">{short}</span>'
    return f'<a class="gh-hash" href="/audit?find={short}*" title="Open this event">{short}</a>'
