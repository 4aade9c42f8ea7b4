"""Local accounts: who may sign in, and with which console roles.

An account is never deleted, only disabled, because requests and votes point at it. The audit trail
knows its opaque id and nothing else of the person.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from store.errors import StoreConflict, StoreError
from store.ids import new_id
from store.records import expect_one
from store.schema import account_roles, accounts, audit_filters, saved_questions
from store.states import ConsoleRole


@dataclass(frozen=True, kw_only=True)
class Account:
    """One person. `id` is random and stays; `demo` accounts sign in in demo mode only."""

    id: str
    name: str
    display_name: str
    roles: frozenset[ConsoleRole]
    disabled: bool
    demo: bool
    created_at: dt.datetime

    @property
    def erased(self) -> bool:
        """True when nothing tells any more who the person is, see `forget`."""
        return self.name == _erased(self.id)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """An account and the hash its password must match. Never leaves the store package."""

    account: Account
    password_hash: str


_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


def create(
    conn: Connection,
    *,
    name: str,
    display_name: str,
    roles: Iterable[ConsoleRole],
    password_hash: str,
    now: dt.datetime,
    demo: bool = False,
) -> Account:
    """Returns the new account. `password_hash` comes from `passwords.hash_password`.

    Raises:
        StoreConflict: the name is taken.
        StoreError: the name or the display name cannot be used.
    """
    name = normal(name)
    if not _NAME.fullmatch(name):
        raise StoreError(
            "A name has up to 64 letters, digits and . _ @ + - and starts with a letter or digit."
        )
    if not 1 <= len(display_name.strip()) <= 120:
        raise StoreError("A display name has 1 to 120 characters.")
    if by_name(conn, name) is not None:
        raise StoreConflict(f"There is an account named {name} already. Choose another name.")
    account = new_id()
    conn.execute(
        insert(accounts).values(
            id=account,
            name=name,
            display_name=display_name.strip(),
            password_hash=password_hash,
            disabled=False,
            demo=demo,
            created_at=now,
        )
    )
    set_roles(conn, account, roles)
    return get(conn, account)


def normal(name: str) -> str:
    """Returns the name as it is stored: names are matched without case."""
    return name.strip().casefold()


def find(conn: Connection, account: str) -> Account | None:
    """Returns the account with that id, or None."""
    row = conn.execute(select(accounts).where(accounts.c.id == account)).first()
    return _one(conn, row)


def get(conn: Connection, account: str) -> Account:
    """Returns the account with that id, which must exist.

    Raises:
        StoreError: there is none.
    """
    found = find(conn, account)
    if found is None:
        raise StoreError(f"There is no account {account}.")
    return found


def by_name(conn: Connection, name: str) -> Account | None:
    """Returns the account that signs in with that name, or None."""
    row = conn.execute(select(accounts).where(accounts.c.name == normal(name))).first()
    return _one(conn, row)


def credentials(conn: Connection, name: str) -> Credentials | None:
    """Returns the account of that name with its hash, for `sign_in` only."""
    row = conn.execute(select(accounts).where(accounts.c.name == normal(name))).first()
    account = _one(conn, row)
    if row is None or account is None:
        return None
    return Credentials(account=account, password_hash=row.password_hash)


def list_all(conn: Connection) -> tuple[Account, ...]:
    """Returns every account, disabled ones too, by name."""
    return _accounts(conn, conn.execute(select(accounts).order_by(accounts.c.name)).all())


def set_roles(conn: Connection, account: str, roles: Iterable[ConsoleRole]) -> None:
    """Gives the account exactly these roles. They hold from the person's next click."""
    conn.execute(delete(account_roles).where(account_roles.c.account == account))
    rows = [{"account": account, "role": role} for role in sorted(set(roles))]
    if rows:
        conn.execute(insert(account_roles), rows)


def set_disabled(conn: Connection, account: str, *, disabled: bool) -> None:
    """Locks the account out, or back in. A disabled account is signed out at its next click.

    Raises:
        IllegalMove: there is no such account.
    """
    _set(conn, account, disabled=disabled)


def forget(conn: Connection, account: str) -> None:
    """Removes what tells who the person is; the id stays, and nobody can sign in with it again.

    Questions that nobody has verified and kept filters, which were theirs alone, go with it.

    Raises:
        IllegalMove: there is no such account.
    """
    own = saved_questions.c.owner == account
    conn.execute(
        delete(saved_questions).where(own, saved_questions.c.state.in_(("private", "offered")))
    )
    conn.execute(delete(audit_filters).where(audit_filters.c.owner == account))
    _set(
        conn,
        account,
        name=_erased(account),
        display_name="Erased person",
        password_hash="!",  # noqa: S106  # no password has this hash
        disabled=True,
    )


def _erased(account: str) -> str:
    return f"erased-{account}"[:64].casefold()


def set_password_hash(conn: Connection, account: str, password_hash: str) -> None:
    """Replaces the password. Revoke the account's sessions in the same transaction.

    Raises:
        IllegalMove: there is no such account.
    """
    _set(conn, account, password_hash=password_hash)


def _set(conn: Connection, account: str, **values: object) -> None:
    touched = conn.execute(update(accounts).where(accounts.c.id == account).values(**values))
    expect_one(touched, f"There is no account {account}.")


def _one(conn: Connection, row: Row[Any] | None) -> Account | None:
    return next(iter(_accounts(conn, [row])), None) if row is not None else None


def _accounts(conn: Connection, rows: Sequence[Row[Any]]) -> tuple[Account, ...]:
    query = select(account_roles.c.account, account_roles.c.role)
    if len(rows) == 1:
        query = query.where(account_roles.c.account == rows[0].id)
    roles: dict[str, set[ConsoleRole]] = {}
    for account, role in conn.execute(query).all():
        roles.setdefault(account, set()).add(role)
    return tuple(
        Account(
            id=row.id,
            name=row.name,
            display_name=row.display_name,
            roles=frozenset(roles.get(row.id, ())),
            disabled=row.disabled,
            demo=row.demo,
            created_at=row.created_at,
        )
        for row in rows
    )
