"""The only door to a source. `Gate.query` is the path of a read, top to bottom.

    1 parse  2 classify  3 decide  [audit: decided]  4 rewrite  [audit: intent]  5 run  6 redact
    [audit: outcome]

Every exit writes an event, and an event that cannot be written stops the path: nothing runs that is
not recorded first. Whatever goes wrong on the way is a refusal. A write never runs here: it is
held, and `Gate.propose` makes a change request of it.

The person, their grants and the policy are looked up in the store at every call. A read that was
allowed and rewritten on the same footing (`guard.remembered`) skips steps 1 to 4, never the others
nor an event. Steps 1 to 4 are in `guard.clearance`, 5 and 6 in `guard.reading`, those of a reveal
in `guard.revealing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import telemetry
from guard.budget import Budget
from guard.caller import Caller
from guard.catalog import Catalog
from guard.clearance import Call, Clearance
from guard.decision import Allow
from guard.engines.base import Cancel
from guard.errors import GuardError, Interrupted, Refused, refuse
from guard.inforce import InForce
from guard.judging import Judgement, bound_in, check_tool, judge, scope_in, templates_in
from guard.limitpolicy import Limits
from guard.limitrules import Asked
from guard.logtext import log_safe
from guard.masking import Masking
from guard.policyfile import Policy, SourcePolicy
from guard.proposals import Proposal, Proposals, Proposed
from guard.reading import Reading
from guard.result import Result
from guard.reveal import Revealed, RevealRequest, revealable
from guard.revealbudget import RevealBudget
from guard.revealing import Revealing
from guard.rewrite import rewrite
from guard.rights import scope_of, visible
from guard.source import Sources
from guard.standing import Standing
from guard.templates import PROPOSE_CHANGE, RUN_QUERY, Template, Tool
from guard.trail import Trail
from guard.values import MOST_VALUES, grouped, listable, listing


@dataclass(frozen=True, kw_only=True)
class SourceView:
    """A source as a person may know it: its settings and the part of the catalog in scope.

    `lookups` are the masked columns on which equality is allowed, as (table, column).
    """

    name: str
    settings: SourcePolicy
    catalog: Catalog
    lookups: frozenset[tuple[str, str]]
    row_filters: tuple[tuple[str, str], ...]


class Gate:
    """The door. One a process; safe to share between threads."""

    def __init__(
        self,
        *,
        policies: InForce,
        sources: Sources,
        trail: Trail,
        budget: Budget,
        masking: Masking,
        standing: Callable[[str], Standing],
        proposals: Proposals,
        reveals: RevealBudget,
    ) -> None:
        """`standing` looks up an account id in the store, as it is now."""
        self._policies = policies
        self._trail = trail
        self._budget = budget
        self._masking = masking
        self._clearance = Clearance(sources=sources, trail=trail, masking=masking)
        self._reading = Reading(trail=trail, budget=budget, masking=masking)
        self._revealing = Revealing(
            reading=self._reading, trail=trail, masking=masking, reveals=reveals
        )
        self._standing = standing
        self._proposals = proposals

    @property
    def policy(self) -> Policy:
        """The policy in force now; another call may find another one."""
        return self._policies.current()

    def sources(self, caller: Caller) -> tuple[str, ...]:
        """Returns the names of the sources the person may use, in the policy's order."""
        caller, policy = self._now(caller)
        person = caller.principal
        return tuple(n for n in policy.sources if scope_of(policy, person, n) is not None)

    def view(self, source: str, caller: Caller) -> SourceView:
        """Returns what the person may know of a source.

        Raises:
            Refused: no data role of the person reaches it.
            SourceUnavailable: it cannot be read.
        """
        caller, policy = self._now(caller)
        scope = scope_in(policy, caller, source)
        catalog = visible(self._clearance.source(scope, policy).catalog(), scope)
        columns = [(t.name, c.name) for t in catalog.tables for c in t.columns]
        filters = [(t.name, f) for t in catalog.tables if (f := scope.row_filter(t.name))]
        return SourceView(
            name=source,
            settings=scope.settings,
            catalog=catalog,
            lookups=frozenset(c for c in columns if scope.looks_up(*c)),
            row_filters=tuple(filters),
        )

    def judge(self, sql: str, source: str, caller: Caller) -> Judgement:
        """Returns the decision on a statement; nothing runs and nothing is recorded.

        Raises:
            Refused: it is not one statement that the guard can model, or the source is out of
            scope.
        """
        caller, policy = self._now(caller)
        scope = scope_in(policy, caller, source)
        return judge(sql, policy, scope, caller, self._clearance.source(scope, policy).catalog())

    def query(
        self, sql: str, *, source: str, caller: Caller, why: str = "", cancel: Cancel | None = None
    ) -> Result:
        """Returns the redacted rows of one read.

        Raises:
            Refused: by a rule, a limit or the engine; show the refusal.
            Interrupted: stopped by the person, the deadline or a cap; nothing more runs.
            SourceUnavailable: the source cannot be used now.
            audit.AuditError: the trail cannot be written, so nothing ran or nothing is shown.
        """
        with telemetry.guarded("guard query", {"gatehouse.channel": caller.channel}):
            ready = self._clearance.ready(self._call(sql, source, caller, why))
            return self._reading.read(ready, cancel or Cancel(), ready.query.most_rows)

    def templates(self, source: str, caller: Caller) -> tuple[Template, ...]:
        """Returns the query templates of the source that the person may use.

        Raises:
            Refused: no data role of the person reaches it.
        """
        caller, policy = self._now(caller)
        return templates_in(policy, scope_in(policy, caller, source))

    def tools(self, source: str, caller: Caller) -> frozenset[str]:
        """Returns the names of the tools and templates that the person, and their agent, may use.

        Raises:
            Refused: no data role of the person reaches the source.
        """
        caller, policy = self._now(caller)
        return scope_in(policy, caller, source).tools

    def use(
        self,
        template: str,
        arguments: Mapping[str, object],
        *,
        source: str,
        caller: Caller,
        why: str = "",
        call_id: str | None = None,
        cancel: Cancel | None = None,
    ) -> Result | Proposed:
        """Returns the redacted rows of a template, or the change request of one that writes.

        `why` is the reason of a change. The statement is judged under the person's own rights.

        Raises:
            Refused: `template.*` where there is no such template for the person or an argument is
                wrong; else as for `query` and `propose`.
            Interrupted, SourceUnavailable, audit.AuditError: as for `query`.
        """
        caller, policy = self._now(caller)
        with telemetry.guarded("guard template", {"gatehouse.channel": caller.channel}):
            found, sql = self._bound(template, arguments, source, caller, policy)
            call = Call(
                sql=sql, source=source, caller=caller, why=why, policy=policy, tool=found.tool
            )
            if found.settings.effect == "read":
                ready = self._clearance.ready(call)
                return self._reading.read(ready, cancel or Cancel(), ready.query.most_rows)
            return self._proposed(call, call_id, cancel)

    def reveal(
        self,
        sql: str,
        *,
        source: str,
        caller: Caller,
        asked: RevealRequest,
        cancel: Cancel | None = None,
    ) -> Revealed:
        """Returns rows of a read with masked columns as they are, for the person who asks alone.

        The statement is judged under the person's rights as they are now and runs again. The caller
        MUST show the rows once and keep them nowhere.

        Raises:
            Refused: as for `query`; `reveal.*` where the person may not see the values, gives no
                reason, or the rows are not the ones they saw.
            Interrupted, SourceUnavailable, audit.AuditError: as for `query`.
        """
        rows = None if asked.shown is not None else _reveal_rows
        with telemetry.guarded("guard reveal", {"gatehouse.channel": caller.channel}):
            call = self._call(sql, source, caller, f"Reveal: {asked.reason}", tool=None)
            ready = self._clearance.ready(call, rows)
            return self._revealing.reveal(ready, asked, cancel or Cancel())

    def prompt(self, text: str, *, source: str, caller: Caller) -> str:
        """Returns what a model may read of a person's own words: personal data masked.

        The pseudonyms in it can be looked up in this conversation, where the person may.

        Raises:
            Refused: it could not be looked at, so no part of it may be sent.
        """
        person, session = caller.principal.id, caller.session
        try:
            return self._masking.prompt(text, person=person, session=session, source=source)
        except Exception as error:  # what could not be redacted is sent to nobody
            raise refuse(
                "redaction.failed", "The question could not be redacted. Tell an operator."
            ) from error

    def revealable(self, sql: str, source: str, caller: Caller) -> tuple[int, ...]:
        """Returns the places of the columns that the person may ask to see unmasked.

        Nothing runs, nothing is recorded. None where the statement is not allowed to them now.
        """
        try:
            judged = self.judge(sql, source, caller)
            if not isinstance(judged.decision, Allow):
                return ()
            query = rewrite(judged.statement, judged.decision, judged.catalog, judged.values)
        except GuardError:
            return ()
        return revealable(judged, query.lineage)

    def values(self, source: str, caller: Caller) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """Returns the values a question may name: of text columns without personal data.

        One statement on the usual path, within the person's rows. A source that takes too long to
        list them gives none.

        Raises:
            Refused, SourceUnavailable, audit.AuditError: as for `query`.
        """
        view = self.view(source, caller)
        columns = listable(view.catalog, view.settings.free_text)
        if not columns:
            return {}
        sql = listing(columns, view.catalog.dialect)
        why = "List the values that questions may name"
        ready = self._clearance.ready(
            self._call(sql, source, caller, why, tool=None), lambda _: MOST_VALUES
        )
        try:
            return grouped(self._reading.read(ready, Cancel(), 0), columns)
        except Interrupted:
            return {}
        except Refused as refused:
            if refused.refusal.rule in ("limit.timeout_seconds", "limit.max_bytes"):
                return {}  # it ran and gave too much, or took too long
            raise

    def propose(
        self,
        sql: str,
        *,
        source: str,
        caller: Caller,
        reason: str,
        call_id: str | None = None,
        cancel: Cancel | None = None,
    ) -> Proposed:
        """Makes a change request of one write. It runs only once the review lets it.

        Raises:
            Refused: the policy denies it, it is no write, or it cannot be previewed exactly.
            Interrupted, SourceUnavailable, audit.AuditError: as for `query`.
        """
        with telemetry.guarded("guard propose", {"gatehouse.channel": caller.channel}):
            call = self._call(sql, source, caller, reason, tool=PROPOSE_CHANGE)
            return self._proposed(call, call_id, cancel)

    def admit(self, tool: str, *, source: str, caller: Caller) -> None:
        """Counts a call of a tool that sends no statement.

        Raises:
            Refused: the tool was called as often as it may be this minute; it is recorded.
            audit.AuditError, store.StoreError: it cannot be recorded or counted.
        """
        caller, policy = self._now(caller)
        scope = scope_in(policy, caller, source)
        limits = scope.limits
        try:
            check_tool(scope, Tool(name=tool))
            self._budget.count(Asked(person=caller.principal, limits=limits, tool=tool))
        except Refused as refused:
            heard = self._trail.called(tool, source, caller, policy)
            self._trail.denied(heard, refused.refusal, None)
            raise

    # The steps, in order ------------------------------------------------------------------------

    def _now(self, caller: Caller) -> tuple[Caller, Policy]:
        """Looks up the person and the policy, so that a change of rights binds the next call."""
        found = self._standing(caller.principal.id)
        if found.principal is None:
            raise refuse("person.disabled", "This account may not act any more. Ask an admin.")
        return caller.acting_as(found.principal), self._policies.of(found.version)

    def _call(
        self, sql: str, source: str, caller: Caller, why: str, tool: Tool | None = RUN_QUERY
    ) -> Call:
        try:
            caller, policy = self._now(caller)
        except Refused as refused:
            now, known = self._policies.current(), tool or RUN_QUERY
            heard = self._trail.heard(sql, source, caller, why, now, None, known)
            self._trail.denied(heard, refused.refusal, None)
            raise
        return Call(sql=sql, source=source, caller=caller, why=why, policy=policy, tool=tool)

    def _bound(
        self,
        name: str,
        arguments: Mapping[str, object],
        source: str,
        caller: Caller,
        policy: Policy,
    ) -> tuple[Template, str]:
        """Steps before the first, for a template: the arguments checked and put in their places."""
        try:
            return bound_in(policy, scope_in(policy, caller, source), name, arguments)
        except Refused as refused:
            heard = self._trail.called(log_safe(name[:64]), source, caller, policy)
            self._trail.denied(heard, refused.refusal, None)
            raise

    def _proposed(self, call: Call, call_id: str | None, cancel: Cancel | None) -> Proposed:
        held = self._clearance.held(call)
        heard, judged = held.heard, held.judged
        # The author is shown the rows of the diff, so they count as rows that were read.
        drawn = heard.policy.approvals.max_diff_rows
        reserved = self._reading.reserved(judged, heard, drawn, change=True, cancel=cancel)
        with reserved as spending:
            made = self._proposals.propose(
                Proposal(
                    judgement=judged,
                    hold=held.hold,
                    heard=heard,
                    reason=call.why,
                    call_id=call_id,
                    cancel=cancel,
                )
            )
            spending.rows = min(drawn, made.rows)
        return made


def _reveal_rows(limits: Limits) -> int:
    return limits.reveal_rows
