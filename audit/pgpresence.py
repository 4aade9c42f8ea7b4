"""Instances on one PostgreSQL database: each holds an advisory lock as long as it is connected.

The server frees the lock when the connection ends, however it ends. An instance that lost its
connection and lives on looks dead until it takes the lock again at its next append; its open
intents may then get two outcomes, `query.outcome_unknown` and the true one, in that order.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
from collections.abc import Iterator
from typing import Final

import psycopg

from audit.errors import Unavailable
from audit.pgconnect import connect, translated

_BOOT: Final = re.compile(r"[0-9a-f]{32}")
_RECONCILE: Final = 0x6761_7465_686F
"""The advisory lock of the one instance that closes what others left."""


class PgPresence:
    """See `Presence`."""

    def __init__(self, url: str) -> None:
        self.boot = secrets.token_hex(16)
        self._url = url
        self._guard = threading.Lock()
        self._held: psycopg.Connection[tuple[object, ...]] | None = None
        self.renew()

    def renew(self) -> None:
        """Takes the lock again if its connection was lost.

        Raises:
            Unavailable: the database cannot be reached.
        """
        with self._guard, translated():
            if self._held is not None and not self._held.broken:
                try:
                    self._held.execute("SELECT 1")
                except psycopg.OperationalError:
                    pass
                else:
                    return
            self._held = connect(self._url)
            self._held.execute("SELECT pg_advisory_lock(%s)", (_key(self.boot),))

    def is_alive(self, boot: str) -> bool:
        """See `Presence.is_alive`."""
        if not _BOOT.fullmatch(boot):
            return False
        if boot == self.boot:
            return True
        key = _key(boot)
        with translated(), contextlib.closing(connect(self._url)) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                " AND classid::bigint = %s AND objid::bigint = %s",
                (key >> 32, key & 0xFFFF_FFFF),
            )
            return found.fetchone() is not None

    @contextlib.contextmanager
    def alone(self, timeout_s: float) -> Iterator[None]:
        """See `Presence.alone`."""
        with translated(), contextlib.closing(connect(self._url)) as connection:
            connection.execute(
                "SELECT set_config('lock_timeout', %s, false)", (f"{timeout_s * 1000:.0f}",)
            )
            try:
                connection.execute("SELECT pg_advisory_lock(%s)", (_RECONCILE,))
            except psycopg.errors.LockNotAvailable as error:
                raise Unavailable("Another instance is still starting. Try again.") from error
            yield

    def sweep(self) -> None:
        """Does nothing: the server keeps nothing of an instance that ended."""

    def stop(self) -> None:
        """Ends the instance."""
        with self._guard:
            if self._held is not None:
                self._held.close()
                self._held = None


def _key(boot: str) -> int:
    return int(boot[:15], 16)
