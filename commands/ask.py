"""`gatehouse ask` and `gatehouse query`: the ask page without a browser."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commands.shared import (
    As,
    Json,
    Source,
    ask_for,
    caller,
    fail,
    is_text,
    out,
    parts,
    refusal_text,
    show_json,
    text_lines,
)

if TYPE_CHECKING:
    from agent import Answer
    from guard import Caller, Refused
    from ui.parts import Parts

_TITLE = "Command line"
_UNREADABLE: Mapping[str, object] = {
    "status": "refused",
    "text": 'Each line must be a JSON object with an "id" and the text "question".',
    "interpretation": None,
    "sql": None,
    "decision": {"decision": "deny", "rule": "line.unreadable"},
    "columns": [],
    "rows": [],
    "masked": {},
    "options": [],
    "suggestions": [],
    "change": None,
    "audit": None,
}


def ask(
    source: Source,
    as_: As,
    question: Annotated[str | None, typer.Argument(help="The question.")] = None,
    json_: Json = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read {"id","question"} lines on stdin.')
    ] = False,
) -> None:
    """Answers a question as the ask page would."""
    if (question is None) != jsonl:
        fail("Give one question, or --jsonl and lines on stdin.", 2)
    with parts() as opened:
        who = caller(opened, as_)
        conversation = _conversation(opened, who, source)
        if question is None:
            _ask_lines(opened, who, conversation, text_lines(sys.stdin.buffer))
            return
        facts = _asked(opened, who, conversation, question)
    if json_:
        show_json(facts)
    else:
        _print(facts)
    if facts["status"] not in {"answered", "proposed"}:
        raise typer.Exit(1)


def query(
    source: Source,
    as_: As,
    sql: Annotated[str, typer.Argument(help="One SELECT.")],
    reveal: Annotated[
        list[str] | None,
        typer.Option("--reveal", help="Show this masked column; can be given again."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why the values are needed.")] = "",
    json_: Json = False,
) -> None:
    """Runs one statement through the gate."""
    from guard import Refused

    if reveal:
        _reveal(source, as_, sql, reveal, reason, json_=json_)
        return
    with parts() as opened:
        who = caller(opened, as_)
        try:
            result = opened.gate.query(sql, source=source, caller=who)
        except Refused as refused:
            if json_:
                show_json(denied(refused))
                raise typer.Exit(1) from refused
            fail(refusal_text(refused))
    facts: dict[str, object] = {
        "decision": "allow",
        "rule": result.decision.rule,
        "columns": list(result.names),
        "rows": result.rows(),
        "masked": {c.name: c.masked_cells for c in result.columns if c.masked_cells},
        "truncated": result.truncated,
        "audit": result.audit,
    }
    if json_:
        show_json(facts)
    else:
        print_rows(result.names, result.rows())
        for column in result.columns:
            if column.masked_cells:
                out.print(column.reason, style="dim", markup=False, highlight=False)
        out.print(f"{result.decision.reason} Audit #{result.audit}.", style="dim", markup=False)


def _reveal(
    source: str, as_: str, sql: str, columns: list[str], reason: str, *, json_: bool
) -> None:
    """Shows masked values to the person the operator acts for, a few rows at a time."""
    from guard import Refused, RevealRequest

    with parts() as opened:
        asked = RevealRequest(columns=tuple(columns), reason=reason)
        who = caller(opened, as_)
        try:
            shown = opened.gate.reveal(sql, source=source, caller=who, asked=asked)
        except Refused as refused:
            if json_:
                show_json(denied(refused))
                raise typer.Exit(1) from refused
            fail(refusal_text(refused))
    if json_:
        show_json(
            {
                "decision": "allow",
                "rule": "reveal.allowed",
                "columns": list(shown.names),
                "rows": shown.values,
                "revealed": [shown.names[i] for i in shown.columns],
                "sources": list(shown.sources),
                "kept": shown.kept,
                "truncated": shown.more,
                "audit": shown.audit,
            }
        )
        return
    print_rows(shown.names, shown.values)
    more = " There are more rows than one reveal may show." if shown.more else ""
    kept = f" {shown.kept} cells stay masked: secrets are never shown." if shown.kept else ""
    said = f"Revealed: {', '.join(shown.sources)}. Audit #{shown.audit}.{kept}{more}"
    out.print(said, style="dim", markup=False, highlight=False)


def denied(refused: Refused) -> dict[str, object]:
    """Returns a refusal as the JSON of a statement that did not run."""
    refusal = refused.refusal
    held = refusal.rule == "write.held"
    return {
        "decision": "hold" if held else "deny",
        "rule": refusal.rule,
        "reason": refusal.reason,
        "alternative": refusal.alternative,
        "ask": ask_for(refusal.access_request) if refusal.access_request else None,
        "columns": [],
        "rows": [],
        "masked": {},
        "truncated": False,
        "audit": None,
    }


def _conversation(opened: Parts, who: Caller, source: str) -> str:
    from store import conversations

    opened.gate.view(source, who)
    with opened.store.write() as conn:
        return conversations.create(
            conn,
            owner=who.principal.id,
            source=source,
            title=_TITLE,
            now=opened.store.now(),
        ).id


def _ask_lines(opened: Parts, who: Caller, conversation: str, lines: Iterable[str]) -> None:
    for line in lines:
        number, question = _read(line)
        facts = _UNREADABLE if question is None else _asked(opened, who, conversation, question)
        show_json({"id": number, **facts})


def _read(line: str) -> tuple[object, str | None]:
    """Returns the id, where there is one, and the question, None where the line holds none."""
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(asked, dict):
        return None, None
    question = asked.get("question")
    return asked.get("id"), question if is_text(question) else None


def _asked(opened: Parts, who: Caller, conversation: str, question: str) -> dict[str, object]:
    turn, answer = opened.runs.run(question, conversation=conversation, caller=who)
    return _facts(opened, turn, answer)


def _facts(opened: Parts, turn: str, answer: Answer) -> dict[str, object]:
    from agent import unpack
    from guard import plain_rows
    from store import steps

    with opened.store.read() as conn:
        taken = steps.list_of(conn, turn)
        packed = steps.blob(conn, turn, answer.query) if answer.query else None
    step = next((s for s in reversed(taken) if s.kind in {"query", "proposal"}), None)
    result: Mapping[str, object] = json.loads(step.result_json or "{}") if step else {}
    args: Mapping[str, object] = json.loads(step.args_json) if step else {}
    table = unpack(packed) if packed else None
    columns = result.get("columns")
    listed = columns if isinstance(columns, list) else []
    return {
        "status": "refused" if answer.status == "halted" else answer.status,
        "text": answer.text,
        "interpretation": answer.interpretation,
        "sql": args.get("sql"),
        "decision": _decision(answer, result),
        "columns": list(table.column_names) if table is not None else [],
        "rows": plain_rows(table) if table is not None else [],
        "masked": {c["name"]: c["masked"] for c in listed if c["masked"]},
        "options": [o.model_dump() for o in answer.options],
        "suggestions": list(answer.suggestions),
        "change": answer.change,
        "audit": result.get("audit"),
    }


def _decision(answer: Answer, result: Mapping[str, object]) -> dict[str, object] | None:
    if answer.refusal is not None:
        return {"decision": "deny", **answer.refusal.model_dump()}
    if answer.change is not None:
        return {"decision": "hold"}
    if "rule" in result:
        return {"decision": "allow", "rule": result["rule"], "reason": result["reason"]}
    return None


def _print(facts: Mapping[str, object]) -> None:
    for label in ("interpretation", "sql"):
        if facts[label]:
            out.print(f"{label}: {facts[label]}", style="dim", markup=False, highlight=False)
    columns, rows = facts["columns"], facts["rows"]
    if isinstance(columns, list) and isinstance(rows, list) and columns:
        print_rows(columns, rows)
    out.print(str(facts["text"]), markup=False, highlight=False)
    options = facts["options"]
    for option in options if isinstance(options, list) else []:
        out.print(f"  - {option['question']}", markup=False, highlight=False)


def print_rows(names: Sequence[str], rows: Sequence[Sequence[object]], most: int = 50) -> None:
    """Prints the first rows as a table."""
    table = Table()
    for name in names:
        table.add_column(str(name).replace("[", "\\["))
    for row in rows[:most]:
        table.add_row(*("NULL" if v is None else str(v).replace("[", "\\[") for v in row))
    out.print(table)
    if len(rows) > most:
        out.print(f"{len(rows) - most} more rows. Use --json to see all.", style="dim")
