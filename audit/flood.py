"""Keeps one person or session from flooding the log, without losing sight of what they do.

Refusals: the first few of a kind in a minute are recorded in full, those after them are counted,
and the count is recorded at 1, 2, 4, 8 ... and when the minute is over. Nothing ran, so nothing is
missing but the repetition; a kill loses at most half of a count.

Everything that begins work: whoever writes far more than a person can is refused further events for
a while, so that what they announce does not happen. That is recorded like a refusal. What ends work
is always taken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from audit.errors import Flooded
from audit.event import INTENT, AuditEvent, new_id, shorten
from audit.parts import ErrorFacts, PolicyFacts, Repeats
from audit.record import Receipt

IN_FULL: Final = 20
WINDOW_S: Final = 60.0
MOST_EVENTS: Final = 3000
_MOST_KINDS: Final = 10_000
OPENERS: Final = frozenset(
    {
        INTENT,
        "access.requested",
        "agent.message",
        "agent.started",
        "agent.step",
        "audit.exported",
        "audit.searched",
        "audit.viewed",
        "data.revealed",
        "export.created",
        "policy.decided",
        "request.classified",
        "request.received",
    }
)
"""Types that begin work: when these are refused, the work does not happen."""

Key = tuple[str, ...]


@dataclass
class _Kind:
    """One kind of refusal by one person in one window."""

    sample: AuditEvent
    began: float
    since: datetime
    written: int = 0
    folded: int = 0
    told: int = 0
    receipt: Receipt | None = None


class Flood:
    """Decides what of a stream of events is written. Safe to share between threads."""

    def __init__(
        self,
        *,
        in_full: int = IN_FULL,
        most_events: int = MOST_EVENTS,
        window_s: float = WINDOW_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`in_full` refusals of a kind and `most_events` of one person are taken a window."""
        self._in_full = in_full
        self._most = most_events
        self._window_s = window_s
        self._clock = clock
        self._guard = threading.Lock()
        self._kinds: dict[Key, _Kind] = {}
        self._people: dict[str, tuple[float, int]] = {}
        self._next_look = 0.0

    def check(self, events: Sequence[AuditEvent]) -> None:
        """Returns when these events may be written, as far as their number goes.

        Raises:
            Flooded: one person has begun too much; what the events announce must not happen.
        """
        with self._guard:
            now = self._clock()
            for event in events:
                if event.type in OPENERS and event.actor.type != "system":
                    self._count(_who(event), now)

    def _count(self, who: str, now: float) -> None:
        began, count = self._people.get(who, (now, 0))
        if now - began >= self._window_s:
            began, count = now, 0
        self._people[who] = (began, count + 1)
        if len(self._people) > _MOST_KINDS:
            self._people.pop(next(iter(self._people)))
        if count >= self._most:
            raise Flooded(
                f"You have begun more than {self._most:,} things in a minute, which is more than"
                " the audit log takes from one person. Nothing of this ran. Wait a minute."
            )

    def fold(self, event: AuditEvent) -> AuditEvent | Receipt:
        """Returns what to write for a refusal: itself, a count of those so far, or nothing.

        Nothing is the receipt of the record that speaks for it.
        """
        with self._guard:
            now = self._clock()
            kind = self._kinds.get(_key(event))
            if kind is None:
                kind = self._kinds[_key(event)] = _Kind(event, now, datetime.now(UTC))
            kind.sample = event
            if kind.written < self._in_full or kind.receipt is None:
                kind.written += 1
                return event
            kind.folded += 1
            if kind.folded & (kind.folded - 1):
                return kind.receipt
            return _counted(kind)

    def wrote(self, event: AuditEvent, receipt: Receipt) -> None:
        """Notes the receipt of what `fold` returned, for the repetitions that follow."""
        with self._guard:
            kind = self._kinds.get(_key(event))
            if kind is not None:
                kind.receipt = receipt

    def over(self, *, all_of_them: bool = False) -> Sequence[AuditEvent]:
        """Returns the counts of windows that are over, to be written. Cheap when there are none."""
        with self._guard:
            now = self._clock()
            if now < self._next_look and not all_of_them and len(self._kinds) <= _MOST_KINDS:
                return ()
            self._next_look = now + 1.0
            crowded = len(self._kinds) > _MOST_KINDS
            ended = [
                key
                for key, kind in self._kinds.items()
                if all_of_them or crowded or now - kind.began >= self._window_s
            ]
            kinds = [self._kinds.pop(key) for key in ended]
            return [_counted(kind) for kind in kinds if kind.folded > kind.told]


def is_refusal(events: Sequence[AuditEvent]) -> bool:
    """True when nothing but one refusal is to be written, which repetitions may be counted of."""
    return len(events) == 1 and events[0].outcome == "denied" and events[0].closes is None


def refused(event: AuditEvent, error: Flooded) -> AuditEvent:
    """Returns the record that `event` was refused for being one too many."""
    return replace(
        event,
        id=new_id(),
        type="policy.decided",
        outcome="denied",
        summary=shorten(f"Not taken: too many events in a minute ({event.type})"),
        parts=(
            PolicyFacts(decision="deny", rule="limit.events", reasons=(str(error),)),
            ErrorFacts(type="flood", code="limit.events"),
        ),
    )


def _counted(kind: _Kind) -> AuditEvent:
    new, kind.told = kind.folded - kind.told, kind.folded
    base = kind.sample
    return replace(
        base,
        id=new_id(),
        time=datetime.now(UTC),
        summary=shorten(f"{new:,} more: {base.summary}"),
        parts=(*base.parts, Repeats(count=new, total=kind.folded, since=kind.since)),
    )


def _who(event: AuditEvent) -> str:
    return event.actor.on_behalf_of or event.actor.id


def _key(event: AuditEvent) -> Key:
    policy, error = event.part(PolicyFacts), event.part(ErrorFacts)
    rule = (policy and policy.rule) or (error and error.code) or ""
    return (_who(event), event.actor.ip_prefix or "", event.type, rule)
