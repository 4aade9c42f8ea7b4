"""Kept questions: private, offered, verified by somebody else, stale; judged for whoever asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from agent import Analyst, Runs
from agent.saved import Questions
from audit import AuditError, ConfigFacts
from guard import Illegal, Refused
from guard.policyfile import parse_policy
from tests.company import EMAIL, POLICY, Company, make_company

QUESTION = "Which states do orders go through?"
SQL = "SELECT status, COUNT(*) AS n FROM orders GROUP BY status ORDER BY status"


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    opened = make_company(tmp_path / "home")
    yield opened
    opened.close()


def questions(company: Company) -> Questions:
    return company.parts.questions


def kept(company: Company, name: str = "ana", question: str = QUESTION, sql: str = SQL) -> int:
    return questions(company).keep("shop", question, sql, company.caller(name)).id


def verified(company: Company, question: str = QUESTION, sql: str = SQL) -> int:
    one = kept(company, question=question, sql=sql)
    questions(company).offer(one, company.caller("ana"))
    questions(company).verify(one, company.caller("rita"))
    return one


def state(company: Company, one: int) -> tuple[str, str]:
    cards = questions(company).mine("shop", company.caller("ana"))
    card = next(c for c in cards if c.id == one)
    return card.state, card.comment


def changes(company: Company) -> list[str]:
    facts = [r.event.part(ConfigFacts) for r in company.log.tail(100)]
    return [str(f.change) for f in facts if f is not None and f.kind == "question"]


def test_nobody_else_sees_a_question_before_it_is_verified(company: Company) -> None:
    one = kept(company)
    desk = questions(company)
    for name in ("gerd", "rita", "adam"):
        caller = company.caller(name)
        assert desk.mine("shop", caller) == ()
        assert desk.verified("shop", caller) == ()
        assert desk.to_verify("shop", caller) == ()
        assert desk.match(QUESTION, "shop", caller) is None
        for act in (desk.offer, desk.verify, desk.remove):
            with pytest.raises((Illegal, Refused)):
                act(one, caller)
        with pytest.raises(Illegal, match="no such question"):
            desk.take_back(one, caller, "why")
    desk.offer(one, company.caller("ana"))
    assert desk.to_verify("shop", company.caller("gerd")) == ()
    assert [c.id for c in desk.to_verify("shop", company.caller("rita"))] == [one]


def test_a_verified_question_answers_first_and_says_who_verified_it(company: Company) -> None:
    before = company.ask(QUESTION)[1]
    assert before.status == "refused"
    verified(company)
    _, answer = company.ask("which  states do ORDERS go through")
    assert answer.status == "answered"
    assert "Verified by Rita Jones on" in answer.text
    assert "verified by Rita Jones on" in (answer.interpretation or "")
    assert changes(company)[-3:] == ["saved", "offered", "verified"]


def test_promise_03_a_verified_question_runs_with_the_rights_of_whoever_asks(
    company: Company,
) -> None:
    verified(company)
    for name, expected in (("ana", "cancelled"), ("gerd", "pending")):
        turn, answer = company.ask(QUESTION, name)
        assert answer.status == "answered"
        with company.store.read() as conn:
            from agent import unpack
            from store import steps

            rows = unpack(steps.blob(conn, turn, answer.query or "") or b"").to_pylist()
        # Gerd sees German orders only, none of which was cancelled.
        assert rows[0]["status"] == expected


def test_a_person_without_the_rights_is_offered_nothing(company: Company) -> None:
    sql = "SELECT COUNT(*) AS n FROM tickets"
    verified(company, "How busy is support?", sql)
    desk = questions(company)
    assert desk.verified("shop", company.caller("gerd")) == ()
    assert desk.match("How busy is support?", "shop", company.caller("gerd")) is None
    assert company.ask("How busy is support?", "gerd")[1].status == "refused"
    assert len(desk.verified("shop", company.caller("ana"))) == 1
    # What one person may not read is not stale for the others.
    assert state(company, 1)[0] == "verified"


def test_its_owner_never_verifies_it(company: Company) -> None:
    one = kept(company, "rita")
    questions(company).offer(one, company.caller("rita"))
    assert questions(company).to_verify("shop", company.caller("rita")) == ()
    with pytest.raises(Refused, match="somebody else verifies it"):
        questions(company).verify(one, company.caller("rita"))
    with pytest.raises(Refused, match="reviewer or the admin role"):
        questions(company).verify(one, company.caller("ana"))
    with pytest.raises(Refused, match="An agent neither"):
        questions(company).verify(one, company.caller("adam", "agent"))
    questions(company).verify(one, company.caller("adam"))


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT * FROM salaries", "table.not_allowed"),
        ("DELETE FROM orders", "saved.write"),
        ("SELECT 1; SELECT 2", "statement.several"),
        ("SELECT id FROM customers WHERE last_name LIKE 'S%'", "masked.predicate"),
    ],
)
def test_only_what_its_owner_may_run_is_kept(company: Company, sql: str, rule: str) -> None:
    with pytest.raises(Refused) as caught:
        kept(company, sql=sql)
    assert caught.value.refusal.rule.partition(".")[0] == rule.partition(".")[0]


@pytest.mark.parametrize(
    ("question", "sql", "sentence"),
    [
        (
            "Orders this year",
            "SELECT COUNT(*) AS n FROM orders WHERE order_date >= '2026-01-01'",
            "its answer would be wrong later",
        ),
        (f"Orders of {EMAIL}", SQL, "looks like personal data"),
        (
            "Orders of one customer",
            f"SELECT id FROM customers WHERE email = '{EMAIL}'",
            "looks like personal data",
        ),
    ],
)
def test_some_questions_stay_with_their_owner(
    company: Company, question: str, sql: str, sentence: str
) -> None:
    one = kept(company, question=question, sql=sql)
    with pytest.raises(Illegal, match=sentence):
        questions(company).offer(one, company.caller("ana"))
    assert state(company, one)[0] == "private"


def test_a_column_of_another_type_makes_it_stale_and_nothing_runs_it(company: Company) -> None:
    one = verified(company)
    with sqlite3.connect(company.database) as db:
        db.execute("ALTER TABLE orders RENAME COLUMN status TO old_status")
        db.execute("ALTER TABLE orders ADD COLUMN status INTEGER")
    db.close()
    company.parts.sources.get("shop").refresh()
    assert company.ask(QUESTION)[1].status == "refused"
    assert state(company, one) == ("stale", "What it reads has changed since: orders.status.")
    assert changes(company)[-1] == "stale"
    assert questions(company).verified("shop", company.caller("ana")) == ()
    questions(company).verify(one, company.caller("rita"))
    assert state(company, one)[0] == "verified"


def test_a_column_that_is_gone_makes_it_stale(company: Company) -> None:
    one = verified(company)
    with sqlite3.connect(company.database) as db:
        db.execute("ALTER TABLE orders RENAME COLUMN status TO old_status")
    db.close()
    company.parts.sources.get("shop").refresh()
    assert questions(company).verified("shop", company.caller("ana")) == ()
    assert state(company, one)[0] == "stale"
    assert "may not run it any more" in state(company, one)[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('["customers", "orders", "tickets"]', '["customers", "tickets"]'),
        ('"customers.last_name" = "PERSON"', '"orders.status" = "PERSON"'),
    ],
)
def test_a_policy_that_takes_it_away_makes_it_stale(company: Company, old: str, new: str) -> None:
    one = verified(company)
    text = POLICY.replace(old, new).replace('propose = ["orders", "customers"]', "")
    company.enforce(parse_policy(text.encode(), company.home / "policy.toml"))
    assert questions(company).match(QUESTION, "shop", company.caller("ana")) is None
    assert state(company, one)[0] == "stale"


def test_rights_that_are_taken_away_show_in_the_list_at_once(company: Company) -> None:
    verified(company)
    desk = questions(company)
    assert len(desk.verified("shop", company.caller("gerd"))) == 1
    text = POLICY.replace('members = ["gerd"]', "members = []")
    company.enforce(parse_policy(text.encode(), company.home / "policy.toml"))
    assert desk.verified("shop", company.caller("gerd")) == ()
    assert len(desk.verified("shop", company.caller("ana"))) == 1


def test_a_new_column_changes_nothing_but_a_star(company: Company) -> None:
    fixed = verified(company)
    star = verified(company, "Show it all", "SELECT * FROM orders")
    with sqlite3.connect(company.database) as db:
        db.execute("ALTER TABLE orders ADD COLUMN gift INTEGER")
    db.close()
    company.parts.sources.get("shop").refresh()
    left = questions(company).verified("shop", company.caller("ana"))
    assert [c.id for c in left] == [fixed]
    assert state(company, star) == ("stale", "What it reads has changed since: orders.gift.")


def test_the_same_words_are_verified_once(company: Company) -> None:
    verified(company)
    other = kept(company, sql=f"{SQL} DESC")
    questions(company).offer(other, company.caller("ana"))
    with pytest.raises(Illegal, match="verified already"):
        questions(company).verify(other, company.caller("rita"))


def test_it_is_sent_back_with_a_reason_and_deleted(company: Company) -> None:
    one = kept(company)
    desk = questions(company)
    desk.offer(one, company.caller("ana"))
    with pytest.raises(Illegal, match="Say why"):
        desk.take_back(one, company.caller("rita"))
    desk.take_back(one, company.caller("rita"), "Which states?")
    assert state(company, one) == ("private", "Which states?")
    desk.remove(one, company.caller("ana"))
    assert desk.mine("shop", company.caller("ana")) == ()
    two = verified(company)
    with pytest.raises(Illegal, match="no such question"):
        desk.remove(two, company.caller("gerd"))
    desk.remove(two, company.caller("rob"))
    assert desk.verified("shop", company.caller("ana")) == ()


def test_nobody_decides_on_a_question_of_a_source_they_may_not_use(tmp_path: Path) -> None:
    policy = POLICY.replace('members = ["ana", "@reviewer", "@admin"]', 'members = ["ana", "rita"]')
    assert policy != POLICY
    opened = make_company(tmp_path / "home", policy)
    try:
        one = kept(opened)
        desk = questions(opened)
        desk.offer(one, opened.caller("ana"))
        with pytest.raises(Illegal, match="no such question"):
            desk.take_back(one, opened.caller("rob"), "Not for me to say")
        desk.verify(one, opened.caller("rita"))
        with pytest.raises(Illegal, match="no such question"):
            desk.remove(one, opened.caller("rob"))
        assert state(opened, one)[0] == "verified"
    finally:
        opened.close()


def test_what_cannot_be_recorded_does_not_happen(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = kept(company)

    def full(_event: object) -> None:
        raise AuditError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(company.log, "append", full)
        for act in (
            lambda: kept(company, question="Another"),
            lambda: questions(company).offer(one, company.caller("ana")),
        ):
            with pytest.raises(AuditError):
                act()
    assert state(company, one)[0] == "private"
    assert len(questions(company).mine("shop", company.caller("ana"))) == 1


def test_a_model_gets_verified_questions_alike_as_data(company: Company) -> None:
    verified(company)
    verified(company, "How busy is support?", "SELECT COUNT(*) AS n FROM tickets")
    told: list[str] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        told.extend(m.instructions or "" for m in messages if isinstance(m, ModelRequest))
        return ModelResponse(parts=[TextPart("Done.")])

    for name in ("ana", "gerd"):
        analyst = Analyst(
            gate=company.parts.gate,
            log=company.log,
            choice=company.parts.choice,
            vocabularies=company.parts.vocabularies,
            environment={},
            budget=company.parts.models,
            questions=company.parts.questions,
            model=FunctionModel(answer),
        )
        runs = Runs(company.store, analyst, company.parts.gate, company.parts.people.by_id)
        assert company.ask("orders by state, and support load", name, runs)[1].text == "Done."
    ana, gerd = told
    assert "GROUP BY status" in ana
    assert "FROM tickets" in ana
    assert "<data-" in ana
    # Gerd may not read tickets.
    assert "GROUP BY status" in gerd
    assert "tickets" not in gerd


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT COUNT(*) AS n FROM orders /* {EMAIL} */",
        f"SELECT COUNT(*) AS n FROM orders -- {EMAIL}",
        f"SELECT COUNT(*) AS `{EMAIL}` FROM orders",
        f"SELECT COUNT(*) AS [{EMAIL}] FROM orders",
        "SELECT COUNT(*) AS n FROM orders WHERE total <> 4111111111111111",
        "SELECT COUNT(*) AS n FROM orders WHERE status <> 'jane.doe' || '@' || 'example.com'",
        "SELECT COUNT(*) AS n FROM customers WHERE email = 'nobody'",
    ],
)
def test_promise_08_no_writing_of_a_value_gets_past_offering(company: Company, sql: str) -> None:
    one = kept(company, question="How many are there?", sql=sql)
    with pytest.raises(Illegal, match="looks like personal data"):
        questions(company).offer(one, company.caller("ana"))
    assert state(company, one)[0] == "private"


def test_numbers_quoted_names_and_comments_that_name_nobody_may_be_offered(
    company: Company,
) -> None:
    sql = (
        "SELECT status AS `the state`, COUNT(*) AS n FROM orders /* all of them */ "
        "WHERE total < 25000000 AND status <> 'a' || 'b' GROUP BY status -- by state"
    )
    one = kept(company, sql=sql)
    questions(company).offer(one, company.caller("ana"))
    assert state(company, one)[0] == "offered"
