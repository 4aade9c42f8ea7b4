"""Steps 1 to 4: text -> what is ready to run, or a change that is held. Every exit is recorded.

`guard.gate` has the whole path; `guard.reading` the steps after these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from audit import Action
from guard.caller import Caller
from guard.decision import Allow, Deny, Hold
from guard.errors import GuardError, Refused, refuse
from guard.judging import Judgement, check_tool, judge, scope_in
from guard.limitpolicy import Limits
from guard.masking import Masking
from guard.policyfile import Policy
from guard.reading import Ready
from guard.remembered import Footing, Known, Remembered, under
from guard.rewrite import GuardedQuery, rewrite
from guard.rights import Scope
from guard.source import Source, Sources
from guard.templates import RUN_QUERY, Tool
from guard.trail import Heard, Trail
from guard.values import with_rows


@dataclass(frozen=True, kw_only=True)
class Call:
    """One statement on its way in: the person and the policy as the store has them at this call.

    `tool` is None for a statement of the console itself, which no policy gives or takes.
    """

    sql: str
    source: str
    caller: Caller
    why: str
    policy: Policy
    tool: Tool | None


@dataclass(frozen=True, kw_only=True)
class Held:
    """A change that the policy holds, judged and recorded."""

    heard: Heard
    judged: Judgement
    hold: Hold


class Clearance:
    """Takes statements up to where they may run. One a process; safe to share between threads."""

    def __init__(self, *, sources: Sources, trail: Trail, masking: Masking) -> None:
        """Takes the parts it judges with."""
        self._sources = sources
        self._trail = trail
        self._masking = masking
        self._remembered = Remembered()

    def source(self, scope: Scope, policy: Policy) -> Source:
        """Returns the source as the policy of this call describes it.

        Raises:
            Refused: `policy.changed`: its tags are those of another policy.
        """
        target = self._sources.get(scope.source, policy)
        if target.settings is not scope.settings and target.settings != scope.settings:
            raise refuse(
                "policy.changed",
                "The policy changed while this was judged. Ask again.",
                fixable=True,
            )
        return target

    def ready(self, call: Call, rows: Callable[[Limits], int] | None = None) -> Ready:
        """Returns a read that may run. `rows` gives another row cap than the person's usual one.

        Raises:
            Refused: by a rule, or it is a change (`write.held`); it is recorded.
            SourceUnavailable, audit.AuditError: as for `Gate.query`.
        """
        asked = self._judged(call, anew=rows is not None)
        heard, judged = asked.heard, asked.judged
        allow = self._allowed(judged, heard)
        if rows is not None:
            allow = with_rows(allow, rows(judged.scope.limits))
        query = asked.seen.query if asked.seen else self._rewritten(judged, allow, heard)
        if rows is None and asked.seen is None:
            known = Known(judged=judged, query=query, action=heard.action)
            self._remembered.keep(call.caller.principal.id, asked.footing, call.sql, known)
        heard = self._trail.allowed(heard, allow, judged)
        return Ready(target=asked.target, heard=heard, judged=judged, allow=allow, query=query)

    def held(self, call: Call) -> Held:
        """Returns a change that is to be proposed.

        Raises:
            Refused: the policy denies it, or it only reads (`write.expected`); it is recorded.
            SourceUnavailable, audit.AuditError: as for `Gate.query`.
        """
        asked = self._judged(call, write=True)
        return Held(
            heard=asked.heard, judged=asked.judged, hold=self._held(asked.judged, asked.heard)
        )

    def _judged(self, call: Call, *, write: bool = False, anew: bool = False) -> _Judged:
        caller, policy = call.caller, call.policy
        person, session = caller.principal.id, caller.session
        known = None if write else self._masking.known(person, session, call.source)
        catalog = None  # until it is known, no quoted name is

        def heard(action: Action | None = None) -> Heard:
            tool = call.tool or RUN_QUERY
            return self._trail.heard(
                call.sql, call.source, caller, call.why, policy, catalog, tool, action
            )

        try:
            scope = scope_in(policy, caller, call.source)
            check_tool(scope, call.tool)
            target = self.source(scope, policy)
            catalog = target.catalog()
            footing = self._remembered.footing(person, policy, scope, catalog)
            seen = None if write or anew else self._remembered.read(person, footing, call.sql)
            if seen is not None:
                return _Judged(
                    target=target,
                    heard=heard(seen.action),
                    judged=under(scope, seen),
                    footing=footing,
                    seen=seen,
                )
            judged = judge(call.sql, policy, scope, caller, catalog, known, footing.own)
        except Refused as refused:
            self._trail.denied(heard(), refused.refusal, None)
            raise
        except GuardError as error:
            self._trail.unavailable(heard(), error)
            raise
        except Exception as error:  # whatever the guard cannot do is a refusal
            failure = refuse(
                "guard.failed", "The guard could not judge this statement, so it was refused."
            )
            self._trail.denied(heard(), failure.refusal, None)
            raise failure from error
        return _Judged(target=target, heard=heard(), judged=judged, footing=footing)

    def _allowed(self, judged: Judgement, heard: Heard) -> Allow:
        match judged.decision:
            case Allow() as allow:
                return allow
            case Hold() as hold:
                self._trail.held(heard, hold, judged)
                raise refuse(
                    "write.held",
                    "This is a change, and changes never run from here. Propose it, and someone "
                    "other than you decides on its exact rows.",
                    part=judged.access.verb,
                    alternative="Propose it as a change.",
                )
            case Deny(refusal=refusal):
                self._trail.denied(heard, refusal, judged)
                raise Refused(refusal)

    def _held(self, judged: Judgement, heard: Heard) -> Hold:
        match judged.decision:
            case Hold() as hold:
                self._trail.held(heard, hold, judged)
                return hold
            case Allow():
                refused = refuse(
                    "write.expected",
                    "This only reads, so there is nothing to approve. Run it as a query.",
                    part=judged.access.verb,
                    alternative="Run it as a query.",
                    fixable=True,
                )
                self._trail.denied(heard, refused.refusal, judged)
                raise refused
            case Deny(refusal=refusal):
                self._trail.denied(heard, refusal, judged)
                raise Refused(refusal)

    def _rewritten(self, judged: Judgement, allow: Allow, heard: Heard) -> GuardedQuery:
        try:
            return rewrite(judged.statement, allow, judged.catalog, judged.values)
        except Refused as refused:
            self._trail.denied(heard, refused.refusal, judged)
            raise
        except Exception as error:  # whatever the guard cannot do is a refusal
            failure = refuse(
                "guard.failed", "The guard could not limit this statement, so it was refused."
            )
            self._trail.denied(heard, failure.refusal, judged)
            raise failure from error


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """A statement after step 3. `seen` is what is known of it where it was judged before."""

    target: Source
    heard: Heard
    judged: Judgement
    footing: Footing
    seen: Known | None = None
