"""The rows of a large change of a DuckDB table as bytes: what takes it back.

Each kind of row is one Arrow stream, compressed: the cells as they were, or of inserted rows as
they are, then of updated ones those of the columns after that differ in any row. Values are what
they are hashed as (`duckdb_summed.arrow_type`): numbers, or the engine's own text.

https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from guard.engines.child.duckdb_back import Back
from guard.engines.child.duckdb_compared import differ, keys
from guard.engines.child.duckdb_tables import Table, table_of
from guard.engines.child.faults import Fault
from guard.engines.child.names import quoted
from guard.engines.child.reader import Stop
from guard.engines.child.summed import KINDS, Kind

_CODEC = "zstd"
_ARROW = "gatehouse_arrow"


def is_large(image: Mapping[str, Any] | None) -> bool:
    """True for the image of a change whose rows are kept here."""
    return bool(image) and any(
        "sha256" in kept for kept in (image or {}).get("tables", {}).values()
    )


@dataclass(kw_only=True)
class Kept:
    """Takes the rows of a change, kind by kind and in key order, as arrays a column."""

    _sinks: dict[Kind, pa.BufferOutputStream] = field(default_factory=dict)
    _writers: dict[Kind, pa.RecordBatchStreamWriter] = field(default_factory=dict)

    def add(self, kind: Kind, cells: Sequence[pa.Array]) -> None:
        """Takes the next rows of a kind."""
        batch = pa.RecordBatch.from_arrays(list(cells), [f"c{n}" for n in range(len(cells))])
        if kind not in self._writers:
            sink = self._sinks[kind] = pa.BufferOutputStream()
            options = pa.ipc.IpcWriteOptions(compression=_CODEC)
            self._writers[kind] = pa.ipc.new_stream(sink, batch.schema, options=options)
        self._writers[kind].write_batch(batch)

    def image(
        self, table: Table, changed: Sequence[int], counts: Mapping[Kind, int]
    ) -> dict[str, object]:
        """Returns all that was taken as JSON values. Nothing can be added then."""
        for writer in self._writers.values():
            writer.close()
        rows = {kind: sink.getvalue() for kind, sink in self._sinks.items()}
        kept = {
            "columns": list(table.columns),
            "types": list(table.types),
            "changed": list(changed),
            "counts": dict(counts),
            "rows": {k: base64.b64encode(data).decode() for k, data in rows.items() if counts[k]},
            "sha256": _sha256({k: data for k, data in rows.items() if counts[k]}),
        }
        return {"engine": "duckdb", "tables": {table.name: kept}}


def _sha256(rows: Mapping[str, Any]) -> str:
    whole = hashlib.sha256()
    for kind in KINDS:
        data = rows.get(kind, b"")
        whole.update(f"{kind} {len(data)}\n".encode())
        whole.update(data)
    return whole.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Given:
    """The rows of an image, each kind in a temporary table."""

    connection: duckdb.DuckDBPyConnection
    table: Table
    changed: tuple[int, ...]
    counts: Mapping[Kind, int]

    def put_back(self, stop: Stop) -> None:
        """Takes the change back in the open transaction.

        Raises:
            Fault: a row is not as the change left it, or is not as it was after all.
        """
        if not self.is_after():
            raise Fault("changed_since")
        back = Back(
            connection=self.connection,
            table=self.table,
            rows={kind: self._rows(kind, after=False) for kind in KINDS},
            counts=self.counts,
            changed=self.changed,
            whole=False,
            stop=stop,
        )
        if not back.put():
            raise Fault("changed_since")
        if not self.is_before():
            raise Fault("not_exact")

    def is_after(self) -> bool:
        """True when the rows stand as the change left them."""
        return self._stand(after=True, absent="deleted")

    def is_before(self) -> bool:
        """True when the rows stand as they were before the change."""
        return self._stand(after=False, absent="inserted")

    def drop(self) -> None:
        """Drops the temporary tables."""
        for kind in KINDS:
            self.connection.execute(f"DROP TABLE IF EXISTS temp.{_place(kind)}")

    def _stand(self, *, after: bool, absent: Kind) -> bool:
        for kind in KINDS:
            if not self.counts[kind]:
                continue
            wanted = 0 if kind == absent else self.counts[kind]
            same = "" if kind == absent else f" WHERE NOT {differ(self.table)}"
            found = self.connection.execute(
                f"SELECT count(*) FROM {self._rows(kind, after=after)} o "
                f"JOIN main.{self.table.quoted} n ON {keys(self.table, ' AND ', '=')}{same}"
            ).fetchall()
            if found != [(wanted,)]:
                return False
        return True

    def _rows(self, kind: Kind, *, after: bool) -> str:
        """Returns a query of the rows of a kind by the names of the table's columns."""
        width = len(self.table.columns)
        moved = {n: width + i for i, n in enumerate(self.changed)}
        places = moved if after and kind == "updated" else {}
        cells = (
            f"c{places.get(n, n)} AS {quoted(name)}" for n, name in enumerate(self.table.columns)
        )
        return f"(SELECT {', '.join(cells)} FROM temp.{_place(kind)})"


def _place(kind: Kind) -> str:
    return f"gatehouse_given_{kind}"


def given(connection: duckdb.DuckDBPyConnection, table: Table, image: Mapping[str, Any]) -> Given:
    """Returns the rows of an image, loaded beside the table.

    Raises:
        Fault: the table is another one now, or the image is not as it was stored.
    """
    kept = image["tables"][table.name]
    if kept["columns"] != list(table.columns) or kept["types"] != list(table.types):
        raise Fault("changed_since")
    rows = {kind: base64.b64decode(text) for kind, text in kept["rows"].items()}
    if _sha256(rows) != kept["sha256"]:
        raise Fault("changed_since")
    changed = tuple(kept["changed"])
    for kind in KINDS:
        if kind in rows:
            places = [*range(len(table.columns)), *(changed if kind == "updated" else ())]
            _load(connection, kind, rows[kind], [table.types[n] for n in places])
    return Given(connection=connection, table=table, changed=changed, counts=kept["counts"])


def found_in(connection: duckdb.DuckDBPyConnection, image: Mapping[str, Any]) -> str:
    """Returns whether the rows stand as `before` the change, `after` it or `neither`."""
    try:
        (name,) = image["tables"]
        rows = given(connection, table_of(connection, name), image)
    except Fault:
        return "neither"
    if rows.is_before():
        return "before"
    return "after" if rows.is_after() else "neither"


def _load(
    connection: duckdb.DuckDBPyConnection, kind: Kind, data: bytes, types: Sequence[str]
) -> None:
    cells = ", ".join(f"CAST(c{n} AS {t}) AS c{n}" for n, t in enumerate(types))
    connection.register(_ARROW, pa.ipc.open_stream(data))
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {_place(kind)} AS SELECT {cells} FROM temp.{_ARROW}"
        )
    finally:
        connection.unregister(_ARROW)
