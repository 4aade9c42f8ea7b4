"""A local server that speaks the OpenAI protocol with streaming, and fails in every way it can."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from agent import Analyst, Runs
from agent import choose as choose_model
from tests.company import Company

Call = tuple[str, Mapping[str, object] | str]
"""A tool's name and its arguments; a text is sent as it is, JSON or not."""


@dataclass(frozen=True, kw_only=True)
class Say:
    """One answer: text, then calls, then how it ends.

    `cut` breaks the connection off after so many pieces; `ends` is False for a stream that ends
    tidily but without its end marker. `streams` is False for a server that knows no streams. `ids`
    are sent as call ids. `usage` is (input, output). So many pieces are sent as `ahead` says before
    the server's gate has to be open.
    """

    text: str = ""
    calls: Sequence[Call] = ()
    ids: Sequence[str] = ()
    cut: int | None = None
    ends: bool = True
    streams: bool = True
    usage: tuple[int, int] | None = (100, 20)
    pieces: int = 8
    pause: float = 0.0
    ahead: int = 0


@dataclass(frozen=True, kw_only=True)
class Fail:
    """One answer: an error of HTTP."""

    status: int
    retry_after: str | None = None


@dataclass(frozen=True, kw_only=True)
class Raw:
    """One answer: these bytes as the body of a 200."""

    body: bytes
    type: str = "text/event-stream"


Answer = Say | Fail | Raw
Choose = Callable[[str], Answer]
"""From the body of a request to its answer."""


class ModelServer(ThreadingHTTPServer):
    """Gives the answers in order, the last one again and again, and keeps all it was sent.

    With `choose` the request decides instead, so that many can ask at once.
    """

    daemon_threads = True

    def __init__(self, answers: Sequence[Answer], choose: Choose | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.choose = choose
        self.answers = list(answers)
        self.requests: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self._lock = threading.Lock()

    @property
    def setting(self) -> str:
        """What `GATEHOUSE_MODEL` must say."""
        return f"http://127.0.0.1:{self.server_port}/v1#m"

    def next(self, request: str) -> Answer:
        """Returns the answer to the next request."""
        with self._lock:
            self.requests.append(request)
            if self.choose is not None:
                return self.choose(request)
            return self.answers[min(len(self.requests), len(self.answers)) - 1]


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers["Content-Length"])).decode()
        match self.server.next(request):
            case Fail(status=status, retry_after=after):
                self._whole(status, b'{"error": {"message": "no"}}', "application/json", after)
            case Raw(body=body, type=type_):
                self._whole(200, body, type_, None)
            case Say() as say:
                if say.streams and json.loads(request).get("stream"):
                    self._stream(say)
                else:
                    self._whole(
                        200, json.dumps(_completion(say)).encode(), "application/json", None
                    )

    def _whole(self, status: int, body: bytes, type_: str, after: str | None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(body)))
        if after is not None:
            self.send_header("Retry-After", after)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, say: Say) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for sent, event in enumerate(_events(say)):
            if say.cut is not None and sent == say.cut:
                self.close_connection = True
                self.connection.close()
                return
            if sent >= say.ahead:
                self.server.gate.wait(10)
            if say.pause:
                threading.Event().wait(say.pause)
            self._chunk(f"data: {event}\n\n".encode())
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _arguments(call: Call) -> str:
    return call[1] if isinstance(call[1], str) else json.dumps(call[1])


def _id(say: Say, number: int) -> str:
    return say.ids[number] if number < len(say.ids) else f"t{number}"


def _split(text: str, pieces: int) -> Iterator[str]:
    size = max(1, -(-len(text) // pieces))
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _events(say: Say) -> Iterator[str]:
    def event(delta: Mapping[str, object], finish: str | None = None) -> str:
        return json.dumps(
            {
                "id": "c",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            }
        )

    yield event({"role": "assistant", "content": ""})
    for piece in _split(say.text, say.pieces):
        yield event({"content": piece})
    for number, call in enumerate(say.calls):
        function: dict[str, object] = {"name": call[0], "arguments": ""}
        head = {"index": number, "id": _id(say, number), "type": "function", "function": function}
        yield event({"tool_calls": [head]})
        for piece in _split(_arguments(call), say.pieces):
            yield event({"tool_calls": [{"index": number, "function": {"arguments": piece}}]})
    if not say.ends:
        return
    yield event({}, "tool_calls" if say.calls else "stop")
    if say.usage is not None:
        yield json.dumps(
            {
                "id": "c",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "m",
                "choices": [],
                "usage": _usage(say.usage),
            }
        )
    yield "[DONE]"


def _usage(usage: tuple[int, int]) -> dict[str, int]:
    return {
        "prompt_tokens": usage[0],
        "completion_tokens": usage[1],
        "total_tokens": sum(usage),
    }


def _completion(say: Say) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": say.text}
    if say.calls:
        message["tool_calls"] = [
            {
                "id": _id(say, n),
                "type": "function",
                "function": {"name": call[0], "arguments": _arguments(call)},
            }
            for n, call in enumerate(say.calls)
        ]
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "tool_calls" if say.calls else "stop",
            }
        ],
        "usage": _usage(say.usage or (0, 0)),
    }


@contextmanager
def serving(*answers: Answer, choose: Choose | None = None) -> Iterator[ModelServer]:
    """Runs a server with these answers while the block lasts."""
    server = ModelServer(answers, choose)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.gate.set()
        server.shutdown()
        server.server_close()


def runs_against(company: Company, server: ModelServer, workers: int = 4) -> Runs:
    """Returns runs whose model is that server."""
    return runs_at(company, server.setting, workers=workers)


def runs_at(
    company: Company,
    setting: str,
    environment: Mapping[str, str] | None = None,
    workers: int = 4,
) -> Runs:
    """Returns runs whose model is what `GATEHOUSE_MODEL` would say."""
    analyst = Analyst(
        gate=company.parts.gate,
        log=company.log,
        choice=choose_model(setting),
        vocabularies=company.parts.vocabularies,
        environment=environment or {},
        budget=company.parts.models,
    )
    parts = company.parts
    return Runs(company.store, analyst, parts.gate, parts.people.by_id, workers=workers)
