"""Appending: what may be written now, by whom, and what goes out once it is durable."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from audit.encoding import timestamp
from audit.entry import prepare as prepare_entry
from audit.errors import AuditError, Flooded, Unavailable
from audit.event import INTENT, SYSTEM, AuditEvent
from audit.flood import OPENERS, Flood, is_refusal, refused
from audit.parts import AnchorFacts, ErrorFacts
from audit.reading import LogReader, anchor_of
from audit.record import Receipt
from audit.remotes import INTERVAL_S, Remotes
from audit.room import Gauge
from audit.sequencer import Take
from audit.sinks import Anchor, Sink
from audit.storage import Head
from audit.writer import Results, Writer

_CLOCK_SLACK: Final = timedelta(minutes=5)
_OVERDUE: Final = (
    "The audit log could not be anchored on another machine for longer than the policy allows, so"
    " nothing runs. Ask an operator to look at the anchors."
)


class LogAppender(LogReader):
    """The appending half of `AuditLog`, which makes the parts it writes with."""

    _app: Mapping[str, str]
    _flood: Flood | None
    _gauge: Gauge
    _turn: threading.Lock
    _writer: Writer

    def append(self, event: AuditEvent) -> Receipt:
        """Returns once `event` is durable.

        Raises:
            AuditError: it is not, or nobody knows. The caller MUST NOT do what the event announces.
        """
        return self.append_many((event,))[0]

    def append_many(self, events: Sequence[AuditEvent]) -> Sequence[Receipt]:
        """Returns once all `events` are durable: next to each other, in that order, in one commit.

        It costs as much waiting as one event does. Callers in other threads share the commit.

        Raises:
            AuditError: none of them is, or nobody knows. The caller MUST NOT do what they announce.
        """
        if not events:
            return ()
        self._may_begin(events)
        if self._flood is None:
            return self._write(events)
        if counts := self._flood.over():
            self._write(counts)
        if is_refusal(events):
            return (self._refusal(events[0], self._flood),)
        try:
            self._flood.check(events)
        except Flooded as error:
            self._refusal(refused(events[0], error), self._flood)
            raise
        return self._write(events)

    def _write(self, events: Sequence[AuditEvent]) -> Sequence[Receipt]:
        return self._writer.append(
            [prepare_entry(event, self._app, self._payloads) for event in events]
        )

    def _refusal(self, event: AuditEvent, flood: Flood) -> Receipt:
        """Writes one refusal, or lets a record that is there speak for it."""
        found = flood.fold(event)
        if isinstance(found, Receipt):
            return found
        (receipt,) = self._write((found,))
        flood.wrote(event, receipt)
        return receipt

    def _may_begin(self, events: Sequence[AuditEvent]) -> None:
        begins = [event for event in events if event.type in OPENERS]
        if begins and (room := self._gauge.room()).level == "stop":
            raise Unavailable(room.sentence)
        if any(event.type == INTENT for event in begins) and self._remotes.overdue():
            raise Unavailable(_OVERDUE)

    def warnings(self) -> tuple[str, ...]:
        """Returns what an operator should know now, in sentences; cheap."""
        room, failing = self._gauge.room(), self._courier.failing
        found = [room.sentence] if room.level != "ok" else []
        if self._remotes.overdue():
            found.append(_OVERDUE)
        if self._sequencer.logged > timestamp(datetime.now(UTC) + _CLOCK_SLACK):
            found.append(
                f"The newest event of the audit log is of {self._sequencer.logged[:16]}Z, which is"
                " still to come: a clock was ahead. Until then every event gets that time; trust"
                " the order and the time each event says of itself."
            )
        states = self._remotes.states().items()
        broken = sorted({*failing, *(name for name, state in states if state.failing)})
        if broken:
            found.append(f"Checkpoints of the audit log are not taken by: {', '.join(broken)}.")
        return tuple(found)

    def anchor_to(
        self,
        sinks: Sequence[Sink],
        *,
        interval_s: float = INTERVAL_S,
        within_s: float | None = None,
    ) -> None:
        """Replaces the sinks on other machines. Each gets the newest checkpoint every `interval_s`.

        With `within_s`, no intent is taken while the oldest record that none of them covers has
        waited longer than that: nothing runs then, and what runs can still be finished.

        Raises:
            Unavailable: the log cannot be read.
        """
        fresh = Remotes(
            sinks, interval_s=interval_s, within_s=within_s, on_failure=self._anchor_failed
        )
        old, self._remotes = self._remotes, fresh
        old.close(send=False)
        fresh.offer(anchor_of(self._settled()))

    def flush_remotes(self) -> bool:
        """Tries the sinks on other machines now; false when one did not take the checkpoint."""
        return self._remotes.flush()

    def _place(self, take: Take) -> Results:
        with self._turn:
            placed = self._sequencer.place(take)
            if placed.head is not None:
                self._sent(placed.head)
        return placed.results

    def _sent(self, head: Head) -> None:
        anchor = anchor_of(head)
        self._courier.send(anchor)
        self._remotes.offer(anchor)

    def _anchor_failed(self, sink: str, anchor: Anchor, error: Exception) -> None:
        # When this cannot be recorded either, `head().failing` still shows it.
        with contextlib.suppress(AuditError):
            self.append(
                AuditEvent(
                    type="log.anchor_failed",
                    actor=SYSTEM,
                    outcome="failure",
                    summary=f"Checkpoints could not be kept outside the log: {sink}.",
                    parts=(
                        AnchorFacts(sink=sink, size=anchor.size),
                        ErrorFacts(type=type(error).__name__),
                    ),
                )
            )

    def _idle(self) -> None:
        # The next search catches up too, and says what is wrong.
        with contextlib.suppress(AuditError):
            if self._flood is not None and (counts := self._flood.over()):
                self._write(counts)
            self._index.catch_up()
