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
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from audit.encoding import Json
from audit.errors import Unavailable
from audit.storage import Row, Storage

Field = Literal["type", "actor", "person", "session", "request", "outcome", "decision", "table"]
Decided = Literal["allowed", "held", "denied"]

_VERSION: Final = 2
ENTRIES: Final = """
CREATE VIRTUAL TABLE entry USING fts5(
  words, keys, content='', tokenize='unicode61 remove_diacritics 2');"""
_DDL: Final = f"""{ENTRIES}
CREATE TABLE decision (
  seq INTEGER PRIMARY KEY, hour INTEGER NOT NULL, decided TEXT NOT NULL, number INTEGER NOT NULL);
CREATE TABLE progress (
  one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, log TEXT NOT NULL);
"""
_DECISION: Final = "policy.decided"
_DECIDED: Final[Mapping[str, Decided]] = {
    "allow": "allowed",
    "modified": "allowed",
    "needs_approval": "held",
    "deny": "denied",
}
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

    def decisions(
        self, match: str | None, *, first: int, last: int
    ) -> list[tuple[int, Decided, int]]:
        """Returns how many decisions of each kind fell into which hour since 1970, oldest first.

        `match` is an FTS5 expression, None for all records from `first` to `last`.

        Raises:
            Unavailable: the index can be neither read nor made anew.
        """
        wanted: tuple[object, ...] = (first, last)
        found = "FROM decision WHERE seq BETWEEN ? AND ?"
        if match is not None:
            # Records that decide nothing need not be looked at.
            wanted = (f"({match}) AND keys : {key('type', _DECISION)}", *wanted)
            found = (
                "FROM entry CROSS JOIN decision ON decision.seq = entry.rowid"
                " WHERE entry MATCH ? AND entry.rowid BETWEEN ? AND ?"
            )
        with self._ready() as db:
            self._catch_up(db)
            return db.execute(
                f"SELECT hour, decided, sum(number) {found} GROUP BY hour, decided ORDER BY hour",
                wanted,
            ).fetchall()

    def catch_up(self) -> None:
        """Brings the index up to the end of the log.

        Raises:
            Unavailable: the index can be neither written nor made anew.
        """
        with self._ready() as db:
            self._catch_up(db)

    def renew(self) -> None:
        """Makes the index anew in its place, so that other processes use the new one too.

        Raises:
            Unavailable: the index can be neither written nor made anew.
        """
        with self._ready() as db:
            db.execute("BEGIN IMMEDIATE")
            _make(db)
            db.execute("COMMIT")
            self._catch_up(db)

    def forget(self) -> None:
        """Removes the index, so that nothing of removed records stays in it."""
        with self._lock:
            self._discard()

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
            head, before = log.head(), log.first() - 1
        size = head.size if head else 0
        while (done := self._progress(db)) < size:
            with self._storage.reading() as log:
                begin = max(done, before)
                rows = list(log.scan(begin + 1, min(begin + _CHUNK, size)))
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
                    db.execute("DELETE FROM decision")
                known = [(row, _event(row.record)) for row in rows]
                db.executemany(
                    "INSERT INTO entry (rowid, words, keys) VALUES (?, ?, ?)",
                    [_entry(row, event) for row, event in known],
                )
                db.executemany(
                    "INSERT INTO decision (seq, hour, decided, number) VALUES (?, ?, ?, ?)",
                    [_decision(row, event) for row, event in known if row.etype == _DECISION],
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
    if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        _make(db)
    db.execute("COMMIT")
    return db


def _make(db: sqlite3.Connection) -> None:
    for table in ("entry", "decision", "progress"):
        db.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in _DDL.split(";")[:-1]:
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {_VERSION}")


def entry_of(row: Row) -> tuple[int, str, str]:
    """Returns what the index holds of a record: its number, its words and its exact values."""
    return _entry(row, _event(row.record))


def _entry(row: Row, event: Mapping[str, Json]) -> tuple[int, str, str]:
    words = [row.leaf_hash.hex(), *_words({k: v for k, v in event.items() if k not in _SILENT})]
    keys = [key("type", row.etype), key("actor", row.actor), key("outcome", row.outcome)]
    keys += [key("session", row.session)] if row.session else []
    keys += [key("request", row.request)] if row.request else []
    policy, access, actor = event.get("policy"), event.get("access"), event.get("actor")
    behalf = actor.get("on_behalf_of") if isinstance(actor, dict) else None
    keys += [key("person", one) for one in (row.actor, behalf) if isinstance(one, str)]
    if isinstance(policy, dict) and isinstance(policy.get("decision"), str):
        keys.append(key("decision", str(policy["decision"])))
    if isinstance(access, dict) and isinstance(access.get("tables"), list):
        keys += [key("table", str(t).casefold()) for t in access["tables"]]
    return row.seq, " ".join(words).replace("\x00", " "), " ".join(keys)


def _decision(row: Row, event: Mapping[str, Json]) -> tuple[int, int, Decided, int]:
    policy, repeats = event.get("policy"), event.get("repeats")
    said = policy.get("decision") if isinstance(policy, dict) else None
    outcome: Decided = "denied" if row.outcome == "denied" else "allowed"
    decided = _DECIDED.get(said, "denied") if isinstance(said, str) else outcome
    # A count of repeated refusals stands for as many of them.
    number = repeats.get("count") if isinstance(repeats, dict) else None
    hour = int(datetime.fromisoformat(row.logged).timestamp()) // 3600
    return row.seq, hour, decided, number if isinstance(number, int) else 1


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
