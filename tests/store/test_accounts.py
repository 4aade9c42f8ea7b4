from __future__ import annotations

from pathlib import Path

import pytest

from store import IllegalMove, Store, StoreConflict, StoreError, accounts, passwords
from store.accounts import Account
from tests.store.conftest import PASSWORD


def _create(store: Store, name: str, password_hash: str = "x", **more: object) -> Account:
    fields: dict[str, object] = {"display_name": "Bo", "roles": (), **more}
    with store.write() as conn:
        return accounts.create(
            conn,
            name=name,
            password_hash=password_hash,
            now=store.now(),
            **fields,  # type: ignore[arg-type]  # fields by name
        )


def test_an_account_has_an_id_that_says_nothing_about_the_person(
    store: Store, ana: Account
) -> None:
    other = _create(store, "bo", roles={"analyst", "admin"})
    assert len(ana.id) == 20
    assert ana.id != other.id
    assert other.roles == {"analyst", "admin"}
    with store.read() as conn:
        assert accounts.find(conn, other.id) == other
        assert accounts.list_all(conn) == (ana, other)


def test_names_are_matched_without_case(store: Store, ana: Account) -> None:
    with store.read() as conn:
        assert accounts.by_name(conn, " ANA ") == ana
        assert accounts.by_name(conn, "anna") is None
    with pytest.raises(StoreConflict, match="an account named ana already"):
        _create(store, "Ana")


@pytest.mark.parametrize("name", ["", " ", "a b", "-ana", "a" * 65, "a\nb", "a<b>", "a/b"])
def test_names_that_could_confuse_are_refused(name: str, store: Store) -> None:
    with pytest.raises(StoreError, match="A name has"):
        _create(store, name)


@pytest.mark.parametrize("display_name", ["  ", "x" * 121])
def test_a_display_name_is_a_line(display_name: str, store: Store) -> None:
    with pytest.raises(StoreError, match="A display name has"):
        _create(store, "bo", display_name=display_name)


def test_roles_are_exactly_those_set_last(store: Store, ana: Account) -> None:
    with store.write() as conn:
        accounts.set_roles(conn, ana.id, {"reviewer"})
        assert accounts.get(conn, ana.id).roles == {"reviewer"}
        accounts.set_roles(conn, ana.id, ())
        assert accounts.get(conn, ana.id).roles == frozenset()


def test_a_role_nobody_knows_is_refused(store: Store, ana: Account) -> None:
    with pytest.raises(StoreConflict), store.write() as conn:
        accounts.set_roles(conn, ana.id, ["owner"])  # type: ignore[list-item]  # the point
    with store.read() as conn:
        assert accounts.get(conn, ana.id).roles == {"analyst"}


def test_an_account_is_disabled_and_comes_back(store: Store, ana: Account) -> None:
    with store.write() as conn:
        accounts.set_disabled(conn, ana.id, disabled=True)
        assert accounts.get(conn, ana.id).disabled
        accounts.set_disabled(conn, ana.id, disabled=False)
        assert not accounts.get(conn, ana.id).disabled
        with pytest.raises(IllegalMove, match="no account"):
            accounts.set_disabled(conn, "nobody", disabled=True)


def test_the_password_itself_is_nowhere_in_the_store(
    home: Path, store: Store, ana: Account
) -> None:
    with store.read() as conn:
        found = accounts.credentials(conn, "ana")
    assert found is not None
    assert found.password_hash.startswith("$argon2id$")
    assert PASSWORD not in found.password_hash
    for file in home.glob("state.sqlite*"):
        assert PASSWORD.encode() not in file.read_bytes()


def test_a_password_is_checked_against_its_hash(password_hash: str) -> None:
    assert passwords.verify(password_hash, PASSWORD)
    assert not passwords.verify(password_hash, PASSWORD + "!")
    assert not passwords.verify(password_hash, "")
    assert not passwords.verify(None, PASSWORD)
    assert not passwords.verify("not a hash", PASSWORD)
    assert not passwords.verify(password_hash, PASSWORD + "x" * 10_000)


@pytest.mark.parametrize("password", ["short", "x" * 257])
def test_a_password_of_a_bad_length_is_refused(password: str) -> None:
    with pytest.raises(StoreError, match="8 to 256"):
        passwords.hash_password(password)
