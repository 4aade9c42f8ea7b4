"""Step 4: Statement + Allow -> GuardedQuery. The only place that builds one."""

from __future__ import annotations

from dataclasses import dataclass

from guard.catalog import Catalog
from guard.lineage import Lineage
from guard.policy import Allow
from guard.statement import Statement


@dataclass(frozen=True, kw_only=True)
class GuardedQuery:
    """SQL with row filters and limit inside, ready for an engine, which accepts nothing else.

    `max_rows` is what the engine may return at most (one row more is fetched to know of a cut);
    `readable` maps each base table to the columns the engine's own authorizer must allow.
    """

    source: str
    dialect: str
    sql: str
    max_rows: int
    max_bytes: int
    timeout_ms: int
    readable: tuple[tuple[str, tuple[str, ...]], ...]
    lineage: Lineage


def rewrite(statement: Statement, allow: Allow, catalog: Catalog) -> GuardedQuery:
    """Returns what may be sent to the engine.

    Every base table with a row filter becomes a filtered subquery, so that the filter stays right under
    outer joins, set operations, CTEs and self-joins. The text is generated from the judged tree, parsed and
    judged again.

    Raises:
        Refused: the rewritten text would not give the same judgement.
    """
    raise NotImplementedError
