"""What granting an access request would open, name by name, and whether a grant stays inside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guard.accessgrants import TableGrant
from guard.catalog import Catalog, Table
from guard.needs import Need
from guard.policyfile import Policy
from guard.rights import Scope


@dataclass(frozen=True, kw_only=True)
class ColumnPlan:
    """One column. `had` is True when the person reads it already; `tag` keeps it masked."""

    name: str
    type: str
    tag: str | None
    free_text: bool
    had: bool


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """What may be opened in one table; nothing else of it can be granted with this request.

    `row_filter` is the predicate that stays on the person's rows, None for all rows. `lookup` are
    columns to compare with exact values, `propose` whether changes may be proposed.
    """

    table: str
    columns: tuple[ColumnPlan, ...] = ()
    lookup: tuple[ColumnPlan, ...] = ()
    propose: bool = False
    row_filter: str | None = None

    @property
    def most(self) -> TableGrant:
        """Everything that was asked for in this table and is not there already."""
        return TableGrant(
            table=self.table,
            columns=tuple(c.name for c in self.columns),
            lookup=tuple(c.name for c in self.lookup),
            propose=self.propose,
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The whole request against what the source holds. `missing` are names of nothing."""

    tables: tuple[TablePlan, ...]
    missing: tuple[str, ...]
    whole_source: bool
    writes: bool


def plan(
    needs: Iterable[Need], policy: Policy, source: str, scope: Scope | None, catalog: Catalog
) -> Plan:
    """Returns what the needs come to in the source as it is now, for a person with `scope`."""
    wanted: dict[str, list[Need]] = {}
    missing, whole = [], False
    for need in needs:
        if need.kind == "source":
            whole = True
            for table in catalog.tables:
                wanted.setdefault(table.name, []).append(need)
            continue
        found = catalog.table(need.table or "")
        column = found.column(need.column) if found and need.column else None
        if found is None or (need.column is not None and column is None):
            missing.append(need.name)
            continue
        wanted.setdefault(found.name, []).append(need)
    tables = tuple(
        _table(t, wanted[t.name], policy, source, scope)
        for t in catalog.tables
        if t.name in wanted and policy.access.may_open(source, t.name)
    )
    return Plan(
        tables=tables,
        missing=tuple(missing),
        whole_source=whole,
        writes=policy.sources[source].writes,
    )


def _table(
    table: Table, needs: Sequence[Need], policy: Policy, source: str, scope: Scope | None
) -> TablePlan:
    prose = {n.casefold() for n in policy.sources[source].free_text}

    def listed(kinds: set[str], *, every: bool) -> tuple[ColumnPlan, ...]:
        names = {n.column.casefold() for n in needs if n.kind in kinds and n.column}
        return tuple(
            ColumnPlan(
                name=c.name,
                type=c.type,
                tag=c.tag,
                free_text=f"{table.name}.{c.name}".casefold() in prose,
                had=scope is not None and scope.sees(table.name, c.name),
            )
            for c in table.columns
            if every or c.name.casefold() in names
        )

    kinds = {n.kind for n in needs}
    return TablePlan(
        table=table.name,
        columns=listed({"column"}, every=bool(kinds & {"table", "source"})),
        lookup=listed({"lookup"}, every=False),
        propose="propose" in kinds and policy.sources[source].writes,
        row_filter=scope.row_filter(table.name) if scope is not None else None,
    )


def beyond(tables: Sequence[TableGrant], plan_: Plan) -> str | None:
    """Returns what of a grant goes beyond the plan, as a sentence, or None when nothing does."""
    if not tables:
        missing = f" {', '.join(plan_.missing)} does not exist." if plan_.missing else ""
        return f"Nothing is opened by this grant.{missing} Choose something, or reject the request."
    if len({t.table.casefold() for t in tables}) < len(tables):
        return "Name each table once."
    known = {t.table: t for t in plan_.tables}
    for table in tables:
        asked = known.get(table.table)
        if asked is None:
            return f"{table.table} was not asked for, or cannot be granted."
        most = asked.most
        more = [c for c in table.columns if c not in most.columns]
        more += [c for c in table.lookup if c not in most.lookup]
        if more:
            return f"{table.table}.{more[0]} was not asked for, or does not exist."
        if table.propose and not most.propose:
            return f"Proposing changes to {table.table} was not asked for, or cannot be granted."
    return None
