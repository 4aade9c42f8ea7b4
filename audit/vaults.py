"""Where payloads and their keys lie: a file of their own beside the log, or PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from audit.errors import AuditError, Unavailable

_BUSY_MS: Final = 5000
_DDL: Final = """
CREATE TABLE IF NOT EXISTS subject_key (
  subject TEXT PRIMARY KEY, key_id TEXT NOT NULL UNIQUE, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS payload (
  sha256 TEXT PRIMARY KEY, subject TEXT NOT NULL, key_id TEXT NOT NULL, body BLOB NOT NULL) STRICT;
"""


class SqliteVault:
    """See `Vault`. What is removed is overwritten, not only forgotten."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def key_of(self, subject: str) -> tuple[str, bytes] | None:
        """See `Vault.key_of`."""
        with self._open() as db:
            found: tuple[str, bytes] | None = db.execute(
                "SELECT key_id, wrapped FROM subject_key WHERE subject = ?", (subject,)
            ).fetchone()
        return found

    def keep_key(self, subject: str, key_id: str, wrapped: bytes) -> None:
        """See `Vault.keep_key`."""
        with self._open() as db:
            db.execute(
                "INSERT INTO subject_key VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (subject, key_id, wrapped),
            )

    def keep(self, sha256: str, subject: str, key_id: str, body: bytes) -> None:
        """See `Vault.keep`."""
        with self._open() as db:
            db.execute(
                "INSERT INTO payload VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (sha256, subject, key_id, body),
            )

    def find(self, sha256: str) -> tuple[str, bytes] | None:
        """See `Vault.find`."""
        with self._open() as db:
            found: tuple[str, bytes] | None = db.execute(
                "SELECT subject, body FROM payload WHERE sha256 = ?", (sha256,)
            ).fetchone()
        return found

    def strays(self, subject: str, key_id: str) -> int:
        """See `Vault.strays`."""
        query = "SELECT count(*) FROM payload WHERE (subject = ?) <> (key_id = ?)"
        with self._open() as db:
            return int(db.execute(query, (subject, key_id)).fetchone()[0])

    def erase(self, subject: str) -> int:
        """See `Vault.erase`."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                db.execute("DELETE FROM subject_key WHERE subject = ?", (subject,))
                gone = db.execute("DELETE FROM payload WHERE subject = ?", (subject,)).rowcount
                db.execute("COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise
        return gone

    def close(self) -> None:
        """Closes the file."""
        with self._guard:
            if self._db is not None:
                self._db.close()
                self._db = None

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            try:
                if self._db is None:
                    self._db = self._connect()
                yield self._db
            except AuditError:
                raise
            except (sqlite3.Error, OSError) as error:
                raise Unavailable("The payloads of the audit log cannot be used now.") from error

    def _connect(self) -> sqlite3.Connection:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        # No write-ahead log: erased keys would stay in it for a while.
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA synchronous = EXTRA")
        db.execute("PRAGMA secure_delete = ON")
        db.executescript(_DDL)
        return db


class PgVault:
    """See `Vault`. The server reuses the room of removed rows when it vacuums."""

    def __init__(self, url: str) -> None:
        self._url = url

    def key_of(self, subject: str) -> tuple[str, bytes] | None:
        """See `Vault.key_of`."""
        query = "SELECT key_id, wrapped FROM audit.subject_key WHERE subject = %s"
        found = self._run(query, subject)
        return (str(found[0]), _bytes(found[1])) if found else None

    def keep_key(self, subject: str, key_id: str, wrapped: bytes) -> None:
        """See `Vault.keep_key`."""
        self._run("SELECT audit.keep_key(%s, %s, %s)", subject, key_id, wrapped)

    def keep(self, sha256: str, subject: str, key_id: str, body: bytes) -> None:
        """See `Vault.keep`."""
        self._run("SELECT audit.keep_payload(%s, %s, %s, %s)", sha256, subject, key_id, body)

    def find(self, sha256: str) -> tuple[str, bytes] | None:
        """See `Vault.find`."""
        found = self._run("SELECT subject, body FROM audit.payload WHERE sha256 = %s", sha256)
        return (str(found[0]), _bytes(found[1])) if found else None

    def strays(self, subject: str, key_id: str) -> int:
        """See `Vault.strays`."""
        query = "SELECT count(*) FROM audit.payload WHERE (subject = %s) <> (key_id = %s)"
        found = self._run(query, subject, key_id)
        return int(str(found[0])) if found else 0

    def erase(self, subject: str) -> int:
        """See `Vault.erase`."""
        found = self._run("SELECT audit.erase(%s)", subject)
        return int(str(found[0])) if found else 0

    def close(self) -> None:
        """Does nothing: payloads are rare, and each call has a connection of its own."""

    def _run(self, query: str, *values: object) -> tuple[object, ...] | None:
        # The driver is an optional dependency.
        from audit.pgconnect import connect, translated

        with translated(), contextlib.closing(connect(self._url)) as connection:
            return connection.execute(query, values).fetchone()


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
