"""Steps 5 and 6 of a read: it runs between its intent and its outcome, and leaves redacted.

`Ready` is what `guard.clearance` made of a statement; nothing else may run.
"""

from __future__ import annotations

from dataclasses import dataclass

import telemetry
from guard.budget import Budget, Spending
from guard.caps import expected, returned, stopped
from guard.decision import Allow
from guard.engines.base import Cancel, Rows
from guard.errors import GuardError, Interrupted, Refusal, Refused, SourceUnavailable, refuse
from guard.judging import Judgement
from guard.limitrules import Asked, price_of
from guard.masking import Masked, Masking
from guard.result import Result
from guard.rewrite import GuardedQuery
from guard.source import Source
from guard.trail import Heard, Intent, Trail, source_of

AGENT_PATIENCE_SECONDS = 15.0
"""How long a statement of the agent waits where as many of the person's run as may."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A read that is judged, allowed and rewritten, and has not run."""

    target: Source
    heard: Heard
    judged: Judgement
    allow: Allow
    query: GuardedQuery


class Reading:
    """Runs what is ready. One a process; safe to share between threads."""

    def __init__(self, *, trail: Trail, budget: Budget, masking: Masking) -> None:
        """Takes the parts it runs through."""
        self._trail = trail
        self._budget = budget
        self._masking = masking

    def read(self, ready: Ready, cancel: Cancel, charged_rows: int) -> Result:
        """Returns the redacted rows; `charged_rows` is the most that it counts as shown.

        Raises:
            Refused, Interrupted, SourceUnavailable, audit.AuditError: as for `Gate.query`.
        """
        query, heard = ready.query, ready.heard
        with self.reserved(ready.judged, heard, charged_rows, cancel=cancel) as spending:
            self.foresee(ready, spending)
            intent = self._trail.intent(heard, query, spending.left)
            rows = self.run(ready, intent, cancel)
            spending.ms = -(-rows.elapsed_us // 1_000)
            rows = self._returned(ready, rows, intent)
            spending.rows = min(charged_rows, rows.table.num_rows)
            masked = self.redacted(ready, rows, intent)
            receipt = self._trail.executed(heard, intent, rows, masked.columns)
        return Result(
            source=ready.target.name,
            sql=query.shown,
            table=masked.table,
            for_model=masked.for_model,
            columns=masked.columns,
            decision=ready.allow,
            truncated=rows.truncated,
            limit=ready.allow.terms.limits.shown_rows,
            elapsed_us=rows.elapsed_us,
            audit=receipt.seq,
        )

    def reserved(
        self,
        judged: Judgement,
        heard: Heard,
        max_rows: int,
        *,
        change: bool = False,
        cancel: Cancel | None = None,
    ) -> Spending:
        """Reserves the most the statement may use; a limit that is reached is recorded.

        A statement of the agent waits a while for its turn where too many run at once; a person
        is told so and can wait themselves.

        Raises:
            Refused: `limit.*`.
            Interrupted: `cancel` was set while it waited.
        """
        limits, caller = judged.scope.limits, heard.caller
        longest = heard.policy.approvals.timeout_seconds if change else limits.timeout_seconds
        asked = Asked(
            person=caller.principal,
            limits=heard.tool.rate(limits),
            tool=heard.tool.name,
            session=caller.session,
            task=caller.request,
            rows=max_rows,
            ms=round(longest * 1_000),
            price=price_of(heard.policy, heard.source),
        )
        patience = AGENT_PATIENCE_SECONDS if caller.channel == "agent" else 0.0
        try:
            return self._budget.reserve(asked, patience_s=patience, cancel=cancel)
        except Refused as refused:
            self._trail.denied(heard, refused.refusal, judged)
            raise
        except Interrupted as error:
            refusal = Refusal(rule="stopped", reason=str(error))
            self._trail.denied(heard, refusal, judged)
            raise

    def foresee(self, ready: Ready, spending: Spending) -> None:
        """Asks the source what the statement would cost, where a cap or a price needs it.

        Raises:
            Refused: it is more than may be spent on it, or what is left.
        """
        limits = ready.allow.terms.limits
        price = price_of(ready.heard.policy, ready.heard.source)
        if not limits.needs_estimate and not price.per_gb:
            return
        try:
            estimate = ready.target.engine.estimate(ready.query)
            refused = expected(estimate, limits, price, ready.heard.source)
            if refused is not None:
                raise refused
            spending.scans(estimate.bytes or 0 if estimate else 0)
        except Refused as refused:
            self._trail.denied(ready.heard, refused.refusal, ready.judged)
            raise
        except GuardError as error:
            self._trail.unavailable(ready.heard, error)
            raise stopped(error, limits) from error

    def _returned(self, ready: Ready, rows: Rows, intent: Intent) -> Rows:
        kept = returned(rows, ready.allow.terms.limits)
        if isinstance(kept, Refused):
            self._trail.failed(ready.heard, intent, kept)
            raise kept
        return kept

    def run(self, ready: Ready, intent: Intent, cancel: Cancel) -> Rows:
        """Returns the rows as they are, not redacted. `intent` is closed where there are none."""
        heard = ready.heard
        try:
            with telemetry.span(f"SELECT {heard.source}", source_of(heard), kind="client") as span:
                rows = ready.target.engine.run(ready.query, cancel)
                span.set({"db.response.returned_rows": rows.table.num_rows})
                return rows
        except GuardError as error:
            said = stopped(error, ready.allow.terms.limits)
            self._trail.failed(heard, intent, error if isinstance(error, Interrupted) else said)
            raise said from error
        except Exception as error:
            failure = SourceUnavailable(
                f"{heard.source} could not answer: its adapter has a fault. Tell an operator."
            )
            self._trail.failed(heard, intent, failure)
            raise failure from error

    def redacted(self, ready: Ready, rows: Rows, intent: Intent) -> Masked:
        """Returns the rows redacted for who asked; where that fails, nobody sees any."""
        heard, judged = ready.heard, ready.judged
        try:
            return self._masking.redact(
                rows.table,
                ready.query.lineage,
                judged.catalog,
                judged.scope,
                session=heard.caller.session,
                model=heard.caller.channel == "agent",
                person=heard.caller.principal.id,
            )
        except Exception as error:  # rows that could not be redacted are shown to nobody
            refused = refuse(
                "redaction.failed",
                "The rows could not be redacted, so none are shown. Tell an operator.",
            )
            self._trail.failed(heard, intent, refused)
            raise refused from error
