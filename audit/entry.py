"""An event ready to be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from audit.encoding import canonical, fit, size_of
from audit.event import AuditEvent
from audit.payloads import Payloads, subject_of, with_blob
from audit.record import MAX_EVENT


class Entry(NamedTuple):
    """An event as it is written: its canonical text, what finds it, the instance that writes it."""

    id: str
    type: str
    actor: str
    session: str | None
    request: str | None
    outcome: str
    closes: str | None
    text: str
    boot: str


def prepare(event: AuditEvent, app: Mapping[str, str], payloads: Payloads | None = None) -> Entry:
    """Returns `event` ready to be placed; `app` needs the key `boot`.

    What is too long for a record is kept whole in `payloads`, and cut in the record.

    Raises:
        Malformed: the event has a shape the log does not accept.
        Unavailable: it is too long, and could not be kept whole.
    """
    text = event.text(app)
    if size_of(text) > MAX_EVENT:
        document = event.document(app)
        if payloads is not None:
            whole = canonical({key: value for key, value in document.items() if key != "app"})
            document = with_blob(document, payloads.seal(subject_of(event), whole))
        text = fit(document, MAX_EVENT)
    return Entry(
        event.id,
        event.type,
        event.actor.id,
        event.session,
        event.request,
        event.outcome,
        event.closes,
        text,
        app["boot"],
    )
