"""The five tools a model may call, each on the gate, each on behalf of the signed-in person.

A result is plain JSON. Refusals are results too: the model explains them, and the run ends after
one that another statement cannot mend (`toolset.py`). No tool approves, applies or reveals
anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field
from pydantic_ai import RunContext
from pydantic_ai.toolsets import FunctionToolset

from agent.answer import Chart
from agent.deps import Deps
from agent.meaning import told, told_of
from agent.rowset import pack
from guard import BUILT_IN, Result, Table, ToolEffect, plain_rows

EFFECTS: Mapping[str, ToolEffect] = BUILT_IN
"""What each tool may bring about. `propose_change` brings about a request, never a change."""

Json = dict[str, object]
Words = Annotated[str, Field(max_length=2_000)]
Sql = Annotated[str, Field(max_length=65_536)]

toolset: FunctionToolset[Deps] = FunctionToolset()


@toolset.tool
def list_tables(ctx: RunContext[Deps]) -> Json:
    """Lists the tables you can read, and what numbers and phrases mean here."""
    deps = ctx.deps
    catalog = deps.view.catalog
    means = told(deps.semantics, catalog)
    return {
        "tables": [{"name": t.name, "columns": len(t.columns)} for t in catalog.tables],
        **({"meanings": means} if means else {}),
    }


@toolset.tool
def describe_table(ctx: RunContext[Deps], table: Words) -> Json:
    """Describes one table: columns, types, keys, and which columns come back masked.

    Args:
        ctx: the run.
        table: the table's name.
    """
    found = ctx.deps.view.catalog.table(table)
    if found is None:
        return {"unknown": f"{table} is not a table you can read.", "see": "list_tables"}
    means = told_of(ctx.deps.semantics, ctx.deps.view.catalog, found.name)
    return {**_described(found), **({"meanings": means} if means else {})}


@toolset.tool
def run_query(ctx: RunContext[Deps], sql: Sql, why: Words) -> Json:
    """Runs one SELECT through the guard and returns its first rows, redacted.

    Args:
        ctx: the run.
        sql: one statement that only reads.
        why: what this statement is for, in one sentence.
    """
    deps = ctx.deps
    result = deps.gate.query(
        sql, source=deps.source, caller=deps.caller, why=why, cancel=deps.cancel
    )
    return {"result": result}


@toolset.tool
def propose_change(ctx: RunContext[Deps], sql: Sql, reason: Words) -> Json:
    """Proposes one INSERT, UPDATE or DELETE. Nothing changes until another person approves it.

    Args:
        ctx: the run.
        sql: one statement that writes.
        reason: why the change is wanted, for the person who decides.
    """
    deps = ctx.deps
    proposed = deps.gate.propose(
        sql,
        source=deps.source,
        caller=deps.caller,
        reason=reason,
        call_id=f"{deps.journal.turn}/{ctx.tool_call_id}",
        cancel=deps.cancel,
    )
    return {"change": proposed.change, "state": proposed.state, "rows": proposed.rows}


@toolset.tool
def make_chart(
    ctx: RunContext[Deps],
    kind: Literal["bar", "line"],
    x: Annotated[int, Field(ge=0, le=200)],
    y: Annotated[int, Field(ge=0, le=200)],
    title: Annotated[str, Field(max_length=120)],
) -> Json:
    """Draws the rows of the last query as a chart for the person.

    Args:
        ctx: the run.
        kind: bar for categories, line for time.
        x: the position of the column with the labels or dates, counted from 0.
        y: the position of the column with the numbers, counted from 0.
        title: what the chart shows.
    """
    del ctx
    return {"chart": Chart(kind=kind, x=x, y=y, title=title).model_dump()}


def _described(table: Table) -> Json:
    return {
        "table": table.name,
        "kind": table.kind,
        "columns": [
            {
                "name": c.name,
                "type": c.type,
                "key": c.primary_key,
                **({"masked_as": c.tag} if c.tag else {}),
            }
            for c in table.columns
        ],
        "foreign_keys": [
            {"columns": k.columns, "table": k.table, "references": k.references}
            for k in table.foreign_keys
        ],
    }


def for_model(result: Result) -> Json:
    """Returns what a model is told of a result: redacted rows, and what is missing from them."""
    rows = plain_rows(result.for_model) if result.for_model is not None else []
    return {
        "columns": list(result.names),
        "rows": rows,
        "rows_in_all": result.table.num_rows,
        "cut_at": result.limit if result.truncated else None,
        "masked_cells": result.masked,
    }


def for_journal(result: Result) -> tuple[Json, bytes]:
    """Returns what the store keeps of a result: its facts, and its redacted rows packed."""
    facts: Json = {
        "sql": result.sql,
        "rule": result.decision.rule,
        "reason": result.decision.reason,
        "columns": [
            {"name": c.name, "masked": c.masked_cells, "reason": c.reason} for c in result.columns
        ],
        "rows": result.table.num_rows,
        "truncated": result.truncated,
        "limit": result.limit,
        "elapsed_us": result.elapsed_us,
        "audit": result.audit,
        "for_model": for_model(result),
    }
    return facts, pack(result.table)
