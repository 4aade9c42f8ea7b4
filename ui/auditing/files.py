"""Audit events on their way out: lines as hashed, a table, or a bundle with its verifier."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from audit import AuditLog, Filter, Record
from store import Store, accounts
from ui.auditing import filters, reading
from ui.spreadsheet import safe
from ui.webparts import Export, ExportRequest

_PAGE = 500
_CHUNK = 1 << 16
_COLUMNS = ("number", "time", "actor", "on_behalf_of", "event", "outcome", "summary", "hash")


def make(log: AuditLog, store: Store, asked: ExportRequest) -> Export | None:
    """Returns `events.jsonl`, `events.csv` or `bundle.zip` for the filter in the address.

    Raises:
        audit.AuditError: the log cannot be read, or the export cannot be recorded.
    """
    if asked.name not in ("events.jsonl", "events.csv", "bundle.zip"):
        return None
    now = dt.datetime.now(dt.UTC)
    with store.read() as conn:
        people = {a.name: a for a in accounts.list_all(conn)}
    wanted = filters.as_filter(filters.from_query(asked.query), people, now)
    reading.exported(log, asked.principal, asked.name.rpartition(".")[2], wanted.used)
    if asked.name == "bundle.zip":
        return _export("zip", "application/zip", _bundle(log, wanted))
    # Events that come while this is sent would push others onto the next page.
    found = _records(log, replace(wanted, until=now))
    if asked.name == "events.csv":
        return _export("csv", "text/csv; charset=utf-8", _table(found))
    lines = (f"{record.line}\n".encode() for record in found)
    return _export("jsonl", "application/jsonl", lines)


def _export(suffix: str, media_type: str, chunks: Iterator[bytes]) -> Export:
    return Export(file_name=f"gatehouse-audit.{suffix}", media_type=media_type, chunks=chunks)


def _records(log: AuditLog, wanted: Filter) -> Iterator[Record]:
    offset = 0
    while page := log.search(wanted, limit=_PAGE, offset=offset).records:
        yield from page
        offset += len(page)


def _table(found: Iterator[Record]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_COLUMNS)
    for record in found:
        event = record.event
        row = (
            record.seq,
            event.time.isoformat(),
            event.actor.id,
            event.actor.on_behalf_of or "",
            event.type,
            event.outcome,
            event.summary,
            record.hash,
        )
        writer.writerow([safe(value) for value in row])
        if buffer.tell() > _CHUNK:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def _bundle(log: AuditLog, wanted: Filter) -> Iterator[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115  # `_chunks` closes it, once it is sent
    try:
        log.export(file, wanted)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return _chunks(file)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
