"""What would become of a statement: the decision, the SQL that would be sent, what stays masked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from guard.caller import Caller
from guard.catalog import Catalog
from guard.decision import Allow, Deny
from guard.errors import Refusal, Refused, refuse
from guard.judging import Judgement, judge, scope_in
from guard.masking import verdicts
from guard.policyfile import Policy
from guard.rewrite import GuardedQuery, rewrite
from redaction import ColumnVerdict


@dataclass(frozen=True, kw_only=True)
class ColumnTold:
    """One column of the result: what it is masked as, None where only its values are looked at."""

    name: str
    masked: str | None


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A statement followed up to the door. `sql` is what would be sent, None where nothing would.

    `refusal` is why not; `judgement` is None where the statement could not even be modelled.
    """

    judgement: Judgement | None
    refusal: Refusal | None
    sql: str | None = None
    columns: tuple[ColumnTold, ...] = ()


def explain(
    sql: str, source: str, caller: Caller, policy: Policy, catalog: Callable[[], Catalog]
) -> Explained:
    """Returns what would become of the statement under `policy`; nothing runs.

    Args:
        sql: one statement.
        source: where it would run.
        caller: the person it is judged for.
        policy: judged by this one, in force or not.
        catalog: the source's, tagged by `policy`; asked for only if the person reaches the source.

    Raises:
        SourceUnavailable, ConfigurationError: from `catalog`.
    """
    try:
        scope = scope_in(policy, caller, source)
        judged = judge(sql, policy, scope, caller, catalog())
    except Refused as refused:
        return Explained(judgement=None, refusal=refused.refusal)
    match judged.decision:
        case Deny(refusal=refusal):
            return Explained(judgement=judged, refusal=refusal)
        case Allow() as allow:
            return _allowed(judged, allow)
        case _:
            return Explained(judgement=judged, refusal=None)


def _allowed(judged: Judgement, allow: Allow) -> Explained:
    try:
        query = rewrite(judged.statement, allow, judged.catalog, judged.values)
    except Refused as refused:
        return Explained(judgement=judged, refusal=refused.refusal)
    except Exception:  # whatever the guard cannot do is a refusal
        failed = refuse(
            "guard.failed", "The guard could not limit this statement, so it was refused."
        )
        return Explained(judgement=judged, refusal=failed.refusal)
    return Explained(
        judgement=judged, refusal=None, sql=query.shown, columns=_columns(query, judged)
    )


def _columns(query: GuardedQuery, judged: Judgement) -> tuple[ColumnTold, ...]:
    names = [c.name for c in query.lineage.columns]
    found = verdicts(query.lineage, names, judged.catalog, judged.scope)
    return tuple(ColumnTold(name=v.name, masked=_masked(v)) for v in found)


def _masked(verdict: ColumnVerdict) -> str | None:
    if verdict.revealed_at("screen"):
        return None
    if verdict.basis == "unknown":
        return "unknown origin"
    if verdict.basis in ("declared", "lineage", "implicit") and verdict.tag is not None:
        return verdict.tag
    return "prose" if verdict.is_prose else None
