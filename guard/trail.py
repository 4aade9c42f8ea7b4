"""Guard facts -> audit events: where statements, decisions and counts enter the log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from audit import (
    Access,
    Action,
    AuditEvent,
    AuditLog,
    Effect,
    ErrorFacts,
    EventType,
    Limits,
    Outcome,
    Part,
    PolicyFacts,
    Receipt,
    Redactions,
    Timing,
    shorten,
)
from audit import Agent as AgentFacts
from guard.caller import Caller
from guard.catalog import Catalog
from guard.engines.base import Rows
from guard.errors import GuardError, Interrupted, Refusal, Refused
from guard.judging import Judgement
from guard.logtext import log_safe, sha256_of, without_literals
from guard.policy import Allow, Hold
from guard.policyfile import Policy
from guard.rewrite import GuardedQuery
from redaction import ColumnReport


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One statement as the log knows it: who sent it where, why, and its shape without values."""

    caller: Caller
    source: str
    action: Action
    why: str
    policy: Policy


class Trail:
    """Writes what the guard does. Every method returns once the event is durable.

    Raises:
        audit.AuditError: from every method; the caller MUST NOT go on.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def heard(
        self,
        sql: str,
        source: str,
        caller: Caller,
        why: str,
        policy: Policy,
        catalog: Catalog | None,
    ) -> Heard:
        """Returns the statement as later events name it; writes nothing."""
        settings = policy.sources.get(source)
        dialect = settings.engine if settings else "sqlite"
        shape = log_safe(without_literals(sql, dialect, _names(catalog)))
        action = Action(
            kind="statement",
            dialect=dialect,
            source=source,
            statement=shape,
            statement_hmac=self._log.digest(sql),
            template_sha256=sha256_of(shape),
        )
        reason = log_safe(why)
        return Heard(caller=caller, source=source, action=action, why=reason, policy=policy)

    def denied(self, heard: Heard, refusal: Refusal, judged: Judgement | None) -> Receipt:
        """Writes that nothing ran, and why."""
        part = f" ({log_safe(refusal.part)})" if refusal.part else ""
        return self._write(
            "policy.decided",
            heard,
            "denied",
            f"Denied: {refusal.rule}{part}",
            PolicyFacts(
                decision="deny",
                rule=refusal.rule,
                reasons=(log_safe(refusal.reason),),
                version=str(heard.policy.version),
                bundle_sha256=heard.policy.sha256,
            ),
            *_accessed(judged),
        )

    def unavailable(self, heard: Heard, error: GuardError) -> Receipt:
        """Writes that the statement was refused because its source or its policy cannot be used."""
        refusal = Refusal(rule="source.unavailable", reason=str(error), part=heard.source)
        return self.denied(heard, refusal, None)

    def decided(self, heard: Heard, decision: Allow | Hold, judged: Judgement) -> Receipt:
        """Writes that the policy allows or holds the statement."""
        access = judged.access
        held = isinstance(decision, Hold)
        return self._write(
            "policy.decided",
            heard,
            "pending" if held else "success",
            f"{'Held' if held else 'Allowed'}: {access.verb} on {', '.join(access.named) or '-'}",
            PolicyFacts(
                decision="needs_approval" if held else "allow",
                rule=decision.rule,
                reasons=(decision.reason,),
                version=str(heard.policy.version),
                bundle_sha256=heard.policy.sha256,
            ),
            *_accessed(judged),
        )

    def intent(self, heard: Heard, query: GuardedQuery) -> Intent:
        """Writes that `query` is about to be sent. Nothing may be sent before this returned."""
        event = self._event(
            "query.intent",
            heard,
            "pending",
            f"About to read {heard.source}",
            Limits(
                max_rows=query.max_rows,
                max_bytes=query.max_bytes,
                timeout_ms=query.timeout_ms,
            ),
        )
        self._log.append(event)
        return Intent(id=event.id)

    def executed(
        self, heard: Heard, intent: Intent, rows: Rows, columns: tuple[ColumnReport, ...]
    ) -> Receipt:
        """Writes what came back, in counts."""
        counts = Counter[str]()
        for column in columns:
            counts.update(dict(column.entities))
        count, masked = rows.table.num_rows, sum(c.masked_cells for c in columns)
        cells = f", {masked} {'cell' if masked == 1 else 'cells'} masked" if masked else ""
        return self._write(
            "query.executed",
            heard,
            "success",
            f"{count} {'row' if count == 1 else 'rows'} in {rows.elapsed_us // 1000} ms{cells}",
            Effect(
                intent_id=intent.id, rows=count, bytes=rows.table.nbytes, truncated=rows.truncated
            ),
            Redactions(counts=dict(counts), engine="presidio"),
            Timing(db_us=rows.elapsed_us),
        )

    def failed(self, heard: Heard, intent: Intent, error: GuardError) -> Receipt:
        """Writes that the statement was sent and gave nothing."""
        stopped = isinstance(error, Interrupted)
        code = _code(error)
        return self._write(
            "query.cancelled" if stopped else "query.failed",
            heard,
            "failure",
            f"{'Stopped' if stopped else 'Failed'}: {code}",
            Effect(intent_id=intent.id),
            ErrorFacts(
                type="stopped" if stopped else "failed",
                code=code,
                message=log_safe(str(error)),
            ),
        )

    # A summary is made of our own words, numbers and names of the catalog or the policy; anything
    # else in it has gone through `log_safe`, once.
    def _write(
        self, type_: EventType, heard: Heard, outcome: Outcome, summary: str, *parts: Part
    ) -> Receipt:
        return self._log.append(self._event(type_, heard, outcome, summary, *parts))

    def _event(
        self, type_: EventType, heard: Heard, outcome: Outcome, summary: str, *parts: Part
    ) -> AuditEvent:
        return AuditEvent(
            type=type_,
            actor=heard.caller.actor(),
            outcome=outcome,
            summary=shorten(summary),
            session=heard.caller.session,
            request=heard.caller.request,
            parts=(heard.action, AgentFacts(reason_summary=heard.why or None), *parts),
        )


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A durable intent event, to be closed by exactly one outcome."""

    id: str


def _names(catalog: Catalog | None) -> frozenset[str]:
    if catalog is None:
        return frozenset()
    names = {t.name.casefold() for t in catalog.tables}
    return frozenset(names | {c.name.casefold() for t in catalog.tables for c in t.columns})


def _code(error: GuardError) -> str:
    match error:
        case Interrupted(cause=cause):
            return cause
        case Refused(refusal=refusal):
            return refusal.rule
        case _:
            return "source.unavailable"


def _accessed(judged: Judgement | None) -> tuple[Access, ...]:
    if judged is None:
        return ()
    uses = sorted({(u.table, u.column) for u in judged.access.columns})
    tags = set()
    for table_name, column_name in uses:
        table = judged.catalog.table(table_name)
        column = table.column(column_name) if table else None
        if column is not None and column.tag is not None:
            tags.add(column.tag)
    return (
        Access(
            tables=tuple(sorted(set(judged.access.tables))),
            columns=tuple(f"{t}.{c}" for t, c in uses),
            functions=tuple(sorted(set(judged.access.functions))),
            classes=tuple(sorted(tags)),
        ),
    )
