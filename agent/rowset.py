"""Redacted rows as bytes and back: Arrow's own stream format, so that types survive the store."""

from __future__ import annotations

import pyarrow as pa


def pack(table: pa.Table) -> bytes:
    """Returns the table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def unpack(data: bytes) -> pa.Table:
    """Returns the table that `pack` wrote."""
    return pa.ipc.open_stream(data).read_all()
