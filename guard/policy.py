"""Step 3: Access -> Allow | Hold | Deny. Facts, decision and enforcement are three things.

The policy file is read by `guard.policyfile`; this module knows its model and decides. Default is
deny: a table, column or effect that no role of the principal names is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from guard import hours
from guard.catalog import Catalog
from guard.classify import Access, ColumnUse
from guard.entitled import NOTHING, Entitled
from guard.errors import Refusal
from guard.identity import NO_IDENTITY, Identity, identity_of
from guard.limitpolicy import Limits
from guard.needs import Need, NeedKind, Opening
from guard.policyfile import Environment, Policy, Role, RoleGrant, SourcePolicy
from guard.schemachange import SchemaChange, not_allowed
from guard.toolpolicy import BUILT_IN

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


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What an Allow comes with: obligations the rewrite, the engine and the redaction must meet.

    `row_filters` pairs a table with a predicate over its columns; `readable` maps every base table
    in reach to the columns the person may have read at all (masked ones included); `unmasked`
    says what is shown as it is; `identity` is who the statement runs as inside a server.
    """

    limits: Limits
    row_filters: tuple[tuple[str, str], ...] = ()
    readable: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unmasked: Entitled = NOTHING
    identity: Identity = NO_IDENTITY


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
    """What one principal may do with one source: the union of what their data roles grant.

    `openings` add tables, columns, look-ups and proposals for a while. They never lift a row filter
    of a role and never unmask.
    """

    source: str
    grants: tuple[tuple[str, RoleGrant], ...]
    settings: SourcePolicy
    limits: Limits
    unmasked: Entitled = NOTHING
    reveal: Entitled = NOTHING
    identity: Identity = NO_IDENTITY
    openings: tuple[Opening, ...] = ()
    closed: tuple[tuple[str, RoleGrant], ...] = ()
    at: dt.datetime | None = field(default=None, compare=False)
    tools: frozenset[str] = frozenset(BUILT_IN)
    """Tools and query templates the person may use here, as may their agent."""

    def reads(self, table: str) -> bool:
        """True when a data role lists the table or a grant opens it."""
        return self.lists(table) or any(o.of(table) and o.columns for o in self.openings)

    def lists(self, table: str) -> bool:
        """True when a data role lists the table, whatever grants there are."""
        return any(g.lists(table) for _, g in self.grants)

    def role_for(self, table: str) -> str:
        """What lets the table be read, to be shown: the first data role, else a grant's number."""
        role = next((name for name, g in self.grants if g.lists(table)), None)
        return role or next(f"access grant {o.grant}" for o in self.openings if o.of(table))

    def sees(self, table: str, column: str) -> bool:
        """True when a data role that lists the table shows the column, or a grant opens it."""
        shown = any(g.lists(table) and not g.hides(table, column) for _, g in self.grants)
        return shown or any(o.opens(table, column) for o in self.openings)

    def looks_up(self, table: str, column: str) -> bool:
        """True when equality on this masked column is allowed."""
        allowed = any(g.lists(table) and g.looks_up(table, column) for _, g in self.grants)
        granted = any(o.looks_up(table, column) for o in self.openings)
        return allowed or (granted and self.sees(table, column))

    def hides_prose(self, table: str, column: str) -> bool:
        """True for free text that no grant lets the person search."""
        name = f"{table}.{column}".casefold()
        if all(name != listed.casefold() for listed in self.settings.free_text):
            return False
        return not any(g.lists(table) and g.searches(table, column) for _, g in self.grants)

    def proposes(self, table: str) -> bool:
        """True when changes to the table may be proposed."""
        granted = any(o.of(table) and o.propose for o in self.openings)
        return any(g.proposes(table) for _, g in self.grants) or (granted and self.reads(table))

    def defines(self, table: str) -> bool:
        """True when changes of the table's definition may be proposed."""
        return any(g.defines(table) for _, g in self.grants)

    @property
    def may_define(self) -> bool:
        """True when changes of some table's definition may be proposed."""
        return any(g.propose_ddl for _, g in self.grants)

    def row_filter(self, table: str) -> str | None:
        """The predicate that keeps the table's rows in scope, or None for all rows.

        Roles add up: one role without a filter opens all rows, several filters are joined by OR.
        An opening of a table that a role lists leaves the role's filter as it is.
        """
        grants = [g for _, g in self.grants if g.lists(table)]
        # A table that only an opening opens keeps the filter its role would have in its hours.
        grants = grants or [g for _, g in self.closed if g.lists(table)]
        filters = [g.row_filter(table) for g in grants]
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
    closed = _closed(roles, principal, source)
    # Of a role whose grant is closed, nothing holds here: neither its limits nor its rights.
    roles = [(n, r) for n, r in roles if n not in dict(closed)]
    grants = tuple((n, r.sources[source]) for n, r in roles if source in r.sources)
    openings = _openings(policy, principal, source)
    if not grants and settings.identity.roles:
        openings = ()  # without a data role the statement would run as the login itself
    if not grants and not openings:
        return None
    return Scope(
        source=source,
        grants=grants,
        settings=settings,
        limits=policy.limits_for(source, [r for _, r in roles], principal.name),
        unmasked=Entitled.of(name for _, r in roles for name in r.unmasked),
        reveal=Entitled.of(name for _, r in roles for name in r.reveal),
        identity=identity_of(settings.identity, principal, [name for name, _ in grants]),
        openings=openings,
        closed=closed,
        at=principal.at,
        tools=_tools(policy, source, [(n, r) for n, r in roles if source in r.sources]),
    )


def _tools(policy: Policy, source: str, roles: Sequence[tuple[str, Role]]) -> frozenset[str]:
    """Roles add up; a grant alone opens a table to the tools that everybody has."""
    found = set[str]() if roles else set(BUILT_IN)
    for name, role in roles:
        templates = {
            t for t, s in policy.templates.items() if s.source == source and name in s.roles
        }
        own = templates | set(BUILT_IN)
        found |= own if role.tools is None else own & set(role.tools)
    return frozenset(found)


def reopens(policy: Policy, principal: Principal, source: str) -> str | None:
    """Returns when a source comes back that is out of reach for its hours alone, as a sentence."""
    if source not in policy.sources or principal.at is None:
        return None
    roles = [(n, r) for n, r in policy.roles.items() if r.includes(principal.name, principal.roles)]
    return _opens_again(_closed(roles, principal, source), principal.at)


def _closed(
    roles: Sequence[tuple[str, Role]], principal: Principal, source: str
) -> tuple[tuple[str, RoleGrant], ...]:
    return tuple(
        (n, grant)
        for n, r in roles
        if (grant := r.sources.get(source)) is not None and not grant.is_open(principal.at)
    )


def _opens_again(closed: Sequence[tuple[str, RoleGrant]], at: dt.datetime | None) -> str | None:
    if not closed or at is None:
        return None
    return f"It opens on {hours.said(min(g.opens(at) for _, g in closed))}."


def _openings(policy: Policy, principal: Principal, source: str) -> tuple[Opening, ...]:
    """The person's live grants, as far as the policy in force still lets them be asked for."""
    return tuple(
        o
        for o in principal.openings
        if o.source == source and policy.access.may_open(source, o.table)
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

    Their names are kept as hidden, because the engine would find them where the guard finds none.
    Tables out of scope stay: views may stand on them, and naming one is judged by `decide`.
    """
    tables = tuple(
        Catalog.without(t, [c for c in t.columns if not scope.sees(t.name, c.name)])
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
                access_request=Need(kind="source", source=source)
                if policy.access.may_open(source, None)
                else None,
            )
        )
    if access.tier == "ddl" and scope.may_define:
        return _define(access, scope, policy, catalog)
    refusal = (
        _never(access)
        or _table(access, scope, policy)
        or _unknown(access, scope, policy, catalog)
        or _column(access, scope, policy, catalog)
        or _masked(access, scope, policy, catalog)
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


def _unknown(access: Access, scope: Scope, policy: Policy, catalog: Catalog) -> Refusal | None:
    for problem in access.problems:
        if problem.rule == "column.unknown" and problem.part is not None:
            return _no_such_column(problem.part, access, scope, policy, catalog)
        return problem
    if access.tier == "unknown":
        return Refusal(
            rule="statement.unknown",
            reason="The guard does not know everything this statement does, so it is refused.",
        )
    return None


def _table(access: Access, scope: Scope, policy: Policy) -> Refusal | None:
    unknown = [p.part for p in access.problems if p.rule == "table.unknown" and p.part]
    hidden = [t for t in (*access.named, *access.tables) if not scope.reads(t)]
    part = next(iter([*unknown, *hidden]), None)
    if part is None:
        return None
    # One answer for both, so that a refusal does not tell which tables exist out of scope.
    later = _opens_again([c for c in scope.closed if c[1].lists(part)], scope.at)
    return Refusal(
        rule="table.not_allowed",
        reason=f"{part} is not a table you can read in {scope.source}{' now' if later else ''}.",
        part=part,
        alternative=later or "Ask about one of the tables listed for this source.",
        access_request=_need("table", scope, policy, part),
    )


def _column(access: Access, scope: Scope, policy: Policy, catalog: Catalog) -> Refusal | None:
    for use in access.columns:
        if not scope.sees(use.table, use.column) and not _refers_out(use, scope):
            return _no_such_column(f"{use.table}.{use.column}", access, scope, policy, catalog)
    return None


def _refers_out(use: ColumnUse, scope: Scope) -> bool:
    """True for the far end of a foreign key whose table is out of scope: nothing may name it."""
    return use.clause == "set" and not scope.reads(use.table)


def _no_such_column(
    part: str, access: Access, scope: Scope, policy: Policy, catalog: Catalog
) -> Refusal:
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
        access_request=_column_need(part, access, scope, policy),
    )


def _need(
    kind: NeedKind, scope: Scope, policy: Policy, table: str, column: str | None = None
) -> Need | None:
    """What could be asked for, or None where the policy says that it never can.

    Judged by names alone, so that it tells nothing of what is there.
    """
    if not policy.access.may_open(scope.source, table):
        return None
    return Need(kind=kind, source=scope.source, table=table, column=column)


def _column_need(part: str, access: Access, scope: Scope, policy: Policy) -> Need | None:
    table, _, column = part.rpartition(".")
    if not table and len(set(access.named)) == 1:
        table = access.named[0]  # a bare name in a statement about one table
    return _need("column", scope, policy, table, column) if table and column != "*" else None


def _masked(access: Access, scope: Scope, policy: Policy, catalog: Catalog) -> Refusal | None:
    for use in access.columns:
        if not is_masked(use, scope, catalog) or _refers_out(use, scope):
            continue
        if use.lookup and scope.looks_up(use.table, use.column):
            continue
        name = f"{use.table}.{use.column}"
        if access.tier == "write" and not use.lookup:
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
                access_request=_need("lookup", scope, policy, use.table, use.column)
                if use.lookup
                else None,
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
    "set": "a change whose preview would tell whether it holds a value",
    "other": "this place",
}


def _lookup_hint(use: ColumnUse, scope: Scope) -> str:
    if use.clause == "set":
        return "Let somebody who may look up its values propose it. It may be set to NULL."
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
    hidden = column.tag is not None and not scope.unmasked.covers(use.table, use.column, column.tag)
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
        unmasked=scope.unmasked,
        identity=scope.identity,
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
    refusal = _write_refusal(access, scope, policy)
    if refusal is not None:
        return Deny(refusal=refusal)
    return Hold(
        rule=f"write.{scope.settings.environment}",
        reason="A change. Someone other than you must approve its exact rows before it runs.",
        environment=scope.settings.environment,
        approvers=policy.approvals.approvers,
        terms=_terms((*access.named, *access.tables), scope, catalog),
    )


def _define(access: Access, scope: Scope, policy: Policy, catalog: Catalog) -> Decision:
    """Decides on a change of the schema by somebody who may propose some."""
    if access.schema is None:
        known = next(iter(access.problems), None)
        return Deny(refusal=known or not_allowed(access.verb).refusal)
    touched = access.writes
    if access.schema.any_table:
        touched = tuple(t.name for t in catalog.tables if scope.defines(t.name))
    blocked = next((t for t in touched if not scope.defines(t)), None)
    if blocked is not None:
        return Deny(refusal=not_allowed(blocked).refusal)
    refusal = _write_refusal(replace(access, writes=touched), scope, policy)
    refusal = refusal or _told_by_schema(access.schema, scope, policy, catalog)
    if refusal is not None:
        return Deny(refusal=refusal)
    return Hold(
        rule=f"ddl.{scope.settings.environment}",
        reason="A change of the schema. Two people other than you must approve it before it runs.",
        environment=scope.settings.environment,
        approvers=max(2, policy.approvals.approvers),
        terms=_terms(access.tables, scope, catalog),
    )


def _told_by_schema(
    schema: SchemaChange, scope: Scope, policy: Policy, catalog: Catalog
) -> Refusal | None:
    for use in schema.columns:
        name = f"{use.table}.{use.column}"
        if use.clause != "output" and is_masked(use, scope, catalog):
            return Refusal(
                rule="masked.predicate",
                reason=f"{name} is masked for you, and whether this can be done would tell about "
                "its values.",
                part=name,
                alternative="Let somebody who may see them propose it.",
            )
        if schema.renamed is not None and policy.speaks_of(scope.source, use.table, use.column):
            return Refusal(
                rule="ddl.policy_names",
                reason=f"The policy has rules for {name} by its name, which would not hold for it "
                "under another.",
                part=name,
                alternative="Let an admin put the rules for the new name into the policy first.",
            )
    return None


def _write_refusal(access: Access, scope: Scope, policy: Policy) -> Refusal | None:
    environment = policy.environments.get(scope.settings.environment)
    if environment is not None and not environment.writes:
        return Refusal(
            rule="environment.read_only",
            reason=f"Nothing in {scope.settings.environment} can be changed from here.",
            part=access.verb,
        )
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
            access_request=_need("propose", scope, policy, blocked) if blocked else None,
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
