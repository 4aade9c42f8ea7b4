"""The steps of a reveal: masked values of rows a person saw, to that person alone, on record."""

from __future__ import annotations

from dataclasses import replace

from guard.engines.base import Cancel, Rows
from guard.errors import Refused, refuse
from guard.masking import Masking, verdicts
from guard.reading import Reading, Ready
from guard.reveal import Plan, Revealed, RevealRequest, plan, unmasked
from guard.revealbudget import Booked, RevealBudget
from guard.trail import Intent, Trail


class Revealing:
    """Shows masked values once. One a process; safe to share between threads."""

    def __init__(
        self, *, reading: Reading, trail: Trail, masking: Masking, reveals: RevealBudget
    ) -> None:
        """Takes the parts it runs through."""
        self._reading = reading
        self._trail = trail
        self._masking = masking
        self._reveals = reveals

    def reveal(self, ready: Ready, asked: RevealRequest, cancel: Cancel) -> Revealed:
        """Returns the rows of `ready` with what was asked for unmasked; it runs again for that.

        Raises:
            Refused, Interrupted, SourceUnavailable, audit.AuditError: as for `Gate.reveal`.
        """
        planned = self._planned(ready, asked)
        with (
            self._reading.reserved(ready.judged, ready.heard, ready.query.max_rows) as spending,
            self._booked(ready, planned) as booked,
        ):
            self._reading.foresee(ready, spending)
            heard = self._trail.revealing(ready.heard, planned)
            intent = self._trail.intent(heard, ready.query)
            raw = self._reading.run(ready, intent, cancel)
            spending.rows = raw.table.num_rows
            shown, opened = self._unmasked(ready, raw, asked, planned, intent)
            booked.rows = len(shown.positions)
            receipt = self._trail.revealed(ready.heard, planned, booked.rows, opened)
        more = asked.rows is None and raw.truncated
        return replace(shown, sources=planned.sources, more=more, audit=receipt.seq)

    def _planned(self, ready: Ready, asked: RevealRequest) -> Plan:
        heard, judged = ready.heard, ready.judged
        try:
            if heard.caller.channel == "agent":
                raise refuse("reveal.person_only", "Masked values are shown to people only.")
            return plan(judged, ready.query.lineage, asked)
        except Refused as refused:
            self._trail.denied(heard, refused.refusal, judged)
            raise

    def _booked(self, ready: Ready, planned: Plan) -> Booked:
        heard, judged = ready.heard, ready.judged
        try:
            person = heard.caller.principal
            return self._reveals.reserve(person, judged.scope.limits, planned.rows)
        except Refused as refused:
            self._trail.denied(heard, refused.refusal, judged)
            raise

    def _unmasked(
        self,
        ready: Ready,
        raw: Rows,
        asked: RevealRequest,
        planned: Plan,
        intent: Intent,
    ) -> tuple[Revealed, int]:
        heard, lineage = ready.heard, ready.query.lineage
        ordinary = self._reading.redacted(ready, raw, intent)
        found = verdicts(lineage, raw.table.column_names, ready.judged.catalog, ready.judged.scope)
        key = self._masking.key(heard.caller.session)
        try:
            most = ready.judged.scope.limits.reveal_rows
            shown = unmasked(raw.table, ordinary.table, found, asked, planned.columns, key, most)
        except Refused as refused:
            self._trail.failed(heard, intent, refused)
            raise
        except Exception as error:
            unseen = refuse("redaction.failed", "The rows could not be looked at. None is shown.")
            self._trail.failed(heard, intent, unseen)
            raise unseen from error
        self._trail.executed(heard, intent, raw, ordinary.columns)
        return shown
