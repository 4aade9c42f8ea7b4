"""Server-side sign-in sessions. The browser holds a random token, the store only its SHA-256."""

from __future__ import annotations

import datetime as dt
import secrets

from sqlalchemy import Connection, delete, insert, select, update

from store import accounts
from store.accounts import Account
from store.ids import digest
from store.schema import web_sessions

LIFETIME = dt.timedelta(hours=8)
_KEPT = dt.timedelta(days=30)

_t = web_sessions


def start(
    conn: Connection, account: str, *, now: dt.datetime, lifetime: dt.timedelta = LIFETIME
) -> str:
    """Returns the token of a new session: the only time it is known here."""
    token = secrets.token_urlsafe(32)
    conn.execute(delete(_t).where(_t.c.expires_at < now - _KEPT))
    conn.execute(
        insert(_t).values(
            token_sha=digest(token), account=account, created_at=now, expires_at=now + lifetime
        )
    )
    return token


def signed_in(conn: Connection, token: str, *, now: dt.datetime, demo_mode: bool) -> Account | None:
    """Returns whose session the token is, with the roles of this moment, or None.

    None for a token that is unknown, expired or revoked, for a disabled account, and for a demo
    account outside demo mode.
    """
    holder = conn.execute(
        select(_t.c.account).where(
            _t.c.token_sha == digest(token), _t.c.revoked_at.is_(None), _t.c.expires_at > now
        )
    ).scalar_one_or_none()
    account = accounts.find(conn, holder) if holder else None
    if account is None or account.disabled or (account.demo and not demo_mode):
        return None
    return account


def revoke(conn: Connection, token: str, *, now: dt.datetime) -> str | None:
    """Ends the session in every tab; returns the account id, or None if nothing was left to end."""
    return conn.execute(
        update(_t)
        .where(_t.c.token_sha == digest(token), _t.c.revoked_at.is_(None), _t.c.expires_at > now)
        .values(revoked_at=now)
        .returning(_t.c.account)
    ).scalar_one_or_none()


def revoke_all(conn: Connection, account: str, *, now: dt.datetime) -> int:
    """Ends every session of the account, on every device; returns how many were live."""
    ended = conn.execute(
        update(_t)
        .where(_t.c.account == account, _t.c.revoked_at.is_(None), _t.c.expires_at > now)
        .values(revoked_at=now)
    )
    return ended.rowcount
