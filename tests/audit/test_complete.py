"""Every kind of thing the trail promises to hold is written by the action that does it.

One table: what must be in the trail, and what in a record shows it. One run of the company does all
of it, in the order in which a day goes.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from audit import EVENT_TYPES, AuditLog, Message, Record
from tests.company import EMAIL, SALARY, SURNAME, Company, make_company
from ui import signintrail
from ui.auditing import reading
from ui.webparts import SignInEvent

Event = dict[str, Any]
Shows = Callable[[Event], object]


def part(name: str, *fields: str) -> Shows:
    return lambda event: all(event.get(name, {}).get(field) not in (None, "") for field in fields)


def of_type(type_: str, *more: Shows) -> Shows:
    return lambda event: event["type"] == type_ and all(shows(event) for shows in more)


def facts(name: str, field: str, value: object) -> Shows:
    return lambda event: event.get(name, {}).get(field) == value


def by(field: str, value: str) -> Shows:
    return lambda event: event["actor"].get(field) == value


def outcome(value: str) -> Shows:
    return lambda event: event["outcome"] == value


KINDS: dict[str, Shows] = {
    "a question": of_type("request.received", part("message", "question")),
    "on whose behalf the agent acts": of_type("agent.started", part("actor", "on_behalf_of")),
    "the model's plan": of_type("agent.message", part("message", "plan")),
    "the model's stated reason": of_type("policy.decided", part("agent", "reason_summary")),
    "a tool call asked for": of_type("agent.step", part("agent", "tool", "tool_call", "tool_args")),
    "an unknown tool": of_type("agent.step", outcome("denied"), facts("agent", "tool", "execute")),
    "a malformed call": of_type(
        "agent.step",
        outcome("denied"),
        facts("agent", "tool", "run_query"),
        lambda event: "malformed" in event["summary"],
    ),
    "a statement without literals": of_type(
        "policy.decided",
        part("action", "statement", "statement_hmac", "template_sha256"),
        lambda event: "?" in event["action"]["statement"],
    ),
    "a decision with its rule and the policy's version": of_type(
        "policy.decided", part("policy", "decision", "rule", "version", "bundle_sha256")
    ),
    "a refusal with its reasons": of_type(
        "policy.decided", facts("policy", "decision", "deny"), part("policy", "reasons")
    ),
    "the limits in force": of_type("query.intent", part("limits", "max_rows", "timeout_ms")),
    "the limits left": part("limits", "queries_left", "rows_left"),
    "tables and columns read": of_type("policy.decided", part("access", "tables", "columns")),
    "classes of data read": of_type("policy.decided", part("access", "classes")),
    "rows and bytes": of_type("query.executed", part("effect", "rows", "bytes", "intent_id")),
    "masked counts": of_type("query.executed", part("redaction", "counts")),
    "timings": of_type("query.executed", part("timing", "db_us")),
    "an error": of_type("query.failed", part("error", "code")),
    "an answer": of_type("answer.returned", part("message", "answer")),
    "a typed statement": of_type("request.received", facts("action", "kind", "statement")),
    "a typed change": of_type("request.received", facts("action", "kind", "change")),
    "a turn that ended without an answer": of_type("agent.failed"),
    "a proposal": of_type("approval.requested", part("approval", "id", "fingerprint", "reason")),
    "an approval with approver and fingerprint": of_type(
        "approval.decided",
        facts("approval", "decision", "approved"),
        part("approval", "by", "fingerprint"),
    ),
    "a rejection": of_type("approval.decided", facts("approval", "decision", "rejected")),
    "an application": of_type("query.executed", part("effect", "updated"), part("action", "kind")),
    "an undo": of_type("query.undone", part("effect", "undo_id")),
    "a sign-in": of_type("session.started", part("actor", "id", "ip_prefix")),
    "a sign-out": of_type("session.ended"),
    "a failed sign-in": of_type("auth.failed", outcome("denied")),
    "a policy in force": of_type("config.changed", facts("config", "kind", "policy")),
    "the trail was looked at": of_type("audit.viewed"),
    "the trail was searched": of_type("audit.searched", part("read", "filters")),
    "the trail was verified": of_type("audit.verified", part("read", "records")),
    "the trail was exported": of_type("audit.exported", part("export", "format")),
    "an erasure": of_type("erasure.performed", part("config", "name")),
    "a change of the key": of_type("key.rotated", part("key", "old", "new")),
}


class Model:
    """Says what it will do, then makes these calls."""

    def __init__(self) -> None:
        self.calls = [
            ("run_query", {"sql": 7}),
            ("execute", {"sql": "DELETE FROM orders"}),
            ("run_query", {"sql": "SELECT id FROM orders WHERE total > 7", "why": "large orders"}),
            ("run_query", {"sql": "SELECT * FROM salaries", "why": "to see"}),
        ]

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        made = sum(isinstance(m, ModelResponse) for m in messages)
        if made >= len(self.calls):
            return ModelResponse(parts=[TextPart("Four orders.")])
        tool, args = self.calls[made]
        said = TextPart("I shall look at the orders.")
        return ModelResponse(parts=[said, ToolCallPart(tool, args, tool_call_id=f"c{made}")])


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    home = tmp_path_factory.mktemp("day") / "home"
    company = make_company(home)
    try:
        live(company, company.log)
        return list(company.log.tail(10_000))
    finally:
        company.close()


def live(company: Company, log: AuditLog) -> None:
    parts, person = company.parts, company.person("adam")
    for kind in ("session.started", "auth.failed", "session.ended"):
        signintrail.record(log, sign_in(kind, person.id))
    company.ask("large orders", runs=company.runs_with(FunctionModel(Model())))
    company.ask("revenue by country")
    conversation, ana = company.conversation(), company.caller("ana")

    def typed(sql: str, kind: Any = "sql") -> None:
        parts.runs.run(sql, conversation=conversation, caller=ana, kind=kind, reason="a reason")

    typed("SELECT last_name, email FROM customers WHERE country = 'Spain'")
    typed("SELECT nothing FROM nowhere")
    typed("UPDATE orders SET status = 'shipped' WHERE id = 2", "change")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent.runs.run_typed", broken)
        typed("SELECT id FROM orders")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(parts.sources.get("shop").engine), "run", broken)
        typed("SELECT id FROM orders WHERE id = 3")
    reading.viewed(log, person)
    reading.searched(log, person, ("text",))
    reading.verified(log, person, log.verify())
    reading.exported(log, person, "zip", ())
    decide_all(company)
    log.erase("nobody-at-all")
    log.rotate_key()


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def sign_in(kind: Any, account: str) -> SignInEvent:
    return SignInEvent(
        kind=kind,
        account=account,
        roles=frozenset({"admin"}),
        address="192.0.2.7",
        locked_out=False,
    )


def decide_all(company: Company) -> None:
    """Approves, applies and takes back one change; rejects another."""
    review = company.parts.review
    rita = company.caller("rita")
    ana = company.caller("ana", session=company.conversation())
    made = []
    for number in (3, 4):
        sql = f"UPDATE orders SET status = 'shipped' WHERE id = {number}"
        made.append(
            company.parts.gate.propose(sql, source="shop", caller=ana, reason="late").change
        )
    approve(company, made[0], "rita")
    review.apply(made[0], rita)
    review.reject(made[1], rita, "no")
    undo = review.undo(made[0], ana, reason="again")
    approve(company, undo.change, "rob")
    review.apply(undo.change, company.caller("rob"))


def approve(company: Company, change: int, name: str) -> None:
    who = company.caller(name)
    view = company.parts.review.inbox.view(change, who)
    company.parts.review.approve(
        change, who, fingerprint=view.fingerprint or "", version=view.version
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_trail_holds(day: list[Record], kind: str) -> None:
    events = [json.loads(record.line)["event"] for record in day]
    assert any(KINDS[kind](event) for event in events), sorted({e["type"] for e in events})


ROOT = Path(__file__).parents[2]
TABLES = {"audit/event.py", "audit/ocsf.py", "audit/flood.py", "audit/verify.py"}
"""Files that name event types and write none; so does what shows them."""


def named_where_events_are_written() -> set[str]:
    found: set[str] = set()
    for package in ("agent", "audit", "commands", "guard", "ui"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name not in TABLES and not name.startswith("ui/auditing/s"):
                nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                found |= {
                    n.value for n in nodes if isinstance(n, ast.Constant) and n.value in EVENT_TYPES
                }
    return found


def test_every_event_type_has_a_writer():
    """A type that nobody writes promises an auditor something that never comes."""
    assert named_where_events_are_written() == EVENT_TYPES


def test_no_canary_is_in_the_trail_of_a_day(day: list[Record]) -> None:
    text = "\n".join(record.line for record in day).casefold()
    for canary in (EMAIL, SURNAME, str(SALARY)):
        assert canary.casefold() not in text


def test_nobodys_name_is_in_the_trail_of_a_day(day: list[Record]) -> None:
    """People are pseudonyms; what resolves them is the table of accounts, which can be erased."""
    text = "\n".join(record.line for record in day)
    for name in ("Ana Lopez", "Rita Jones", "Adam Kent", "Rob Diaz"):
        assert name not in text


def test_every_event_says_who_and_when_and_by_which_program(day: list[Record]) -> None:
    for record in day:
        event = json.loads(record.line)["event"]
        assert event["actor"]["id"]
        assert event["app"]["boot"]
        assert event["time"].endswith("Z")


def test_every_statement_sent_has_an_intent_before_and_an_outcome_after(day: list[Record]) -> None:
    opened: dict[str, int] = {}
    for record in day:
        event = record.event
        if event.type == "query.intent":
            opened[event.id] = record.seq
        elif event.closes is not None:
            assert opened.pop(event.closes) < record.seq
    assert opened == {}


def test_what_takes_a_change_back_is_in_the_session_of_the_change(day: list[Record]) -> None:
    changes = [json.loads(r.line)["event"] for r in day if '"kind":"change"' in r.line]
    [session] = {e["session"] for e in changes if e["type"] == "query.undone"}
    undo = [e for e in changes if e["action"].get("statement", "").startswith("undo of request")]
    assert {"approval.requested", "approval.decided", "query.executed"} <= {e["type"] for e in undo}
    assert {e.get("session") for e in undo} == {session}


def test_a_question_is_redacted_before_it_is_written(company: Company) -> None:
    company.ask(f"who is {EMAIL}?")
    asked = [r.event.part(Message) for r in company.log.tail(50)]
    said = [m.question for m in asked if m and m.question]
    assert said
    assert all(EMAIL not in q for q in said)


def test_the_folder_of_the_log_holds_no_canary(company: Company, tmp_path: Path) -> None:
    company.ask(f"orders of {SURNAME} <{EMAIL}>")
    company.log.export(tmp_path / "export")
    company.log.flush()
    for folder in (company.home / "audit", tmp_path / "export"):
        for path in folder.rglob("*"):
            if path.is_file():
                assert EMAIL.encode() not in path.read_bytes(), path
