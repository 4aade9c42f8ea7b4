"""A mask over a cell is not enough: NULLs, counts, rows and failures must tell nothing either."""

from __future__ import annotations

import sqlite3

import pytest

from guard import Refused
from guard.proposals import Proposed
from store import changes
from tests.company import Company

TELLING = [
    "SELECT id, nullif(substr(email, 1, 1), 'a') FROM customers",
    "SELECT id, count(CASE WHEN email < 'm' THEN 1 END) FROM customers GROUP BY id",
    "SELECT count(nullif(substr(email, 1, 1), 'a')) FROM customers",
    "SELECT count(x) FROM (SELECT nullif(email, 'a') AS x FROM customers)",
    "SELECT CASE WHEN email LIKE 'a%' THEN abs(-9223372036854775807 - 1) ELSE 1 END FROM customers",
    "SELECT CASE email WHEN 'a' THEN 1 END FROM customers",
    "SELECT iif(email > 'm', 1, 2) FROM customers",
    "SELECT json_extract(email, '$') FROM customers",
    "SELECT sum(length(email) * 9223372036854775807) FROM customers",
    "SELECT count(1 / (unicode(email) - 97)) FROM customers",
    "SELECT abs(email) FROM customers",
    # A row that is too large fails, so nothing may be longer for one value than for another.
    "SELECT replace(email, 'q', hex(zeroblob(9))) FROM customers",
    "SELECT replace(email, 'q', '') || hex(zeroblob(9)) FROM customers",
    "SELECT trim(email, 'q') || hex(zeroblob(9)) FROM customers",
    "SELECT substr(hex(zeroblob(9)), instr(email, 'q')) FROM customers",
    "SELECT substr(hex(zeroblob(9)), length(email)) FROM customers",
    "SELECT unicode(email) || hex(zeroblob(9)) FROM customers",
    "SELECT json_object(email, 1, 'a', 2) FROM customers",
]
HARMLESS = [
    "SELECT upper(email), last_name || ' ' || email, coalesce(email, '-') FROM customers",
    "SELECT country, count(email), count(email) * 100.0 / count(*) FROM customers GROUP BY country",
    "SELECT CASE WHEN country = 'Spain' THEN email ELSE last_name END FROM customers",
    "SELECT max(last_name), group_concat(email) FROM customers",
    "SELECT count(CASE WHEN country = 'Spain' THEN 1 END) FROM customers",
    "SELECT substr(email, 1, 3), replace(email, '@', '#'), json_object('k', email) FROM customers",
]


@pytest.mark.parametrize("sql", TELLING)
def test_promise_08_what_tells_about_a_masked_value_is_refused(company: Company, sql: str) -> None:
    with pytest.raises(Refused) as caught:
        company.parts.gate.query(sql, source="shop", caller=company.caller("ana"))
    assert caught.value.refusal.rule == "masked.predicate"


@pytest.mark.parametrize("sql", HARMLESS)
def test_promise_08_what_a_mask_hides_wholly_still_runs(company: Company, sql: str) -> None:
    assert company.parts.gate.query(sql, source="shop", caller=company.caller("ana")).rows()


@pytest.mark.parametrize(
    "expression", ["replace(body, '@', '#')", "hex(body)", "substr(body, 3, 9)", "body || ''"]
)
def test_promise_08_prose_that_was_cut_up_or_encoded_is_masked(
    company: Company, expression: str
) -> None:
    result = company.parts.gate.query(
        f"SELECT {expression} FROM tickets",
        source="shop",
        caller=company.caller("ana"),
    )
    assert {row[0] for row in result.rows()} == {"<FREE_TEXT>"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM tickets WHERE substr(body, instr(body, '@') - 1, 1) = 'a'",
        "SELECT id FROM tickets WHERE body LIKE '%qzcanary%'",
        "SELECT count(*) FROM tickets GROUP BY body",
        "SELECT id FROM tickets ORDER BY body",
        "SELECT DISTINCT substr(body, 1, 1) FROM tickets",
    ],
)
def test_promise_08_free_text_does_not_steer_a_query(company: Company, sql: str) -> None:
    with pytest.raises(Refused) as caught:
        company.parts.gate.query(sql, source="shop", caller=company.caller("ana"))
    assert caught.value.refusal.rule == "masked.predicate"


def test_promise_08_free_text_is_not_copied_into_a_column_that_shows(company: Company) -> None:
    policy = company.parts.policy
    grants = policy.roles["analysts"].sources["shop"]
    grants = grants.model_copy(update={"propose": (*grants.propose, "tickets")})
    role = policy.roles["analysts"].model_copy(update={"sources": {"shop": grants}})
    company.enforce(policy.model_copy(update={"roles": {**policy.roles, "analysts": role}}))
    with pytest.raises(Refused) as caught:
        company.parts.gate.propose(
            "UPDATE tickets SET customer_id = instr(body, '@') WHERE id = 1",
            source="shop",
            caller=company.caller("ana"),
            reason="x",
        )
    assert caught.value.refusal.rule == "masked.copied"


def test_free_text_may_be_searched_where_the_policy_says_so(company: Company) -> None:
    policy = company.parts.policy
    grants = policy.roles["analysts"].sources["shop"]
    grants = grants.model_copy(update={"search": ("tickets.body",)})
    role = policy.roles["analysts"].model_copy(update={"sources": {"shop": grants}})
    company.enforce(policy.model_copy(update={"roles": {**policy.roles, "analysts": role}}))
    found = company.parts.gate.query(
        "SELECT id FROM tickets WHERE body LIKE '%Ignore%'",
        source="shop",
        caller=company.caller("ana"),
    )
    assert found.rows() == [[2]]


GUESSES = [
    # The rows of the diff, or that there are none, say which customers have the name already.
    "UPDATE customers SET last_name = 'Schmidt'",
    "UPDATE customers SET country = 'x', last_name = upper('schmidt') WHERE id = 2",
    "UPDATE customers SET country = 'x' WHERE last_name = 'Schmidt'",
    "UPDATE customers SET country = 'x' WHERE email LIKE 's%'",
    "UPDATE customers SET country = CASE WHEN last_name < 'M' THEN 'a' ELSE 'b' END",
    "UPDATE customers SET country = 'x' WHERE id = "
    "(SELECT id FROM customers WHERE last_name = 'Schmidt')",
    "DELETE FROM customers WHERE last_name IN ('Schmidt', 'Weber')",
    "INSERT INTO customers (id, last_name) VALUES (2, 'x') "
    "ON CONFLICT (id) DO UPDATE SET last_name = 'Schmidt'",
    "UPDATE orders SET status = 'x' WHERE customer_id = "
    "(SELECT id FROM customers WHERE last_name = 'Schmidt')",
]


@pytest.mark.parametrize("sql", GUESSES)
def test_promise_08_a_proposal_is_no_way_to_guess_a_masked_value(
    company: Company, sql: str
) -> None:
    """What its preview would count is refused exactly as a filter of a read is."""
    with pytest.raises(Refused) as caught:
        _propose(company, sql)
    assert caught.value.refusal.rule in ("masked.predicate", "masked.copied")
    with company.store.read() as conn:
        assert changes.list_all(conn) == ()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE customers SET email = 'new@mail.example' WHERE email = 'schmidt@mail.example'",
        "UPDATE customers SET last_name = NULL WHERE id = 2",
        "INSERT INTO customers (id, last_name) VALUES (9, 'Schmidt')",
    ],
)
def test_promise_08_what_a_look_up_may_ask_a_proposal_may_too(company: Company, sql: str) -> None:
    assert _propose(company, sql).rows == 1


def test_promise_08_a_key_tells_nothing_about_a_masked_value(company: Company) -> None:
    """A new row is refused where its key is taken, and a reference where it leads nowhere."""
    with sqlite3.connect(company.database) as db:
        db.execute("CREATE UNIQUE INDEX one_name ON customers(country, last_name)")
    db.close()
    company.parts.sources.get("shop").refresh()
    with pytest.raises(Refused) as caught:
        _propose(company, "INSERT INTO customers (id, country, last_name) VALUES (9, 'x', 'Weber')")
    assert caught.value.refusal.rule == "masked.predicate"
    assert _propose(company, "INSERT INTO customers (id, country) VALUES (9, 'x')").rows == 1


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE customers SET country = 'x' WHERE id = 2",
        "UPDATE orders SET id = 9 WHERE id = 2",
        "DELETE FROM orders WHERE status = 'pending'",
    ],
)
def test_promise_08_keys_and_references_compare_no_masked_value_with_another(
    company: Company, sql: str
) -> None:
    """It fails where a row with the same name is there, or where prose is what is referred to."""
    assert _propose(company, sql).rows
    with sqlite3.connect(company.database) as db:
        db.executescript(
            "CREATE UNIQUE INDEX one_name ON customers(country, last_name); DROP TABLE tickets;"
            "CREATE TABLE tickets(id INTEGER PRIMARY KEY, customer_id INTEGER,"
            "  body TEXT REFERENCES orders(id) ON DELETE CASCADE)"
        )
    db.close()
    company.parts.sources.get("shop").refresh()
    with pytest.raises(Refused) as caught:
        _propose(company, sql)
    assert caught.value.refusal.rule == "masked.predicate"
    assert _propose(company, "UPDATE orders SET total = 7 WHERE id = 2").rows == 1


def _propose(company: Company, sql: str) -> Proposed:
    caller = company.caller("ana")
    return company.parts.gate.propose(sql, source="shop", caller=caller, reason="A test")
