"""A server that speaks the OpenAI protocol, follows a script, and keeps all it was sent."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Move = Mapping[str, object]
Script = Mapping[str, Callable[[str], tuple[Move, ...]]]
"""By a word of the question: from the question to what the model does, one move a request."""


def call(name: str, **args: object) -> Move:
    """Returns a move: one tool call."""
    function = {"name": name, "arguments": json.dumps(args)}
    tool = {"id": f"t{abs(hash(str(args))) % 10**8}", "type": "function", "function": function}
    return {"role": "assistant", "content": "I look.", "tool_calls": [tool]}


def query(sql: str) -> Move:
    """Returns a move: one statement."""
    return call("run_query", sql=sql, why="to answer the question")


class ModelServer(ThreadingHTTPServer):
    """After the last move of a script it repeats all that it was told, as a leaking model would."""

    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.requests: list[str] = []

    @property
    def setting(self) -> str:
        """What `GATEHOUSE_MODEL` must say."""
        return f"http://127.0.0.1:{self.server_port}/v1#scripted"

    def answer(self, request: str) -> Move:
        """Returns the next move."""
        messages = json.loads(request)["messages"]
        last = max(i for i, m in enumerate(messages) if m["role"] == "user")
        question = str(messages[last]["content"])
        returned = [str(m["content"]) for m in messages[last:] if m["role"] == "tool"]
        moves = next((s(question) for word, s in self.script.items() if word in question), ())
        if len(returned) < len(moves):
            return moves[len(returned)]
        said = re.sub(r"\s+", " ", " ".join([question, *returned]))
        return {"role": "assistant", "content": f"Here it is. {said}"}


def _piece(delta: Move, finish: str | None = None) -> dict[str, object]:
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.requests.append(request)
        message = self.server.answer(request)
        finish = "tool_calls" if "tool_calls" in message else "stop"
        if json.loads(request).get("stream"):
            self._stream(message, finish)
            return
        body = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "scripted",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, message: Move, finish: str) -> None:
        """Sends the answer in pieces: its text word by word, its calls whole, its end, its use."""
        words = re.findall(r"\S+\s*", str(message["content"]))
        calls = message.get("tool_calls")
        numbered = [
            {"index": n, **c} for n, c in enumerate(calls if isinstance(calls, list) else [])
        ]
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        events: list[Move] = [_piece({"content": word}) for word in words]
        events += [_piece({"tool_calls": [call]}) for call in numbered]
        events += [_piece({}, finish), _piece({}) | {"choices": [], "usage": usage}]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in events:
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def scripted(script: Script) -> Iterator[ModelServer]:
    """Runs the server while the block lasts."""
    server = ModelServer(script)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
