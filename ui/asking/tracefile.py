"""How one answer came about, as a file. It needs no page, so that the web layer can serve it."""

from __future__ import annotations

import json

from agent import Told, notebook, trace
from audit import AuditEvent, ExportFacts, Filter
from guard import Caller, log_safe
from guard.principal import Principal
from store import conversations, steps, turns
from ui import stored
from ui.parts import Parts
from ui.webparts import Export, ExportRequest

KIND = "trace"
"""What the address of the file calls it."""
_MOST_EVENTS = 500
_TYPES = {"ipynb": "application/x-ipynb+json", "json": "application/json"}


def make(parts: Parts, asked: ExportRequest) -> Export | None:
    """Returns the record of a turn as a notebook or as JSON; the export is recorded first."""
    kind = asked.query.get("format", "ipynb")
    told = found(parts, asked.principal, asked.name) if kind in _TYPES else None
    if told is None:
        return None
    record = trace(told)
    content = notebook(record) if kind == "ipynb" else json.dumps(record, indent=1, default=str)
    body = content.encode()
    caller = Caller(principal=asked.principal, channel="console", session=told.turn.conversation)
    parts.log.append(
        AuditEvent(
            type="export.created",
            actor=caller.actor(),
            outcome="success",
            summary=f"Downloaded the trace of an answer as {kind}",
            session=told.turn.conversation,
            request=told.turn.id,
            parts=(ExportFacts(format=kind, rows=0, bytes=len(body)),),
        )
    )
    name = f"gatehouse-{told.turn.id}.{kind}"
    return Export(file_name=name, media_type=_TYPES[kind], chunks=iter([body]))


def found(parts: Parts, person: Principal, turn: str) -> Told | None:
    """Returns what is kept of a turn: the person's own, or anybody's for an admin."""
    with parts.store.read() as conn:
        kept = turns.find(conn, turn)
        talk = conversations.find(conn, kept.conversation) if kept else None
        if kept is None or talk is None:
            return None
        foreign = talk.owner != person.id
        if foreign and "admin" not in person.roles:
            return None
        taken = steps.list_of(conn, turn)
        packed = {s.call_id: steps.blob(conn, turn, s.call_id) for s in taken}
    page = parts.log.search(Filter(request=turn), limit=_MOST_EVENTS)
    return Told(
        turn=kept,
        source=talk.source,
        steps=taken,
        answer=stored.answer(kept),
        records=tuple(reversed(page.records)),
        rows={call: data for call, data in packed.items() if data is not None},
        safe=log_safe,
        foreign=foreign,
    )
