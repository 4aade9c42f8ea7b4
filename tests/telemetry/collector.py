"""A collector: a real HTTP server that takes OTLP, and fails where it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


@dataclass(frozen=True, kw_only=True)
class Got:
    """One span as it arrived."""

    name: str
    id: bytes
    parent: bytes
    trace: bytes
    attributes: dict[str, object]
    took_ns: int


class Collector(ThreadingHTTPServer):
    """Keeps every body it was sent. `status` is what it answers; its gate holds the answer back."""

    daemon_threads = True

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    @property
    def url(self) -> str:
        """What `OTEL_EXPORTER_OTLP_ENDPOINT` must say."""
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[Got]:
        """Returns the spans that arrived, in the order in which they ended."""
        return [
            Got(
                name=span.name,
                id=span.span_id,
                parent=span.parent_span_id,
                trace=span.trace_id,
                attributes={a.key: _plain(a.value) for a in span.attributes},
                took_ns=span.end_time_unix_nano - span.start_time_unix_nano,
            )
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def everything(self) -> bytes:
        """Returns all bytes that arrived; texts stand in them as they are."""
        return b"\n".join(self.bodies)


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers.get("Content-Encoding") is None
        self.server.gate.wait(20)
        self.server.paths.append(self.path)
        if self.server.status == 200:
            self.server.bodies.append(body)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _plain(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(v) for v in value.array_value.values]
    return getattr(value, kind) if kind else None


@contextmanager
def collecting(status: int = 200) -> Iterator[Collector]:
    """Runs a collector while the block lasts."""
    server = Collector(status)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.gate.set()
        server.shutdown()
        server.server_close()
