"""A pseudonym may be looked up where it was handed out, and stands for nothing anywhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard import Caller, Refused, Result
from redaction import SessionKey
from tests.company import EMAIL, POLICY, SURNAME, Company, make_company

_TWO_KINDS = POLICY.replace(
    'lookup = ["customers.email"]\npropose = ["orders", "customers"]',
    'lookup = ["customers.email", "customers.last_name"]\npropose = ["orders", "customers"]',
).replace('members = ["ana", "@reviewer", "@admin"]', 'members = ["ana", "rita"]')


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Company]:
    """Ana may look up addresses and names of the shop's customers."""
    opened = make_company(tmp_path / "shop", _TWO_KINDS)
    yield opened
    opened.close()


def ask(company: Company, sql: str, caller: Caller) -> Result:
    return company.parts.gate.query(sql, source="shop", caller=caller)


def rule(company: Company, sql: str, caller: Caller) -> str:
    with pytest.raises(Refused) as caught:
        ask(company, sql, caller)
    refusal = caught.value.refusal
    assert EMAIL not in str(refusal)
    assert SURNAME not in str(refusal)
    assert refusal.reason.endswith(".")
    return refusal.rule


def handed(company: Company, caller: Caller, column: str = "email", id_: int = 1) -> str:
    sql = f"SELECT {column} FROM customers WHERE id = {id_}"
    token = ask(company, sql, caller).rows()[0][0]
    assert isinstance(token, str)
    return token


@pytest.mark.parametrize("channel", ["agent", "sql", "console"])
def test_a_pseudonym_of_the_conversation_finds_its_rows(shop: Company, channel: str) -> None:
    caller = shop.caller("ana", channel, session="s")  # type: ignore[arg-type]
    token = handed(shop, caller)
    for where in (
        f"email = '{token}'",
        f"'{token}' = email",
        f"(email = '{token}') AND id > 0",
        f"email IN ('nobody@mail.example', '{token}')",
    ):
        result = ask(shop, f"SELECT id FROM customers WHERE {where}", caller)
        assert result.rows() == [[1]], where
        assert token in result.sql
        assert EMAIL not in f"{result}"
    joined = "SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id AND c.email = "
    assert ask(shop, f"{joined}'{token}'", caller).rows() == [[1], [4]]


def test_the_value_behind_it_stays_out_of_the_log_and_the_store(shop: Company) -> None:
    caller = shop.caller("ana", "sql", session="s")
    token = handed(shop, caller)
    conversation = shop.conversation()
    own = dataclasses.replace(caller, session=conversation)
    token = handed(shop, own)
    _, answer = shop.parts.runs.run(
        f"SELECT id, email FROM customers WHERE email = '{token}'",
        conversation=conversation,
        caller=own,
        kind="sql",
    )
    assert answer.status == "answered"
    rule(shop, f"SELECT id FROM customers WHERE upper(email) = '{token}'", own)
    shop.log.flush()
    for path in shop.home.rglob("*"):
        if path.is_file() and path.name != "shop.sqlite":
            assert EMAIL.encode() not in path.read_bytes(), path


def test_values_that_differ_in_case_are_all_found(shop: Company) -> None:
    import sqlite3

    with sqlite3.connect(shop.database) as db:
        db.execute("INSERT INTO customers VALUES (9, 'x', ?, 'Spain')", (EMAIL.upper(),))
    db.close()
    caller = shop.caller("ana", session="s")
    rows = ask(shop, "SELECT email FROM customers WHERE country = 'Spain'", caller).rows()
    assert rows[0] == rows[1]
    found = ask(shop, f"SELECT id FROM customers WHERE email = '{rows[0][0]}'", caller)
    assert sorted(found.rows()) == [[1], [9]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM customers WHERE email LIKE '{t}'",
        "SELECT id FROM customers WHERE email <> '{t}'",
        "SELECT id FROM customers WHERE NOT email = '{t}'",
        "SELECT id FROM customers WHERE email > '{t}'",
        "SELECT id FROM customers WHERE email NOT IN ('{t}')",
        "SELECT id FROM customers WHERE email = '{t}x'",
        "SELECT id FROM customers WHERE lower(email) = '{t}'",
        "SELECT id FROM customers WHERE email = '{t}' || ''",
        "SELECT id FROM customers WHERE email = CAST('{t}' AS TEXT)",
        "SELECT '{t}'",
        "SELECT '{t}' AS x FROM customers WHERE email = '{t}'",
        "SELECT email = '{t}' FROM customers",
        "SELECT id FROM customers WHERE country = '{t}'",
        "SELECT id FROM customers WHERE last_name = '{t}'",
        "SELECT id FROM (SELECT id, email || '' AS email FROM customers) WHERE email = '{t}'",
        "SELECT x FROM (SELECT 'a' AS x) WHERE x = '{t}'",
        "SELECT id FROM customers WHERE email = '{t}' /* {t} */",
        "SELECT id AS \"{t}\" FROM customers WHERE email = '{t}'",
        "SELECT id FROM customers HAVING email = '{t}'",
        "SELECT id FROM customers ORDER BY email = '{t}'",
        "SELECT id FROM customers WHERE CASE WHEN email = '{t}' THEN 1 END = 1",
        "SELECT id FROM customers WHERE email = '{t}' OR last_name = '{t}'",
        "SELECT id FROM tickets WHERE body = '{t}'",
    ],
)
def test_anywhere_else_it_is_refused(shop: Company, sql: str) -> None:
    caller = shop.caller("ana", session="s")
    token = handed(shop, caller)
    assert rule(shop, sql.replace("{t}", token), caller) == "masked.token"


def test_another_conversation_person_or_restart_knows_it_not(shop: Company) -> None:
    caller = shop.caller("ana", session="s")
    sql = f"SELECT id FROM customers WHERE email = '{handed(shop, caller)}'"
    assert ask(shop, sql, caller).rows() == [[1]]
    for other in (
        shop.caller("ana", session="another"),
        shop.caller("ana"),
        shop.caller("rita", session="s"),
    ):
        assert rule(shop, sql, other) == "masked.token"
    shop.parts.masking._pseudonyms._held.clear()  # as a restart does
    assert rule(shop, sql, caller) == "masked.token"


def test_a_forged_one_is_refused(shop: Company) -> None:
    caller = shop.caller("ana", session="s")
    handed(shop, caller)
    forged = f"e_{SessionKey.new().token('EMAIL_ADDRESS', EMAIL)}@example.invalid"
    for token in (forged, "person_bcdfghjk", "<EMAIL_ADDRESS>", "•••• 1234"):
        sql = f"SELECT id FROM customers WHERE email = '{token}'"
        assert rule(shop, sql, caller) == "masked.token"


def test_the_right_to_look_up_is_asked_for_again(shop: Company) -> None:
    caller = shop.caller("ana", session="s")
    sql = f"SELECT id FROM customers WHERE email = '{handed(shop, caller)}'"
    policy = shop.parts.gate.policy
    grant = policy.roles["analysts"].sources["shop"].model_copy(update={"lookup": ()})
    role = policy.roles["analysts"].model_copy(update={"sources": {"shop": grant}})
    shop.enforce(policy.model_copy(update={"roles": {"analysts": role}}))
    assert rule(shop, sql, caller) == "masked.token"


@pytest.mark.parametrize("value", ["O'Brien-'); DROP TABLE orders; --", "Ünïcödé ' OR ''=''"])
def test_a_value_with_quotes_stays_a_constant(shop: Company, value: str) -> None:
    import sqlite3

    with sqlite3.connect(shop.database) as db:
        db.execute("INSERT INTO customers VALUES (9, ?, 'q@mail.example', 'Peru')", (value,))
    db.close()
    caller = shop.caller("ana", session="s")
    token = handed(shop, caller, "last_name", 9)
    result = ask(shop, f"SELECT id FROM customers WHERE last_name = '{token}'", caller)
    assert result.rows() == [[9]]
    assert len(shop.query("SELECT * FROM orders")) == 4


@pytest.mark.parametrize("value", ["back\\slash", "line\nbreak", "nul\x7f"])
def test_a_value_that_would_need_an_escape_is_never_put_back(shop: Company, value: str) -> None:
    import sqlite3

    with sqlite3.connect(shop.database) as db:
        db.execute("INSERT INTO customers VALUES (9, ?, 'q@mail.example', 'Peru')", (value,))
    db.close()
    caller = shop.caller("ana", session="s")
    token = handed(shop, caller, "last_name", 9)
    sql = f"SELECT id FROM customers WHERE last_name = '{token}'"
    assert rule(shop, sql, caller) == "masked.token"


def test_what_is_remembered_is_bounded(shop: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guard.pseudonyms.MOST_IN_SESSION", 2)
    monkeypatch.setattr("guard.pseudonyms.MOST_SESSIONS", 1)
    caller = shop.caller("ana", session="s")
    tokens = [handed(shop, caller, id_=i) for i in (1, 2, 3)]
    sql = "SELECT id FROM customers WHERE email = '{}'"
    assert rule(shop, sql.format(tokens[0]), caller) == "masked.token"
    assert ask(shop, sql.format(tokens[2]), caller).rows() == [[3]]
    handed(shop, shop.caller("ana", session="other"))
    assert rule(shop, sql.format(tokens[2]), caller) == "masked.token"
