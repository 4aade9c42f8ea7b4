"""An attacker who can write every byte of the database, and what he can do with it.

He knows the format as well as the log does. The triggers and constraints are gone before he begins:
he rebuilds the tables without them. What he never has, unless a case says so, is the signing key.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg

from audit.chain import Frontier
from audit.checkpoint import sign
from audit.keys import SigningKey
from tests.servers import ServerDatabase

COLUMNS = ("seq", "id", "prev_hash", "leaf_hash", "record", "logged", "etype", "actor", "session")
COLUMNS += ("request", "outcome")
TAIL = re.compile(r'"logged":"([^"]*)","prev":"([0-9a-f]{64})","seq":(\d+),"v":1\}\Z')
Row = dict[str, Any]


def leaf(line: str) -> bytes:
    return hashlib.sha256(b"\x00" + line.encode()).digest()


def genesis(origin: str) -> bytes:
    return hashlib.sha256(b"audit-log/v1 genesis\n" + origin.encode()).digest()


@dataclass
class Stolen:
    """A copy of a log's folder in the attacker's hands."""

    folder: Path
    key: SigningKey
    fork: Path
    rows: list[Row] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    head: str = ""

    @property
    def database(self) -> Path:
        return self.folder / "audit.sqlite"

    @property
    def anchors(self) -> Path:
        return self.folder / "anchors.jsonl"

    def read(self, database: Path | None = None) -> None:
        with sqlite3.connect(database or self.database) as db:
            found = db.execute(f"SELECT {', '.join(COLUMNS)} FROM audit_event ORDER BY seq")
            self.rows = [dict(zip(COLUMNS, row, strict=True)) for row in found]
            self.notes = dict(db.execute("SELECT size, note FROM audit_checkpoint"))
            (self.head,) = db.execute("SELECT note FROM audit_head").fetchone()

    def write(self) -> None:
        with sqlite3.connect(self.database) as db:
            for table in ("audit_event", "audit_checkpoint", "audit_head"):
                db.execute(f"DROP TABLE {table}")
            db.execute(f"CREATE TABLE audit_event ({', '.join(COLUMNS)})")
            marks = ", ".join(f":{name}" for name in COLUMNS)
            db.executemany(f"INSERT INTO audit_event VALUES ({marks})", self.rows)
            db.execute("CREATE TABLE audit_checkpoint (size, note, frontier)")
            db.executemany("INSERT INTO audit_checkpoint VALUES (?, ?, '')", self.notes.items())
            db.execute("CREATE TABLE audit_head (note)")
            if self.head:
                db.execute("INSERT INTO audit_head VALUES (?)", (self.head,))

    def row(self, seq: int) -> Row:
        return self.rows[seq - 1]

    def edit(self, seq: int, old: str, new: str) -> None:
        """Changes the text of a record and nothing else."""
        row = self.row(seq)
        assert old in row["record"], row["record"]
        row["record"] = row["record"].replace(old, new, 1)

    def rehash(self, seq: int) -> None:
        self.row(seq)["leaf_hash"] = leaf(self.row(seq)["record"])

    def relink(self, first: int = 1) -> None:
        """Renumbers and rehashes everything from record `first` on, as the log would have."""
        before = self.row(first - 1)["leaf_hash"] if first > 1 else genesis(self.key.name)
        for seq, row in enumerate(self.rows[first - 1 :], first):
            logged = TAIL.search(row["record"])
            assert logged is not None
            end = f'"logged":"{logged[1]}","prev":"{before.hex()}","seq":{seq},"v":1}}'
            row["record"] = row["record"][: logged.start()] + end
            row |= {"seq": seq, "prev_hash": before, "leaf_hash": leaf(row["record"])}
            before = row["leaf_hash"]

    def copy_of(self, seq: int, new_id: str | None = None) -> Row:
        row = dict(self.row(seq))
        if new_id:
            row["record"] = row["record"].replace(row["id"], new_id)
            row["id"] = new_id
        return row

    def root(self, size: int) -> bytes:
        tree = Frontier()
        tree.extend(row["leaf_hash"] for row in self.rows[:size])
        return tree.root()

    def resign(self, key: SigningKey) -> None:
        """Signs all checkpoints anew, over what stands there now."""
        size = len(self.rows)
        self.notes = {n: sign(key, n, self.root(n)) for n in self.notes if n <= size}
        self.head = sign(key, size, self.root(size))

    def drop_notes_above(self, size: int) -> None:
        """Goes back to the newest kept checkpoint of at most `size`."""
        self.notes = {n: note for n, note in self.notes.items() if n <= size}
        self.head = self.notes[max(self.notes)]


@dataclass
class PgStolen(Stolen):
    """The same in PostgreSQL, where the attacker is a superuser."""

    server: ServerDatabase = field(kw_only=True)
    forked: PgStolen | None = None

    def copy(self) -> PgStolen:
        return replace(self, rows=[dict(row) for row in self.rows], notes=dict(self.notes))

    def read(self, database: Path | None = None) -> None:
        if database is not None:
            assert self.forked is not None
            self.rows = [dict(row) for row in self.forked.rows]
            self.notes, self.head = dict(self.forked.notes), self.forked.head
            return
        with psycopg.connect(self.server.url()) as db:
            found = db.execute(f"SELECT {', '.join(COLUMNS)} FROM audit.event ORDER BY seq")  # type: ignore[arg-type]
            self.rows = [dict(zip(COLUMNS, row, strict=True)) for row in found]
            self.notes = dict(db.execute("SELECT size, note FROM audit.checkpoint").fetchall())
            (self.head,) = db.execute("SELECT note FROM audit.head").fetchone() or ("",)

    def write(self) -> None:
        with psycopg.connect(self.server.url()) as db:
            for table in ("event", "checkpoint", "head"):
                db.execute(f"DROP TABLE IF EXISTS audit.{table} CASCADE")  # type: ignore[arg-type]
            db.execute(
                "CREATE TABLE audit.event (seq bigint, id text, prev_hash bytea, leaf_hash bytea,"
                " record text, logged text, etype text, actor text, session text, request text,"
                " outcome text);"
                " CREATE TABLE audit.checkpoint (size bigint, note text, frontier bytea);"
                " CREATE TABLE audit.head (note text)"
            )
            with db.cursor() as cursor:
                marks = ", ".join(f"%({name})s" for name in COLUMNS)
                cursor.executemany(f"INSERT INTO audit.event VALUES ({marks})", self.rows)  # type: ignore[arg-type]
                cursor.executemany(
                    "INSERT INTO audit.checkpoint VALUES (%s, %s, '')", list(self.notes.items())
                )
                if self.head:
                    cursor.execute("INSERT INTO audit.head VALUES (%s)", (self.head,))
