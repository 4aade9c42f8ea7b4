from __future__ import annotations

import hashlib

from store import Store, policies
from store.accounts import Account


def test_the_first_text_is_version_one(store: Store, ana: Account) -> None:
    with store.write() as conn:
        assert policies.latest(conn) is None
        version = policies.activate(conn, "a = 1", activated_by=ana.id, now=store.now())
        assert policies.latest(conn) == version
    assert version.sha256 == hashlib.sha256(b"a = 1").hexdigest()
    assert (version.id, version.activated_by) == (1, ana.id)


def test_the_text_in_force_is_no_new_version(store: Store) -> None:
    with store.write() as conn:
        first = policies.activate(conn, "a = 1", activated_by=None, now=store.now())
        assert policies.activate(conn, "a = 1", activated_by=None, now=store.now()) == first
        assert policies.list_all(conn) == (first,)


def test_going_back_is_a_new_version(store: Store) -> None:
    with store.write() as conn:
        first = policies.activate(conn, "a = 1", activated_by=None, now=store.now())
        policies.activate(conn, "a = 2", activated_by=None, now=store.now())
        back = policies.activate(conn, "a = 1", activated_by=None, now=store.now())
        assert back.id == 3
        assert policies.find(conn, first.sha256) == back
        assert policies.find(conn, "0" * 64) is None
        assert [v.text for v in policies.list_all(conn)] == ["a = 1", "a = 2", "a = 1"]
