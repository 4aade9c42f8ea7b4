from __future__ import annotations

import datetime as dt

from store import Connection, Store, access, accounts, policies
from store.accounts import Account
from store.standing import standing


def test_a_standing_is_the_account_its_live_grants_and_the_last_policy(
    store: Store, ana: Account, rex: Account
) -> None:
    with store.write() as conn:
        accounts.set_roles(conn, ana.id, {"analyst", "reviewer"})
        policies.activate(conn, "a = 1", activated_by=None, now=store.now())
        policies.activate(conn, "a = 2", activated_by=None, now=store.now())
        kept = [_granted(conn, ana, rex, store.now(), hours) for hours in (1, 3)]
        _granted(conn, rex, ana, store.now(), 3)
    soon = store.now() + dt.timedelta(hours=2)
    with store.read() as conn:
        found = standing(conn, ana.id, now=soon)
        assert found.account == accounts.get(conn, ana.id)
        assert found.account.roles == {"analyst", "reviewer"}
        assert found.head == policies.head(conn)
        assert [g.id for g in found.grants] == [kept[1]]
        assert [g.id for g in standing(conn, ana.id, now=store.now()).grants] == kept


def test_every_change_shows_in_the_next_standing(store: Store, ana: Account, rex: Account) -> None:
    def now_() -> tuple[object, ...]:
        with store.read() as conn:
            found = standing(conn, ana.id, now=store.now())
        assert found.account is not None
        account = found.account
        return account.disabled, account.roles, found.head and found.head.id, len(found.grants)

    assert now_() == (False, {"analyst"}, None, 0)
    with store.write() as conn:
        policies.activate(conn, "a = 1", activated_by=None, now=store.now())
    assert now_() == (False, {"analyst"}, 1, 0)
    with store.write() as conn:
        grant = _granted(conn, ana, rex, store.now(), 1)
    assert now_() == (False, {"analyst"}, 1, 1)
    with store.write() as conn:
        access.revoke(conn, grant, by=rex.id, comment="", now=store.now())
    assert now_() == (False, {"analyst"}, 1, 0)
    with store.write() as conn:
        accounts.set_roles(conn, ana.id, ())
        accounts.set_disabled(conn, ana.id, disabled=True)
    assert now_() == (True, frozenset(), 1, 0)


def test_nobody_has_no_standing(store: Store, ana: Account) -> None:
    with store.read() as conn:
        assert standing(conn, "nobody", now=store.now()).account is None


def _granted(conn: Connection, person: Account, by: Account, now: dt.datetime, hours: int) -> int:
    until = now + dt.timedelta(hours=hours)
    made = access.create(
        conn,
        person=person.id,
        source="shop",
        needs_json="[]",
        reason="why",
        hours=hours,
        now=now,
        expires_at=until,
    )
    access.grant(conn, made.id, by=by.id, granted_json="[]", until=until, comment="", now=now)
    return made.id
