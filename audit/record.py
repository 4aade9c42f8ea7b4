"""A record: an event with its place in the log, as one line of canonical JSON.

`{"event":{..},"logged":"2026-11-20T08:16:18.000001Z","prev":"<64 hex>","seq":42,"v":1}`

`prev` is the hash of the line before. The keys are in canonical order, so the line is put together
around the event's own text and never written twice in two ways.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, cast

from audit.chain import leaf_hash
from audit.encoding import Json
from audit.errors import Tampered
from audit.event import AuditEvent
from audit.storage import Row

FORMAT: Final = 1
MAX_LINE: Final = 32 * 1024
"""Bytes of a line. The tlog-tiles format could carry 65,535."""
_ENVELOPE: Final = 256
MAX_EVENT: Final = MAX_LINE - _ENVELOPE


def line_of(event: str, logged: str, prev: bytes, seq: int) -> str:
    """Returns the line that is stored and hashed."""
    return f'{{"event":{event},"logged":"{logged}","prev":"{prev.hex()}","seq":{seq},"v":{FORMAT}}}'


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """Where an event landed. It is durable. `hash` is 64 hex digits, `logged` RFC 3339 in UTC."""

    seq: int
    hash: str
    logged: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """One stored record: `line` is the exact text that was hashed, `hash` what is stored for it."""

    seq: int
    line: str
    hash: str

    @cached_property
    def fits(self) -> bool:
        """True when what is stored as its hash is the hash of its line."""
        return leaf_hash(self.line.encode("utf-8", "surrogatepass")).hex() == self.hash

    @cached_property
    def prev(self) -> str:
        """The hash of the record before, as this line has it."""
        return str(self._fields["prev"])

    @cached_property
    def logged(self) -> datetime:
        """When the log wrote it; never earlier than the record before."""
        return datetime.fromisoformat(str(self._fields["logged"]))

    @cached_property
    def event(self) -> AuditEvent:
        """The event, read back from the line.

        Raises:
            Tampered: the line is not one this log wrote. Show that, and run the verifier.
        """
        try:
            return AuditEvent.from_document(cast("Mapping[str, Json]", self._fields["event"]))
        except (KeyError, TypeError, ValueError) as error:
            raise self._unreadable() from error

    @cached_property
    def _fields(self) -> Mapping[str, Json]:
        try:
            fields = json.loads(self.line)
            if {"event", "logged", "prev"} <= fields.keys():
                return cast("Mapping[str, Json]", fields)
        except (AttributeError, ValueError) as error:
            raise self._unreadable() from error
        raise self._unreadable()

    def _unreadable(self) -> Tampered:
        return Tampered(f"Event {self.seq} cannot be read. Verify the log and keep its files.")


def record_of(row: Row) -> Record:
    """Returns the record in a stored row."""
    return Record(seq=row.seq, line=row.record, hash=row.leaf_hash.hex())
