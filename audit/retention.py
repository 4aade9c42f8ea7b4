"""Sealing, removing and expiring old records, in the order that keeps them provable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from audit.encoding import timestamp
from audit.errors import AuditError
from audit.event import Actor, AuditEvent, EventType
from audit.parts import SegmentFacts
from audit.record import Receipt
from audit.sealing import Archive, Segment, genesis_of, next_segment
from audit.storage import Reading, Storage

YEAR: Final = timedelta(days=365.25)
DEFAULT_YEARS: Final = 6


class Retention:
    """What may be done to old records of one log. One at a time."""

    def __init__(
        self,
        storage: Storage,
        archive: Archive,
        origin: str,
        append: Callable[[AuditEvent], Receipt],
        prune: Callable[[int, AuditEvent], None],
    ) -> None:
        """`prune` removes records up to a number and records that, in one transaction."""
        self._storage = storage
        self._archive = archive
        self._origin = origin
        self._append = append
        self._prune = prune

    def seal(self, before: datetime, anchored: int, actor: Actor) -> Sequence[Segment]:
        """Returns the segments that were made of the records written before that moment.

        Only what the newest anchor covers is sealed, and nothing from an open intent on.

        Raises:
            AuditError: a step failed; do it again.
        """
        made: list[Segment] = []
        while True:
            with self._storage.reading() as log:
                limit = min(anchored, _last_before(log, before), _before_intents(log))
                found = next_segment(log, self._archive, limit)
                if found is None:
                    return made
                first, prev, kept = found
                lines = (row.record for row in log.scan(first, kept.size))
                segment = self._archive.write(lines, first, prev or genesis_of(self._origin), kept)
            self._append(_event("log.sealed", segment, "archive", actor))
            self._archive.confirm(segment)
            made.append(segment)

    def prune(self, anchored: int, actor: Actor) -> int:
        """Returns how far the records are only in the archive, after removing those sealed.

        Raises:
            Tampered: a segment is not what its manifest says; its records stay.
            AuditError: they could not be removed.
        """
        with self._storage.reading() as log:
            first = log.first()
        gone = first - 1
        for segment in self._archive.segments():
            # One at a time: whoever appends meanwhile waits for one segment at most.
            if first <= segment.last <= anchored:
                self._archive.check(segment)
                self._prune(segment.last, _event("log.pruned", segment, "archive", actor))
                gone = segment.last
        return gone

    def expire(self, years: float, actor: Actor) -> Sequence[Segment]:
        """Returns the segments whose records were removed for good, being older than that.

        Raises:
            Tampered: a segment is not what its manifest says, so it may be younger; it stays.
            AuditError: it could not be recorded, so nothing was removed.
        """
        limit = timestamp(datetime.now(UTC) - years * YEAR)
        with self._storage.reading() as log:
            first = log.first()
        gone = []
        for segment in self._archive.segments():
            if segment.last_logged >= limit or segment.last >= first:
                break
            if self._archive.holds(segment):
                self._archive.check(segment)
                self._append(_event("log.pruned", segment, "nowhere", actor))
                self._archive.expire(segment)
                gone.append(segment)
        return gone


def _event(type_: EventType, segment: Segment, kept: str, actor: Actor) -> AuditEvent:
    doing = {"log.sealed": "sealed", "log.pruned": "moved to the archive"}[type_]
    said = "expired and removed" if kept == "nowhere" else doing
    return AuditEvent(
        type=type_,
        actor=actor,
        outcome="success",
        summary=f"Records {segment.first} to {segment.last} {said}.",
        parts=(
            SegmentFacts(
                first=segment.first,
                last=segment.last,
                last_hash=segment.last_hash,
                sha256=segment.sha256,
                bytes=segment.bytes,
                kept=kept,
            ),
        ),
    )


def _last_before(log: Reading, moment: datetime) -> int:
    """Returns the number of the last record written before `moment`, bisected."""
    head, wanted = log.head(), timestamp(moment)
    if head is None:
        raise AuditError("The audit log is empty.")
    low, high = log.first(), head.size + 1
    while low < high:
        middle = (low + high) // 2
        if (log.logged(middle) or "") < wanted:
            low = middle + 1
        else:
            high = middle
    # The record that says that something was sealed comes after it.
    return min(low - 1, head.size - 1)


def _before_intents(log: Reading) -> int:
    left = log.open_intents()
    return left[0].seq - 1 if left else 2**53
