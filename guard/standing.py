"""Who asks and under which policy: looked up in the store once in every call, by one statement."""

from __future__ import annotations

from dataclasses import dataclass

from guard.principal import Principal
from store.policies import Head


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The person as they are now, None where they may not act; the version of the policy in force.

    Both are of one snapshot of the store.
    """

    principal: Principal | None
    version: Head | None
