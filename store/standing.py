"""What every call on the door looks up first, in one statement of one snapshot.

Who the person is now, which roles they have, what is granted to them at this moment and which
policy is in force: a change of any of these binds the next call.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, exists, select, true

from store import access
from store.access import AccessRequest
from store.accounts import Account
from store.policies import Head
from store.prepared import Prepared
from store.schema import access_requests, account_roles, accounts, policy_versions


@dataclass(frozen=True, kw_only=True)
class Standing:
    """An account as it is now with its live grants, and the policy in force.

    `account` is None where there is none of that id, `head` before the first policy.
    """

    account: Account | None
    grants: tuple[AccessRequest, ...]
    head: Head | None


def standing(conn: Connection, account: str, *, now: dt.datetime) -> Standing:
    """Returns where that account stands at `now`."""
    rows = _STANDING.rows(conn, {"who": account, "now": now})
    if not rows:
        return Standing(account=None, grants=(), head=None)
    *person, _, version, sha256, granted = rows[0]
    key, name, display_name, disabled, demo, created_at = person
    found = Account(
        id=key,
        name=name,
        display_name=display_name,
        roles=frozenset(role for *_, role, _, _, _ in rows if role is not None),
        disabled=disabled,
        demo=demo,
        created_at=created_at,
    )
    return Standing(
        account=found,
        grants=access.live(conn, account, now=now) if granted else (),
        head=None if version is None else Head(id=version, sha256=sha256),
    )


_head = (
    select(policy_versions.c.id, policy_versions.c.sha256)
    .order_by(policy_versions.c.id.desc())
    .limit(1)
    .subquery("head")
)
_STANDING = Prepared(
    select(
        accounts.c.id,
        accounts.c.name,
        accounts.c.display_name,
        accounts.c.disabled,
        accounts.c.demo,
        accounts.c.created_at,
        account_roles.c.role,
        _head.c.id.label("version"),
        _head.c.sha256,
        exists()
        .where(
            access_requests.c.person == accounts.c.id,
            access_requests.c.state == "granted",
            access_requests.c.until > bindparam("now", type_=access_requests.c.until.type),
        )
        .label("granted"),
    )
    .select_from(
        accounts.outerjoin(account_roles, account_roles.c.account == accounts.c.id).outerjoin(
            _head, true()
        )
    )
    .where(accounts.c.id == bindparam("who"))
)
"""A row for each role, one where there is none."""
