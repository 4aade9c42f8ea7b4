"""The demo accounts. Their passwords stand on the sign-in page, so they exist in demo mode only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ConsoleRole = Literal["analyst", "reviewer", "admin"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """One demo account. `name` signs in, `display_name` is shown, `note` says what it may do."""

    name: str
    display_name: str
    roles: frozenset[ConsoleRole]
    note: str

    @property
    def password(self) -> str:
        """The demo-only password; it says so itself, so that nobody keeps it."""
        return f"demo-only-{self.name}"


ACCOUNTS: tuple[Account, ...] = (
    Account(
        name="analyst",
        display_name="Nora Lindqvist",
        roles=frozenset({"analyst"}),
        note="Analyst for all countries",
    ),
    Account(
        name="analyst2",
        display_name="Jonas Weber",
        roles=frozenset({"analyst"}),
        note="Analyst for Germany only",
    ),
    Account(
        name="reviewer",
        display_name="Amara Okafor",
        roles=frozenset({"reviewer"}),
        note="Decides on changes",
    ),
    Account(
        name="reviewer2",
        display_name="Tomás Herrera",
        roles=frozenset({"reviewer"}),
        note="A second reviewer",
    ),
    Account(
        name="admin",
        display_name="Ingrid Solberg",
        roles=frozenset({"admin"}),
        note="Reads the audit trail, keeps the policy",
    ),
    Account(
        name="admin2",
        display_name="Kenji Mori",
        roles=frozenset({"admin"}),
        note="A second admin",
    ),
)
