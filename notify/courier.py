"""Sends queued notices, at least once each: claimed, redacted, sent, or put back for later.

A process that dies between sending and noting it sends again; whoever must not act twice looks at
the idempotency key, which stays the same.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Mapping

from guard.inforce import InForce
from guard.logtext import log_safe
from guard.noticepolicy import Target
from guard.notices import Value, read_fields
from notify.channels import Secrets, post, tell
from notify.errors import NotSent
from redaction import RedactionError
from store import IllegalMove, Store, outbox
from store.outbox import StoredNotice

_log = logging.getLogger(__name__)

CLAIM = dt.timedelta(minutes=5)
_FIRST_PAUSE_S = 10
_LONGEST_PAUSE_S = 3_600
_GIVE_UP = dt.timedelta(days=1)
_KEPT = dt.timedelta(days=90)


class Courier:
    """Sends. One a process; several processes share one outbox."""

    def __init__(
        self, store: Store, policies: InForce, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._store = store
        self._policies = policies
        self._secrets = Secrets(environment=environment)

    def deliver(self) -> int:
        """Sends what is due now; returns how many notices have arrived.

        Raises:
            StoreError, ConfigurationError: the outbox or the policy cannot be read.
        """
        now = self._store.now()
        with self._store.read() as conn:
            if not outbox.is_due(conn, now=now):
                return 0
        with self._store.write() as conn:
            outbox.prune(conn, before=now - _KEPT)
            mine = outbox.claim(conn, owner=self._store.instance, now=now, until=now + CLAIM)
        return sum(self._sent(notice) for notice in mine)

    def _sent(self, notice: StoredNotice) -> bool:
        target = self._policies.current().notifications.targets.get(notice.target)
        try:
            if target is None:
                raise NotSent("The policy does not name this target any more.")
            self._send(notice, target)
        except NotSent as error:
            self._failed(notice, str(error), final=target is None)
            return False
        except RedactionError:
            self._failed(notice, "It could not be redacted, so it was not sent.", final=False)
            return False
        return self._ended(notice)

    def _send(self, notice: StoredNotice, target: Target) -> None:
        fields = self._fields(notice)
        if target.kind == "apprise":
            tell(target, fields, self._secrets)
        else:
            post(target, fields, self._secrets, lambda made: self._remember(notice, made))

    def _fields(self, notice: StoredNotice) -> dict[str, Value]:
        """Every text passes the redaction, whatever it is believed to hold."""
        try:
            fields = read_fields(notice.fields_json)
        except ValueError as error:
            raise NotSent("The stored notice cannot be read.") from error
        link = fields.pop("link", "")
        safe: dict[str, Value] = {
            name: log_safe(value) if isinstance(value, str) and name in _NAMES else value
            for name, value in fields.items()
        }
        with self._store.read() as conn:
            made = outbox.reference(conn, notice.target, notice.change)
        if made is not None:
            safe["reference"] = made
        return safe | {"link": link, "key": notice.key}

    def _remember(self, notice: StoredNotice, made: str) -> None:
        with self._store.write() as conn:
            outbox.remember(conn, notice.target, notice.change, made)

    def _ended(self, notice: StoredNotice) -> bool:
        try:
            with self._store.write() as conn:
                outbox.sent(conn, notice.id, owner=self._store.instance, now=self._store.now())
        except IllegalMove:
            return False  # it took longer than its claim: another process sends it too
        return True

    def _failed(self, notice: StoredNotice, error: str, *, final: bool) -> None:
        now = self._store.now()
        pause = min(_FIRST_PAUSE_S * 2 ** (notice.attempts - 1), _LONGEST_PAUSE_S)
        over = final or now - notice.created_at > _GIVE_UP
        again_at = None if over else now + dt.timedelta(seconds=pause)
        _log.warning("notice %d to %s was not sent: %s", notice.id, notice.target, error)
        try:
            with self._store.write() as conn:
                outbox.failed(
                    conn,
                    notice.id,
                    owner=self._store.instance,
                    error=error,
                    now=now,
                    again_at=again_at,
                )
        except IllegalMove:
            return


_NAMES = frozenset({"source", "tables"})
"""Fields whose text somebody chose; the others are numbers, times and words of ours."""
