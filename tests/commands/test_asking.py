"""`gatehouse ask` and `gatehouse query`."""

from __future__ import annotations

import getpass
import json

import pytest

from tests.commands.conftest import Shell
from tests.company import EMAIL, SALARY, SURNAME

ON_SHOP = ("--source", "shop", "--as", "ana")
ANSWER = {
    "status",
    "text",
    "interpretation",
    "sql",
    "decision",
    "columns",
    "rows",
    "masked",
    "options",
    "suggestions",
    "change",
    "audit",
}


def test_a_query_answers_with_the_documented_object(shell: Shell) -> None:
    said = shell("query", *ON_SHOP, "--json", "SELECT id, status FROM orders ORDER BY id")
    assert said.status == 0
    assert said.json == {
        "decision": "allow",
        "rule": "read.select",
        "columns": ["id", "status"],
        "rows": [[1, "shipped"], [2, "pending"], [3, "pending"], [4, "cancelled"]],
        "masked": {},
        "truncated": False,
        "audit": said.json["audit"],
    }
    assert isinstance(said.json["audit"], int)


def test_promise_08_a_query_counts_what_it_masked_and_shows_none_of_it(shell: Shell) -> None:
    sql = "SELECT last_name, email FROM customers"
    for said in (shell("query", *ON_SHOP, "--json", sql), shell("query", *ON_SHOP, sql)):
        assert said.status == 0
        assert SURNAME not in said.out
        assert EMAIL not in said.out
    assert shell("query", *ON_SHOP, "--json", sql).json["masked"] == {"last_name": 3, "email": 3}


def test_promise_11_a_denied_query_says_the_rule_and_ends_with_status_1(shell: Shell) -> None:
    said = shell("query", *ON_SHOP, "--json", "SELECT amount FROM salaries")
    assert said.status == 1
    assert said.json["decision"] == "deny"
    assert said.json["rule"] == "table.not_allowed"
    assert str(SALARY) not in said.out
    plain = shell("query", *ON_SHOP, "SELECT amount FROM salaries")
    assert plain.status == 1
    assert "salaries is not a table you can read in shop." in plain.err
    assert "Rule: table.not_allowed" in plain.err


def test_promise_06_a_write_sent_as_a_query_is_held(shell: Shell) -> None:
    said = shell("query", *ON_SHOP, "--json", "DELETE FROM orders")
    assert said.status == 1
    assert said.json["decision"] == "hold"
    count = shell("query", *ON_SHOP, "--json", "SELECT count(*) AS n FROM orders")
    assert count.json["rows"] == [[4]]


def test_a_question_is_answered_with_the_documented_object(shell: Shell) -> None:
    said = shell("ask", *ON_SHOP, "--json", "how many orders are there?")
    assert said.status == 0
    assert set(said.json) == ANSWER
    assert said.json["status"] == "answered"
    assert said.json["rows"] == [[4]]
    assert said.json["decision"]["decision"] == "allow"  # type: ignore[index]  # a JSON object
    assert "orders" in str(said.json["sql"])
    assert said.json["interpretation"]
    shown = shell("ask", *ON_SHOP, "how many orders are there?")
    assert shown.status == 0
    assert "4" in shown.out


def test_a_question_that_is_not_understood_ends_with_status_1(shell: Shell) -> None:
    said = shell("ask", *ON_SHOP, "--json", "what is the meaning of flurbs?")
    assert said.status == 1
    assert said.json["status"] in {"asked_back", "refused"}
    assert said.json["rows"] == []
    assert said.json["text"]


def test_question_lines_are_answered_in_order_whatever_they_hold(shell: Shell) -> None:
    lines = [
        b'{"id": 1, "question": "how many orders are there?"}',
        b"not json",
        b"\xff\xfe\x00",
        b"",
        b"[" * 50_000,
        b'{"id": 5}',
        b'{"id": 6, "question": "\\ud800"}',
        b'{"id": 7, "question": 7}',
        b'["id", "question"]',
        b'{"id": "\\ud800", "question": "what is the meaning of flurbs?"}',
        b'{"id": 10, "question": "how many customers are there?"}',
    ]
    said = shell("ask", *ON_SHOP, "--jsonl", stdin=b"\n".join(lines) + b"\n")
    assert said.status == 0
    answers = said.lines
    assert len(answers) == len(lines)
    assert all(set(a) == ANSWER | {"id"} for a in answers)
    assert [a["id"] for a in answers] == [1, None, None, None, None, 5, 6, 7, None, "\ud800", 10]
    assert [a["status"] for a in answers[1:9]] == ["refused"] * 8
    assert answers[0]["rows"] == [[4]]
    assert answers[-1]["rows"] == [[3]]


def test_ask_needs_a_question_or_lines(shell: Shell) -> None:
    assert shell("ask", *ON_SHOP).status == 2
    assert shell("ask", *ON_SHOP, "--jsonl", "how many orders?").status == 2


@pytest.mark.parametrize("spoil", ["remove", "empty", "folder"])
def test_acting_for_others_needs_the_operators_secret(shell: Shell, spoil: str) -> None:
    secret = shell.home / "operator.secret"
    secret.unlink()
    if spoil == "empty":
        secret.touch()
    if spoil == "folder":
        secret.mkdir()
    said = shell("query", *ON_SHOP, "SELECT id FROM orders")
    assert said.status == 1
    assert "operator.secret" in said.err
    assert said.out == ""


def test_an_unknown_person_and_an_unknown_source_are_named(shell: Shell) -> None:
    said = shell("query", "--source", "shop", "--as", "zoe", "SELECT 1")
    assert said.status == 1
    assert "There is no active account zoe." in said.err
    said = shell("query", "--source", "cellar", "--as", "ana", "SELECT 1")
    assert said.status == 1
    assert "You have no access to the source cellar." in said.err
    said = shell("ask", "--source", "cellar", "--as", "ana", "how many orders?")
    assert said.status == 1
    assert "You have no access to the source cellar." in said.err


def test_the_operating_system_account_is_on_record(shell: Shell) -> None:
    number = shell("query", *ON_SHOP, "--json", "SELECT id FROM orders").json["audit"]
    records = shell("audit", "tail", "--json").lines
    mine = [r for r in records if "query." in json.dumps(r)]
    assert mine
    for record in mine:
        assert getpass.getuser() in json.dumps(record)
        assert "command_line" in json.dumps(record)
    assert any(number == r.get("seq") for r in records)
