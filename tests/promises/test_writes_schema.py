"""Changes of the schema go the way of every change, with two people, and only where allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard import Illegal, Refused
from guard.changes import ChangeView
from tests.company import EMAIL, POLICY, Company, make_company

SQL = "ALTER TABLE orders ADD COLUMN note TEXT"


@pytest.fixture
def defining(tmp_path: Path) -> Company:
    policy = POLICY.replace(
        'propose = ["orders", "customers"]',
        'propose = ["orders", "customers"]\npropose_ddl = true',
    )
    return make_company(tmp_path / "defining", policy)


def propose(company: Company, sql: str = SQL) -> int:
    caller = company.caller("ana")
    return company.parts.gate.propose(sql, source="shop", caller=caller, reason="A test").change


def view(company: Company, change: int, name: str) -> ChangeView:
    return company.parts.review.inbox.view(change, company.caller(name))


def approve(company: Company, change: int, name: str) -> bool:
    seen = view(company, change, name)
    return company.parts.review.approve(
        change,
        company.caller(name),
        fingerprint=seen.fingerprint or "",
        version=seen.version,
    )


def test_promise_06_a_change_of_the_schema_needs_two_people_and_can_be_taken_back(
    defining: Company,
) -> None:
    before = defining.content()
    change = propose(defining)
    assert defining.content() == before
    seen = view(defining, change, "rita")
    (shown,) = seen.schema
    assert (shown.table, shown.rows_lost, shown.hidden) == ("orders", 0, False)
    assert "note TEXT" in (shown.after or ())
    assert seen.approvers_needed == 2
    assert approve(defining, change, "rita") is False
    with pytest.raises(Illegal):
        defining.parts.review.apply(change, defining.caller("rita"))
    assert approve(defining, change, "rob") is True
    defining.parts.review.apply(change, defining.caller("rita"))
    assert "note TEXT" in defining.content()
    undo = defining.parts.review.undo(change, defining.caller("ana"), "Not needed.").change
    assert view(defining, undo, "rita").approvers_needed == 2
    assert view(defining, undo, "rita").admins_needed == 1, "nothing takes the undo back"
    approve(defining, undo, "rita")
    approve(defining, undo, "adam")
    defining.parts.review.apply(undo, defining.caller("rita"))
    assert defining.content() == before
    defining.close()


def test_promise_07_without_the_key_no_change_of_the_schema_can_be_proposed(
    company: Company,
) -> None:
    with pytest.raises(Refused) as caught:
        propose(company)
    assert caught.value.refusal.rule == "never.ddl"


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("DROP TABLE salaries", "ddl.not_allowed"),
        ("DROP TABLE nowhere", "ddl.not_allowed"),
        ("ALTER TABLE tickets ADD COLUMN x TEXT", "ddl.not_allowed"),
        ("CREATE TABLE fresh(id INTEGER)", "ddl.not_allowed"),
        ("CREATE TRIGGER x AFTER INSERT ON orders BEGIN DELETE FROM customers; END", None),
        ("CREATE VIEW x AS SELECT * FROM orders", "ddl.not_known"),
    ],
)
def test_promise_07_only_the_listed_tables_and_the_known_forms(
    defining: Company, sql: str, rule: str | None
) -> None:
    before = defining.content()
    with pytest.raises(Refused) as caught:
        propose(defining, sql)
    assert rule in (None, caught.value.refusal.rule)
    assert defining.content() == before
    defining.close()


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        # Whether the preview succeeds would be an answer about values nobody may know.
        ("CREATE UNIQUE INDEX i ON customers (email)", "masked.predicate"),
        (
            f"ALTER TABLE customers ADD COLUMN n INTEGER DEFAULT 1 CHECK (email <> '{EMAIL}')",
            "masked.predicate",
        ),
        # Under another name no rule of the policy would hold any more.
        ("ALTER TABLE customers RENAME COLUMN email TO contact", "ddl.policy_names"),
        ("ALTER TABLE customers RENAME COLUMN country TO land", "ddl.policy_names"),
        # Hidden columns are not there, whatever is done to them.
        ("ALTER TABLE orders RENAME COLUMN total TO amount", "column.not_allowed"),
        ("ALTER TABLE orders DROP COLUMN total", "column.not_allowed"),
        ("ALTER TABLE orders DROP COLUMN nowhere", "column.not_allowed"),
        ("CREATE INDEX i ON orders (total)", "column.not_allowed"),
        ("ALTER TABLE orders ADD COLUMN n INTEGER CHECK (total > 5)", "column.not_allowed"),
    ],
)
def test_promise_08_a_change_of_the_schema_tells_nothing_and_takes_no_rule_away(
    tmp_path: Path, sql: str, rule: str
) -> None:
    policy = POLICY.replace(
        'propose = ["orders", "customers"]',
        'propose = ["orders", "customers"]\npropose_ddl = true\nhide = ["orders.total"]',
    )
    company = make_company(tmp_path / "hiding", policy)
    before = company.content()
    with pytest.raises(Refused) as caught:
        propose(company, sql)
    assert caught.value.refusal.rule == rule
    assert company.content() == before
    company.close()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX i ON customers (email)",
        "ALTER TABLE orders RENAME COLUMN status TO state",
        "CREATE UNIQUE INDEX i ON orders (id, status)",
        "ALTER TABLE orders ADD COLUMN n INTEGER DEFAULT 1 CHECK (n > 0)",
    ],
)
def test_harmless_changes_of_the_schema_still_wait_for_review(defining: Company, sql: str) -> None:
    assert view(defining, propose(defining, sql), "rita").card.state == "pending"
    defining.close()
