"""The whole diff as a file: every kept row, redacted by the rights of whoever downloads it."""

from __future__ import annotations

import csv
import io
import itertools
import json
import zlib
from collections.abc import Iterator, Sequence

from audit import AuditEvent, ExportFacts
from guard import Caller, Illegal
from guard.changes import TableView
from guard.diff import Cell
from ui.parts import Parts
from ui.spreadsheet import safe
from ui.webparts import Export, ExportRequest

KIND = "change"
"""The part of the address that stands for these files: `/export/change/7.csv`."""
_LINES = 5_000
_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


def make(parts: Parts, asked: ExportRequest, caller: Caller | None = None) -> Export | None:
    """Returns `ID.csv` or `ID.jsonl`, recorded in the trail; None where the person may see none.

    `caller` says where the request came from; without it, from the console.

    Raises:
        guard.SourceUnavailable: the source cannot say which columns hold personal data.
        audit.AuditError: it cannot be recorded, so it is not given.
    """
    number, _, suffix = asked.name.partition(".")
    if suffix not in _TYPES or not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    caller = caller or Caller(principal=asked.principal, channel="console")
    try:
        stored, tables = parts.review.inbox.whole(int(number), caller)
    except Illegal:
        return None
    pieces = [(len(text), zlib.compress(text, level=1)) for text in _encoded(tables, suffix)]
    rows = sum(len(t.rows) for t in tables)
    parts.log.append(
        AuditEvent(
            type="export.created",
            actor=caller.actor(),
            outcome="success",
            summary=f"Downloaded {rows:,} rows of the diff of request #{stored.id}",
            session=stored.conversation,
            parts=(ExportFacts(format=suffix, rows=rows, bytes=sum(size for size, _ in pieces)),),
        )
    )
    if not any(t.hidden for t in tables):
        parts.review.inbox.took(stored, caller)
    return Export(
        file_name=f"gatehouse-change-{stored.id}.{suffix}",
        media_type=_TYPES[suffix],
        chunks=(zlib.decompress(packed) for _, packed in pieces),
    )


def _encoded(tables: Sequence[TableView], suffix: str) -> Iterator[bytes]:
    """Yields the file in pieces, so that all of it is never held as text.

    How long it is has to be recorded before the first piece leaves.
    """
    found = lines(tables, suffix)
    while text := "".join(itertools.islice(found, _LINES)):
        yield text.encode()


def lines(tables: Sequence[TableView], suffix: str) -> Iterator[str]:
    """Yields the rows as `csv` or `jsonl`, in pieces."""
    return _json(tables) if suffix == "jsonl" else _csv(tables)


def _json(tables: Sequence[TableView]) -> Iterator[str]:
    for table in tables:
        for row in table.rows:
            said = {
                "table": table.table,
                "kind": row.kind,
                "before": _named(table, row.before),
                "after": _named(table, row.after),
            }
            yield json.dumps(said, ensure_ascii=False) + "\n"


def _named(table: TableView, cells: Sequence[Cell] | None) -> dict[str, Cell] | None:
    return None if cells is None else dict(zip(table.columns, cells, strict=True))


def _csv(tables: Sequence[TableView]) -> Iterator[str]:
    """One line for each image of a row: which table, what happens, before or after, its cells."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for table in tables:
        writer.writerow(["table", "kind", "image", *(safe(c) for c in table.columns)])
        for row in table.rows:
            for image, cells in (("before", row.before), ("after", row.after)):
                if cells is not None:
                    named = safe(table.table)
                    writer.writerow([named, row.kind, image, *(safe(c) for c in cells)])
            yield _emptied(buffer)
        yield _emptied(buffer)


def _emptied(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
