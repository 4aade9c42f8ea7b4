from __future__ import annotations

from dataclasses import replace

import pytest

from store import IllegalMove, Store, StoreConflict, accounts, auditfilters, saved, semantics
from store.accounts import Account
from store.saved import SavedQuestion


def keep(store: Store, owner: Account, question: str = "Orders by month") -> SavedQuestion:
    with store.write() as conn:
        return saved.create(
            conn,
            owner=owner.id,
            source="shop",
            question=question,
            key=question.casefold(),
            sql="SELECT 1",
            now=store.now(),
        )


def now_is(store: Store, one: SavedQuestion) -> SavedQuestion:
    with store.read() as conn:
        found = saved.find(conn, one.id)
    assert found is not None
    return found


def offered(store: Store, one: SavedQuestion) -> SavedQuestion:
    with store.write() as conn:
        saved.offer(conn, one, now=store.now())
    return now_is(store, one)


def test_a_question_goes_from_private_to_verified_to_stale_and_back(
    store: Store, ana: Account, rex: Account
) -> None:
    one = offered(store, keep(store, ana))
    with store.write() as conn:
        saved.verify(conn, one, by=rex.id, reads_json="[]", now=store.now())
        found = saved.verified(conn, "shop", one.key)
        assert found is not None
        assert (found.state, found.verified_by) == ("verified", rex.id)
        assert saved.verified(conn, "warehouse", one.key) is None
        saved.mark_stale(conn, found, comment="a column is gone", now=store.now())
        assert saved.verified(conn, "shop", one.key) is None
    stale = now_is(store, one)
    assert (stale.state, stale.comment) == ("stale", "a column is gone")
    with store.write() as conn:
        saved.verify(conn, stale, by=rex.id, reads_json="[]", now=store.now())
    assert now_is(store, one).comment == ""


def test_the_store_refuses_a_verification_by_the_owner(store: Store, ana: Account) -> None:
    one = offered(store, keep(store, ana))
    with pytest.raises(StoreConflict), store.write() as conn:
        saved.verify(conn, one, by=ana.id, reads_json="[]", now=store.now())
    assert now_is(store, one).state == "offered"


def test_the_store_holds_one_verified_question_of_the_same_words(
    store: Store, ana: Account, rex: Account
) -> None:
    first, second = offered(store, keep(store, ana)), offered(store, keep(store, ana))
    with store.write() as conn:
        saved.verify(conn, first, by=rex.id, reads_json="[]", now=store.now())
    with pytest.raises(StoreConflict), store.write() as conn:
        saved.verify(conn, second, by=rex.id, reads_json="[]", now=store.now())


@pytest.mark.parametrize("state", ["verified", "stale"])
def test_a_private_question_is_never_verified_at_once(
    store: Store, ana: Account, rex: Account, state: str
) -> None:
    one = keep(store, ana)
    with pytest.raises(IllegalMove), store.write() as conn:
        saved.verify(conn, one, by=rex.id, reads_json="[]", now=store.now())
    # What somebody saw is not what it is any more.
    seen = replace(one, state=state)
    with pytest.raises(IllegalMove), store.write() as conn:
        saved.remove(conn, seen)


def test_each_person_lists_their_own(store: Store, ana: Account, rex: Account) -> None:
    mine = keep(store, ana)
    keep(store, rex, "Salaries")
    with store.read() as conn:
        assert saved.list_own(conn, ana.id, "shop") == (mine,)
        assert saved.list_own(conn, ana.id, "warehouse") == ()
        assert saved.list_in(conn, "shop", {"offered", "verified"}) == ()
        assert saved.count_own(conn, ana.id) == 1


def test_the_last_layer_confirmed_is_in_force(store: Store, ana: Account) -> None:
    with store.write() as conn:
        assert semantics.head(conn, "shop") is None
        for text in ("a", "b", "a"):
            semantics.confirm(conn, "shop", text, by=ana.id, note="", now=store.now())
        last = semantics.confirm(conn, "web", "c", by=ana.id, note="why", now=store.now())
    with store.read() as conn:
        head = semantics.head(conn, "shop")
        assert head is not None
        assert [v.text for v in semantics.list_of(conn, "shop")] == ["a", "b", "a"]
        assert head.id == semantics.list_of(conn, "shop")[0].id
        assert semantics.get(conn, last.id) == last
        assert semantics.get(conn, 99) is None


def test_an_erased_person_leaves_nothing_that_was_theirs_alone(
    store: Store, ana: Account, rex: Account
) -> None:
    private, given = keep(store, ana, "Ana's own"), keep(store, ana, "Ana's offer")
    shared, others = keep(store, ana, "Verified"), keep(store, rex, "Rex's own")
    now = store.now()
    with store.write() as conn:
        saved.offer(conn, given, now=now)
        saved.offer(conn, shared, now=now)
    with store.write() as conn:
        saved.verify(conn, now_is(store, shared), by=rex.id, reads_json="[]", now=now)
        for one in (ana, rex):
            auditfilters.keep(conn, owner=one.id, name="About Jane", query="q=1", now=now)
    with store.write() as conn:
        accounts.forget(conn, ana.id)
    with store.read() as conn:
        assert saved.find(conn, private.id) is saved.find(conn, given.id) is None
        assert saved.find(conn, shared.id) is not None
        assert saved.find(conn, others.id) is not None
        assert auditfilters.list_own(conn, ana.id) == ()
        assert len(auditfilters.list_own(conn, rex.id)) == 1
