"""How often signing in failed, for a name and for a client address, and how long to wait.

An attempt is counted before the password is looked at, so that a hundred at once cannot all pass.
The first few are free; from then on each one must wait twice as long as the one before. Names that
do not exist are counted too, so a wait tells nothing. Names and addresses are kept as digests.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from store.ids import digest
from store.schema import sign_in_attempts
from store.states import AttemptScope


@dataclass(frozen=True, kw_only=True)
class Key:
    """Whose attempts are counted."""

    scope: AttemptScope
    digest: str


FREE = {"account": 5, "address": 20}
"""Attempts before the first wait. Many people can share one address."""
FIRST_WAIT = dt.timedelta(minutes=1)
LONGEST_WAIT = dt.timedelta(minutes=15)
FORGOTTEN_AFTER = dt.timedelta(hours=1)

_t = sign_in_attempts


def account_key(name: str) -> Key:
    """Returns the key of a name, in the form accounts store it."""
    return Key(scope="account", digest=digest(name))


def address_key(address: str) -> Key:
    """Returns the key of a client address. All of one IPv6 household (/64) is one address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return Key(scope="address", digest=digest(address))
    network = ipaddress.ip_network((ip, 64 if ip.version == 6 else 32), strict=False)
    return Key(scope="address", digest=digest(str(network)))


def admit(conn: Connection, keys: tuple[Key, ...], *, now: dt.datetime) -> dt.timedelta | None:
    """Counts one attempt for every key and returns None, or counts nothing and returns the wait."""
    conn.execute(delete(_t).where(_t.c.last_at < now - FORGOTTEN_AFTER))
    waits = [wait for key in keys if (wait := waiting(conn, key, now=now)) is not None]
    if waits:
        return max(waits)
    for key in keys:
        _count(conn, key, now)
    return None


def waiting(conn: Connection, key: Key, *, now: dt.datetime) -> dt.timedelta | None:
    """Returns how long this key must still wait, or None."""
    row = conn.execute(select(_t.c.failures, _t.c.last_at).where(_is(key))).first()
    if row is None or row.failures < FREE[key.scope]:
        return None
    doublings = min(row.failures - FREE[key.scope], 8)
    left: dt.timedelta = row.last_at + min(FIRST_WAIT * 2**doublings, LONGEST_WAIT) - now
    return left if left > dt.timedelta(0) else None


def forgive(conn: Connection, account: Key, address: Key) -> None:
    """After a success: the name starts afresh, the address only gets its one attempt back.

    Otherwise somebody with an account could guess at others' for ever by signing in in between.
    """
    conn.execute(delete(_t).where(_is(account)))
    conn.execute(
        update(_t).where(_is(address), _t.c.failures > 0).values(failures=_t.c.failures - 1)
    )


def _count(conn: Connection, key: Key, now: dt.datetime) -> None:
    counted = conn.execute(
        update(_t).where(_is(key)).values(failures=_t.c.failures + 1, last_at=now)
    )
    if counted.rowcount == 0:
        conn.execute(
            insert(_t).values(scope=key.scope, key_sha=key.digest, failures=1, last_at=now)
        )


def _is(key: Key) -> ColumnElement[bool]:
    return (_t.c.scope == key.scope) & (_t.c.key_sha == key.digest)
