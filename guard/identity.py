"""Who a statement runs as inside the database, for row security: a role, session variables.

Values come from the signed-in person and the policy, never from a statement or a tool's argument.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guard.policyfile import IdentityPolicy
    from guard.principal import Principal


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What the adapter sets for one statement, before its text is sent.

    `role` is the database role the statement runs as, None for the login's own; `variables` pairs
    the name of a session variable with its value.
    """

    role: str | None = None
    variables: tuple[tuple[str, str], ...] = ()


NO_IDENTITY = Identity()
"""The login itself, with no variable set: for sources that know nothing of persons."""


def identity_of(
    settings: IdentityPolicy, principal: Principal, data_roles: Collection[str]
) -> Identity:
    """Returns how the person appears to the database. `data_roles` are theirs, by the policy.

    The first mapped role in the policy's order decides where a person has several.
    """
    role = next((db for name, db in settings.roles.items() if name in data_roles), None)
    values = {
        "id": principal.id,
        "name": principal.name,
        "data_roles": ",".join(sorted(data_roles)),
        "console_roles": ",".join(sorted(principal.roles)),
    }
    return Identity(
        role=role,
        variables=tuple((name, values[what]) for name, what in settings.variables.items()),
    )
