"""The card that says how one answer came about."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import streamlit as st

from agent import Told, trace
from audit import AuditEvent
from ui import markup, panels, text
from ui.asking import tracefile
from ui.frame import Desk, usable
from ui.verdict import icon

PARAMETER = "trace"
"""The part of the address that names the turn."""
_SEEN = "traces_seen"


def link(turn: str) -> str:
    """Returns the link to the card of a turn."""
    return (
        f'<a class="gh-button" href="/?{PARAMETER}={escape(turn)}" target="_self">'
        f"{icon('help')}How this was answered</a>"
    )


def draw(desk: Desk, turn: str) -> None:
    """Draws the card of a turn: the person's own, or anybody's for an admin, which is recorded."""
    with usable():
        found = tracefile.found(desk.parts, desk.person, turn)
        if found is not None and found.foreign:
            _viewed(desk, found)
        record = trace(found) if found is not None else None
    if found is None or record is None:
        st.html(
            markup.notice(
                "There is no such answer.",
                "It may belong to someone else: only your own answers open here.",
            )
        )
        return
    st.html('<h1 class="gh-title">How this was answered</h1>')
    st.html(_head(record, foreign=found.foreign))
    files = f"{_download(turn, 'ipynb')}{_download(turn, 'json')}"
    st.html(f'<div class="gh-actions">{"" if found.foreign else _back(found)}{files}</div>')
    listed = record["steps"]
    for number, step in enumerate(listed if isinstance(listed, list) else [], 1):
        with st.container(border=True, key=f"trace_{number}"):
            st.html(_step(number, step))
            if step["sql"]:
                st.code(text.clip(str(step["sql"])), language="sql", wrap_lines=True)
    st.html(_events(record))


def _viewed(desk: Desk, found: Told) -> None:
    """Records that an admin looks at somebody else's answer, once in a tab."""
    seen = st.session_state.setdefault(_SEEN, set())
    if found.turn.id in seen:
        return
    desk.parts.log.append(
        AuditEvent(
            type="audit.viewed",
            actor=desk.caller.actor(),
            outcome="success",
            summary="Opened the trace of somebody else's answer",
            session=found.turn.conversation,
            request=found.turn.id,
        )
    )
    seen.add(found.turn.id)


def _head(record: Mapping[str, object], *, foreign: bool) -> str:
    tables = record["tables"]
    rows = [
        ("Question", record["question"]),
        ("Read as", record["read_as"]),
        ("Answer", record["answer"]),
        ("Ended", record["status"]),
        ("Source", record["source"]),
        ("Answered by", record["model"] or "no model: it was typed"),
        ("Tables", ", ".join(map(str, tables)) if isinstance(tables, list) else ""),
    ]
    note = "Shown to you as an admin, redacted; that you opened it is recorded." if foreign else ""
    return _listed(rows) + (panels.note(note) if note else "")


def _step(number: int, step: Mapping[str, object]) -> str:
    rows = [
        ("Tool", step["tool"]),
        ("Arguments", step["arguments"]),
        ("Said", step["said"]),
        ("Decision", step["decision"]),
        ("Rule", step["rule"]),
        ("Reason", step["reason"]),
        ("Rows", step["rows"]),
        ("Hash of the masked rows", step["rows_sha256"]),
        ("Request", step["change"]),
        ("Milliseconds", step["elapsed_ms"]),
        ("Audit event", step["audit"]),
    ]
    kind = escape(text.line(str(step["kind"]), 40).capitalize())
    return f'<div class="gh-head"><h2>{number}. {kind}</h2></div>{_listed(rows)}'


def _listed(rows: list[tuple[str, object]]) -> str:
    facts = "".join(
        f"<dt>{name}</dt><dd>{escape(text.clip(str(value), 2_000))}</dd>"
        for name, value in rows
        if value not in (None, "")
    )
    return f'<dl class="gh-facts">{facts}</dl>'


def _events(record: Mapping[str, object]) -> str:
    events = record["audit"]
    items = "".join(
        f"<li>#{event['seq']} <b>{escape(str(event['type']))}</b> "
        f"{escape(text.line(str(event['summary'])))} "
        f"{panels.code(str(event['hash'])[:10])}</li>"
        for event in (events if isinstance(events, list) else [])
    )
    return (
        f'<div class="gh-head"><h2>In the audit trail</h2></div><ul class="gh-notes">{items}</ul>'
    )


def _back(found: Told) -> str:
    return (
        f'<a class="gh-button" href="/?c={escape(found.turn.conversation)}" target="_self">'
        f"{icon('undo')}Back to the conversation</a>"
    )


def _download(turn: str, kind: str) -> str:
    word = "Notebook" if kind == "ipynb" else "JSON"
    address = f"/export/{tracefile.KIND}/{escape(turn)}?format={kind}"
    return f'<a class="gh-button" href="{address}" download>{icon("download")}{word}</a>'
