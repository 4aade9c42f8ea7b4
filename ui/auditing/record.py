"""One record in full: what it says, and the exact text that was hashed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from html import escape

import streamlit as st

from audit import AuditError, AuditEvent, AuditLog, Record
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


def hashed(log: AuditLog, record: Record, *, sealed: bool = False) -> None:
    """Draws the record's hash, the one before, the text that was hashed, and its proof on demand.

    A sealed one is proven by a whole export only.

    Raises:
        audit.AuditError: the log cannot be read for the proof.
    """
    st.html(panels.note("<strong>Hash</strong>"))
    st.code(record.hash, language=None, wrap_lines=True)
    st.html(panels.note("<strong>Previous</strong>"))
    st.code(_previous(record), language=None, wrap_lines=True)
    with st.expander("The record as it was hashed", type="compact"):
        st.code(text.clip(record.line), language="json", wrap_lines=True)
    if sealed:
        st.html(panels.note("This event is sealed: its proof is in a whole export."))
    elif st.button("Show its proof", key=f"prove_{record.seq}", type="tertiary"):
        proof = log.prove(record.seq)
        if proof is None:
            st.html(panels.note("This event is not in the log any more."))
        else:
            st.html(panels.note("For any verifier of the C2SP form (c2sp.org/tlog-proof):"))
            st.code(proof, language=None)


def _previous(record: Record) -> str:
    try:
        return record.prev
    except AuditError:
        return "unreadable"


def person(event: AuditEvent, people: People) -> str:
    """Returns who did it, in words: the person, or the agent on behalf of a person."""
    actor = event.actor
    if actor.on_behalf_of is not None:
        return f"agent for {called(actor.on_behalf_of, people)}"
    return called(actor.id, people)


def called(account: str, people: People) -> str:
    """Returns what a person is called here; their id where nobody knows."""
    known = people.get(account)
    if known is not None and known.erased:
        return f"Erased person {account[:6]}"
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
    return escape(text.clip(called(str(value), people), 2_000))
