"""An account as the guard knows a person."""

from __future__ import annotations

from guard.principal import Principal
from store.accounts import Account


def principal_of(account: Account) -> Principal:
    """Returns the account as the guard knows a person."""
    return Principal(
        id=account.id,
        name=account.name,
        display_name=account.display_name,
        roles=account.roles,
    )
