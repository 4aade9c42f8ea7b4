"""The search index: a file of its own beside the log, filled behind it, made anew at will.

It is never evidence: it answers which records to read, and the records are read from the log. Text
goes into one full-text column; the exact values one can filter by become single tokens in another,
so that any combination of filters is one look-up of sorted lists, newest first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from audit.encoding import Json
from audit.errors import Unavailable
from audit.storage import Row, Storage

Field = Literal["type", "actor", "session", "request", "outcome", "decision", "table"]

_DDL: Final = """
CREATE VIRTUAL TABLE entry USING fts5(
  words, keys, content='', tokenize='unicode61 remove_diacritics 2');
CREATE TABLE progress (
  one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, log TEXT NOT NULL);
"""
_CHUNK: Final = 1000
_BUSY_MS: Final = 5000
_SILENT: Final = frozenset({"app", "schema", "id", "time"})
"""Fields of an event whose text nobody searches for."""


def key(field: Field, value: str) -> str:
    """Returns the token that stands for `field` having exactly `value`."""
    return "k" + hashlib.sha256(f"{field}\n{value}".encode()).hexdigest()[:20]


class SearchIndex:
    """The index of one log, in the file `path`. Safe to use from many threads and processes."""

    def __init__(self, path: Path, storage: Storage, log: str) -> None:
        self._path = path
        self._storage = storage
        self._log = log
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def find(
        self, match: str, *, first: int, last: int, limit: int, offset: int, count_to: int
    ) -> tuple[list[int], int]:
        """Returns the numbers of the records that match, newest first, and how many match at all.

        `match` is an FTS5 expression. Counting stops at `count_to`.

        Raises:
            Unavailable: the index can be neither read nor made anew.
        """
        where = "FROM entry WHERE entry MATCH ? AND rowid BETWEEN ? AND ?"
        with self._ready() as db:
            self._catch_up(db)
            found = db.execute(
                f"SELECT rowid {where} ORDER BY rowid DESC LIMIT ? OFFSET ?",
                (match, first, last, limit, offset),
            ).fetchall()
            total = db.execute(
                f"SELECT count(*) FROM (SELECT 1 {where} LIMIT ?)",  # noqa: S608  # fixed text
                (match, first, last, count_to),
            ).fetchone()[0]
        return [row[0] for row in found], total

    def catch_up(self) -> None:
        """Brings the index up to the end of the log.

        Raises:
            Unavailable: the index can be neither written nor made anew.
        """
        with self._ready() as db:
            self._catch_up(db)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._drop()

    @contextlib.contextmanager
    def _ready(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._open()
            except sqlite3.OperationalError as error:
                self._drop()
                raise Unavailable(f"The search index cannot be used now: {error}.") from error
            except sqlite3.DatabaseError as error:
                self._discard()
                raise Unavailable(
                    "The search index was damaged and was removed. Search again to make it anew."
                ) from error

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            self._db = _connect(self._path)
        return self._db

    def _catch_up(self, db: sqlite3.Connection) -> None:
        with self._storage.reading() as log:
            head = log.head()
        size = head.size if head else 0
        while (done := self._progress(db)) < size:
            with self._storage.reading() as log:
                rows = list(log.scan(done + 1, min(done + _CHUNK, size)))
            self._add(db, done, rows)

    def _progress(self, db: sqlite3.Connection) -> int:
        found = db.execute("SELECT seq, log FROM progress").fetchone()
        return int(found[0]) if found and found[1] == self._log else 0

    def _add(self, db: sqlite3.Connection, done: int, rows: Sequence[Row]) -> None:
        db.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been quicker.
            if self._progress(db) == done:
                if done == 0:
                    db.execute("INSERT INTO entry(entry) VALUES ('delete-all')")
                db.executemany(
                    "INSERT INTO entry (rowid, words, keys) VALUES (?, ?, ?)", map(_entry, rows)
                )
                db.execute(
                    "INSERT OR REPLACE INTO progress (one, seq, log) VALUES (1, ?, ?)",
                    (rows[-1].seq, self._log),
                )
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def _drop(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _discard(self) -> None:
        self._drop()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("BEGIN IMMEDIATE")
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'entry'").fetchone():
        for statement in _DDL.split(";")[:-1]:
            db.execute(statement)
    db.execute("COMMIT")
    return db


def _entry(row: Row) -> tuple[int, str, str]:
    event = _event(row.record)
    words = [row.leaf_hash.hex(), *_words({k: v for k, v in event.items() if k not in _SILENT})]
    keys = [key("type", row.etype), key("actor", row.actor), key("outcome", row.outcome)]
    keys += [key("session", row.session)] if row.session else []
    keys += [key("request", row.request)] if row.request else []
    policy, access = event.get("policy"), event.get("access")
    if isinstance(policy, dict) and isinstance(policy.get("decision"), str):
        keys.append(key("decision", str(policy["decision"])))
    if isinstance(access, dict) and isinstance(access.get("tables"), list):
        keys += [key("table", str(t).casefold()) for t in access["tables"]]
    return row.seq, " ".join(words).replace("\x00", " "), " ".join(keys)


def _event(line: str) -> dict[str, Json]:
    try:
        event = json.loads(line)["event"]
    except (KeyError, TypeError, ValueError):
        return {}  # a record that was tampered with is found by its columns, and by the verifier
    return event if isinstance(event, dict) else {}


def _words(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, bool | int):
                yield name
            yield from _words(item)
    elif isinstance(value, list):
        for item in value:
            yield from _words(item)
