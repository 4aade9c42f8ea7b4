"""Files that leave the console: the redacted rows the page shows, by role and owner."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence

from agent import Answer, unpack
from audit import AuditEvent, AuditLog, ExportFacts
from guard import Caller, plain_rows
from store import Store, conversations, steps, turns
from store.states import ConsoleRole
from ui.asking import tracefile
from ui.auditing import files
from ui.parts import Parts
from ui.reviewing import download
from ui.spreadsheet import safe
from ui.webparts import Export, Exporter, ExportRequest


def exporters(
    parts: Callable[[], Parts], log: Callable[[], AuditLog], store: Callable[[], Store]
) -> Mapping[str, Exporter]:
    """Returns the kinds of files `/export/{kind}/{name}` serves.

    The audit trail can be taken along without the parts, so also while no policy can be used.
    """
    everyone: frozenset[ConsoleRole] = frozenset({"analyst", "reviewer", "admin"})
    admins: frozenset[ConsoleRole] = frozenset({"admin"})
    return {
        "result": Exporter(roles=everyone, make=lambda r: _result(parts(), r)),
        download.KIND: Exporter(roles=everyone, make=lambda r: download.make(parts(), r)),
        tracefile.KIND: Exporter(roles=everyone, make=lambda r: tracefile.make(parts(), r)),
        "audit": Exporter(roles=admins, make=lambda r: files.make(log(), store(), r)),
    }


def _result(parts: Parts, asked: ExportRequest) -> Export | None:
    """The rows of one answer as CSV; `name` is the turn's id."""
    with parts.store.read() as conn:
        turn = turns.find(conn, asked.name)
        if turn is None or turn.answer_json is None:
            return None
        owned = conversations.find_own(conn, turn.conversation, owner=asked.principal.id)
        step = Answer.model_validate_json(turn.answer_json).query
        packed = steps.blob(conn, turn.id, step) if owned is not None and step else None
    if packed is None:
        return None
    table = unpack(packed)
    text = "".join(_lines(table.column_names, plain_rows(table)))
    caller = Caller(principal=asked.principal, channel="console", session=turn.conversation)
    parts.log.append(
        AuditEvent(
            type="export.created",
            actor=caller.actor(),
            outcome="success",
            summary=f"Downloaded {table.num_rows} rows as CSV",
            session=turn.conversation,
            request=turn.id,
            parts=(ExportFacts(format="csv", rows=table.num_rows, bytes=len(text.encode())),),
        )
    )
    return Export(
        file_name=f"gatehouse-{turn.id}.csv",
        media_type="text/csv; charset=utf-8",
        chunks=iter([text.encode()]),
    )


def _lines(names: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in (names, *rows):
        writer.writerow([safe(value) for value in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
