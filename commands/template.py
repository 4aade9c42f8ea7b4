"""`gatehouse template`: a query template by its name, as the form on the ask page runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commands.ask import denied, print_rows
from commands.shared import As, Json, caller, fail, out, parts, refusal_text, show_json

if TYPE_CHECKING:
    from guard import Caller, Result, Template
    from ui.parts import Parts


def template(
    as_: As,
    name: Annotated[str | None, typer.Argument(help="The template; without it, all.")] = None,
    arg: Annotated[
        list[str] | None, typer.Option("--arg", help="An argument, as name=value; can be repeated.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for one that proposes.")] = "",
    json_: Json = False,
) -> None:
    """Runs a query template of the policy, or lists those there are."""
    from guard import Refused, Result

    with parts() as opened:
        who = caller(opened, as_)
        found = _usable(opened, who)
        if name is None:
            _list(found, json_=json_)
            return
        source = next((t.settings.source for t in found if t.name == name), None)
        if source is None:
            fail(f"There is no template {name} for {as_}. `gatehouse template` lists them.")
        values = _arguments(arg or [])
        try:
            given = opened.gate.use(name, values, source=source, caller=who, why=reason)
        except Refused as refused:
            if json_:
                show_json(denied(refused))
                raise typer.Exit(1) from refused
            fail(refusal_text(refused))
    if isinstance(given, Result):
        _show(given, json_=json_)
    elif json_:
        facts = {"id": given.change, "state": given.state, "rows": given.rows}
        show_json({"decision": "hold", **facts})
    else:
        out.print(f"Request #{given.change} is {given.state}, {given.rows} rows.", markup=False)


def _usable(opened: Parts, who: Caller) -> list[Template]:
    gate = opened.gate
    return [t for source in gate.sources(who) for t in gate.templates(source, who)]


def _arguments(given: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or name in found:
            fail(f"Write each argument once, as name=value: {one}", 2)
        found[name] = value
    return found


def _list(found: list[Template], *, json_: bool) -> None:
    from guard.templates import takes

    if json_:
        for one in found:
            facts = {"template": one.name, "source": one.settings.source}
            show_json({**facts, "effect": one.settings.effect, "arguments": one.schema()})
        return
    table = Table("template", "source", "effect", "arguments", "what it answers")
    for one in found:
        settings = one.settings
        words = (one.name, settings.source, settings.effect, takes(settings), settings.description)
        table.add_row(*(word.replace("[", "\\[") for word in words))
    out.print(table)


def _show(result: Result, *, json_: bool) -> None:
    if json_:
        show_json(
            {
                "decision": "allow",
                "rule": result.decision.rule,
                "sql": result.sql,
                "columns": list(result.names),
                "rows": result.rows(),
                "masked": {c.name: c.masked_cells for c in result.columns if c.masked_cells},
                "truncated": result.truncated,
                "audit": result.audit,
            }
        )
        return
    print_rows(result.names, result.rows())
    out.print(f"{result.decision.reason} Audit #{result.audit}.", style="dim", markup=False)
