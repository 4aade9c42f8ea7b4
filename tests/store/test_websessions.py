from __future__ import annotations

from store import Store, accounts, websessions
from store.accounts import Account
from tests.store.conftest import Clock


def _start(store: Store, account: Account) -> str:
    with store.write() as conn:
        return websessions.start(conn, account.id, now=store.now())


def _who(store: Store, token: str, *, demo_mode: bool = False) -> Account | None:
    with store.read() as conn:
        return websessions.signed_in(conn, token, now=store.now(), demo_mode=demo_mode)


def test_a_token_is_its_account_until_it_expires(store: Store, ana: Account, clock: Clock) -> None:
    token = _start(store, ana)
    assert _who(store, token) == ana
    clock.pass_(hours=8, seconds=-1)
    assert _who(store, token) == ana
    clock.pass_(seconds=1)
    assert _who(store, token) is None


def test_only_the_digest_of_a_token_is_stored(store: Store, ana: Account) -> None:
    token = _start(store, ana)
    with store.read() as conn:
        rows = str(conn.exec_driver_sql("SELECT * FROM web_sessions").all())
    assert token not in rows
    assert _who(store, token + "x") is None
    assert _who(store, "") is None


def test_tokens_are_long_and_never_alike(store: Store, ana: Account) -> None:
    tokens = {_start(store, ana) for _ in range(5)}
    assert len(tokens) == 5
    assert all(len(token) >= 43 for token in tokens)


def test_a_revoked_session_ends_and_the_others_stay(store: Store, ana: Account) -> None:
    first, second = _start(store, ana), _start(store, ana)
    with store.write() as conn:
        assert websessions.revoke(conn, first, now=store.now()) == ana.id
        assert websessions.revoke(conn, first, now=store.now()) is None
        assert websessions.revoke(conn, "unknown", now=store.now()) is None
    assert _who(store, first) is None
    assert _who(store, second) == ana


def test_all_sessions_of_one_account_end_and_nobody_elses(
    store: Store, ana: Account, rex: Account
) -> None:
    tokens, other = [_start(store, ana), _start(store, ana)], _start(store, rex)
    with store.write() as conn:
        assert websessions.revoke_all(conn, ana.id, now=store.now()) == 2
    assert [_who(store, token) for token in tokens] == [None, None]
    assert _who(store, other) == rex


def test_roles_are_those_of_this_moment(store: Store, ana: Account) -> None:
    token = _start(store, ana)
    with store.write() as conn:
        accounts.set_roles(conn, ana.id, {"admin"})
    now = _who(store, token)
    assert now is not None
    assert now.roles == {"admin"}


def test_a_disabled_account_is_signed_out_at_once(store: Store, ana: Account) -> None:
    token = _start(store, ana)
    with store.write() as conn:
        accounts.set_disabled(conn, ana.id, disabled=True)
    assert _who(store, token) is None


def test_a_demo_session_ends_with_demo_mode(store: Store, password_hash: str) -> None:
    with store.write() as conn:
        guest = accounts.create(
            conn,
            name="guest",
            display_name="Guest",
            roles=(),
            password_hash=password_hash,
            now=store.now(),
            demo=True,
        )
    token = _start(store, guest)
    assert _who(store, token, demo_mode=True) == guest
    assert _who(store, token, demo_mode=False) is None


def test_sessions_long_gone_are_swept_when_one_starts(
    store: Store, ana: Account, clock: Clock
) -> None:
    _start(store, ana)
    clock.pass_(days=31)
    _start(store, ana)
    with store.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM web_sessions").scalar_one() == 1
