"""A prepared statement says what SQLAlchemy says, on both databases."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import bindparam, insert, select, update

from store import Store, StoreConflict, StoreError
from store.accounts import Account
from store.prepared import Prepared
from store.schema import account_roles, accounts, budgets

_ROLES = Prepared(insert(account_roles))
_COUNTERS = Prepared(insert(budgets))
_DISABLE = Prepared(
    update(accounts).where(accounts.c.id == bindparam("who")).values(disabled=bindparam("off"))
)
_PERSON = select(accounts).where(accounts.c.id == bindparam("who"), accounts.c.demo.is_(False))


def test_rows_are_what_sqlalchemy_makes_of_them(store: Store, ana: Account) -> None:
    with store.read() as conn:
        theirs = [tuple(row) for row in conn.execute(_PERSON, {"who": ana.id})]
        ours = Prepared(_PERSON).rows(conn, {"who": ana.id})
    assert ours == theirs
    (row,) = ours
    assert {type(value) for value in row} == {str, bool, dt.datetime}


def test_what_many_share_is_given_once(store: Store) -> None:
    now = dt.datetime(2026, 6, 30, 9, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    names = [{"scope": name, "reserved": len(name)} for name in ("a", "bb", "ccc")]
    shared = {"window": "now", "resource": "rows", "spent": 0, "updated_at": now}
    with store.write() as conn:
        assert _COUNTERS.run(conn, names, shared) == 3
    with store.read() as conn:
        rows = conn.execute(select(budgets).order_by(budgets.c.scope)).all()
    assert [(r.scope, r.reserved, r.updated_at) for r in rows] == [
        ("a", 1, now),
        ("bb", 2, now),
        ("ccc", 3, now),
    ]


def test_it_counts_the_rows_it_touched(store: Store, ana: Account) -> None:
    with store.write() as conn:
        people = [{"who": ana.id}, {"who": "nobody"}]
        assert _DISABLE.run(conn, people, {"off": True}) == 1


def test_a_row_the_database_refuses_leaves_nothing_and_quotes_nothing(
    store: Store, ana: Account
) -> None:
    roles = [{"account": ana.id, "role": "reviewer"}, {"account": ana.id, "role": "emperor"}]
    with pytest.raises(StoreConflict) as refused, store.write() as conn:
        _ROLES.run(conn, roles)
    assert "emperor" not in str(refused.value)
    with store.read() as conn:
        kept = conn.execute(select(account_roles.c.role)).scalars().all()
    assert kept == ["analyst"]


def test_a_statement_the_database_does_not_know_is_an_error_of_the_store(store: Store) -> None:
    with store.write() as conn:
        conn.exec_driver_sql("ALTER TABLE budgets RENAME TO elsewhere")
    with pytest.raises(StoreError), store.read() as conn:
        Prepared(select(budgets)).rows(conn, {})


def test_a_value_that_was_forgotten_is_a_mistake(store: Store) -> None:
    with pytest.raises(KeyError), store.read() as conn:
        Prepared(_PERSON).rows(conn, {})
