"""Intents that nobody finished: what a start finds after a crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit.event import SYSTEM, AuditEvent
from audit.locks import FileLock, is_alive, sweep
from audit.parts import Effect
from audit.record import Receipt, Record, record_of
from audit.storage import Storage

_WAIT_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Intent:
    """An intent without an outcome. `alive`: the process that wrote it may still finish it."""

    record: Record
    alive: bool


def open_intents(storage: Storage, instances: Path) -> tuple[Intent, ...]:
    """Returns the intents without an outcome, oldest first.

    Liveness comes from the operating system: an instance is alive while its file in `instances` is
    locked, and a dead one cannot hold a lock.
    """
    with storage.reading() as log:
        left = log.open_intents()
        rows = log.by_seq([intent.seq for intent in left])
    return tuple(
        Intent(record=record_of(row), alive=is_alive(instances, intent.boot))
        for intent, row in zip(left, rows, strict=True)
    )


def reconcile(
    storage: Storage, instances: Path, append: Callable[[AuditEvent], Receipt]
) -> Sequence[Receipt]:
    """Closes the intents of dead instances as `query.outcome_unknown`; returns the receipts.

    Several instances may start at once: one of them does it.

    Raises:
        AuditError: the log cannot be read or written.
    """
    lock = FileLock(instances / "reconcile.lock")
    try:
        with lock.held(_WAIT_S):
            left = [i.record for i in open_intents(storage, instances) if not i.alive]
            receipts = [append(_unknown(record.event)) for record in left]
            sweep(instances)
    finally:
        lock.close()
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
