"""What a person is told of the schema leads to no table or column out of their sight."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.company import Company


def test_promise_03_no_foreign_key_leads_out_of_sight(company: Company) -> None:
    with closing(sqlite3.connect(company.database)) as db:
        db.executescript(
            "DROP TABLE tickets; CREATE TABLE tickets (id INTEGER PRIMARY KEY,"
            "  customer_id INTEGER REFERENCES customers (id), pay INTEGER REFERENCES salaries (id),"
            "  mail TEXT REFERENCES customers (email));"
        )
    policy = company.parts.policy
    grants = (
        policy.roles["analysts"]
        .sources["shop"]
        .model_copy(update={"hide": ("customers.email",), "lookup": ()})
    )
    role = policy.roles["analysts"].model_copy(update={"sources": {"shop": grants}})
    company.enforce(policy.model_copy(update={"roles": {**policy.roles, "analysts": role}}))
    company.parts.sources.get("shop").refresh()
    tickets = company.parts.gate.view("shop", company.caller("ana")).catalog.table("tickets")
    assert tickets is not None
    assert [(k.columns, k.table) for k in tickets.foreign_keys] == [(("customer_id",), "customers")]
    assert [c.name for c in tickets.columns] == ["id", "customer_id", "pay", "mail"]
