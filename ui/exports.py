"""Files that leave the console: the redacted rows the page shows, by role and owner."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence

from agent import Answer, unpack
from audit import AuditEvent, ExportFacts
from guard import Caller, plain_rows
from store import conversations, steps, turns
from store.states import ConsoleRole
from ui.parts import Parts
from ui.webparts import Export, Exporter, ExportRequest

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def exporters(parts: Callable[[], Parts]) -> Mapping[str, Exporter]:
    """Returns the kinds of files `/export/{kind}/{name}` serves."""
    everyone: frozenset[ConsoleRole] = frozenset({"analyst", "reviewer", "admin"})
    return {"result": Exporter(roles=everyone, make=lambda r: _result(parts(), r))}


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
        writer.writerow([_safe(value) for value in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _safe(value: object) -> object:
    """A text that a spreadsheet would run as a formula gets a quote before it; numbers do not."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
