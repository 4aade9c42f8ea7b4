"""Whether enough people have said yes: counted anew each time, as those people are now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from guard.principal import Principal
from store import Connection, approvals
from store.changes import StoredChange

REVIEWERS = frozenset({"reviewer", "admin"})
"""Console roles that decide on changes."""


@dataclass(frozen=True, kw_only=True)
class Quorum:
    """How many yeses count, how many of them are admins', and how many are needed of each."""

    yes: int
    admins: int
    needed: int
    admins_needed: int

    @property
    def met(self) -> bool:
        """True when nobody is missing."""
        return self.yes >= self.needed and self.admins >= self.admins_needed

    @property
    def missing(self) -> str:
        """What is missing, as a sentence; empty where nothing is."""
        people = max(0, self.needed - self.yes)
        admins = max(0, self.admins_needed - self.admins)
        if not people and not admins:
            return ""
        people = max(people, admins)
        said = f"{people} more {'approval is' if people == 1 else 'approvals are'} needed"
        if admins:
            whose = "an admin's" if admins == 1 else f"{admins} admins'"
            return f"{said}, {whose if people == admins == 1 else f'{whose} among them'}."
        return f"{said}."


def count(
    conn: Connection,
    stored: StoredChange,
    look_up: Callable[[str], Principal | None],
    in_scope: Callable[[StoredChange, Principal], bool],
) -> Quorum:
    """Returns the quorum of a request.

    A yes counts while its person may still decide on it: active, a reviewer, not the author, and
    able to read every table of it. One person counts once.
    """
    people = [
        person
        for approver in approvals.yes_of(conn, stored.id)
        if approver != stored.author
        and (person := look_up(approver)) is not None
        and person.roles & REVIEWERS
        and in_scope(stored, person)
    ]
    return Quorum(
        yes=len(people),
        admins=sum("admin" in p.roles for p in people),
        needed=stored.approvers_needed,
        admins_needed=stored.admins_needed,
    )
