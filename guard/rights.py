"""What one person may do with one source: the union of what their data roles and grants open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from guard import hours
from guard.catalog import Catalog, ForeignKey
from guard.entitled import NOTHING, Entitled
from guard.identity import NO_IDENTITY, Identity, identity_of
from guard.limitpolicy import Limits
from guard.needs import Opening
from guard.policyfile import Policy, Role, RoleGrant, SourcePolicy
from guard.principal import Principal
from guard.same import Same
from guard.toolpolicy import BUILT_IN


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
    """Returns what `principal` may do with `source`, or None when no data role reaches it.

    It follows from the very policy, all that is known of the person but the moment, and which
    grants are shut at that moment; for the same of these it is the same.
    """
    if source not in policy.sources:
        return None
    shut = tuple(
        name
        for name, role in policy.roles.items()
        if (grant := role.sources.get(source)) is not None and not grant.is_open(principal.at)
    )
    scope = _scope(Same(policy), principal, source, shut)
    return scope if scope is None else replace(scope, at=principal.at)


@lru_cache(maxsize=500)  # each keeps a policy alive
def _scope(
    whole: Same[Policy], principal: Principal, source: str, shut: tuple[str, ...]
) -> Scope | None:
    policy = whole.it
    settings = policy.sources[source]
    roles = [(n, r) for n, r in policy.roles.items() if r.includes(principal.name, principal.roles)]
    closed = tuple((n, r.sources[source]) for n, r in roles if n in shut)
    # Of a role whose grant is closed, nothing holds here: neither its limits nor its rights.
    roles = [(n, r) for n, r in roles if n not in shut]
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
    return opens_again(_closed(roles, principal, source), principal.at)


def _closed(
    roles: Sequence[tuple[str, Role]], principal: Principal, source: str
) -> tuple[tuple[str, RoleGrant], ...]:
    return tuple(
        (n, grant)
        for n, r in roles
        if (grant := r.sources.get(source)) is not None and not grant.is_open(principal.at)
    )


def opens_again(closed: Sequence[tuple[str, RoleGrant]], at: dt.datetime | None) -> str | None:
    """Returns when the first of these grants opens, as a sentence; None where there is none."""
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
    """Returns the part of the catalog the scope may see; hidden columns are absent, not marked.

    So are foreign keys that lead to a table or column out of sight.
    """
    tables = tuple(
        Catalog.only(t, [c for c in t.columns if scope.sees(t.name, c.name)])
        for t in catalog.tables
        if scope.reads(t.name)
    )
    return replace(
        catalog,
        tables=tuple(
            replace(t, foreign_keys=tuple(k for k in t.foreign_keys if _leads_in_sight(k, scope)))
            for t in tables
        ),
    )


def _leads_in_sight(key: ForeignKey, scope: Scope) -> bool:
    return scope.reads(key.table) and all(scope.sees(key.table, c) for c in key.references)


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
    return replace(catalog, tables=tables)
