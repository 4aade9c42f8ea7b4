"""Statements a person types: the same gate, journal and answer, without a model between."""

from __future__ import annotations

from agent.analyst import Asked
from agent.answer import Answer, Refusal, receipt, rows_said
from agent.journal import CutOff, Open, Replayed
from agent.tools import for_journal
from guard import Gate, Refused

_QUERY = "query"
_PROPOSAL = "proposal"


def run_typed(gate: Gate, asked: Asked) -> Answer:
    """Returns the rows of one typed SELECT, as the answer of a turn.

    Raises:
        guard.GuardError, audit.AuditError: as `Gate.query` does, but for refusals, which are
        answers.
    """
    step = asked.journal.begin(
        _QUERY, "query", "run_query", {"sql": asked.question}, repeatable=True
    )
    try:
        result = gate.query(
            asked.question, source=asked.source, caller=asked.caller, cancel=asked.cancel
        )
    except Refused as refused:
        return refused_typed(asked, step, refused)
    facts, rows = for_journal(result)
    asked.journal.end(step, facts, verdict="allow", blob=rows)
    text = rows_said(result.table.num_rows)
    return Answer(status="answered", text=text, query=_QUERY)


def propose_typed(gate: Gate, asked: Asked, reason: str) -> Answer:
    """Returns the receipt of one typed change, as the answer of a turn.

    Raises:
        guard.GuardError, audit.AuditError: as `Gate.propose` does, but for refusals.
    """
    args = {"sql": asked.question, "reason": reason}
    try:
        step = asked.journal.begin(_PROPOSAL, "proposal", "propose_change", args, repeatable=False)
    except (Replayed, CutOff):
        return Answer(
            status="failed", text="A restart cut this off. Look at your requests before you retry."
        )
    try:
        proposed = gate.propose(
            asked.question,
            source=asked.source,
            caller=asked.caller,
            reason=reason,
            call_id=f"{asked.journal.turn}/{_PROPOSAL}",
            cancel=asked.cancel,
        )
    except Refused as refused:
        return refused_typed(asked, step, refused)
    facts = {"change": proposed.change, "state": proposed.state, "rows": proposed.rows}
    asked.journal.end(step, facts, verdict="hold")
    return Answer(
        status="proposed",
        text=receipt(proposed.change, applied=proposed.state == "executed"),
        change=proposed.change,
    )


def refused_typed(asked: Asked, step: Open, refused: Refused) -> Answer:
    """Returns a refusal as the answer of a turn, and ends its step with it."""
    refusal = Refusal.of(refused.refusal)
    asked.journal.end(step, {"refused": refusal.model_dump()}, verdict="deny")
    alternative = f" {refusal.alternative}" if refusal.alternative else ""
    return Answer(status="refused", text=f"Not run. {refusal.reason}{alternative}", refusal=refusal)
