"""A hidden column does not exist for the person, wherever its name is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard import Refused
from tests.company import POLICY, Company, make_company

# `orders.total` is hidden; `tickets` has a column of that name too, which may be read.
ATTACKS = [
    "SELECT id FROM tickets WHERE EXISTS "
    "(SELECT 1 FROM orders WHERE orders.customer_id = tickets.customer_id AND total > 30)",
    "SELECT id, (SELECT max(total) FROM orders) FROM tickets",
    "SELECT id FROM tickets WHERE id IN (SELECT customer_id FROM orders WHERE total > 5)",
    "SELECT id FROM tickets WHERE 5 < (SELECT count(*) FROM orders GROUP BY total LIMIT 1)",
    "SELECT id FROM tickets ORDER BY (SELECT max(o.id) FROM orders AS o WHERE total > tickets.id)",
    "SELECT t.id FROM tickets AS t JOIN orders AS o ON total = 10",
    "SELECT t.id FROM tickets AS t JOIN orders AS o USING (total)",
    "SELECT id FROM tickets AS t WHERE EXISTS (SELECT 1 FROM orders AS o ORDER BY total)",
    "SELECT id FROM tickets WHERE EXISTS (SELECT 1 FROM orders GROUP BY id HAVING max(total) > 9)",
    "SELECT id AS total FROM orders ORDER BY (SELECT total)",
    "SELECT status, count(*) AS total FROM orders GROUP BY status HAVING total > 1",
    "SELECT id AS total FROM orders ORDER BY total + 0",
    "SELECT id FROM orders AS o(id, customer_id, order_date, status, seen)",
    "WITH o AS (SELECT * FROM orders) SELECT id FROM tickets WHERE "
    "EXISTS (SELECT 1 FROM orders WHERE (SELECT total) > 1)",
]
FINE = [
    "SELECT total FROM tickets WHERE customer_id IN (SELECT customer_id FROM orders)",
    "SELECT t.total FROM tickets AS t JOIN orders AS o ON o.customer_id = t.customer_id",
    "SELECT id FROM orders WHERE EXISTS "
    "(SELECT 1 FROM tickets WHERE tickets.customer_id = orders.customer_id AND total > 0)",
    "SELECT total FROM (SELECT id AS total FROM orders) AS o",
    "SELECT count(*) AS total FROM orders ORDER BY total",
]


@pytest.fixture
def hiding(company: Company) -> Company:
    """The company with `orders.total` hidden from analysts and `tickets.total` readable."""
    import sqlite3

    with sqlite3.connect(company.database) as raw:
        raw.execute("ALTER TABLE tickets ADD COLUMN total REAL")
        raw.execute("UPDATE tickets SET total = id * 10")
    raw.close()
    policy = company.parts.policy
    role = policy.roles["analysts"]
    grant = role.sources["shop"].model_copy(update={"hide": ("orders.total",)})
    role = role.model_copy(update={"sources": {"shop": grant}})
    company.enforce(policy.model_copy(update={"roles": {**policy.roles, "analysts": role}}))
    return company


@pytest.mark.parametrize("sql", ATTACKS)
def test_promise_03_a_hidden_column_is_never_taken_for_another_of_its_name(
    hiding: Company, sql: str
) -> None:
    with pytest.raises(Refused) as caught:
        hiding.parts.gate.query(sql, source="shop", caller=hiding.caller("ana"))
    assert caught.value.refusal.rule == "column.not_allowed"


@pytest.mark.parametrize("sql", FINE)
def test_a_name_that_means_a_readable_column_still_does(hiding: Company, sql: str) -> None:
    assert hiding.parts.gate.query(sql, source="shop", caller=hiding.caller("ana")).rows()


def test_promise_03_a_natural_join_does_not_join_by_a_hidden_column(hiding: Company) -> None:
    natural, spelled = (
        hiding.parts.gate.query(sql, source="shop", caller=hiding.caller("ana")).rows()
        for sql in (
            "SELECT id FROM tickets NATURAL JOIN orders",
            "SELECT id FROM tickets JOIN orders USING (id, customer_id)",
        )
    )
    assert natural == spelled == [[1], [2]]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO orders VALUES (9, 1, '2026-05-01', 'pending', 99)",
        "INSERT INTO orders SELECT 9, 1, '2026-05-01', 'pending', 99",
        "INSERT OR REPLACE INTO orders VALUES (1, 1, '2026-05-01', 'pending', 99)",
    ],
)
def test_promise_03_no_value_is_put_into_a_hidden_column_by_its_place(
    tmp_path: Path, sql: str
) -> None:
    policy = POLICY.replace(
        'propose = ["orders", "customers"]',
        'propose = ["orders", "customers"]\nhide = ["orders.total"]',
    )
    company = make_company(tmp_path / "placing", policy)
    caller = company.caller("ana")
    with pytest.raises(Refused) as caught:
        company.parts.gate.propose(sql, source="shop", caller=caller, reason="A test")
    assert caught.value.refusal.rule == "write.columns"
    named = "INSERT INTO orders (id, customer_id, status) VALUES (9, 1, 'pending')"
    made = company.parts.gate.propose(named, source="shop", caller=caller, reason="A test")
    assert made.state == "pending"
    company.close()
