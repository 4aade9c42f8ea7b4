"""Policies that wait for a second admin: proposed by one, activated or rejected by another."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from store.errors import IllegalMove
from store.ids import digest
from store.records import build, build_all, columns, expect_one, move_row
from store.schema import policy_candidates
from store.states import CANDIDATE_MOVES, CandidateOrigin, CandidateState


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One proposed policy. `replay_json` is what judging recorded statements again has given.

    `replay_base` is the SHA-256 of the policy that it was compared with.
    """

    id: int
    sha256: str
    text: str
    origin: CandidateOrigin
    note: str
    proposed_by: str
    proposed_at: dt.datetime
    state: CandidateState
    decided_by: str | None
    decided_at: dt.datetime | None
    comment: str
    replay_json: str | None
    replay_base: str | None
    replayed_at: dt.datetime | None


_t = policy_candidates


def create(
    conn: Connection,
    *,
    text: str,
    origin: CandidateOrigin,
    note: str,
    proposed_by: str,
    now: dt.datetime,
) -> Candidate:
    """Returns a new candidate that waits for a second admin."""
    row = conn.execute(
        insert(_t)
        .values(
            sha256=digest(text),
            text=text,
            origin=origin,
            note=note,
            proposed_by=proposed_by,
            proposed_at=now,
            state="pending",
            comment="",
        )
        .returning(*columns(Candidate, _t))
    ).one()
    return build(Candidate, row)


def get(conn: Connection, candidate: int) -> Candidate:
    """Returns the candidate, which must exist.

    Raises:
        IllegalMove: there is none.
    """
    row = conn.execute(select(*columns(Candidate, _t)).where(_t.c.id == candidate)).first()
    if row is None:
        raise IllegalMove(f"There is no proposed policy {candidate}.")
    return build(Candidate, row)


def list_all(
    conn: Connection, *, state: CandidateState | None = None, limit: int = 50
) -> tuple[Candidate, ...]:
    """Returns the candidates, newest first, those in `state` only where given."""
    query = select(*columns(Candidate, _t)).order_by(_t.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_t.c.state == state)
    return build_all(Candidate, conn.execute(query).all())


def count_waiting(conn: Connection, admin: str) -> int:
    """Returns how many candidates of others wait for a decision."""
    query = select(func.count()).where(_t.c.state == "pending", _t.c.proposed_by != admin)
    return conn.execute(query).scalar_one()


def record_replay(
    conn: Connection, candidate: int, *, replay_json: str, base: str, now: dt.datetime
) -> None:
    """Keeps what the last replay of a waiting candidate gave.

    Raises:
        IllegalMove: it is not waiting any more.
    """
    touched = conn.execute(
        update(_t)
        .where(_t.c.id == candidate, _t.c.state == "pending")
        .values(replay_json=replay_json, replay_base=base, replayed_at=now)
    )
    expect_one(touched, f"The proposed policy {candidate} is not waiting any more.")


def decide(
    conn: Connection,
    candidate: int,
    target: CandidateState,
    *,
    by: str,
    comment: str,
    now: dt.datetime,
) -> None:
    """Ends the wait of a candidate. The store itself refuses activation `by` its proposer.

    Raises:
        IllegalMove: it is not waiting any more.
    """
    values = {"decided_by": by, "decided_at": now, "comment": comment}
    move_row(conn, _t, candidate, "pending", target, CANDIDATE_MOVES, values)
