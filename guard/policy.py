"""Step 3: Access -> Allow | Hold | Deny. Facts, decision and enforcement are three things.

The policy file is read by `guard.policyfile`; this module knows its model and decides. Default is
deny: a table, column or effect that no role of the principal names is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from guard.catalog import Catalog
from guard.classify import Access, ColumnUse
from guard.errors import Refusal
from guard.policyfile import Environment, Limits, Policy, RoleGrant, SourcePolicy

ConsoleRole = Literal["analyst", "reviewer", "admin"]


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who asks. It comes from the signed-in session and is looked up again at every call.

    `id` is the account's opaque id, the only thing the audit trail knows of a person; `name` signs
    in, `roles` are its console roles. Data roles are the policy's.
    """

    id: str
    name: str
    display_name: str
    roles: frozenset[ConsoleRole]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What an Allow comes with: obligations the rewrite, the engine and the redaction must meet.

    `row_filters` pairs a table with a predicate over its columns; `readable` maps every base table
    in reach to the columns the person may have read at all (masked ones included); `reveal` holds
    the entities shown unmasked.
    """

    limits: Limits
    row_filters: tuple[tuple[str, str], ...] = ()
    readable: tuple[tuple[str, tuple[str, ...]], ...] = ()
    reveal: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Allow:
    """Run it, under these terms."""

    rule: str
    reason: str
    terms: Terms


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A write that may become a change request; a different person decides.

    `approvers` is how many different people must say yes.
    """

    rule: str
    reason: str
    environment: Environment
    approvers: int
    terms: Terms


@dataclass(frozen=True, kw_only=True)
class Deny:
    """No, and why."""

    refusal: Refusal


Decision = Allow | Hold | Deny


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What one principal may do with one source: the union of what their data roles grant."""

    source: str
    grants: tuple[tuple[str, RoleGrant], ...]
    settings: SourcePolicy
    limits: Limits
    reveal: frozenset[str] = field(default_factory=frozenset)

    def reads(self, table: str) -> bool:
        """True when some grant lists the table."""
        return any(g.lists(table) for _, g in self.grants)

    def role_for(self, table: str) -> str:
        """The name of the first data role that lists the table, to be shown."""
        return next(name for name, g in self.grants if g.lists(table))

    def sees(self, table: str, column: str) -> bool:
        """True when some grant that lists the table does not hide the column."""
        return any(g.lists(table) and not g.hides(table, column) for _, g in self.grants)

    def looks_up(self, table: str, column: str) -> bool:
        """True when equality on this masked column is allowed."""
        return any(g.lists(table) and g.looks_up(table, column) for _, g in self.grants)

    def hides_prose(self, table: str, column: str) -> bool:
        """True for free text that no grant lets the person search."""
        name = f"{table}.{column}".casefold()
        if all(name != listed.casefold() for listed in self.settings.free_text):
            return False
        return not any(g.lists(table) and g.searches(table, column) for _, g in self.grants)

    def proposes(self, table: str) -> bool:
        """True when changes to the table may be proposed."""
        return any(g.proposes(table) for _, g in self.grants)

    def row_filter(self, table: str) -> str | None:
        """The predicate that keeps the table's rows in scope, or None for all rows.

        Roles add up: one grant without a filter opens all rows, several filters are joined by OR.
        """
        filters = [g.row_filter(table) for _, g in self.grants if g.lists(table)]
        present = [f for f in filters if f is not None]
        if not present or len(present) < len(filters):
            return None
        return " OR ".join(f"({f})" for f in dict.fromkeys(present))


def scope_of(policy: Policy, principal: Principal, source: str) -> Scope | None:
    """Returns what `principal` may do with `source`, or None when no data role reaches it."""
    settings = policy.sources.get(source)
    if settings is None:
        return None
    roles = [(n, r) for n, r in policy.roles.items() if r.includes(principal.name, principal.roles)]
    grants = tuple((n, r.sources[source]) for n, r in roles if source in r.sources)
    if not grants:
        return None
    return Scope(
        source=source,
        grants=grants,
        settings=settings,
        limits=policy.limits_for(source, [r for _, r in roles]),
        reveal=frozenset(e for _, r in roles for e in r.reveal),
    )


def visible(catalog: Catalog, scope: Scope) -> Catalog:
    """Returns the part of the catalog the scope may see; hidden columns are absent, not marked."""
    tables = tuple(
        Catalog.only(t, [c for c in t.columns if scope.sees(t.name, c.name)])
        for t in catalog.tables
        if scope.reads(t.name)
    )
    return Catalog(source=catalog.source, dialect=catalog.dialect, tables=tables)


def narrowed(catalog: Catalog, scope: Scope) -> Catalog:
    """Returns the catalog without the columns hidden from the scope, so that * leaves them out.

    Tables out of scope stay: views may stand on them, and naming one is judged by `decide`.
    """
    tables = tuple(
        Catalog.only(t, [c for c in t.columns if scope.sees(t.name, c.name)])
        if scope.reads(t.name)
        else t
        for t in catalog.tables
    )
    return Catalog(source=catalog.source, dialect=catalog.dialect, tables=tables)


def decide(
    access: Access, principal: Principal, source: str, policy: Policy, catalog: Catalog
) -> Decision:
    """Returns the decision on `access`.

    `access` must come from `classify` with this same `narrowed` catalog. The first rule that says
    no decides, in this order: the source, what can never run, tables, what is not known, columns,
    masked columns used to filter or join, and then the effect.
    """
    scope = scope_of(policy, principal, source)
    if scope is None:
        return Deny(
            refusal=Refusal(
                rule="source.not_allowed",
                reason=f"You have no access to the source {source}.",
                part=source,
                access_request=source,
            )
        )
    refusal = (
        _never(access)
        or _table(access, scope)
        or _unknown(access, scope, catalog)
        or _column(access, scope, catalog)
        or _masked(access, scope, catalog)
    )
    if refusal is not None:
        return Deny(refusal=refusal)
    if access.tier == "read":
        return _allow(access, scope, catalog)
    return _hold(access, scope, policy, catalog)


_NEVER = {
    "admin": "Statements that change grants, roles, settings, files or the server never run here, "
    "whoever approves.",
    "session": "Statements that change the session or hold locks or transactions never run here, "
    "whoever approves.",
    "ddl": "A change of the schema cannot be previewed row by row, so it cannot be approved here.",
}


def _never(access: Access) -> Refusal | None:
    reason = _NEVER.get(access.tier)
    if reason is None:
        return None
    return Refusal(rule=f"never.{access.tier}", reason=reason, part=access.verb)


def _unknown(access: Access, scope: Scope, catalog: Catalog) -> Refusal | None:
    for problem in access.problems:
        if problem.rule == "column.unknown" and problem.part is not None:
            return _no_such_column(problem.part, access, scope, catalog)
        return problem
    if access.tier == "unknown":
        return Refusal(
            rule="statement.unknown",
            reason="The guard does not know everything this statement does, so it is refused.",
        )
    return None


def _table(access: Access, scope: Scope) -> Refusal | None:
    unknown = [p.part for p in access.problems if p.rule == "table.unknown" and p.part]
    hidden = [t for t in (*access.named, *access.tables) if not scope.reads(t)]
    part = next(iter([*unknown, *hidden]), None)
    if part is None:
        return None
    # One answer for both, so that a refusal does not tell which tables exist out of scope.
    return Refusal(
        rule="table.not_allowed",
        reason=f"{part} is not a table you can read in {scope.source}.",
        part=part,
        alternative="Ask about one of the tables listed for this source.",
        access_request=f"{scope.source}.{part}",
    )


def _column(access: Access, scope: Scope, catalog: Catalog) -> Refusal | None:
    for use in access.columns:
        if not scope.sees(use.table, use.column):
            return _no_such_column(f"{use.table}.{use.column}", access, scope, catalog)
    return None


def _no_such_column(part: str, access: Access, scope: Scope, catalog: Catalog) -> Refusal:
    # Hidden and misspelt columns get the same answer, for the same reason as tables.
    known = [t for n in access.named if (t := catalog.table(n)) is not None]
    listed = "; ".join(
        f"{t.name}: {', '.join(c.name for c in t.columns if scope.sees(t.name, c.name))}"
        for t in known[:3]
    )
    return Refusal(
        rule="column.not_allowed",
        reason=f"{part} is not a column you can read in {scope.source}.",
        part=part,
        alternative=f"You can read {listed}." if listed else None,
        fixable=True,
        access_request=f"{scope.source}.{part}",
    )


def _masked(access: Access, scope: Scope, catalog: Catalog) -> Refusal | None:
    for use in access.columns:
        if not is_masked(use, scope, catalog):
            continue
        if use.lookup and scope.looks_up(use.table, use.column):
            continue
        name = f"{use.table}.{use.column}"
        if access.tier == "write":
            return Refusal(
                rule="masked.copied",
                reason=f"{name} is personal data; a change may not copy or compute with it.",
                part=name,
                alternative="Select the rows by their id.",
            )
        if use.clause != "output":
            return Refusal(
                rule="masked.predicate",
                reason=f"{name} is masked for you, so it may not be used in {_PLACE[use.clause]}.",
                part=name,
                alternative=_lookup_hint(use, scope),
            )
    return None


_PLACE: dict[str, str] = {
    "compute": "a calculation, a test or a count of parts, which would tell about it",
    "where": "a filter other than an allowed equality look-up",
    "join": "a join condition",
    "group": "GROUP BY",
    "having": "HAVING",
    "order": "ORDER BY",
    "distinct": "DISTINCT",
    "setop": "a set operation",
    "other": "this place",
}


def _lookup_hint(use: ColumnUse, scope: Scope) -> str:
    if scope.looks_up(use.table, use.column):
        return f"Look up exact values: {use.column} = '...'."
    return "Filter or group by a column that is not masked, such as the id."


def is_masked(use: ColumnUse, scope: Scope, catalog: Catalog) -> bool:
    """True when the column carries a tag the person may not see unmasked, or is unsearchable prose.

    Unknown columns are masked.
    """
    table = catalog.table(use.table)
    column = table.column(use.column) if table else None
    if column is None:
        return True
    hidden = column.tag is not None and column.tag not in scope.reveal
    return hidden or scope.hides_prose(use.table, use.column)


def _terms(tables: Iterable[str], scope: Scope, catalog: Catalog) -> Terms:
    filters = []
    readable = []
    for name in dict.fromkeys(t.casefold() for t in tables):
        table = catalog.table(name)
        if table is None:
            continue
        condition = scope.row_filter(table.name)
        if condition is not None:
            filters.append((table.name, condition))
        readable.append(
            (table.name, tuple(c.name for c in table.columns if scope.sees(table.name, c.name)))
        )
    return Terms(
        limits=scope.limits,
        row_filters=tuple(filters),
        readable=tuple(readable),
        reveal=scope.reveal,
    )


def _allow(access: Access, scope: Scope, catalog: Catalog) -> Allow:
    terms = _terms((*access.named, *access.tables), scope, catalog)
    named = sorted(set(access.named))
    roles = sorted({scope.role_for(t) for t in named})
    reason = (
        f"Read-only. {len(named)} {'table' if len(named) == 1 else 'tables'}, allowed by "
        f"{', '.join(roles)}."
        if named
        else "Read-only and reads no table."
    )
    if terms.row_filters:
        reason += " Rows are limited to your scope."
    return Allow(rule="read.select", reason=reason, terms=terms)


def _hold(access: Access, scope: Scope, policy: Policy, catalog: Catalog) -> Decision:
    refusal = _write_refusal(access, scope)
    if refusal is not None:
        return Deny(refusal=refusal)
    return Hold(
        rule=f"write.{scope.settings.environment}",
        reason="A change. Someone other than you must approve its exact rows before it runs.",
        environment=scope.settings.environment,
        approvers=policy.approvals.approvers,
        terms=_terms((*access.named, *access.tables), scope, catalog),
    )


def _write_refusal(access: Access, scope: Scope) -> Refusal | None:
    if not scope.settings.writes:
        return Refusal(
            rule="source.read_only",
            reason=f"{scope.source} is read-only here; no change can be proposed.",
            part=access.verb,
        )
    blocked = next((t for t in access.writes if not scope.proposes(t)), None)
    if blocked is not None or not access.writes:
        return Refusal(
            rule="write.not_allowed",
            reason=f"You may not propose changes to {blocked or 'what this statement writes'}.",
            part=blocked or access.verb,
            access_request=f"{scope.source}.{blocked}" if blocked else None,
        )
    filtered = next((t for t in (*access.writes, *access.tables) if scope.row_filter(t)), None)
    if filtered is not None:
        return Refusal(
            rule="write.row_filter",
            reason=f"Your rows of {filtered} are limited, so you may not propose changes to it.",
            part=filtered,
            alternative="Ask a colleague without that limit to propose the change.",
        )
    return None
