"""`gatehouse changes`: propose, look at and decide on change requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commands.shared import As, Json, Source, caller, fail, out, parts, show_json

if TYPE_CHECKING:
    from guard import Caller
    from ui.parts import Parts

app = typer.Typer(no_args_is_help=True, help="Propose, review, apply and undo changes.")

Id = Annotated[int, typer.Argument(help="The number of the request.")]


@app.command()
def propose(
    source: Source,
    as_: As,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the person who decides.")],
    sql: Annotated[str, typer.Argument(help="One INSERT, UPDATE or DELETE.")],
    json_: Json = False,
) -> None:
    """Previews a change and puts it before a reviewer; nothing is changed."""
    with parts() as opened:
        who = caller(opened, as_)
        made = opened.gate.propose(sql, source=source, caller=who, reason=reason)
        _show(opened, made.change, who, json_)


@app.command("list")
def list_(as_: As, json_: Json = False) -> None:
    """Lists the requests this person may see."""
    with parts() as opened:
        cards = opened.review.inbox.cards(caller(opened, as_))
        if json_:
            for card in cards:
                show_json(
                    {"id": card.id, "state": card.state, "rows": card.rows, "source": card.source}
                )
            return
        table = Table("#", "state", "source", "rows", "asked by", "reason")
        for card in cards:
            reason = card.reason.replace("[", "\\[")
            table.add_row(
                str(card.id), card.state, card.source, str(card.rows), card.author_name, reason
            )
        out.print(table)


@app.command()
def show(change: Id, as_: As, json_: Json = False) -> None:
    """Shows one request."""
    with parts() as opened:
        _show(opened, change, caller(opened, as_), json_)


@app.command()
def diff(
    change: Id,
    as_: As,
    lines: Annotated[bool, typer.Option("--json", help="JSON Lines instead of CSV.")] = False,
) -> None:
    """Prints every row of the diff, redacted by this person's rights, and records that."""
    # Only this command needs what makes the files.
    from ui.reviewing import download
    from ui.webparts import ExportRequest

    with parts() as opened:
        who = caller(opened, as_)
        name = f"{change}.{'jsonl' if lines else 'csv'}"
        asked = ExportRequest(principal=who.principal, name=name, query={})
        made = download.make(opened, asked, who)
        if made is None:
            fail(f"There is no change request #{change} that you can see.")
        for chunk in made.chunks:
            typer.echo(chunk.decode(), nl=False)


@app.command()
def approve(
    change: Id,
    as_: As,
    fingerprint: Annotated[str, typer.Option("--fingerprint", help="As shown to you.")],
    comment: Annotated[str, typer.Option("--comment")] = "",
    json_: Json = False,
) -> None:
    """Says yes to exactly the diff that was shown."""
    with parts() as opened:
        who = _decider(opened, as_)
        version = opened.review.inbox.view(change, who).version
        opened.review.approve(
            change, who, fingerprint=fingerprint, version=version, comment=comment
        )
        _show(opened, change, who, json_)


@app.command()
def reject(
    change: Id,
    as_: As,
    reason: Annotated[str, typer.Option("--reason", help="The author reads it.")],
    json_: Json = False,
) -> None:
    """Ends a request with a reason."""
    with parts() as opened:
        who = _decider(opened, as_)
        opened.review.reject(change, who, reason)
        _show(opened, change, who, json_)


@app.command()
def withdraw(change: Id, as_: As, json_: Json = False) -> None:
    """Takes one's own request back."""
    with parts() as opened:
        who = caller(opened, as_)
        opened.review.withdraw(change, who)
        _show(opened, change, who, json_)


@app.command("apply")
def apply_(change: Id, as_: As, json_: Json = False) -> None:
    """Runs an approved request, once."""
    with parts() as opened:
        who = caller(opened, as_)
        opened.review.apply(change, who)
        _show(opened, change, who, json_)


@app.command()
def undo(
    change: Id, as_: As, reason: Annotated[str, typer.Option("--reason")] = "", json_: Json = False
) -> None:
    """Asks for a request to be taken back, through the same review."""
    with parts() as opened:
        who = caller(opened, as_)
        made = opened.review.undo(change, who, reason)
        _show(opened, made.change, who, json_)


def _decider(opened: Parts, name: str) -> Caller:
    if not opened.policy.approvals.command_line:
        fail("The policy allows decisions on the approvals page only (approvals.command_line).")
    return caller(opened, name)


def _show(opened: Parts, change: int, who: Caller, as_json: bool) -> None:
    view = opened.review.inbox.view(change, who)
    counts = [
        {"table": t.table, "inserted": t.inserted, "updated": t.updated, "deleted": t.deleted}
        for t in view.card.tables
    ]
    if as_json:
        show_json(
            {
                "id": view.card.id,
                "state": view.card.state,
                "fingerprint": view.fingerprint,
                "tables": counts,
                "undo": view.card.undo or "none",
            }
        )
        return
    out.print(f"Request #{view.card.id}: {view.card.state}", markup=False)
    for line in (view.card.reason, view.statement):
        out.print(f"  {line}", markup=False, highlight=False)
    for count in counts:
        out.print(
            f"  {count['table']}: {count['inserted']} added, {count['updated']} changed, "
            f"{count['deleted']} removed",
            markup=False,
        )
    if view.card.tier is not None:
        out.print(f"  tier: {view.card.tier}. {view.missing}".rstrip(), markup=False)
        for reason in view.reasons:
            out.print(f"    {reason.tier}: {reason.text}", markup=False)
    most = opened.policy.approvals.max_rows
    if view.card.state == "pending" and view.card.rows > most:
        out.print(
            f"  held: {view.card.rows:,} rows; one change may touch {most:,} (approvals.max_rows)",
            markup=False,
        )
    out.print(f"  undo: {view.card.undo or 'none'}", markup=False)
    out.print(f"  fingerprint: {view.fingerprint}", markup=False)
