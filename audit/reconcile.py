"""Intents that nobody finished: what a start finds after a crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from audit.event import SYSTEM, AuditEvent
from audit.parts import Effect
from audit.presence import Presence
from audit.record import Receipt, Record, record_of
from audit.storage import Storage

_WAIT_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Intent:
    """An intent without an outcome. `alive`: the process that wrote it may still finish it."""

    record: Record
    alive: bool


def open_intents(storage: Storage, presence: Presence) -> tuple[Intent, ...]:
    """Returns the intents without an outcome, oldest first."""
    with storage.reading() as log:
        left = log.open_intents()
        rows = {row.seq: row for row in log.by_seq([intent.seq for intent in left])}
    alive = {boot: presence.is_alive(boot) for boot in {intent.boot for intent in left}}
    return tuple(
        Intent(record=record_of(rows[intent.seq]), alive=alive[intent.boot])
        for intent in left
        if intent.seq in rows
    )


def reconcile(
    storage: Storage, presence: Presence, append: Callable[[AuditEvent], Receipt]
) -> Sequence[Receipt]:
    """Closes the intents of dead instances as `query.outcome_unknown`; returns the receipts.

    Several instances may start at once: one of them does it.

    Raises:
        AuditError: the log cannot be read or written.
    """
    with presence.alone(_WAIT_S):
        left = [i.record for i in open_intents(storage, presence) if not i.alive]
        receipts = [append(_unknown(record.event)) for record in left]
        presence.sweep()
    return receipts


def _unknown(intent: AuditEvent) -> AuditEvent:
    return AuditEvent(
        type="query.outcome_unknown",
        actor=SYSTEM,
        outcome="unknown",
        summary="Outcome unknown: the process that ran this ended before it was done.",
        session=intent.session,
        request=intent.request,
        parent=intent.id,
        parts=(Effect(intent_id=intent.id),),
    )
