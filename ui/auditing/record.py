"""One record in full: what it says, and the exact text that was hashed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from html import escape

from audit import AuditEvent, Record
from store.accounts import Account
from ui import panels, text, when
from ui.verdict import badge, of_event

People = Mapping[str, Account]
"""Accounts by their id."""
_QUIET = frozenset({"shown_hmac", "statement_hmac", "template_sha256", "bundle_sha256"})


def facts(record: Record, people: People, zone: dt.tzinfo) -> str:
    """Returns what the record says as HTML."""
    event = record.event
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in _facts(event, people, zone)
    )
    return (
        f'<div class="gh-head"><h2>Event {record.seq:,}</h2>{badge(of_event(event))}</div>'
        f'<p class="gh-said">{escape(text.line(event.summary))}</p>'
        f'<dl class="gh-facts">{rows}</dl>'
    )


def person(event: AuditEvent, people: People) -> str:
    """Returns who did it, in words: the person, or the agent on behalf of a person."""
    actor = event.actor
    if actor.on_behalf_of is not None:
        return f"agent for {_name(actor.on_behalf_of, people)}"
    return _name(actor.id, people)


def _name(account: str, people: People) -> str:
    known = people.get(account)
    return known.display_name if known else account


def _facts(event: AuditEvent, people: People, zone: dt.tzinfo) -> Iterator[tuple[str, str]]:
    yield "When", when.stamp(event.time, zone)
    yield "Who", escape(person(event, people))
    if event.actor.os_account:
        yield "Operator account", escape(text.line(event.actor.os_account, 80))
    yield "Event", panels.code(event.type)
    yield "Outcome", escape(event.outcome)
    for part in event.parts:
        for name, value in vars(part).items():
            if value not in (None, (), {}) and name not in _QUIET:
                yield _label(part.group, name), _value(value, people, zone)


def _label(group: str, name: str) -> str:
    words = name.replace("_", " ")
    return (
        f"{group} {words}".capitalize()
        if words in ("id", "name", "kind", "type")
        else (words.capitalize())
    )


def _value(value: object, people: People, zone: dt.tzinfo) -> str:
    if isinstance(value, dt.datetime):
        return when.stamp(value, zone)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return escape(", ".join(f"{k}: {v:,}" for k, v in value.items()))
    if isinstance(value, tuple):
        return ", ".join(panels.code(text.line(str(v), 120)) for v in value)
    return escape(text.clip(_name(str(value), people), 2_000))
