"""Notices about change requests: what they say, and that each is queued with what it tells of.

A notice holds numbers, states, the names of the source and, where the policy allows, of tables. It
never holds a reason, a statement, a value or a person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import TypeAdapter

from guard.inforce import InForce
from guard.noticepolicy import Notifications
from store import Connection, Store, changes, outbox
from store.changes import StoredChange
from store.states import NoticeEvent

Value = str | int
Fields = Mapping[str, Value]
_FIELDS: TypeAdapter[dict[str, Value]] = TypeAdapter(dict[str, Value])


class Notices:
    """Queues notices for the targets of a policy."""

    def __init__(self, store: Store, policies: InForce) -> None:
        self._store = store
        self._policies = policies

    def queue(self, conn: Connection, event: NoticeEvent, change: int) -> None:
        """Queues the event for every target that wants it, in the caller's transaction."""
        settings = self._policies.current().notifications
        targets = [n for n, t in settings.targets.items() if t.wants(event)]
        if not targets:
            return
        stored = changes.get(conn, change)
        now = self._store.now()
        fields = json.dumps(fields_of(stored, event, settings) | {"at": now.isoformat()})
        for target in targets:
            outbox.add(conn, target=target, change=change, event=event, fields_json=fields, now=now)


def fields_of(
    stored: StoredChange, event: NoticeEvent, settings: Notifications
) -> dict[str, Value]:
    """Returns what may be told of a request, by field name."""
    counted = json.loads(stored.summary_json or "[]")
    link = f"{settings.address}/approvals?change={stored.id}" if settings.address else ""
    return {
        "id": stored.id,
        "event": event,
        "state": stored.state,
        "source": stored.source,
        "environment": stored.environment,
        "rows": sum(c["inserted"] + c["updated"] + c["deleted"] for c in counted),
        "tier": stored.tier or 0,
        "tables": ", ".join(c["table"] for c in counted) if settings.tables else "",
        "link": link,
    }


def read_fields(text: str) -> dict[str, Value]:
    """Returns stored fields.

    Raises:
        ValueError: the text was not written by `Notices`.
    """
    return _FIELDS.validate_json(text)
