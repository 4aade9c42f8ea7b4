"""Who asks: the signed-in person, as the session and the store know them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal

from guard.needs import Opening

ConsoleRole = Literal["analyst", "reviewer", "admin"]


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who asks. It comes from the signed-in session and is looked up again at every call.

    `id` is the account's opaque id, the only thing the audit trail knows of a person; `name` signs
    in, `roles` are its console roles. Data roles are the policy's. `openings` are the access grants
    that were live when the person was looked up, `at` is when that was: a grant with hours is only
    there while the clock of that moment is within them.
    """

    id: str
    name: str
    display_name: str
    roles: frozenset[ConsoleRole]
    openings: tuple[Opening, ...] = ()
    at: dt.datetime | None = field(default=None, compare=False)
