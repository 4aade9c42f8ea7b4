"""DuckDB as the write role: runs one order in a transaction, compares its table before and after.

The engine has neither triggers nor cascades, so only the target table changes. It is copied into a
temporary table first and joined on the row id afterwards, which stays the same through UPDATE,
upsert and MERGE. Values are compared and kept as the engine's own text, which it reads back.
A preview runs on a copy in memory; the way back is tried on that copy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from guard.engines.child import images
from guard.engines.child.duckdb_images import found_in, image_of, replay
from guard.engines.child.duckdb_reader import SETTINGS, code_of
from guard.engines.child.duckdb_tables import ID, Table, checksum, hash_of, table_of
from guard.engines.child.faults import Fault
from guard.engines.child.images import Row, TableChange, Touched
from guard.engines.child.names import quoted
from guard.engines.child.reader import Stop
from guard.engines.child.writing import Capture, Order, tried, with_second

COPY_BYTES = 200 * 1024 * 1024
"""Larger files are previewed in place, in a transaction that is rolled back."""
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


class DuckdbWriter:
    """One database file. Opened for each order, closed after it."""

    def __init__(self, path: Path, *, memory: int, threads: int) -> None:
        self._path = path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            **SETTINGS,
            "memory_limit": f"{memory}B",
            "threads": str(threads),
        }
        self._connection: duckdb.DuckDBPyConnection | None = None

    def preview(self, order: Order, stop: Stop) -> Capture:
        """Returns what the order would do. Raises `Fault`."""
        with self._told():
            if self._path.is_file() and self._path.stat().st_size > COPY_BYTES:
                return self._in_place(order, stop)
            self._connection = self._copy()
            return tried(_Trial(self._connection, stop), order)

    def run(self, order: Order, stop: Stop) -> Capture:
        """Runs the order on the file and leaves its transaction open. Raises `Fault`."""
        with self._told(keep=True):
            self._connection = self._open(read_only=False)
            return _executed(self._connection, order, stop)

    def commit(self) -> None:
        """Ends the open transaction for good. Raises `Fault`."""
        with self._told():
            if self._connection is None:
                raise Fault("engine")
            self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Ends the open transaction without a trace."""
        self._close()

    def find(self, image: Mapping[str, Any]) -> str:
        """Returns whether the rows of the image are as before the change or as after it."""
        with self._told():
            self._connection = self._open(read_only=True)
            return found_in(self._connection, image)

    def release(self) -> None:
        """Nothing is held between orders."""

    def interrupt(self) -> None:
        """Stops the running statement where the engine listens."""
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if not self._path.is_file():
            raise Fault("missing")
        config = {**self._config, "lock_configuration": True}
        return duckdb.connect(str(self._path), read_only=read_only, config=config)

    def _copy(self) -> duckdb.DuckDBPyConnection:
        if not self._path.is_file():
            raise Fault("missing")
        open_config = {k: v for k, v in self._config.items() if k != "enable_external_access"}
        copy = duckdb.connect(":memory:", config=open_config)
        path = str(self._path).replace("'", "''")
        copy.execute(f"ATTACH '{path}' AS gatehouse_source (READ_ONLY)")
        copy.execute("COPY FROM DATABASE gatehouse_source TO memory")
        copy.execute("DETACH gatehouse_source")
        copy.execute("SET enable_external_access = false")
        copy.execute("SET lock_configuration = true")
        return copy

    def _in_place(self, order: Order, stop: Stop) -> Capture:
        self._connection = self._open(read_only=False)
        first = _executed(self._connection, order, stop)
        self._connection.execute("ROLLBACK")
        second = _executed(self._connection, order, stop)
        self._connection.execute("ROLLBACK")
        notes = ("The file is large, so taking this back was not tried in the preview.",)
        return with_second(first, second, verified=False, notes=notes)

    @contextlib.contextmanager
    def _told(self, *, keep: bool = False) -> Iterator[None]:
        try:
            yield
        except duckdb.ConstraintException:
            self._close()
            raise Fault("constraint") from None
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            self._close()
            raise Fault(code_of(error)) from None
        except BaseException:
            self._close()
            raise
        if not keep:
            self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _Trial:
    """A copy in memory on which an order is tried for good."""

    def __init__(self, copy: duckdb.DuckDBPyConnection, stop: Stop) -> None:
        self._copy = copy
        self._stop = stop

    def run(self, order: Order) -> Capture:
        """Runs the order in a new transaction."""
        return _executed(self._copy, order, self._stop)

    def end(self, word: str) -> None:
        """Commits or rolls back."""
        self._copy.execute(word)

    def checksums(self, tables: Sequence[str]) -> list[str]:
        """Returns one checksum a table."""
        return [checksum(self._copy, table_of(self._copy, name)) for name in tables]


def _executed(connection: duckdb.DuckDBPyConnection, order: Order, stop: Stop) -> Capture:
    """Begins a transaction, runs the order in it and finds what it changed."""
    if stop.asked():
        raise Fault("interrupted")
    wanted = order.targets if order.image is None else tuple(order.image["tables"])
    tables = [table_of(connection, name) for name in wanted]
    connection.execute("BEGIN TRANSACTION")
    for number, table in enumerate(tables):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE gatehouse_before_{number} AS "
            f"SELECT rowid AS {ID}, {table.texts} FROM main.{table.quoted}"
        )
    counted: int | None = None
    if order.sql is not None:
        rows = connection.execute(order.sql).fetchall()
        named = [d[0] for d in connection.description or ()]
        counted = rows[0][0] if named == ["Count"] and len(rows) == 1 else None
    else:
        for table in tables:
            replay(connection, table, (order.image or {})["tables"][table.name])
    changes = [_changed(connection, t, n, order.max_rows) for n, t in enumerate(tables)]
    for number in range(len(tables)):
        connection.execute(f"DROP TABLE temp.gatehouse_before_{number}")
    found = [c for c in changes if c.rows]
    if counted is not None and order.sql is not None and _most(found) > counted:
        raise Fault("not_exact")
    return Capture(
        tables=found,
        image=image_of(found, tables),
        schema_hash=hash_of(t.definition for t in tables),
    )


def _most(changes: Sequence[TableChange]) -> int:
    """Returns how many rows a statement must have touched: a changed key is one, seen as two."""
    rows = [row for change in changes for row in change.rows]
    old = sum(row.before is not None for row in rows)
    return max(old, sum(row.after is not None for row in rows))


def _changed(
    connection: duckdb.DuckDBPyConnection, table: Table, number: int, max_rows: int
) -> TableChange:
    differs = " OR ".join(f"b.{quoted(c)} IS DISTINCT FROM a.{quoted(c)}" for c in table.columns)
    old = ", ".join(f"b.{quoted(c)}" for c in table.columns)
    new = ", ".join(f"a.{quoted(c)}" for c in table.columns)
    rows = connection.execute(
        f"SELECT b.{ID}, a.{ID}, {old}, {new} FROM temp.gatehouse_before_{number} b FULL JOIN "
        f"(SELECT rowid AS {ID}, {table.texts} FROM main.{table.quoted}) a USING ({ID}) "
        f"WHERE a.{ID} IS NULL OR b.{ID} IS NULL OR {differs} "
        f"ORDER BY coalesce(b.{ID}, a.{ID}) LIMIT {max_rows + 1}"
    ).fetchall()
    if len(rows) > max_rows:
        raise Fault("too_many_rows")
    width = len(table.columns)
    touched = [
        Touched(
            before=None if old_id is None else _typed(cells[:width], table),
            after=None if new_id is None else _typed(cells[width:], table),
        )
        for old_id, new_id, *cells in rows
    ]
    return TableChange(
        table=table.name,
        columns=table.columns,
        primary_key=table.primary_key,
        rows=tuple(_paired(touched, table)),
    )


def _typed(cells: Sequence[str | None], table: Table) -> Row:
    """Returns text as whole numbers and truth values where the column holds them."""
    return tuple(
        None if v is None else int(v) if t in _WHOLE else v == "true" if t == "BOOLEAN" else v
        for v, t in zip(cells, table.types, strict=True)
    )


def _paired(touched: Sequence[Touched], table: Table) -> Iterator[Touched]:
    """Makes one update of a removed and an added row with the same key."""
    if not table.primary_key:
        yield from touched
        return
    places = [table.columns.index(c) for c in table.primary_key]
    added = {tuple(t.after[i] for i in places): t for t in touched if t.before is None and t.after}
    rows = []
    for row in touched:
        key = tuple(row.before[i] for i in places) if row.before else None
        if row.after is None and key in added:
            rows.append(Touched(before=row.before, after=added.pop(key).after))
        elif row.before is not None:
            rows.append(row)
    rows.extend(added.values())
    yield from sorted(
        rows,
        key=lambda r: images.sort_text(tuple((r.before or r.after or ())[i] for i in places)),
    )
