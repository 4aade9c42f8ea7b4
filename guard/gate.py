"""The only door to a source. `Gate.query` is the path of a read, top to bottom.

    1 parse  2 classify  3 decide  [audit: decided]  4 rewrite  [audit: intent]  5 run  6 redact
    [audit: outcome]

Every exit writes an event, and an event that cannot be written stops the path: nothing runs that is
not recorded first. Whatever goes wrong on the way is a refusal. A write never runs here: it is
held, and `Gate.propose` makes a change request of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from guard.budget import Budget, Spending
from guard.caller import Caller
from guard.catalog import Catalog
from guard.engines.base import Cancel, Rows
from guard.errors import GuardError, Interrupted, Refused, SourceUnavailable, refuse
from guard.judging import Judgement, judge, scope_in
from guard.masking import Masked, Masking
from guard.policy import Allow, Deny, Hold, Principal, scope_of, visible
from guard.policyfile import Policy, SourcePolicy
from guard.result import Result
from guard.rewrite import GuardedQuery, rewrite
from guard.source import Source, Sources
from guard.trail import Heard, Intent, Trail
from guard.values import MOST_VALUES, grouped, listable, listing, with_rows


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


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A held write on its way to a preview. `call_id` makes a repeated proposal the same one."""

    judgement: Judgement
    hold: Hold
    heard: Heard
    reason: str
    call_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """What became of a proposal: the number of the change request, its state and its rows."""

    change: int
    state: str
    rows: int


class Proposals(Protocol):
    """Where held writes go, behind the door: the preview and the store (`guard.review`)."""

    def propose(self, proposal: Proposal) -> Proposed:
        """Returns what became of it. Raises `Refused` where no exact preview is possible."""
        ...


class Gate:
    """The door. One a process; safe to share between threads."""

    def __init__(
        self,
        *,
        policy: Policy,
        sources: Sources,
        trail: Trail,
        budget: Budget,
        masking: Masking,
        look_up: Callable[[str], Principal | None],
        proposals: Proposals,
    ) -> None:
        """`look_up` returns the account with that id as it is now, None when it may not act."""
        self.policy = policy
        self._sources = sources
        self._trail = trail
        self._budget = budget
        self._masking = masking
        self._look_up = look_up
        self._proposals = proposals

    def sources(self, caller: Caller) -> tuple[str, ...]:
        """Returns the names of the sources the person may use, in the policy's order."""
        person = self._current(caller).principal
        return tuple(n for n in self.policy.sources if scope_of(self.policy, person, n) is not None)

    def view(self, source: str, caller: Caller) -> SourceView:
        """Returns what the person may know of a source.

        Raises:
            Refused: no data role of the person reaches it.
            SourceUnavailable: it cannot be read.
        """
        scope = scope_in(self.policy, self._current(caller), source)
        catalog = visible(self._sources.get(source).catalog(), scope)
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
        caller = self._current(caller)
        scope = scope_in(self.policy, caller, source)
        return judge(sql, self.policy, scope, caller, self._sources.get(source).catalog())

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
        ready = self._ready(sql, source, self._current(caller), why)
        return self._read(ready, cancel or Cancel(), ready.query.max_rows)

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
        ready = self._ready(sql, source, self._current(caller), why, rows=MOST_VALUES)
        try:
            return grouped(self._read(ready, Cancel(), 0), columns)
        except Interrupted:
            return {}

    def propose(
        self, sql: str, *, source: str, caller: Caller, reason: str, call_id: str | None = None
    ) -> Proposed:
        """Makes a change request of one write; nothing is changed.

        Raises:
            Refused: the policy denies it, it is no write, or it cannot be previewed exactly.
            Interrupted, SourceUnavailable, audit.AuditError: as for `query`.
        """
        caller = self._current(caller)
        _, heard, judged = self._judged(sql, source, caller, reason)
        hold = self._held(judged, heard)
        with self._reserved(judged, heard, 0):
            return self._proposals.propose(
                Proposal(judgement=judged, hold=hold, heard=heard, reason=reason, call_id=call_id)
            )

    # The steps, in order ------------------------------------------------------------------------

    def _current(self, caller: Caller) -> Caller:
        """Looks the person up again, so that a change of rights binds the next call."""
        person = self._look_up(caller.principal.id)
        if person is None:
            raise refuse("person.disabled", "This account may not act any more. Ask an admin.")
        return caller.acting_as(person)

    def _judged(
        self, sql: str, source: str, caller: Caller, why: str
    ) -> tuple[Source, Heard, Judgement]:
        catalog = None  # until it is known, no quoted name is

        def heard() -> Heard:
            return self._trail.heard(sql, source, caller, why, self.policy, catalog)

        try:
            scope = scope_in(self.policy, caller, source)
            target = self._sources.get(source)
            catalog = target.catalog()
            judged = judge(sql, self.policy, scope, caller, catalog)
        except Refused as refused:
            self._trail.denied(heard(), refused.refusal, None)
            raise
        except GuardError as error:
            self._trail.unavailable(heard(), error)
            raise
        return target, heard(), judged

    def _allowed(self, judged: Judgement, heard: Heard) -> Allow:
        match judged.decision:
            case Allow() as allow:
                self._trail.decided(heard, allow, judged)
                return allow
            case Hold() as hold:
                self._trail.decided(heard, hold, judged)
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
                self._trail.decided(heard, hold, judged)
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
            return rewrite(judged.statement, allow, judged.catalog)
        except Refused as refused:
            self._trail.denied(heard, refused.refusal, judged)
            raise
        except Exception as error:  # whatever the guard cannot do is a refusal
            failure = refuse(
                "guard.failed", "The guard could not limit this statement, so it was refused."
            )
            self._trail.denied(heard, failure.refusal, judged)
            raise failure from error

    def _reserved(self, judged: Judgement, heard: Heard, max_rows: int) -> Spending:
        try:
            return self._budget.reserve(heard.caller.principal, judged.scope.limits, max_rows)
        except Refused as refused:
            self._trail.denied(heard, refused.refusal, judged)
            raise

    def _ready(
        self, sql: str, source: str, caller: Caller, why: str, rows: int | None = None
    ) -> _Ready:
        """Steps 1 to 4. `rows` replaces the person's row cap, for rows that nobody is shown."""
        target, heard, judged = self._judged(sql, source, caller, why)
        allow = self._allowed(judged, heard)
        if rows is not None:
            allow = with_rows(allow, rows)
        query = self._rewritten(judged, allow, heard)
        return _Ready(target=target, heard=heard, judged=judged, allow=allow, query=query)

    def _read(self, ready: _Ready, cancel: Cancel, charged_rows: int) -> Result:
        """Steps 5 and 6, between the intent and its outcome."""
        query, heard = ready.query, ready.heard
        with self._reserved(ready.judged, heard, charged_rows) as spending:
            intent = self._trail.intent(heard, query)
            rows = self._run(ready, intent, cancel)
            spending.rows = rows.table.num_rows
            masked = self._redacted(ready, rows, intent)
            receipt = self._trail.executed(heard, intent, rows, masked.columns)
        return Result(
            source=ready.target.name,
            sql=query.sql,
            table=masked.table,
            for_model=masked.for_model,
            columns=masked.columns,
            decision=ready.allow,
            truncated=rows.truncated,
            limit=query.max_rows,
            elapsed_us=rows.elapsed_us,
            audit=receipt.seq,
        )

    def _run(self, ready: _Ready, intent: Intent, cancel: Cancel) -> Rows:
        heard = ready.heard
        try:
            return ready.target.engine.run(ready.query, cancel)
        except GuardError as error:
            self._trail.failed(heard, intent, error)
            raise
        except Exception as error:
            failure = SourceUnavailable(
                f"{heard.source} could not answer: its adapter has a fault. Tell an operator."
            )
            self._trail.failed(heard, intent, failure)
            raise failure from error

    def _redacted(self, ready: _Ready, rows: Rows, intent: Intent) -> Masked:
        heard, judged = ready.heard, ready.judged
        try:
            return self._masking.redact(
                rows.table,
                ready.query.lineage,
                judged.catalog,
                judged.scope,
                session=heard.caller.session,
                model=heard.caller.channel == "agent",
            )
        except Exception as error:  # rows that could not be redacted are shown to nobody
            refused = refuse(
                "redaction.failed",
                "The rows could not be redacted, so none are shown. Tell an operator.",
            )
            self._trail.failed(heard, intent, refused)
            raise refused from error


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """A read that is judged, allowed and rewritten, and has not run."""

    target: Source
    heard: Heard
    judged: Judgement
    allow: Allow
    query: GuardedQuery
