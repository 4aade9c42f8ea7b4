"""DuckDB, opened for reading only; every statement has a fresh connection to it.

Settings, all before the first statement, the lock last: read_only, no external access, no extension
from outside, no Python variables as tables, a memory limit without spilling to disk, threads,
and no optimizer that is known to lose rows.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from guard.engines.child import duckdb_catalog, duckdb_types, duckdb_words
from guard.engines.child.duckdb_authorizer import Authorizer, objects
from guard.engines.child.faults import Fault, FaultCode
from guard.engines.child.reader import Request, Stop

_BATCH_ROWS = 2_048

SETTINGS: Mapping[str, bool | str] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "temp_directory": "",
    # It takes two parts of a statement for one when they keep different columns, and so loses rows
    # (duckdb/duckdb issues 24624, 25819; seen in 2.0.0). Row filters make such parts common.
    "disabled_optimizers": "common_subplan",
}

ZONE = "SET GLOBAL TimeZone = 'UTC'"
"""As on every engine: days begin alike, and a moment's text says which it is (an offset of local
time would lose its seconds). No setting that a file can be opened with."""


class DuckdbReader:
    """One database file, kept open between statements until `release`."""

    def __init__(self, path: Path, *, memory: int, threads: int) -> None:
        self._path = path
        self._settings = {**SETTINGS, "memory_limit": f"{memory}B", "threads": str(threads)}
        self._database: duckdb.DuckDBPyConnection | None = None
        self._file: tuple[int, int] | None = None
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._authorizer: Authorizer | None = None

    def run(self, request: Request, stop: Stop) -> tuple[pa.Table, bool]:
        """Returns the rows and whether there were more. Raises `Fault`."""
        with self._fresh() as (cursor, authorizer):
            authorizer.prepare(cursor, request.sql, request.readable)
            if stop.asked():
                raise Fault("interrupted")
            return _rows(cursor, request)

    def estimate(self, request: Request, stop: Stop) -> int | None:
        """Returns the most rows the planner expects of any step. Raises `Fault`."""
        with self._fresh() as (cursor, authorizer):
            authorizer.prepare(cursor, request.sql, request.readable)
            if stop.asked():
                raise Fault("interrupted")
            plan = cursor.execute(f"EXPLAIN (FORMAT JSON) {request.sql}").fetchall()
            return max((n for _, text in plan for n in _expected(json.loads(text))), default=None)

    def reflect(self) -> Mapping[str, object]:
        """Returns tables, views and keys. Raises `Fault`."""
        with self._fresh() as (cursor, _):
            return duckdb_catalog.reflect(cursor)

    def interrupt(self) -> None:
        """Stops the running statement where the engine listens."""
        cursor = self._cursor
        if cursor is not None:
            with contextlib.suppress(duckdb.Error):  # closed a moment ago
                cursor.interrupt()

    def release(self) -> None:
        """Closes the file, so that another process may open it for writing."""
        if self._database is not None:
            self._database.close()
        self._database = None

    @contextlib.contextmanager
    def _fresh(self) -> Iterator[tuple[duckdb.DuckDBPyConnection, Authorizer]]:
        try:
            database, authorizer = self._opened()
            self._cursor = database.cursor()
            yield self._cursor, authorizer
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            code = code_of(error)
            if code in _UNUSABLE:
                self.release()
            raise Fault(code) from None
        finally:
            cursor, self._cursor = self._cursor, None
            if cursor is not None:
                cursor.close()

    def _opened(self) -> tuple[duckdb.DuckDBPyConnection, Authorizer]:
        try:
            status = os.stat(self._path)
        except OSError:
            raise Fault("missing") from None
        found = (status.st_dev, status.st_ino)
        if self._database is None or self._authorizer is None or found != self._file:
            self.release()
            before, self._authorizer = self._authorizer, None
            database = self._database = _open(self._path, self._settings)
            try:
                duckdb_words.check_macros(database)
            except Fault:
                self.release()  # so that the macro can be dropped
                raise
            self._authorizer = Authorizer(
                functions=before.functions if before else duckdb_words.functions(database),
                objects=objects(database),
            )
            self._file = found
        return self._database, self._authorizer


def _expected(steps: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    """Yields the rows the planner expects of each step of a plan."""
    for step in steps:
        told = step.get("extra_info", {}).get("Estimated Cardinality", "")
        if isinstance(told, str) and told.isdecimal():
            yield int(told)
        yield from _expected(step.get("children", []))


def _open(path: Path, settings: Mapping[str, bool | str]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path), read_only=True, config=dict(settings))
    connection.execute(ZONE)
    connection.execute("SET lock_configuration = true")
    return connection


def _rows(cursor: duckdb.DuckDBPyConnection, request: Request) -> tuple[pa.Table, bool]:
    relation = cursor.sql(request.sql)
    names = list(relation.columns)
    text = {i for i, kind in enumerate(relation.types) if duckdb_types.travels_as_text(kind)}
    table, more = _fetch(_as_text(relation, text), request)
    columns = [duckdb_types.plain(c) for c in table.columns]
    unfit = {i for i, c in enumerate(columns) if c is None}
    if unfit:
        table, more = _fetch(_as_text(relation, text | unfit), request)
        columns = [duckdb_types.plain(c) for c in table.columns]
    return pa.table([c for c in columns if c is not None], names=names), more


def _as_text(relation: duckdb.DuckDBPyRelation, columns: set[int]) -> duckdb.DuckDBPyRelation:
    if not columns:
        return relation
    # By position, because names may repeat.
    outputs = (
        f"CAST(#{i + 1} AS VARCHAR)" if i in columns else f"#{i + 1}"
        for i in range(len(relation.columns))
    )
    return relation.project(", ".join(outputs))


def _fetch(relation: duckdb.DuckDBPyRelation, request: Request) -> tuple[pa.Table, bool]:
    reader = relation.to_arrow_reader(_BATCH_ROWS)
    batches: list[pa.RecordBatch] = []
    count = used = 0
    for batch in reader:
        batches.append(batch)
        count += batch.num_rows
        used += batch.nbytes
        if used > request.max_bytes:
            raise Fault("result_too_large")
        if count > request.max_rows:
            break
    table = pa.Table.from_batches(batches, reader.schema)
    return table.slice(0, request.max_rows), count > request.max_rows


_UNUSABLE = frozenset({"engine", "damaged", "busy", "not_a_database", "newer_format"})

_BY_TEXT: tuple[tuple[str, FaultCode], ...] = (
    ("could not set lock", "busy"),
    ("conflicting lock", "busy"),
    ("not a valid duckdb database", "not_a_database"),
    ("version number", "newer_format"),
    ("newer version of duckdb", "newer_format"),
    ("storage version", "newer_format"),
    ("does not match stored checksum", "damaged"),
    ("corrupt", "damaged"),
    ("read-only mode", "not_allowed"),
    ("total string size", "value_too_large"),
    ("not found in from clause", "no_such_name"),
    ("was not found because", "no_such_name"),
    ("does not have a column named", "no_such_name"),
)

# The first words of the engine's messages: the same whether the error comes as a class of the
# driver or, from the middle of a result, as an OSError.
_BY_KIND: Mapping[str, FaultCode] = {
    "binder": "meaning",
    "catalog": "no_such_name",
    "parser": "syntax",
    "syntax": "syntax",
    "conversion": "types",
    "mismatch type": "types",
    "invalid type": "types",
    "invalid input": "types",
    "out of range": "arithmetic",
    "divide by zero": "arithmetic",
    "decimal": "arithmetic",
    "out of memory": "memory",
    "interrupt": "interrupted",
    "permission": "not_allowed",
    "not implemented": "not_supported",
    "expression": "not_supported",
    "dependency": "not_allowed",
    "transactioncontext": "engine",
    "io": "unreadable",
}


def code_of(error: Exception) -> FaultCode:
    """Returns the code that tells a person what went wrong, and nothing else of the error."""
    text = str(error).lower()
    known = next((code for words, code in _BY_TEXT if words in text), None)
    if known is not None:
        return known
    kind = text.partition(" error:")[0]
    return _BY_KIND.get(kind, "engine")
