"""`gatehouse access`: ask for a missing permission, and open it for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commands.shared import As, Json, Source, caller, fail, out, parts, show_json

if TYPE_CHECKING:
    from guard import Caller, Need
    from guard.accessdesk import AccessCard
    from guard.accessgrants import TableGrant
    from guard.plans import Plan
    from ui.parts import Parts

app = typer.Typer(no_args_is_help=True, help="Ask for access, grant it for a while, end it.")

Id = Annotated[int, typer.Argument(help="The number of the request.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; the other person reads it.")]
Hours = Annotated[int, typer.Option("--hours", help="How long: 1, 24 or 168, or any other.")]
Names = Annotated[list[str] | None, typer.Option(help="Repeatable; table.column for columns.")]


@app.command()
def request(
    source: Source,
    as_: As,
    reason: Reason,
    hours: Hours = 24,
    table: Names = None,
    column: Names = None,
    lookup: Names = None,
    propose: Names = None,
    json_: Json = False,
) -> None:
    """Asks an admin to open tables, columns, look-ups or proposals; without any, the source."""
    with parts() as opened:
        who = caller(opened, as_)
        needs = _needs(source, table or [], column or [], lookup or [], propose or [])
        made = opened.access.request(who, needs, reason=reason, hours=hours)
        _show(opened, made, who, json_)


@app.command("list")
def list_(as_: As, json_: Json = False) -> None:
    """Lists the person's own requests; for an admin, everybody's."""
    with parts() as opened:
        who = caller(opened, as_)
        opened.access.expire()
        admin = "admin" in who.principal.roles
        cards = opened.access.all(who) if admin else opened.access.mine(who)
        if json_:
            for card in cards:
                show_json(_facts(card))
            return
        table = Table("#", "state", "person", "access", "hours", "until", "reason")
        for card in cards:
            until = card.until.strftime("%Y-%m-%d %H:%M UTC") if card.until else ""
            cells = (
                str(card.id),
                card.state,
                card.person_name,
                ", ".join(n.name for n in card.needs),
                str(card.hours),
                until,
                card.reason,
            )
            table.add_row(*(c.replace("[", "\\[") for c in cells))
        out.print(table)


@app.command()
def show(request: Id, as_: As, json_: Json = False) -> None:
    """Shows one request; to an admin also exactly what granting it would open."""
    with parts() as opened:
        who = caller(opened, as_)
        _show(opened, request, who, json_)
        card = opened.access.card(request, who)
        if not json_ and "admin" in who.principal.roles and card.state == "pending":
            _print_plan(opened.access.plan(request, who))


@app.command()
def grant(
    request: Id,
    as_: As,
    hours: Annotated[int | None, typer.Option("--hours", help="Default: as asked.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Open less: just this table or table.column; repeatable."),
    ] = None,
    comment: Annotated[str, typer.Option("--comment")] = "",
    json_: Json = False,
) -> None:
    """Opens what was asked for, or less, for a limited time."""
    with parts() as opened:
        who = caller(opened, as_)
        most = opened.access.plan(request, who)
        if most.whole_source and not only:
            fail("A whole source was asked for. Name the tables to open with --only.")
        tables = [_narrowed(t.most, only) for t in most.tables]
        long = hours if hours is not None else opened.access.card(request, who).hours
        opened.access.grant(
            request,
            who,
            [t for t in tables if not t.empty],
            hours=long,
            comment=comment,
        )
        _show(opened, request, who, json_)


@app.command()
def reject(request: Id, as_: As, reason: Reason, json_: Json = False) -> None:
    """Ends a request with a reason."""
    with parts() as opened:
        who = caller(opened, as_)
        opened.access.reject(request, who, reason)
        _show(opened, request, who, json_)


@app.command()
def revoke(request: Id, as_: As, reason: Reason, json_: Json = False) -> None:
    """Ends a grant now; the next statement is judged without it."""
    with parts() as opened:
        who = caller(opened, as_)
        opened.access.revoke(request, who, reason)
        _show(opened, request, who, json_)


@app.command()
def withdraw(request: Id, as_: As, json_: Json = False) -> None:
    """Takes one's own request back."""
    with parts() as opened:
        who = caller(opened, as_)
        opened.access.withdraw(request, who)
        _show(opened, request, who, json_)


def _needs(
    source: str, tables: list[str], columns: list[str], lookups: list[str], propose: list[str]
) -> list[Need]:
    from guard import Need

    needs = [Need(kind="table", source=source, table=t) for t in tables]
    needs += [Need(kind="propose", source=source, table=t) for t in propose]
    for kind, names in (("column", columns), ("lookup", lookups)):
        for name in names:
            table, _, column = name.rpartition(".")
            if not table or not column:
                fail(f"Write --{kind} table.column, not {name}.", 2)
            needs.append(
                Need(kind="column", source=source, table=table, column=column)
                if kind == "column"
                else Need(kind="lookup", source=source, table=table, column=column)
            )
    return needs or [Need(kind="source", source=source)]


def _narrowed(most: TableGrant, only: list[str] | None) -> TableGrant:
    from guard.accessgrants import TableGrant

    if not only or most.table in only:
        return most
    kept = {o.rpartition(".")[2] for o in only if o.rpartition(".")[0] == most.table}
    return TableGrant(
        table=most.table,
        columns=tuple(c for c in most.columns if c in kept),
        lookup=tuple(c for c in most.lookup if c in kept),
    )


def _facts(card: AccessCard) -> dict[str, object]:
    return {
        "id": card.id,
        "state": card.state,
        "person": card.person_name,
        "needs": [{"kind": n.kind, "name": n.name} for n in card.needs],
        "reason": card.reason,
        "hours": card.hours,
        "granted": [vars(t) for t in card.granted],
        "until": card.until,
        "decided_by": card.decided_by_name,
        "comment": card.comment,
    }


def _show(opened: Parts, request: int, who: Caller, as_json: bool) -> None:
    card = opened.access.card(request, who)
    if as_json:
        show_json(_facts(card))
        return
    wanted = ", ".join(f"{n.name} ({n.kind})" for n in card.needs)
    lines = [
        f"Access request #{card.id}: {card.state}",
        f"  {card.person_name} asks for {wanted}, for {card.hours} h: {card.reason}",
    ]
    if card.until is not None:
        lines.append(f"  until {card.until:%Y-%m-%d %H:%M} UTC")
    if card.decided_by_name:
        lines.append(f"  {card.decided_by_name}{': ' + card.comment if card.comment else ''}")
    for line in lines:
        out.print(line, markup=False, highlight=False)


def _print_plan(plan: Plan) -> None:
    lines = [f"  {name} does not exist" for name in plan.missing]
    for table in plan.tables:
        rows = f"rows where {table.row_filter}" if table.row_filter else "all rows"
        lines.append(f"  {table.table}, {rows}:")
        for column in table.columns:
            masked = f", stays masked as {column.tag}" if column.tag else ""
            had = ", readable already" if column.had else ""
            lines.append(f"    read {column.name}{masked}{had}")
        lines += [f"    look up by exact {c.name}" for c in table.lookup]
        lines += ["    propose changes"] if table.propose else []
    for line in lines:
        out.print(line, markup=False, highlight=False)
