"""Which model answers, and one real server that speaks the OpenAI protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pydantic_ai.models
import pytest

from agent import Analyst, Runs, choose
from agent.models import build
from guard import ConfigurationError
from tests.company import EMAIL, SURNAME, Company


@pytest.mark.parametrize(
    ("setting", "label"),
    [
        (None, "Rule-based planner, no AI model"),
        ("offline", "Rule-based planner, no AI model"),
        ("anthropic:some-model", "some-model (anthropic)"),
        ("ollama:llama3.1", "llama3.1 (ollama)"),
        ("https://models.example/v1#big", "big at models.example"),
    ],
)
def test_the_setting_names_a_model(setting: str | None, label: str) -> None:
    assert choose(setting).label == label


@pytest.mark.parametrize("setting", ["gpt", "openai:", "https://models.example/v1", "x:y"])
def test_an_unknown_model_is_refused_with_the_forms(setting: str) -> None:
    with pytest.raises(ConfigurationError, match="Use offline"):
        choose(setting)


@pytest.mark.parametrize("provider", ["anthropic", "openai", "google"])
def test_a_missing_key_is_named(provider: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{provider.upper()}_API_KEY"):
        build(choose(f"{provider}:some-model"), {})


class Server(ThreadingHTTPServer):
    """Answers chat completions from a script and keeps what it was sent."""

    def __init__(self, script: list[dict[str, object]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.requests: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.requests.append(self.rfile.read(length).decode())
        message = self.server.script[min(len(self.server.requests), len(self.server.script)) - 1]
        finish = "tool_calls" if "tool_calls" in message else "stop"
        body = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def call(name: str, **args: object) -> dict[str, object]:
    function = {"name": name, "arguments": json.dumps(args)}
    tool = {"id": "t1", "type": "function", "function": function}
    return {"role": "assistant", "content": "I look at the people.", "tool_calls": [tool]}


@pytest.fixture
def server() -> Iterator[Server]:
    script = [
        call("run_query", sql="SELECT last_name, email, country FROM customers", why="people"),
        {"role": "assistant", "content": "There are three people."},
    ]
    served = Server(script)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()


def test_a_server_that_speaks_the_openai_protocol_answers_through_the_guard(
    company: Company, server: Server
) -> None:
    choice = choose(f"http://127.0.0.1:{server.server_port}/v1#m")
    analyst = Analyst(
        gate=company.parts.gate,
        log=company.log,
        choice=choice,
        vocabularies=company.parts.vocabularies,
        environment={},
    )
    runs = Runs(company.store, analyst, company.parts.gate)
    with pydantic_ai.models.override_allow_model_requests(True):
        _, answer = company.ask("Who are our customers?", runs=runs)
    runs.close()
    assert answer.status == "answered", answer
    assert answer.text == "There are three people."
    assert answer.interpretation == "I look at the people."
    assert len(server.requests) == 2
    assert "Germany" in server.requests[1]
    for secret in (EMAIL, SURNAME):
        assert not any(secret in request for request in server.requests)


def test_a_server_that_is_away_gives_a_sentence(company: Company) -> None:
    analyst = Analyst(
        gate=company.parts.gate,
        log=company.log,
        choice=choose("http://127.0.0.1:9/v1#m"),
        vocabularies=company.parts.vocabularies,
        environment={},
    )
    runs = Runs(company.store, analyst, company.parts.gate)
    with pydantic_ai.models.override_allow_model_requests(True):
        _, answer = company.ask("Who are our customers?", runs=runs)
    runs.close()
    assert answer.status == "failed"
    assert "model" in answer.text
