"""How risky a change is: a tier from 1 to 3, every reason for it, and who must say yes.

The tier follows from what the preview found, never from what the author or the agent says of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from guard.approvalpolicy import Approvals, Tiers
from guard.catalog import Catalog
from guard.diff import Diff, TableDiff
from guard.logtext import counted
from guard.policyfile import Environment
from guard.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One thing that was weighed, and the tier it makes the change at least."""

    tier: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Risk:
    """The tier of a change, why, and how many people must say yes, how many of them admins."""

    tier: int
    reasons: tuple[Reason, ...]
    approvers: int
    admins: int


def assess(
    diff: Diff,
    *,
    settings: Approvals,
    environment: Environment,
    catalog: Catalog,
    shape: Shape | None,
) -> Risk:
    """Returns the risk of a previewed change; `shape` is None for an undo."""
    tiers = settings.tiers
    reasons = [
        _rows(diff, tiers),
        *_undo(diff, tiers),
        *(r for table in diff.tables for r in _table(table, tiers, catalog, shape)),
    ]
    if _changes_schema(diff, shape):
        reasons.append(Reason(tier=tiers.schema_change, text="It changes the schema."))
    tier = max(r.tier for r in reasons)
    if environment == "production":
        reasons.append(Reason(tier=1, text="It is in production."))
    elif tier > tiers.outside_production:
        tier = tiers.outside_production
        sentence = f"It is in {environment}, where no change is above tier {tier}."
        reasons.append(Reason(tier=tier, text=sentence))
    needs = tiers.needs(tier)
    least = 2 if _changes_schema(diff, shape) else 1
    return Risk(
        tier=tier,
        reasons=tuple(sorted(reasons, key=lambda r: -r.tier)),
        approvers=max(settings.approvers, needs.approvers, least),
        admins=needs.admins,
    )


def _changes_schema(diff: Diff, shape: Shape | None) -> bool:
    return bool(diff.schema) or (shape is not None and shape.changes_schema)


def _rows(diff: Diff, tiers: Tiers) -> Reason:
    rows = counted(diff.total, "row")
    if diff.total <= tiers.small_rows:
        return Reason(tier=1, text=f"It touches {rows}, no more than {tiers.small_rows:,}.")
    if diff.total <= tiers.large_rows:
        return Reason(tier=2, text=f"It touches {rows}, more than {tiers.small_rows:,}.")
    return Reason(tier=3, text=f"It touches {rows}, more than {tiers.large_rows:,}.")


def _undo(diff: Diff, tiers: Tiers) -> Iterator[Reason]:
    if diff.undo == "none":
        yield Reason(tier=tiers.no_undo, text="It cannot be undone.")
    elif diff.undo == "partial" or not diff.undo_verified:
        yield Reason(tier=tiers.partial_undo, text="An exact undo of it is not proven.")
    else:
        yield Reason(tier=1, text="Undoing it was tried and is exact.")


def _table(
    table: TableDiff, tiers: Tiers, catalog: Catalog, shape: Shape | None
) -> Iterator[Reason]:
    if not table.primary_key:
        yield Reason(tier=tiers.no_primary_key, text=f"{table.table} has no primary key.")
    personal = _personal(table, catalog)
    if personal:
        names = ", ".join(f"{table.table}.{c}" for c in personal)
        yield Reason(tier=tiers.personal_data, text=f"It touches personal data: {names}.")
    if shape is None:
        return
    left_open = [
        c for c in table.decided if shape.assigned is None or c.casefold() in shape.assigned
    ]
    if left_open:
        names = ", ".join(f"{table.table}.{c}" for c in left_open)
        text = f"The statement leaves values open until it runs: {names}."
        yield Reason(tier=tiers.decided_by_statement, text=text)


def _personal(table: TableDiff, catalog: Catalog) -> tuple[str, ...]:
    """The tagged columns whose values come, go or change; all of them where not every row is known.

    A table or column that the catalog does not know counts as personal.
    """
    known = catalog.table(table.table)
    tagged = []
    for position, name in enumerate(table.columns):
        column = known.column(name) if known else None
        if column is not None and column.tag is None:
            continue
        if _touches(table, position):
            tagged.append(name)
    return tuple(tagged)


def _touches(table: TableDiff, position: int) -> bool:
    if table.inserted or table.deleted or len(table.rows) < table.total:
        return True
    return any(
        row.before is None or row.after is None or row.before[position] != row.after[position]
        for row in table.rows
    )


def dump_reasons(risk: Risk) -> str:
    """Returns the JSON that `load_reasons` reads."""
    return json.dumps([[r.tier, r.text] for r in risk.reasons], ensure_ascii=False)


def load_reasons(text: str | None) -> tuple[Reason, ...]:
    """Returns the stored reasons, none where there are none."""
    return tuple(Reason(tier=tier, text=said) for tier, said in json.loads(text or "[]"))
