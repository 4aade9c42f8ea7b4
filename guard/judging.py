"""Steps 1 to 3: text -> Judgement. Nothing runs and nothing is recorded here."""

from __future__ import annotations

from dataclasses import dataclass

from guard.caller import Caller
from guard.catalog import Catalog
from guard.classify import Access, classify
from guard.errors import Refused, refuse
from guard.policy import Decision, Scope, decide, narrowed, scope_of
from guard.policyfile import Policy
from guard.statement import Statement, parse
from redaction import mask_tokens


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the guard thinks of a statement, up to the decision. `catalog` is the person's own."""

    statement: Statement
    access: Access
    decision: Decision
    catalog: Catalog
    scope: Scope


def scope_in(policy: Policy, caller: Caller, source: str) -> Scope:
    """Returns what the caller may do with the source.

    Raises:
        Refused: no data role of the person reaches it, or there is no such source.
    """
    scope = scope_of(policy, caller.principal, source)
    if scope is None:
        raise refuse(
            "source.not_allowed",
            f"You have no access to the source {source}.",
            part=source,
            access_request=source,
        )
    return scope


def judge(sql: str, policy: Policy, scope: Scope, caller: Caller, catalog: Catalog) -> Judgement:
    """Returns the decision on `sql` for the caller.

    Raises:
        Refused: it is not one statement that the guard can model, or it carries a masked value.
    """
    token = next(iter(mask_tokens(sql)), None)
    if token is not None:
        raise refuse(
            "masked.token",
            f"{token} stands for a masked value; it is not the value and cannot be used in SQL.",
            part=token,
            alternative="Use the row's id instead.",
        )
    own = narrowed(catalog, scope)
    try:
        statement = parse(sql, own.dialect)
        access = classify(statement, own)
        decision = decide(access, caller.principal, scope.source, policy, own)
    except Refused:
        raise
    except Exception as error:  # whatever the guard cannot do is a refusal
        raise refuse(
            "guard.failed", "The guard could not judge this statement, so it was refused."
        ) from error
    return Judgement(
        statement=statement, access=access, decision=decision, catalog=own, scope=scope
    )
