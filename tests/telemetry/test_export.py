"""Runs as spans at a real collector: what arrives, what never does, and that it hurts nobody."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydantic_ai.models
import pytest

import telemetry
from agent import TemplateCall
from guard import ConfigurationError
from guard.logtext import log_safe
from store import turns
from telemetry.spans import ATTRIBUTES, CONTENT
from tests.agent.sse import Fail, Say, runs_against, serving
from tests.company import EMAIL, SALARY, SURNAME, Company, make_company
from tests.guard.test_templates import WITH
from tests.telemetry.collector import Collector, Got, collecting
from ui.checklist import run_checks
from ui.parts import open_parts

ROOT = Path(__file__).resolve().parents[2]
ASKED = "zqaskedcanary"
LITERAL = "zqliteralcanary"
TABLE = "zqtablecanary"
TOOL = "zqtoolcanary"
WHY = "zqwhycanary"
SPOKEN = "zqspokencanary"
CANARIES = (
    EMAIL,
    SURNAME,
    str(SALARY),
    ASKED,
    LITERAL,
    TABLE,
    TOOL,
    WHY,
    SPOKEN,
    "Ana Lopez",
)
"""What people, models and sources say: none of it may arrive. Each is said in the run below."""


@pytest.fixture(autouse=True)
def _off_again() -> Iterator[None]:
    with pydantic_ai.models.override_allow_model_requests(True):
        yield
    telemetry.close()


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    made = make_company(tmp_path / "home", WITH)
    yield made
    made.close()


def on(collector: Collector, **more: str) -> None:
    telemetry.configure_from(
        {"GATEHOUSE_TELEMETRY": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **more},
        log_safe,
    )


RUN = (
    Say(
        text=f"{SPOKEN} plan.",
        calls=[
            (TOOL, {"sql": f"SELECT '{LITERAL}'"}),
            (
                "run_query",
                {
                    "sql": "SELECT last_name, email, country FROM customers "
                    f"WHERE country <> '{LITERAL}'",
                    "why": WHY,
                },
            ),
            ("by_country", {"country": LITERAL}),
        ],
        usage=(120, 30),
    ),
    Say(
        text=SPOKEN,
        calls=[
            ("run_query", {"sql": "SELECT body FROM tickets", "why": WHY}),
            ("run_query", {"sql": f"SELECT * FROM {TABLE}", "why": f"{SURNAME} {EMAIL}"}),
            ("run_query", {"sql": "SELECT amount FROM salaries", "why": WHY}),
        ],
        usage=(200, 10),
    ),
)


def run(company: Company) -> tuple[str, str]:
    """A run with every kind of step, that ends by a denial; returns its turn and status."""
    with serving(*RUN) as model:
        runs = runs_against(company, model)
        turn, answer = company.ask(f"Who is {ASKED} ({EMAIL})?", runs=runs)
        runs.close()
    company.parts.runs.run(
        TemplateCall(template="by_country", arguments={"country": LITERAL}).text(),
        conversation=company.conversation(),
        caller=company.caller("ana", "sql"),
        kind="template",
        reason=WHY,
    )
    return turn, answer.status


def arrived(collector: Collector) -> list[Got]:
    telemetry.close()
    return collector.spans()


def named(spans: list[Got], name: str) -> list[Got]:
    return [s for s in spans if s.name == name]


def test_a_run_arrives_as_a_tree_of_spans(company: Company) -> None:
    with collecting() as collector:
        on(collector)
        turn, status = run(company)
        spans = arrived(collector)
    assert status == "refused"
    assert set(collector.paths) == {"/v1/traces"}
    (whole,) = named(spans, "invoke_agent gatehouse")
    assert whole.attributes == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "gatehouse",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.conversation.id": conversation_of(company, turn),
        "gatehouse.turn": turn,
        "gatehouse.channel": "agent",
        "gatehouse.resumes": 0,
        "gatehouse.status": "refused",
        "gatehouse.rule": "table.not_allowed",
        "db.namespace": "shop",
    }
    chats = named(spans, "chat m")
    assert [
        (c.attributes["gen_ai.usage.input_tokens"], c.attributes["gen_ai.usage.output_tokens"])
        for c in chats
    ] == [(120, 30), (200, 10)]
    assert {c.parent for c in chats} == {whole.id}
    tools = [s for s in spans if s.name.startswith("execute_tool ")]
    ran = [(t.name, t.attributes["gen_ai.tool.call.id"]) for t in tools]
    assert ran[:4] == [
        ("execute_tool run_query", "r0-2"),
        ("execute_tool by_country", "r0-3"),
        ("execute_tool run_query", "r1-1"),
        ("execute_tool run_query", "r1-2"),
    ]
    assert [t.attributes["gatehouse.decision"] for t in tools] == ["allow"] * 3 + ["deny"]
    assert {t.parent for t in tools} == {whole.id}
    guards = {s.parent: s for s in spans if s.name.startswith("guard ")}
    seen = [
        (g.attributes["gatehouse.rule"], g.attributes.get("gatehouse.tables"))
        for g in (guards[t.id] for t in tools)
    ]
    assert seen == [
        ("read.select", ["customers"]),
        ("read.select", ["customers"]),
        ("read.select", ["tickets"]),
        ("table.not_allowed", None),
    ]
    reads = named(spans, "SELECT shop")
    allowed = [guards[t.id] for t in tools if t.attributes["gatehouse.decision"] == "allow"]
    assert {r.parent for r in reads} >= {g.id for g in allowed}
    assert [r.attributes["db.response.returned_rows"] for r in reads[:3]] == [3, 0, 2]
    assert {r.attributes["db.system.name"] for r in reads} == {"sqlite"}
    assert {s.trace for s in (*chats, *tools, *allowed)} == {whole.trace}
    assert all(s.took_ns > 0 for s in spans)
    assert whole.took_ns > sum(c.took_ns for c in chats)
    (typed,) = named(spans, "typed template")
    assert typed.attributes["gatehouse.status"] == "answered"


def conversation_of(company: Company, turn: str) -> str:
    with company.store.read() as conn:
        return turns.get(conn, turn).conversation


def test_promise_08_no_content_leaves_as_telemetry(company: Company) -> None:
    with collecting() as collector:
        on(collector)
        run(company)
        spans = arrived(collector)
        sent = collector.everything()
    assert len(spans) > 10
    assert {key for span in spans for key in span.attributes} <= ATTRIBUTES
    for canary in CANARIES:
        assert canary.encode() not in sent, canary
    # Each was there to be leaked: the trail or the answer of the source has it.
    assert ASKED in str([r.event.parts for r in company.log.tail(10_000)])


def test_promise_08_content_is_sent_on_demand_only_and_redacted(company: Company) -> None:
    with collecting() as collector:
        on(collector, GATEHOUSE_TELEMETRY_CONTENT="on")
        run(company)
        spans = arrived(collector)
        sent = collector.everything()
    keys = {key for span in spans for key in span.attributes}
    assert keys - ATTRIBUTES == CONTENT
    assert ASKED.encode() in sent
    assert WHY.encode() in sent
    (whole,) = named(spans, "invoke_agent gatehouse")
    assert ASKED in str(whole.attributes["gen_ai.input.messages"])
    for canary in (EMAIL, str(SALARY)):
        assert canary.encode() not in sent, canary
    # A statement goes without its values.
    said = [str(s.attributes["db.query.text"]) for s in spans if "db.query.text" in s.attributes]
    assert any("WHERE country <> ?" in text for text in said)
    assert not any(LITERAL in text for text in said)


def test_what_cannot_be_redacted_is_left_out(company: Company) -> None:
    def fails(_: str) -> str:
        raise ValueError(ASKED)

    with collecting() as collector:
        telemetry.configure_from(
            {
                "GATEHOUSE_TELEMETRY": "on",
                "GATEHOUSE_TELEMETRY_CONTENT": "on",
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            },
            fails,
        )
        run(company)
        spans = arrived(collector)
    assert len(spans) > 10
    assert not {key for span in spans for key in span.attributes} & CONTENT


def test_a_model_that_fails_is_a_span_with_a_class_of_error_and_no_text(company: Company) -> None:
    with collecting() as collector, serving(Fail(status=429, retry_after="60")) as model:
        on(collector)
        runs = runs_against(company, model)
        company.ask(f"{ASKED}?", runs=runs)
        runs.close()
        spans = arrived(collector)
    (chat,) = named(spans, "chat m")
    assert str(chat.attributes["error.type"]).startswith("Model")
    assert ASKED.encode() not in collector.everything()


@pytest.mark.parametrize(
    ("variables", "content"), [({}, False), ({"GATEHOUSE_TELEMETRY_CONTENT": "on"}, True)]
)
def test_the_checklist_says_where_spans_go(
    company: Company, variables: dict[str, str], content: bool
) -> None:
    with collecting() as collector:
        on(collector, **variables)
        assert telemetry.now() == telemetry.Now(host="127.0.0.1", content=content, installed=True)
        [said] = [c.name for c in run_checks(company.parts) if "elemetry" in c.name]
        what = "redacted content" if content else "no content"
        assert said == f"Telemetry is on: spans with {what} go to 127.0.0.1"
    telemetry.close()
    assert telemetry.now() == telemetry.Now(host=None, content=False, installed=True)


@pytest.mark.parametrize("variables", [{}, {"GATEHOUSE_TELEMETRY": "off"}], ids=["unset", "off"])
def test_without_the_switch_nothing_is_sent(company: Company, variables: dict[str, str]) -> None:
    with collecting() as collector:
        telemetry.configure_from(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **variables}, log_safe
        )
        run(company)
        assert arrived(collector) == []
        on(collector, OTEL_SDK_DISABLED="true")
        run(company)
        on(collector, OTEL_TRACES_EXPORTER="none")
        run(company)
        assert arrived(collector) == []
    assert collector.paths == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "OTEL_EXPORTER_OTLP_ENDPOINT is no http or https address"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "no http or https address"),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            },
            "only http/protobuf",
        ),
        ({"GATEHOUSE_TELEMETRY": "perhaps"}, "GATEHOUSE_TELEMETRY is neither on nor off"),
    ],
)
def test_a_setting_that_cannot_be_used_is_said_at_the_start(
    company: Company, variables: dict[str, str], said: str
) -> None:
    given = {"GATEHOUSE_TELEMETRY": "on", **variables}
    with pytest.raises(ConfigurationError, match=said):
        open_parts(company.home, company.store, company.log, given)


def test_without_its_packages_the_switch_says_what_to_install() -> None:
    script = (
        "import sys\nsys.modules['opentelemetry.sdk'] = None\nimport telemetry\n"
        "try:\n    telemetry.configure_from({'GATEHOUSE_TELEMETRY': 'on', "
        "'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:1'}, str)\n"
        "except telemetry.TelemetryError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "pip install 'gatehouse[otel]'" in done.stdout


@pytest.mark.parametrize("how", ["refused", "failing", "silent"])
def test_a_collector_that_fails_hurts_no_run(company: Company, how: str) -> None:
    with collecting(500 if how == "failing" else 200) as collector, _closed_port() as nobody:
        if how == "silent":
            collector.gate.clear()
        url = f"http://127.0.0.1:{nobody}" if how == "refused" else collector.url
        telemetry.configure_from(
            {"GATEHOUSE_TELEMETRY": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": url}, log_safe
        )
        turn, status = run(company)
        assert status == "refused"
        ended = threading.Event()
        threading.Thread(target=lambda: (telemetry.close(), ended.set()), daemon=True).start()
        assert ended.wait(30), "a shutdown waits for no collector"
    with company.store.read() as conn:
        assert turns.get(conn, turn).state == "done"


@contextmanager
def _closed_port() -> Iterator[int]:
    """A port on which nobody listens, kept from others while the block lasts."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def test_a_fault_of_the_exporter_is_not_the_runs(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry.sdk.trace import Tracer

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    with collecting() as collector:
        on(collector)
        monkeypatch.setattr(Tracer, "start_span", broken)
        _, status = run(company)
        assert status == "refused"
        assert arrived(collector) == []


def test_no_library_sends_spans_of_its_own(company: Company) -> None:
    from opentelemetry import trace

    with collecting() as collector:
        on(collector)
        run(company)
        assert "sdk" not in type(trace.get_tracer_provider()).__module__
        names = {s.name.partition(" ")[0] for s in arrived(collector)}
    assert names == {"invoke_agent", "chat", "execute_tool", "guard", "SELECT", "typed"}


def test_the_docs_name_every_attribute_that_may_be_sent() -> None:
    said = (ROOT / "docs" / "telemetry.md").read_text()
    assert not [key for key in ATTRIBUTES | CONTENT if f"`{key}`" not in said]
