"""A database of each engine, its write role, and a reader of all rows of its own."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import psycopg
import pytest
from pydantic import TypeAdapter

from guard.address import FileAddress
from guard.diff import Cell, Diff
from guard.engines import faults, open_change_engine, open_engine
from guard.engines.base import Cancel, Captured, Change, ChangeCaps, ChangeEngine
from guard.engines.child import duckdb_capture, duckdb_large, duckdb_once, writing
from guard.engines.child.duckdb_writer import DuckdbWriter
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Stop
from guard.engines.child.sqlite_writer import SqliteWriter
from guard.engines.child.writing import Capture, Order
from guard.engines.postgres_changes import PostgresChanges
from guard.engines.postgres_large import LARGE
from guard.engines.postgres_session import Login
from tests.guard.exact.schemas import SCRIPTS, EngineName
from tests.servers import ServerDatabase, fresh_database

Row = tuple[str, ...]
Dump = dict[str, Counter[Row]]
"""Every row of every table, each value as one text that tells types apart."""


class Ground(Protocol):
    """A database that changes are tried on."""

    engine: ChangeEngine

    def columns(self, table: str) -> list[str]:
        """The table's columns, in the order of the dump."""
        ...

    def dump(self) -> Dump:
        """Returns all rows."""
        ...

    def told(self, cell: Cell) -> str:
        """Returns a cell of a diff in the dump's form."""
        ...


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass
class Lite:
    """SQLite. A row begins with what no diff shows: its rowid, where there is one."""

    path: Path
    engine: ChangeEngine | Inside

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)

    def columns(self, table: str) -> list[str]:
        with closing(self._open()) as db:
            found = db.execute(f"PRAGMA table_xinfo({_quoted(table)})").fetchall()
            return [c[1] for c in found if c[6] == 0]

    def dump(self) -> Dump:
        with closing(self._open()) as db:
            names = db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ).fetchall()
            found = {}
            for (name,) in names:
                cells = ", ".join(_quoted(c) for c in self.columns(name))
                rows = db.execute(f"SELECT {cells} FROM {_quoted(name)}").fetchall()
                found[name] = Counter(tuple(_lite(v) for v in row) for row in rows)
            return found

    def whole(self) -> str:
        """Returns all there is, rowids and computed columns too."""
        with closing(self._open()) as db:
            lines = [line for line in db.iterdump() if "sqlite_sequence" not in line]
            for name in ("people", "pairs", "tree", "kids", "watched", "loose", "wide", "journal"):
                lines += map(repr, db.execute(f"SELECT rowid, * FROM {name} ORDER BY rowid"))
            return "\n".join(sorted(lines))

    def told(self, cell: Cell) -> str:
        if isinstance(cell, str) and cell.startswith("x'") and cell.endswith("'"):
            return f"bytes {cell}"
        if isinstance(cell, str) and cell in ("inf", "-inf"):
            return f"float {cell}"
        return f"{type(cell).__name__} {cell!r}" if isinstance(cell, float) else _lite(cell)


def _lite(value: object) -> str:
    if isinstance(value, bytes):
        return f"bytes x'{value.hex()}'"
    if isinstance(value, str) and value.startswith("x'") and value.endswith("'"):
        return f"bytes {value}"  # the form a diff cannot tell from bytes
    return (
        f"{type(value).__name__} {value!r}"
        if isinstance(value, float)
        else f"{type(value).__name__} {value}"
    )


@dataclass
class Duck:
    """DuckDB. Values as the engine's text."""

    path: Path
    engine: Inside
    order: dict[str, list[str]]

    def columns(self, table: str) -> list[str]:
        return self.order[table]

    def dump(self) -> Dump:
        with duckdb.connect(str(self.path), read_only=True) as db:
            found = {}
            for name in self.order:
                rows = db.execute(
                    f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {_quoted(name)}"
                ).fetchall()
                found[name] = Counter(tuple(_text(v) for v in row) for row in rows)
            return found

    def whole(self) -> str:
        return repr(sorted((k, sorted(v.items())) for k, v in self.dump().items()))

    def told(self, cell: Cell) -> str:
        return _text(str(cell).lower() if isinstance(cell, bool) else cell)


def _text(value: object) -> str:
    return "null" if value is None else f"= {value}"


@dataclass
class Post:
    """PostgreSQL. Values as COPY writes them."""

    database: ServerDatabase
    engine: ChangeEngine
    order: dict[str, list[str]]

    def __post_init__(self) -> None:
        self._reader = psycopg.connect(self.database.url(), autocommit=True)
        self._reader.execute("SET TimeZone = 'UTC'")

    def columns(self, table: str) -> list[str]:
        return self.order[table]

    def dump(self) -> Dump:
        found = {}
        for name, columns in self.order.items():
            cells = ", ".join(map(_quoted, columns))
            copy = f"COPY (SELECT {cells} FROM {_quoted(name)}) TO STDOUT"
            with self._reader.cursor().copy(copy) as c:
                found[name] = Counter(tuple(_text(v) for v in row) for row in c.rows())
        return found

    def whole(self) -> str:
        return repr(sorted((k, sorted(v.items())) for k, v in self.dump().items()))

    def told(self, cell: Cell) -> str:
        if isinstance(cell, bool):
            return "= t" if cell else "= f"
        if isinstance(cell, str) and cell.startswith("x'") and cell.endswith("'"):
            return f"= \\x{cell[2:-1]}"
        return _text(cell)


@dataclass
class Inside:
    """A write role without a process around it, which takes half a second to start."""

    role: DuckdbWriter | SqliteWriter

    def _told(self, capture: Capture, decided: dict[str, Sequence[str]]) -> Captured:
        told = json.loads(writing.told(capture, decided, 10_000, 0))
        return Captured(
            diff=TypeAdapter(Diff).validate_python(told["diff"]),
            undo_image=json.dumps(told["image"]).encode(),
        )

    def _order(self, change: Change, caps: ChangeCaps) -> Order:
        image = None if change.undo_image is None else json.loads(change.undo_image)
        return Order(
            sql=change.sql,
            image=image,
            targets=change.targets,
            max_rows=caps.max_rows,
            timeout_ms=caps.timeout_ms,
            lock_timeout_ms=caps.lock_timeout_ms,
            shown_rows=caps.shown_rows,
            decided=dict(change.decided),
        )

    def preview(self, change: Change, caps: ChangeCaps, cancel: Cancel) -> Diff:
        del cancel
        try:
            capture = self.role.preview(self._order(change, caps), Stop(self.role.interrupt))
        except Fault as fault:
            raise faults.to_error(fault.code, "s") from None
        return self._told(capture, dict(capture.decided or {})).diff

    def apply(
        self,
        change: Change,
        caps: ChangeCaps,
        ready: Callable[[Captured], None],
        cancel: Cancel,
    ) -> Captured:
        del cancel
        capture = self.role.run(self._order(change, caps), Stop(self.role.interrupt))
        captured = self._told(capture, dict(change.decided))
        ready(captured)
        self.role.commit()
        return captured

    def find(self, undo_image: bytes) -> str:
        return self.role.find(json.loads(undo_image))


@contextmanager
def ground(
    engine: EngineName, folder: Path, *, in_place: bool = False, large: bool = False
) -> Iterator[Lite | Duck | Post]:
    """Gives a fresh database of the engine with all tables.

    `in_place` previews in the SQLite file itself, as is done with large ones; `large` compares
    whole tables there and in DuckDB, or rows on the PostgreSQL server, as is done when very many
    rows change.
    """
    if engine == "postgres":
        with fresh_database("postgres") as database, _post(database, large=large) as found:
            yield found
        return
    path = folder / f"exact.{engine}"
    order: dict[str, list[str]] = {}
    if engine == "sqlite":
        with closing(sqlite3.connect(path)) as lite:
            lite.executescript(SCRIPTS["sqlite"])
    else:
        with duckdb.connect(str(path)) as duck:
            duck.execute(SCRIPTS["duckdb"])
            for table, column in duck.execute(
                "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal "
                "AND database_name = current_database() ORDER BY table_name, column_index"
            ).fetchall():
                order.setdefault(table, []).append(column)
    if engine == "duckdb":
        with pytest.MonkeyPatch.context() as patched:
            for part in (duckdb_capture, duckdb_large, duckdb_once) if large else ():
                patched.setattr(part, "LARGE", 0)
            yield Duck(path, Inside(DuckdbWriter(path, memory=1 << 29, threads=1)), order)
        return
    if in_place or large:
        writer_role = SqliteWriter(path, copy_bytes=0, large_steps=0 if large else 1_000)
        yield Lite(path, Inside(writer_role))
        return
    reader = open_engine(engine, FileAddress(path=path), source="s")
    writer = open_change_engine(engine, FileAddress(path=path), source="s", reader=reader)
    yield Lite(path, writer)
    writer.close()
    reader.close()


@contextmanager
def _post(database: ServerDatabase, *, large: bool) -> Iterator[Post]:
    writer = f"w_{database.name}"
    database.execute(SCRIPTS["postgres"])
    database.execute(
        f"CREATE ROLE {writer} LOGIN; GRANT SET ON PARAMETER session_replication_role TO {writer};"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {writer};"
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {writer}"
    )
    order: dict[str, list[str]] = {}
    for table, column in database.execute(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') "
        "AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' "
        "ORDER BY c.relname, a.attnum"
    ):
        order.setdefault(str(table), []).append(str(column))
    most = 0 if large else LARGE
    engine = PostgresChanges(Login(url=database.url(writer)), "s", large=most)
    yield Post(database, engine, order)
    database.execute(
        f"DROP OWNED BY {writer}; "
        f"REVOKE SET ON PARAMETER session_replication_role FROM {writer}; DROP ROLE {writer}"
    )
