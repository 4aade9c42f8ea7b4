"""Steps 1 to 3: text -> Judgement. Nothing runs and nothing is recorded here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from guard.caller import Caller
from guard.catalog import Catalog
from guard.classify import Access, classify
from guard.decision import Decision
from guard.errors import Refused, refuse
from guard.needs import Need
from guard.policy import decide
from guard.policyfile import Policy
from guard.pseudonyms import Known, check_text, resolved
from guard.rights import Scope, narrowed, reopens, scope_of
from guard.statement import Statement, parse
from guard.templates import Template, Tool, bound
from guard.toolpolicy import BUILT_IN


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the guard thinks of a statement, up to the decision. `catalog` is the person's own."""

    statement: Statement
    access: Access
    decision: Decision
    catalog: Catalog
    scope: Scope
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """What the pseudonyms in it stand for. For the engine only: nothing else may say it."""


def scope_in(policy: Policy, caller: Caller, source: str) -> Scope:
    """Returns what the caller may do with the source.

    Raises:
        Refused: no data role of the person reaches it, or there is no such source.
    """
    scope = scope_of(policy, caller.principal, source)
    if scope is None:
        later = reopens(policy, caller.principal, source)
        if later is not None:
            raise refuse(
                "source.closed",
                f"{source} is outside the hours in which you may use it. {later}",
                part=source,
            )
        raise refuse(
            "source.not_allowed",
            f"You have no access to the source {source}.",
            part=source,
            access_request=Need(kind="source", source=source)
            if policy.access.may_open(source, None)
            else None,
        )
    return scope


def check_tool(scope: Scope, tool: Tool | None) -> None:
    """Raises `Refused` where no role of the person has the tool; the console's own has none."""
    if tool is not None and tool.name not in scope.tools:
        raise refuse(
            "tool.not_allowed",
            f"Your roles do not let you or your agent use {tool.name} on {scope.source}.",
            part=tool.name,
            alternative=_instead(scope),
        )


def templates_in(policy: Policy, scope: Scope) -> tuple[Template, ...]:
    """Returns the query templates of the scope's source that the person may use."""
    return tuple(
        Template(name=name, settings=settings)
        for name, settings in policy.templates.items()
        if name in scope.tools
    )


def bound_in(
    policy: Policy,
    scope: Scope,
    name: str,
    arguments: Mapping[str, object],
    day: dt.date | None = None,
) -> tuple[Template, str]:
    """Returns a template that the person may use, and its statement with the arguments in it.

    `day` is what `:today` stands for where the source has no day of its own; else it is today.

    Raises:
        Refused: `template.*`: there is none for the person, or an argument is wrong.
    """
    found = next((t for t in templates_in(policy, scope) if t.name == name), None)
    if found is None:
        raise refuse(
            "template.unknown", "There is no such template that you may use.", part=name[:64]
        )
    values = found.checked(arguments)
    today = scope.settings.today or day or dt.datetime.now(dt.UTC).date()
    return found, bound(found.settings, scope.settings.engine, values, today)


def _instead(scope: Scope) -> str | None:
    templates = sorted(scope.tools - BUILT_IN.keys())
    return f"You can use {', '.join(templates)}." if templates else None


def judge(
    sql: str,
    policy: Policy,
    scope: Scope,
    caller: Caller,
    catalog: Catalog,
    known: Known | None = None,
    own: Catalog | None = None,
) -> Judgement:
    """Returns the decision on `sql` for the caller.

    `known` are the pseudonyms it may name in a look-up; without them it may name none. `own` is
    `catalog` narrowed to `scope`, where that was done before.

    Raises:
        Refused: it is not one statement that the guard can model, or it carries a masked value.
    """
    masked = check_text(sql, known)
    own = own or narrowed(catalog, scope)
    try:
        statement = parse(sql, own.dialect)
        access = classify(statement, own)
        decision = decide(access, caller.principal, scope.source, policy, own)
        if access.schema is not None and access.schema.any_table:
            # Whose index it is shows in the preview, which may touch none but these.
            mine = tuple(t.name for t in own.tables if scope.defines(t.name))
            access = replace(access, writes=mine)
        values: Mapping[str, tuple[str, ...]] = {}
        if masked and known is not None and not access.problems:
            values = resolved(statement, access, scope, _tags(own), known)
    except Refused:
        raise
    except Exception as error:  # whatever the guard cannot do is a refusal
        raise refuse(
            "guard.failed", "The guard could not judge this statement, so it was refused."
        ) from error
    return Judgement(
        statement=statement,
        access=access,
        decision=decision,
        catalog=own,
        scope=scope,
        values=values,
    )


def _tags(catalog: Catalog) -> Mapping[tuple[str, str], str]:
    return {
        (t.name.casefold(), c.name.casefold()): c.tag
        for t in catalog.tables
        for c in t.columns
        if c.tag is not None
    }
