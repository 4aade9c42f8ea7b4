"""The worker's life: limits first, then the engine, then one statement after the other.

1 the parent says hello: which engine, which file, which limits
2 the process gives up memory, core dumps and large files
3 the engine is imported and the parent told
4 requests are answered in order; a second thread listens for stops and for the parent's end
"""

from __future__ import annotations

import functools
import json
import os
import resource
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guard.engines.child import wire
from guard.engines.child.faults import Fault
from guard.engines.child.names import fold
from guard.engines.child.probes import BY_ENGINE
from guard.engines.child.reader import Answer, Reader, Request, Role, Stop, Work

if TYPE_CHECKING:
    import pyarrow as pa

CONTROL = struct.Struct("!Q")
"""The number of the statement to stop."""


@dataclass(frozen=True, kw_only=True)
class Hello:
    """What the parent sends first. Sizes in bytes; `idle_ms` 0 keeps the file open.

    `writes` opens the source as the write role, which serves other requests (`orders.py`).
    """

    engine: str
    path: str
    packages: tuple[str, ...]
    address_space: int
    file_size: int
    memory: int
    threads: int
    idle_ms: int
    writes: bool


def serve(data_fd: int, control_fd: int) -> None:
    """Answers requests until the parent closes the line."""
    sock = socket.socket(fileno=data_fd)
    hello = _hello(sock)
    _limit(hello)
    sys.path.extend(hello.packages)
    sys.meta_path.insert(0, _WithoutPandas())
    try:
        role, work, ready = _open(hello)
    except Exception as error:  # the parent turns it into a sentence
        wire.send(sock, {"n": 0, "fault": "engine", "kind": type(error).__name__})
        return
    stop = Stop(role.interrupt, functools.partial(wire.send, sock))
    threading.Thread(target=_listen, args=(control_fd, stop), daemon=True).start()
    wire.send(sock, {"n": 0})
    while True:
        ready()
        request = _next(sock, role, hello.idle_ms)
        if _answer(sock, work, stop, request):
            return


def _hello(sock: socket.socket) -> Hello:
    fields = _header(wire.receive(sock, max_header=wire.MAX_REQUEST_BYTES, max_payload=0))
    fields["packages"] = tuple(fields["packages"])
    return Hello(**fields)


def _header(frame: wire.FrameReader) -> dict[str, Any]:  # the parent is trusted
    header: dict[str, Any] = json.loads(frame.header)
    return header


class _WithoutPandas:
    """Arrow would load pandas, slow and large, only to see that no value is a data frame."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Says that there is no pandas, and nothing about other modules."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _limit(hello: Hello) -> None:
    # macOS has no limit on the address space; the time limit and the kill are all there is.
    space = [] if sys.platform == "darwin" else [(resource.RLIMIT_AS, hello.address_space)]
    for which, value in (
        *space,
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, hello.file_size),
        (resource.RLIMIT_NOFILE, 128),
    ):
        _, hard = resource.getrlimit(which)
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (wanted, wanted))


def _open(hello: Hello) -> tuple[Role, Mapping[str, Work], Callable[[], None]]:
    """Returns the role, what it does, and what it does when nobody waits for it."""
    if hello.writes:
        from guard.engines.child import orders

        role = orders.open_role(
            hello.engine, Path(hello.path), memory=hello.memory, threads=hello.threads
        )
        return role, orders.work(role), _nothing
    reader, ready = _reader(hello)
    return reader, {op: functools.partial(do, reader) for op, do in _READS.items()}, ready


def _reader(hello: Hello) -> tuple[Reader, Callable[[], None]]:
    if hello.engine == "sqlite":
        from guard.engines.child.sqlite_reader import SqliteReader

        reader = SqliteReader(Path(hello.path))
        return reader, reader.ready
    from guard.engines.child.duckdb_reader import DuckdbReader

    duckdb = DuckdbReader(Path(hello.path), memory=hello.memory, threads=hello.threads)
    return duckdb, _nothing


def _nothing() -> None:
    """Some roles have nothing to get ready."""


def _listen(control_fd: int, stop: Stop) -> None:
    while message := os.read(control_fd, CONTROL.size):
        stop.ask(CONTROL.unpack(message)[0])
    # The parent is gone: end at once, whatever runs.
    os._exit(0)


def _asked(sock: socket.socket, idle_ms: int) -> bool:
    # Not select, which knows no descriptor from 1,024 on: a busy console may have as many.
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(idle_ms))


def _next(sock: socket.socket, role: Role, idle_ms: int) -> wire.FrameReader:
    if idle_ms and not _asked(sock, idle_ms):
        role.release()
    try:
        return wire.receive(sock, max_header=wire.MAX_REQUEST_BYTES, max_payload=0)
    except (wire.BrokenFrame, OSError):
        os._exit(0)


def _answer(
    sock: socket.socket, work: Mapping[str, Work], stop: Stop, frame: wire.FrameReader
) -> bool:
    """Answers one request; true when this process should not be used again."""
    fields = _header(frame)
    number: int = fields["n"]
    try:
        stop.begin(number)
        header, payload = work[fields["op"]](stop, fields)
    except Fault as fault:
        header, payload = {"fault": fault.code, "retire": fault.code == "engine"}, None
    except MemoryError:
        header, payload = {"fault": "memory", "retire": True}, None
    except Exception as error:  # whatever it is, the statement failed and its words stay here
        header, payload = {"fault": "engine", "kind": type(error).__name__, "retire": True}, None
    finally:
        stop.end()
    wire.send(sock, {"n": number, **header}, payload)
    return bool(header.get("retire"))


def _run(reader: Reader, stop: Stop, fields: Mapping[str, Any]) -> Answer:
    request = _request(fields)
    started = time.perf_counter_ns()
    table, truncated = reader.run(request, stop)
    elapsed_us = (time.perf_counter_ns() - started) // 1000
    if table.nbytes > request.max_bytes:
        raise Fault("result_too_large")
    return {"truncated": truncated, "elapsed_us": elapsed_us}, _stream(table)


def _request(fields: Mapping[str, Any]) -> Request:
    return Request(
        sql=fields["sql"],
        readable={fold(t): frozenset(map(fold, cs)) for t, cs in fields["readable"]},
        max_rows=fields["max_rows"],
        max_bytes=fields["max_bytes"],
        timeout_ms=fields["timeout_ms"],
    )


def _stream(table: pa.Table) -> memoryview:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())


def _probe(reader: Reader, stop: Stop, fields: Mapping[str, Any]) -> Answer:
    attack = BY_ENGINE[fields["engine"]][fields["number"]]
    request = Request(
        sql=attack.sql.replace("{folder}", fields["folder"].replace("'", "''")),
        max_rows=10,
        max_bytes=1_000_000,
        timeout_ms=attack.timeout_ms,
    )
    reader.run(request, stop)
    return {}, memoryview(b"")


def _estimate(reader: Reader, stop: Stop, fields: Mapping[str, Any]) -> Answer:
    rows = reader.estimate(_request(fields), stop)
    return {}, memoryview(json.dumps(rows).encode())


def _reflect(reader: Reader, stop: Stop, fields: Mapping[str, Any]) -> Answer:
    return {}, memoryview(json.dumps(reader.reflect()).encode())


_READS: Mapping[str, Callable[[Reader, Stop, Mapping[str, Any]], Answer]] = {
    "run": _run,
    "estimate": _estimate,
    "probe": _probe,
    "reflect": _reflect,
}
