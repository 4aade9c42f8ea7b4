"""How one answer came about, as a record that can be kept, compared and opened as a notebook.

It holds what was asked, which tools were called with which arguments, what the guard decided and
why, the statements as they were sent, and a hash of the masked rows; never the rows. Whoever runs
the statements again under the same policy on the same data finds the same hash, unless pseudonyms
stand in the rows: those are of one conversation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.answer import Answer
from agent.rowset import unpack
from agent.templated import call_in
from audit import Access, Record
from guard import plain_rows
from store.steps import Step
from store.turns import Turn

FORMAT = "gatehouse-trace/1"
HASHED = "sha256 of the JSON [columns, rows] of the masked result, without blanks, in ASCII"
Json = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a trace is made of. `rows` are the packed results by call id.

    `safe` redacts a text; the arguments of tools always pass it, everything else does where
    `foreign` says that somebody else than the person who asked will read it.
    """

    turn: Turn
    source: str
    steps: Sequence[Step]
    answer: Answer | None
    records: Sequence[Record]
    rows: Mapping[str, bytes]
    safe: Callable[[str], str]
    foreign: bool


def trace(told: Told) -> Json:
    """Returns the record as JSON."""
    turn, answer = told.turn, told.answer
    call = call_in(turn.question) if turn.kind == "template" else None
    return {
        "format": FORMAT,
        "turn": turn.id,
        "asked_at": turn.created_at.isoformat(),
        "kind": turn.kind,
        "source": told.source,
        "model": turn.model,
        "question": _own(told, call.said() if call else turn.question),
        "status": answer.status if answer else turn.state,
        "read_as": _own(told, answer.interpretation) if answer and answer.interpretation else None,
        "answer": _own(told, answer.text) if answer else None,
        "flags": dict(answer.flags) if answer else {},
        "steps": [_step(told, step) for step in told.steps],
        "tables": sorted({table for record in told.records for table in _tables(record)}),
        "audit": [_event(record) for record in told.records],
        "hashed": HASHED,
    }


def rows_hash(packed: bytes) -> str:
    """Returns the hash of a masked result, as `HASHED` says."""
    table = unpack(packed)
    value = [list(table.column_names), plain_rows(table)]
    text = json.dumps(value, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def notebook(record: Json) -> str:
    """Returns the record as a Jupyter notebook.

    What people, models and data have said stands in raw cells and in code as plain literals,
    because a notebook would draw links and pictures of Markdown.
    """
    head = f"# How an answer came about\n\nTurn `{record['turn']}`, {record['status']}."
    cells = [_markdown(head), _raw(f"Question: {record['question']}")]
    if record["read_as"]:
        cells.append(_raw(f"Read as: {record['read_as']}"))
    listed = record["steps"]
    for number, step in enumerate(listed if isinstance(listed, list) else [], 1):
        cells.append(_markdown(f"## Step {number}: {step['kind']}"))
        cells.append(_raw(_facts(step)))
        if step["sql"]:
            cells.append(_code(f"sql_{number} = {step['sql']!r}\nprint(sql_{number})"))
    cells.append(_raw(f"Answer: {record['answer']}"))
    cells.append(_markdown("## The whole record"))
    cells.append(_code(f"import json\n\nrecord = json.loads({json.dumps(record, default=str)!r})"))
    made = {
        "cells": [{"id": f"cell-{n}", **cell} for n, cell in enumerate(cells)],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(made, indent=1)


def _own(told: Told, text: str) -> str:
    return told.safe(text) if told.foreign else text


def _step(told: Told, step: Step) -> Json:
    result = _loaded(step.result_json)
    args = {k: v for k, v in _loaded(step.args_json).items() if k not in ("sql", "text")}
    refused = result.get("refused")
    refused = refused if isinstance(refused, dict) else {}
    sql = result.get("sql") or _loaded(step.args_json).get("sql")
    packed = told.rows.get(step.call_id)
    said = result.get("text")
    return {
        "call": step.call_id,
        "kind": step.kind,
        "tool": step.tool,
        "arguments": told.safe(json.dumps(args, default=str)) if args else None,
        "said": _own(told, str(said)) if said else None,
        "sql": _own(told, str(sql)) if sql else None,
        "decision": step.verdict,
        "rule": refused.get("rule") or result.get("rule"),
        "reason": _own(told, str(refused.get("reason") or result.get("reason") or "")) or None,
        "rows": result.get("rows"),
        "truncated": result.get("truncated"),
        "change": result.get("change"),
        "rows_sha256": rows_hash(packed) if packed else None,
        "elapsed_ms": step.elapsed_ms,
        "audit": result.get("audit"),
    }


def _event(record: Record) -> Json:
    event = record.event
    return {
        "seq": record.seq,
        "type": event.type,
        "outcome": event.outcome,
        "summary": event.summary,
        "hash": record.hash,
    }


def _tables(record: Record) -> tuple[str, ...]:
    access = record.event.part(Access)
    return access.tables if access else ()


def _facts(step: Mapping[str, object]) -> str:
    shown = ("tool", "arguments", "said", "decision", "rule", "reason", "rows", "change")
    more = ("rows_sha256", "elapsed_ms", "audit")
    return "\n".join(f"{k}: {step[k]}" for k in (*shown, *more) if step[k] is not None)


def _loaded(text: str | None) -> Json:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _markdown(source: str) -> Json:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _raw(source: str) -> Json:
    return {"cell_type": "raw", "metadata": {}, "source": source}


def _code(source: str) -> Json:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": source,
    }
