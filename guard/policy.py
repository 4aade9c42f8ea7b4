"""Step 3: Access -> Allow | Hold | Deny. Facts, decision and enforcement are three things.

The policy file is read by `guard.policyfile`; this module knows its model and decides. Default is
deny: a table, column or effect that no role of the principal names is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from guard.access import Access, ColumnUse, SchemaChange
from guard.catalog import Catalog
from guard.decision import Allow, Decision, Deny, Hold, Terms
from guard.errors import Refusal
from guard.needs import Need, NeedKind
from guard.policyfile import Policy
from guard.principal import Principal
from guard.rights import Scope, opens_again, scope_of
from guard.schemachange import not_allowed


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
    later = opens_again([c for c in scope.closed if c[1].lists(part)], scope.at)
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
