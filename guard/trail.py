"""Guard facts -> audit events: where statements, decisions and counts enter the log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import telemetry
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
from guard.budget import NOT_COUNTED, Left
from guard.caller import Caller
from guard.catalog import Catalog
from guard.decision import Allow, Hold
from guard.engines.base import Rows
from guard.errors import GuardError, Interrupted, Refusal, Refused
from guard.judging import Judgement
from guard.logtext import counted, log_safe, sha256_of, without_literals
from guard.policyfile import Policy
from guard.reveal import Plan
from guard.rewrite import GuardedQuery
from guard.templates import RUN_QUERY, Tool
from redaction import ColumnReport


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One statement as the log knows it: who sent it where, why, and its shape without values.

    `allowed` is the decision that it may run, not written yet: the intent brings it along.
    """

    caller: Caller
    source: str
    action: Action
    why: str
    policy: Policy
    tool: Tool = RUN_QUERY
    allowed: AuditEvent | None = None


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
        tool: Tool = RUN_QUERY,
        action: Action | None = None,
    ) -> Heard:
        """Returns the statement as later events name it; writes nothing.

        `action` is what it was when the same text was heard with this policy and this catalog.
        """
        return Heard(
            caller=caller,
            source=source,
            action=action or self._action(sql, source, policy, catalog),
            why=log_safe(why),
            policy=policy,
            tool=tool,
        )

    def _action(self, sql: str, source: str, policy: Policy, catalog: Catalog | None) -> Action:
        settings = policy.sources.get(source)
        dialect = settings.engine if settings else "sqlite"
        known = frozenset[str]() if catalog is None else catalog.words
        shape = log_safe(without_literals(sql, dialect, known))
        return Action(
            kind="statement",
            dialect=dialect,
            source=source,
            statement=shape,
            statement_hmac=self._log.digest(sql),
            template_sha256=sha256_of(shape),
        )

    def called(self, tool: str, source: str, caller: Caller, policy: Policy) -> Heard:
        """Returns a tool call without a statement as later events name it; writes nothing."""
        action = Action(kind="tool", verb=tool, source=source)
        return Heard(caller=caller, source=source, action=action, why="", policy=policy)

    def denied(self, heard: Heard, refusal: Refusal, judged: Judgement | None) -> Receipt:
        """Writes that nothing ran, and why."""
        _noted(heard, judged, "deny", refusal.rule)
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

    def held(self, heard: Heard, hold: Hold, judged: Judgement) -> Receipt:
        """Writes that the policy holds the statement."""
        _noted(heard, judged, "hold", hold.rule)
        return self._log.append(self._decided(heard, hold, judged))

    def allowed(self, heard: Heard, allow: Allow, judged: Judgement) -> Heard:
        """Returns the statement with its decision, which is written together with its intent.

        A refusal on the way there is the decision in its place.
        """
        _noted(heard, judged, "allow", allow.rule)
        return replace(heard, allowed=self._decided(heard, allow, judged))

    def _decided(self, heard: Heard, decision: Allow | Hold, judged: Judgement) -> AuditEvent:
        access = judged.access
        held = isinstance(decision, Hold)
        return self._event(
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

    def intent(self, heard: Heard, query: GuardedQuery, left: Left = NOT_COUNTED) -> Intent:
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
                queries_left=left.calls,
                rows_left=left.rows,
            ),
        )
        self._log.append_many([*_pending(heard), event])
        return Intent(id=event.id)

    def executed(
        self, heard: Heard, intent: Intent, rows: Rows, columns: tuple[ColumnReport, ...]
    ) -> Receipt:
        """Writes what came back, in counts."""
        counts = Counter[str]()
        for column in columns:
            counts.update(dict(column.entities))
        telemetry.note(
            {
                "db.response.returned_rows": rows.table.num_rows,
                "gatehouse.source_us": rows.elapsed_us,
            }
        )
        count, masked = rows.table.num_rows, sum(c.masked_cells for c in columns)
        cells = f", {counted(masked, 'cell')} masked" if masked else ""
        return self._write(
            "query.executed",
            heard,
            "success",
            f"{counted(count, 'row')} in {rows.elapsed_us // 1000} ms{cells}",
            Effect(
                intent_id=intent.id, rows=count, bytes=rows.table.nbytes, truncated=rows.truncated
            ),
            Redactions(counts=dict(counts), engine="presidio"),
            Timing(db_us=rows.elapsed_us),
        )

    def revealing(self, heard: Heard, plan: Plan) -> Heard:
        """Writes that masked values are about to be fetched to be shown to this person.

        Returns the statement with nothing left to be written before its intent.
        """
        event = self._revealed(heard, "pending", "About to reveal", plan, plan.rows)
        self._log.append_many([*_pending(heard), event])
        return replace(heard, allowed=None)

    def revealed(self, heard: Heard, plan: Plan, rows: int, cells: int) -> Receipt:
        """Writes which masked values are shown. Nobody may see them before this returned."""
        what = f"Revealed {counted(cells, 'cell')}"
        return self._log.append(self._revealed(heard, "success", what, plan, rows))

    def _revealed(
        self, heard: Heard, outcome: Outcome, what: str, plan: Plan, rows: int
    ) -> AuditEvent:
        columns = ", ".join(plan.sources)
        return self._event(
            "data.revealed",
            heard,
            outcome,
            f"{what} of {columns}, {counted(rows, 'row')}",
            Access(columns=plan.sources, classes=plan.entities),
            Effect(rows=rows),
        )

    def failed(self, heard: Heard, intent: Intent, error: GuardError) -> Receipt:
        """Writes that the statement was sent and gave nothing."""
        stopped = isinstance(error, Interrupted)
        code = _code(error)
        telemetry.note({"error.type": code})
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
            parts=(heard.action, _by(heard), *parts),
        )


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A durable intent event, to be closed by exactly one outcome."""

    id: str


_SYSTEMS = {"postgres": "postgresql"}
"""Our name of an engine -> the one of the conventions for databases, where it is another."""


def source_of(heard: Heard) -> dict[str, telemetry.Value]:
    """Returns what a span says of the source, where the policy has it: names an admin gave."""
    settings = heard.policy.sources.get(heard.source)
    if settings is None:
        return {}
    engine = settings.engine
    return {"db.system.name": _SYSTEMS.get(engine, engine), "db.namespace": heard.source}


def _noted(heard: Heard, judged: Judgement | None, decision: str, rule: str) -> None:
    """Notes a decision on the span of the call. A table counts only if the catalog has it."""
    found = [judged.catalog.table(name) for name in judged.access.tables] if judged else []
    tables = tuple(sorted({table.name for table in found if table is not None}))
    telemetry.note(
        {
            **source_of(heard),
            "gatehouse.decision": decision,
            "gatehouse.rule": rule,
            "gatehouse.tables": tables or None,
        },
        lambda: heard.action.statement or "",
    )


def _by(heard: Heard) -> AgentFacts:
    return AgentFacts(tool=heard.tool.template, reason_summary=heard.why or None)


def _pending(heard: Heard) -> tuple[AuditEvent, ...]:
    return () if heard.allowed is None else (heard.allowed,)


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
