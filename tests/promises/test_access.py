"""Promise 11: a denial names a way to ask for access, and the way leads somewhere."""

from __future__ import annotations

import pytest

from guard import Need, Refused
from guard.accessgrants import TableGrant
from tests.company import SALARY, SURNAME, Company

MISSING = [
    ("SELECT amount FROM salaries", "table.not_allowed"),
    ("SELECT no_such FROM orders", "column.not_allowed"),
    ("SELECT id FROM customers WHERE last_name = 'x'", "masked.predicate"),
]
NEVER = [
    "DROP TABLE orders",
    "PRAGMA writable_schema = 1",
    "ATTACH 'x.db' AS x",
    "BEGIN",
    "SELECT 1; SELECT 2",
]


def refusal(company: Company, sql: str, name: str = "ana") -> Refused:
    with pytest.raises(Refused) as caught:
        company.parts.gate.query(sql, source="shop", caller=company.caller(name))
    return caught.value


@pytest.mark.parametrize(("sql", "rule"), MISSING)
def test_promise_11_a_denial_for_a_missing_permission_can_be_asked_for(
    company: Company, sql: str, rule: str
) -> None:
    found = refusal(company, sql).refusal
    assert found.rule == rule
    assert found.access_request is not None
    made = company.parts.access.request(
        company.caller("ana"), (found.access_request,), reason="audit", hours=1
    )
    assert company.parts.access.card(made, company.caller("adam")).state == "pending"


def test_promise_11_a_source_out_of_reach_can_be_asked_for(company: Company) -> None:
    found = refusal(company, "SELECT 1", "nobody").refusal
    assert found.access_request == Need(kind="source", source="shop")


def test_promise_11_asking_and_being_granted_gives_the_answer(company: Company) -> None:
    need = refusal(company, "SELECT amount FROM salaries").refusal.access_request
    assert need is not None
    desk = company.parts.access
    made = desk.request(company.caller("ana"), (need,), reason="audit", hours=1)
    grant = TableGrant(table="salaries", columns=("amount",))
    desk.grant(made, company.caller("adam"), [grant], hours=1)
    found = company.parts.gate.query(
        "SELECT amount FROM salaries", source="shop", caller=company.caller("ana")
    )
    assert found.table.column(0).to_pylist() == [SALARY]


@pytest.mark.parametrize("sql", NEVER)
def test_promise_07_what_never_runs_cannot_be_asked_for(company: Company, sql: str) -> None:
    assert refusal(company, sql).refusal.access_request is None


def test_promise_08_no_grant_shows_a_masked_value(company: Company) -> None:
    desk = company.parts.access
    need = Need(kind="lookup", source="shop", table="customers", column="last_name")
    made = desk.request(company.caller("ana"), (need,), reason="audit", hours=1)
    grant = TableGrant(table="customers", lookup=("last_name",))
    desk.grant(made, company.caller("adam"), [grant], hours=1)
    found = company.parts.gate.query(
        f"SELECT * FROM customers WHERE last_name = '{SURNAME}'",
        source="shop",
        caller=company.caller("ana"),
    )
    assert found.table.num_rows == 1
    assert SURNAME not in str(found.table.to_pylist())
