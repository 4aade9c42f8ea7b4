"""What the server's planner expects of a read: EXPLAIN without ANALYZE, so nothing runs.

https://www.postgresql.org/docs/current/using-explain.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from guard.engines.base import Estimate
from guard.engines.postgres_reading import Session, literal

_PAGE_BYTES = 8_192
_WHOLE = "Seq Scan"


class _Node(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: str = Field(alias="Node Type")
    rows: float = Field(alias="Plan Rows")
    width: int = Field(alias="Plan Width")
    schema_: str | None = Field(default=None, alias="Schema")
    relation: str | None = Field(default=None, alias="Relation Name")
    plans: tuple[_Node, ...] = Field(default=(), alias="Plans")

    def walk(self) -> Iterator[_Node]:
        """Yields this step and those that feed it."""
        yield self
        for plan in self.plans:
            yield from plan.walk()


class _Explained(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    plan: _Node = Field(alias="Plan")


_PLANS = TypeAdapter(list[_Explained])


def estimate(session: Session, text: str) -> Estimate | None:
    """Returns what the planner expects of the query in `text`; None where it cannot be told.

    A table that is read from end to end counts with all of its rows and pages, whatever a filter
    leaves of them.
    """
    rows = session.ask(f"EXPLAIN (FORMAT JSON, VERBOSE) {text}")
    found = _PLANS.validate_json("\n".join(row[0] or "" for row in rows))
    nodes = [node for explained in found for node in explained.plan.walk()]
    if not nodes:
        return None
    sizes = _sizes(session, nodes)
    scanned = [sizes.get((n.schema_, n.relation), (0, 0)) for n in nodes if n.kind == _WHOLE]
    made = [max(n.rows, 0) for n in nodes]
    moved = [max(n.rows, 0) * max(n.width, 1) for n in nodes]
    return Estimate(
        rows=int(max([*made, *(float(r) for r, _ in scanned)])),
        bytes=int(max(max(moved), sum(b for _, b in scanned))),
    )


def _sizes(
    session: Session, nodes: list[_Node]
) -> Mapping[tuple[str | None, str | None], tuple[int, int]]:
    """Rows and bytes of the tables that are read from end to end, as last counted."""
    named = {
        (n.schema_, n.relation) for n in nodes if n.kind == _WHOLE and n.schema_ and n.relation
    }
    if not named:
        return {}
    pairs = ", ".join(f"({literal(s or '')}, {literal(r or '')})" for s, r in sorted(named))
    found = session.ask(
        "SELECT n.nspname, c.relname, c.reltuples::int8, c.relpages "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        f"WHERE (n.nspname, c.relname) IN ({pairs})"
    )
    return {
        (schema, name): (max(int(rows or 0), 0), int(pages or 0) * _PAGE_BYTES)
        for schema, name, rows, pages in found
    }
