"""DuckDB as the write role: runs one order in a transaction, compares its table before and after.

The engine has neither triggers nor cascades, so only the target table changes. It is copied into a
temporary table first and joined on the row id afterwards, which stays the same through UPDATE,
upsert and MERGE. Values are compared and kept as the engine's own text, which it reads back.
A preview runs on a copy in memory; the way back is tried on that copy.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from guard.engines.child import images
from guard.engines.child.duckdb_reader import SETTINGS, code_of
from guard.engines.child.faults import Fault
from guard.engines.child.images import Row, TableChange, Touched
from guard.engines.child.reader import Stop
from guard.engines.child.writing import Capture, Order

COPY_BYTES = 200 * 1024 * 1024
"""Larger files are previewed in place, in a transaction that is rolled back."""
_ID = "gatehouse_id"
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


@dataclass(frozen=True, kw_only=True)
class _Table:
    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    primary_key: tuple[str, ...]
    definition: str

    @property
    def quoted(self) -> str:
        return _quoted(self.name)

    @property
    def texts(self) -> str:
        """The columns as text, for a select list."""
        return ", ".join(f"CAST({_quoted(c)} AS VARCHAR) AS {_quoted(c)}" for c in self.columns)

    @property
    def names(self) -> str:
        return ", ".join(_quoted(c) for c in self.columns)


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
            return _tried(self._connection, order, stop)

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
            return _found(self._connection, image)

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
        return _with(first, second, verified=False, notes=notes)

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


def _tried(copy: duckdb.DuckDBPyConnection, order: Order, stop: Stop) -> Capture:
    first = _executed(copy, order, stop)
    copy.execute("ROLLBACK")
    before = _checksums(copy, order)
    second = _executed(copy, order, stop)
    copy.execute("COMMIT")
    back = Order(
        sql=None,
        image=second.image,
        targets=(),
        max_rows=order.max_rows,
        timeout_ms=order.timeout_ms,
        lock_timeout_ms=order.lock_timeout_ms,
    )
    try:
        _executed(copy, back, stop)
        copy.execute("COMMIT")
        verified = _checksums(copy, order) == before
    except (duckdb.Error, Fault):
        verified = False
    notes = () if verified else ("Taking this back was tried and did not give the same rows.",)
    return _with(first, second, verified=verified, notes=notes)


def _with(first: Capture, second: Capture, *, verified: bool, notes: Sequence[str]) -> Capture:
    return Capture(
        tables=first.tables,
        image=first.image,
        schema_hash=first.schema_hash,
        notes=tuple(notes),
        verified=verified,
        decided=images.decided(first.tables, second.tables),
    )


def _executed(connection: duckdb.DuckDBPyConnection, order: Order, stop: Stop) -> Capture:
    """Begins a transaction, runs the order in it and finds what it changed."""
    if stop.asked():
        raise Fault("interrupted")
    wanted = order.targets if order.image is None else tuple(order.image["tables"])
    tables = [_table(connection, name) for name in wanted]
    connection.execute("BEGIN TRANSACTION")
    for number, table in enumerate(tables):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE gatehouse_before_{number} AS "
            f"SELECT rowid AS {_ID}, {table.texts} FROM main.{table.quoted}"
        )
    counted: int | None = None
    if order.sql is not None:
        rows = connection.execute(order.sql).fetchall()
        named = [d[0] for d in connection.description or ()]
        counted = rows[0][0] if named == ["Count"] and len(rows) == 1 else None
    else:
        for table in tables:
            _replay(connection, table, (order.image or {})["tables"][table.name])
    changes = [_changed(connection, t, n, order.max_rows) for n, t in enumerate(tables)]
    for number in range(len(tables)):
        connection.execute(f"DROP TABLE temp.gatehouse_before_{number}")
    found = [c for c in changes if c.rows]
    if counted is not None and order.sql is not None and _most(found) > counted:
        raise Fault("not_exact")
    return Capture(
        tables=found,
        image=_image(found, tables),
        schema_hash=_hash(t.definition for t in tables),
    )


def _most(changes: Sequence[TableChange]) -> int:
    """Returns how many rows a statement must have touched: a changed key is one, seen as two."""
    rows = [row for change in changes for row in change.rows]
    old = sum(row.before is not None for row in rows)
    return max(old, sum(row.after is not None for row in rows))


def _table(connection: duckdb.DuckDBPyConnection, name: str) -> _Table:
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = current_database() AND schema_name = 'main' "
        "AND lower(table_name) = lower(?) ORDER BY column_index",
        [name],
    ).fetchall()
    if not rows:
        raise Fault("no_such_name")
    keys = connection.execute(
        "SELECT constraint_column_names FROM duckdb_constraints() "
        "WHERE database_name = current_database() AND table_name = ? "
        "AND constraint_type = 'PRIMARY KEY'",
        [rows[0][0]],
    ).fetchall()
    definition = connection.execute(
        "SELECT sql FROM duckdb_tables() "
        "WHERE database_name = current_database() AND table_name = ?",
        [rows[0][0]],
    ).fetchall()
    return _Table(
        name=rows[0][0],
        columns=tuple(r[1] for r in rows),
        types=tuple(r[2] for r in rows),
        primary_key=tuple(keys[0][0]) if keys else (),
        definition=str(definition[0][0]) if definition else "",
    )


def _changed(
    connection: duckdb.DuckDBPyConnection, table: _Table, number: int, max_rows: int
) -> TableChange:
    differs = " OR ".join(f"b.{_quoted(c)} IS DISTINCT FROM a.{_quoted(c)}" for c in table.columns)
    old = ", ".join(f"b.{_quoted(c)}" for c in table.columns)
    new = ", ".join(f"a.{_quoted(c)}" for c in table.columns)
    rows = connection.execute(
        f"SELECT b.{_ID}, a.{_ID}, {old}, {new} FROM temp.gatehouse_before_{number} b FULL JOIN "
        f"(SELECT rowid AS {_ID}, {table.texts} FROM main.{table.quoted}) a USING ({_ID}) "
        f"WHERE a.{_ID} IS NULL OR b.{_ID} IS NULL OR {differs} "
        f"ORDER BY coalesce(b.{_ID}, a.{_ID}) LIMIT {max_rows + 1}"
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


def _typed(cells: Sequence[str | None], table: _Table) -> Row:
    """Returns text as whole numbers and truth values where the column holds them."""
    return tuple(
        None if v is None else int(v) if t in _WHOLE else v == "true" if t == "BOOLEAN" else v
        for v, t in zip(cells, table.types, strict=True)
    )


def _paired(touched: Sequence[Touched], table: _Table) -> Iterator[Touched]:
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


def _image(changes: Sequence[TableChange], tables: Sequence[_Table]) -> dict[str, object]:
    types = {t.name: list(t.types) for t in tables}
    return {
        "engine": "duckdb",
        "tables": {
            c.table: {
                "columns": list(c.columns),
                "types": types[c.table],
                "rows": [[_texts(r.before), _texts(r.after)] for r in c.rows],
            }
            for c in changes
        },
    }


def _texts(row: Row | None) -> list[str | None] | None:
    if row is None:
        return None
    return [None if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in row]


def _replay(connection: duckdb.DuckDBPyConnection, table: _Table, image: Mapping[str, Any]) -> None:
    """Puts every row back as it was. Each row must still be as the change left it."""
    if image["columns"] != list(table.columns) or image["types"] != list(table.types):
        raise Fault("changed_since")
    rows = image["rows"]
    kept = [(before, after) for before, after in rows if after is not None]
    places = _places(connection, table, [after for _, after in kept])
    if len(places) != len(kept):
        raise Fault("changed_since")
    removed = [places[i] for i, (before, _) in enumerate(kept) if before is None]
    changed = [(places[i], b) for i, (b, _) in enumerate(kept) if b is not None]
    added = [before for before, after in rows if after is None]
    if removed:
        _load(connection, "gatehouse_removed", [[str(r)] for r in removed], 1)
        connection.execute(
            f"DELETE FROM main.{table.quoted} WHERE rowid IN "
            "(SELECT CAST(c0 AS BIGINT) FROM gatehouse_removed)"
        )
    if changed:
        _load(
            connection, "gatehouse_put", [[str(i), *b] for i, b in changed], len(table.columns) + 1
        )
        sets = ", ".join(
            f"{_quoted(c)} = CAST(p.c{n + 1} AS {t})"
            for n, (c, t) in enumerate(zip(table.columns, table.types, strict=True))
        )
        connection.execute(
            f"UPDATE main.{table.quoted} SET {sets} FROM gatehouse_put p "
            f"WHERE main.{table.quoted}.rowid = CAST(p.c0 AS BIGINT)"
        )
    if added:
        _load(connection, "gatehouse_added", added, len(table.columns))
        values = ", ".join(f"CAST(c{n} AS {t})" for n, t in enumerate(table.types))
        connection.execute(
            f"INSERT INTO main.{table.quoted}({table.names}) SELECT {values} FROM gatehouse_added"
        )


def _places(
    connection: duckdb.DuckDBPyConnection, table: _Table, wanted: Sequence[Sequence[str | None]]
) -> dict[int, int]:
    """Returns the row id of each wanted row that is in the table; equal rows get different ones."""
    if not wanted:
        return {}
    width = len(table.columns)
    _load(connection, "gatehouse_wanted", [[str(i), *r] for i, r in enumerate(wanted)], width + 1)
    cells = ", ".join(f"c{n + 1}" for n in range(width))
    same = " AND ".join(
        f"w.c{n + 1} IS NOT DISTINCT FROM t.{_quoted(c)}" for n, c in enumerate(table.columns)
    )
    rows = connection.execute(
        f"SELECT CAST(w.c0 AS BIGINT), t.{_ID} FROM "
        f"(SELECT *, row_number() OVER (PARTITION BY {cells} ORDER BY c0) AS k "
        f"FROM gatehouse_wanted) w JOIN "
        f"(SELECT *, row_number() OVER (PARTITION BY {table.names} ORDER BY {_ID}) AS k FROM "
        f"(SELECT rowid AS {_ID}, {table.texts} FROM main.{table.quoted})) t "
        f"ON w.k = t.k AND {same}"
    ).fetchall()
    return dict(rows)


def _load(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    rows: Sequence[Sequence[str | None]],
    width: int,
) -> None:
    arrays = [pa.array([r[n] for r in rows], type=pa.string()) for n in range(width)]
    connection.register("gatehouse_rows", pa.table(arrays, names=[f"c{n}" for n in range(width)]))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM gatehouse_rows")
    connection.unregister("gatehouse_rows")


def _found(connection: duckdb.DuckDBPyConnection, image: Mapping[str, Any]) -> str:
    befores = afters = True
    for name, kept in image["tables"].items():
        table = _table(connection, name)
        if kept["columns"] != list(table.columns) or kept["types"] != list(table.types):
            return "neither"
        old = [b for b, _ in kept["rows"] if b is not None]
        new = [a for _, a in kept["rows"] if a is not None]
        olds, news = (len(_places(connection, table, rows)) for rows in (old, new))
        befores &= olds == len(old) and (not new or news < len(new))
        afters &= news == len(new) and (not old or olds < len(old))
    return "before" if befores and not afters else "after" if afters and not befores else "neither"


def _checksums(connection: duckdb.DuckDBPyConnection, order: Order) -> list[str]:
    wanted = order.targets if order.image is None else tuple(order.image["tables"])
    return [_checksum(connection, _table(connection, name)) for name in wanted]


def _checksum(connection: duckdb.DuckDBPyConnection, table: _Table) -> str:
    rows = connection.execute(
        f"SELECT {table.texts} FROM main.{table.quoted} ORDER BY ALL"
    ).fetchall()
    return _hash(repr(row) for row in rows)


def _hash(parts: Iterator[str] | Sequence[str]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part.encode("utf-8", "surrogatepass") + b"\n")
    return found.hexdigest()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
