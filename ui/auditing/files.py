"""Audit events on their way out: lines as hashed, a table, or a bundle with its verifier."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from audit import FORMATS, AuditError, AuditLog, Filter, Record, translated
from store import Store, accounts
from ui.auditing import filters, reading
from ui.auditing.filters import People
from ui.spreadsheet import safe
from ui.webparts import Export, ExportRequest

NAMES = ("events.csv", "events.jsonl", "ocsf.jsonl", "otel.jsonl", "bundle.zip")
_PAGE = 500
_CHUNK = 1 << 16
_COLUMNS = ("number", "time", "actor", "on_behalf_of", "event", "outcome", "summary", "hash")


def make(log: AuditLog, store: Store, asked: ExportRequest) -> Export | None:
    """Returns the file of that name for the filter in the address, None for an unknown name.

    `events.jsonl` as hashed, `events.csv`, `ocsf.jsonl` and `otel.jsonl` for other systems, and
    `bundle.zip` with the verifier.

    Raises:
        audit.AuditError: the log cannot be read, or the export cannot be recorded.
    """
    if asked.name not in NAMES:
        return None
    now = dt.datetime.now(dt.UTC)
    with store.read() as conn:
        people = People(accounts.list_all(conn))
    asked_for, problems = filters.from_query(asked.query, people)
    if problems:
        # Leaving out a part of the filter would let more leave than was asked for.
        raise AuditError(" ".join(problems))
    wanted = filters.as_filter(asked_for, people, now)
    stem, _, suffix = asked.name.rpartition(".")
    format_ = next((one for one in FORMATS if one == stem), None)
    reading.exported(log, asked.principal, format_ or suffix, wanted.used)
    if asked.name == "bundle.zip":
        return _export("zip", "application/zip", _bundle(log, wanted))
    # Events that come while this is sent would push others onto the next page.
    found = _records(log, replace(wanted, until=now))
    if asked.name == "events.csv":
        return _export("csv", "text/csv; charset=utf-8", _table(found))
    lines: Iterator[str] = (record.line for record in found)
    if format_ is not None:
        lines = translated(lines, format_, log.origin)
    encoded = (f"{line}\n".encode() for line in lines)
    return _export(f"{format_}.jsonl" if format_ else "jsonl", "application/jsonl", encoded)


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
