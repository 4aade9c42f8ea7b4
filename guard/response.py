"""How soon requests are decided on, against the target of the policy, and who approves in bulk."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from statistics import median

from guard.inforce import InForce
from store import Store, accounts, approvals, responses

WINDOW = dt.timedelta(days=30)
_FLAGS = dt.timedelta(days=7)
_NOBODY_DECIDED = frozenset({"withdrawn", "failed", "previewing", "draft", "drifted"})


@dataclass(frozen=True, kw_only=True)
class Response:
    """The requests of the last 30 days: how many a person decided on, and how soon.

    `median_seconds` is of those; `in_time` of `counted` were decided within the target, where
    those nobody decided on in time count against it.
    """

    decided: int
    median_seconds: float | None
    in_time: int
    counted: int
    target_minutes: int


@dataclass(frozen=True, kw_only=True)
class Hasty:
    """Somebody whose approvals of the last 7 days look as if nobody had read what they were for."""

    name: str
    fast: int
    bulk: int


class Responses:
    """Measures. Every number comes from the store."""

    def __init__(self, store: Store, policies: InForce) -> None:
        self._store = store
        self._policies = policies

    def measure(self) -> Response:
        """Returns the numbers of the last 30 days."""
        now = self._store.now()
        minutes = self._policies.current().approvals.target_minutes
        target = dt.timedelta(minutes=minutes)
        with self._store.read() as conn:
            waits = responses.waits(conn, since=now - WINDOW)
        taken = [w.decided - w.since for w in waits if w.decided is not None]
        late = sum(
            1
            for w in waits
            if w.decided is None and w.state not in _NOBODY_DECIDED and now - w.since > target
        )
        return Response(
            decided=len(taken),
            median_seconds=median(t.total_seconds() for t in taken) if taken else None,
            in_time=sum(t <= target for t in taken),
            counted=len(taken) + late,
            target_minutes=minutes,
        )

    def hasty(self) -> tuple[Hasty, ...]:
        """Returns who was flagged in the last 7 days, by name."""
        with self._store.read() as conn:
            votes = approvals.flagged(conn, since=self._store.now() - _FLAGS)
            names = {a.id: a.display_name for a in accounts.list_all(conn)}
        people = sorted({v.approver for v in votes}, key=lambda p: names.get(p, ""))
        return tuple(
            Hasty(
                name=names.get(person, "somebody"),
                fast=sum(v.fast for v in votes if v.approver == person),
                bulk=sum(v.bulk for v in votes if v.approver == person),
            )
            for person in people
        )
