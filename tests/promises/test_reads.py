"""What must always hold, tried on the whole: reads, denials, personal data, the record."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from audit import AuditEvent, AuditLog, Unavailable
from guard import Need, Refused
from redaction import RedactionError
from store import accounts
from tests.company import EMAIL, SALARY, SURNAME, Company

LEAKS = [
    "SELECT email, last_name FROM customers",
    "SELECT upper(email), substr(last_name, 1, 3) FROM customers",
    "SELECT reverse_me FROM (SELECT group_concat(last_name) AS reverse_me FROM customers)",
    "SELECT email AS country FROM customers",
    "SELECT min(email), max(last_name) FROM customers",
    "WITH c AS (SELECT email AS x FROM customers) SELECT x FROM c",
    "SELECT body FROM tickets",
    "SELECT hex(email) FROM customers",
    "SELECT CASE WHEN email LIKE 'q%' THEN 1 ELSE 0 END FROM customers",
]


def shown(company: Company, sql: str, name: str = "ana") -> str:
    """Returns everything a person and a model would be shown of a statement."""
    caller = company.caller(name, "agent", session="s")
    try:
        result = company.parts.gate.query(sql, source="shop", caller=caller)
    except Refused as refused:
        return str(refused.refusal)
    assert result.for_model is not None
    return f"{result.rows()} {result.for_model.to_pylist()} {result.columns}"


@pytest.mark.parametrize("sql", LEAKS)
def test_promise_08_pii_stays_in(company: Company, sql: str) -> None:
    seen = shown(company, sql)
    assert EMAIL not in seen
    assert SURNAME not in seen
    assert EMAIL.encode().hex().upper() not in seen


def test_promise_08_pii_stays_out_of_the_log_and_the_store(company: Company) -> None:
    company.ask(f"orders of {EMAIL}")
    for sql in [*LEAKS, f"SELECT id FROM customers WHERE email = '{EMAIL}'", f"SELEC '{EMAIL}'"]:
        shown(company, sql)
    company.log.flush()
    for path in (company.home / "audit").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert EMAIL.encode() not in data, path
            assert SURNAME.encode() not in data, path


def test_promise_08_a_failing_redaction_shows_nothing(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RedactionError("broken")

    monkeypatch.setattr("guard.masking.redact_table", fail)
    with pytest.raises(Refused) as caught:
        company.parts.gate.query(
            "SELECT country FROM customers", source="shop", caller=company.caller("ana")
        )
    assert caught.value.refusal.rule == "redaction.failed"
    assert company.events()[-1] == "query.failed"


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT * FROM salaries", "table.not_allowed"),
        ("SELECT * FROM no_such_table", "table.not_allowed"),
        ("SELECT mystery(1)", "function.unknown"),
        ("SELECT country FROM customers WHERE email LIKE 'a%'", "masked.predicate"),
        ("SELECT count(*) FROM customers GROUP BY last_name", "masked.predicate"),
        ("DELETE FROM orders", "write.held"),
        ("DROP TABLE orders", "never.ddl"),
        ("ATTACH 'x' AS y", "never.admin"),
        ("BEGIN", "never.session"),
    ],
)
def test_promise_11_a_denial_is_an_answer(company: Company, sql: str, rule: str) -> None:
    before = company.content()
    with pytest.raises(Refused) as caught:
        company.parts.gate.query(sql, source="shop", caller=company.caller("ana"))
    refusal = caught.value.refusal
    assert refusal.rule == rule
    assert refusal.reason.endswith(".")
    assert str(SALARY) not in str(refusal)
    assert company.events()[-1] == "policy.decided"
    assert company.content() == before


def test_a_masked_value_cannot_be_written_back(company: Company) -> None:
    caller = company.caller("ana", session="s")
    shown = company.parts.gate.query(
        "SELECT email FROM customers WHERE id = 1", source="shop", caller=caller
    )
    token = shown.rows()[0][0]
    for sql in (
        f"UPDATE customers SET email = '{token}' WHERE id = 2",
        f"UPDATE customers SET country = 'Chile' WHERE email = '{token}'",
        f"INSERT INTO orders(status) VALUES ('{token}')",
    ):
        for send in (company.parts.gate.query, company.parts.gate.propose):
            with pytest.raises(Refused) as caught:
                send(sql, source="shop", caller=caller, **_reason(send))
            assert caught.value.refusal.rule == "masked.token"


def _reason(send: object) -> dict[str, str]:
    return {"reason": "tidy up"} if getattr(send, "__name__", "") == "propose" else {}


def test_promise_11_a_denial_says_what_could_be_granted(company: Company) -> None:
    with pytest.raises(Refused) as caught:
        company.parts.gate.query(
            "SELECT * FROM salaries", source="shop", caller=company.caller("ana")
        )
    assert caught.value.refusal.access_request == Need(
        kind="table", source="shop", table="salaries"
    )
    assert caught.value.refusal.alternative


def test_promise_02_an_exception_in_the_guard_is_a_refusal(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    for step in (
        "guard.judging.parse",
        "guard.judging.classify",
        "guard.judging.decide",
        "guard.judging.check_text",
        "guard.clearance.check_tool",
        "guard.clearance.judge",
        "guard.remembered.Remembered.footing",
        "guard.remembered.Remembered.read",
        "guard.source.Source.catalog",
    ):
        with monkeypatch.context() as patch:
            patch.setattr(step, fail)
            before = len(company.events())
            with pytest.raises(Refused) as caught:
                company.parts.gate.query("SELECT 1", source="shop", caller=company.caller("ana"))
            assert caught.value.refusal.rule == "guard.failed", step
            assert company.events()[before:] == ["policy.decided"], step
    with monkeypatch.context() as patch:
        patch.setattr("guard.clearance.rewrite", fail)
        with pytest.raises(Refused) as caught:
            company.parts.gate.query("SELECT 1", source="shop", caller=company.caller("ana"))
        assert caught.value.refusal.rule == "guard.failed"
    assert "query.intent" not in company.events()


def test_what_an_account_sends_that_may_not_act_any_more_is_recorded(company: Company) -> None:
    caller = company.caller("ana")
    with company.store.write() as conn:
        accounts.set_disabled(conn, caller.principal.id, disabled=True)
    for send in (company.parts.gate.query, company.parts.gate.propose):
        before = len(company.events())
        with pytest.raises(Refused) as caught:
            send("SELECT 1", source="shop", caller=caller, **_reason(send))
        assert caught.value.refusal.rule == "person.disabled"
        assert company.events()[before:] == ["policy.decided"]


def test_promise_09_recorded_before_it_happens(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = company.parts.sources.get("shop").engine
    seen: list[str] = []
    run = engine.run

    def watch(*args: object) -> object:
        seen.extend(company.events()[-1:])
        return run(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "run", watch)
    company.parts.gate.query("SELECT 1", source="shop", caller=company.caller("ana"))
    assert seen == ["query.intent"]
    assert company.events()[-3:] == ["policy.decided", "query.intent", "query.executed"]


@pytest.mark.parametrize("failing", ["policy.decided", "query.intent"])
def test_promise_09_without_the_log_nothing_runs(
    company: Company, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    engine = company.parts.sources.get("shop").engine
    engine.reflect()
    ran: list[str] = []
    monkeypatch.setattr(engine, "run", lambda *_: ran.append("ran"))
    append = AuditLog.append_many

    def broken(self: AuditLog, events: Sequence[AuditEvent]) -> object:
        if failing in [event.type for event in events]:
            raise Unavailable("The disk is full.")
        return append(self, events)

    monkeypatch.setattr(AuditLog, "append_many", broken)
    with pytest.raises(Unavailable):
        company.parts.gate.query("SELECT 1", source="shop", caller=company.caller("ana"))
    assert ran == []


def test_promise_01_every_consumer_gets_the_same_redacted_rows(company: Company) -> None:
    sql = "SELECT id, email FROM customers"
    conversation = company.conversation()
    turn, answer = company.parts.runs.run(
        sql, conversation=conversation, caller=company.caller("ana", "sql"), kind="sql"
    )
    from store import steps
    from ui.exports import exporters
    from ui.webparts import ExportRequest

    assert answer.query is not None
    with company.store.read() as conn:
        kept = steps.get(conn, turn, answer.query)
    exporter = exporters(lambda: company.parts, lambda: company.log, lambda: company.store)[
        "result"
    ]
    asked = ExportRequest(principal=company.person("ana"), name=turn, query={})
    export = exporter.make(asked)
    assert export is not None
    text = b"".join(export.chunks).decode()
    assert EMAIL not in text
    assert EMAIL not in (kept.result_json or "")
    other = ExportRequest(principal=company.person("rita"), name=turn, query={})
    assert exporter.make(other) is None


def test_a_row_filter_keeps_a_person_to_their_rows(company: Company) -> None:
    caller = company.caller("gerd")
    for sql in (
        "SELECT country FROM customers",
        "SELECT c.country FROM orders o JOIN customers c ON c.id = o.customer_id",
        "SELECT country FROM customers UNION ALL SELECT country FROM customers",
    ):
        result = company.parts.gate.query(sql, source="shop", caller=caller)
        assert {row[0] for row in result.rows()} == {"Germany"}
    total = company.parts.gate.query("SELECT count(*) FROM orders", source="shop", caller=caller)
    assert total.rows() == [[2]]


def test_rights_are_looked_up_at_every_call(company: Company) -> None:

    caller = company.caller("ana")
    company.parts.gate.query("SELECT 1", source="shop", caller=caller)
    with company.store.write() as conn:
        accounts.set_disabled(conn, caller.principal.id, disabled=True)
    with pytest.raises(Refused) as caught:
        company.parts.gate.query("SELECT 1", source="shop", caller=caller)
    assert caught.value.refusal.rule == "person.disabled"


def test_a_cut_result_says_so(company: Company) -> None:
    result = company.parts.gate.query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
        "SELECT i FROM n",
        source="shop",
        caller=company.caller("ana"),
    )
    assert (result.truncated, result.limit, result.table.num_rows) == (True, 1000, 1000)


def test_calls_a_minute_are_capped(company: Company) -> None:
    policy = company.parts.policy
    limits = policy.limits.model_copy(update={"calls_per_minute": 2})
    company.enforce(policy.model_copy(update={"limits": limits}))
    for _ in range(2):
        company.parts.gate.query("SELECT 1", source="shop", caller=company.caller("ana"))
    with pytest.raises(Refused) as caught:
        company.parts.gate.query("SELECT 1", source="shop", caller=company.caller("ana"))
    assert caught.value.refusal.rule == "limit.calls_per_minute"
    company.parts.gate.query("SELECT 1", source="shop", caller=company.caller("rita"))
