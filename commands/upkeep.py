"""`gatehouse audit`: what an operator does to the trail itself. Each of them is recorded in it."""

from __future__ import annotations

import datetime as dt
import getpass
import os
from typing import TYPE_CHECKING, Annotated

import typer

from commands.shared import Json, data_folder, fail, out, sentences, show_json

if TYPE_CHECKING:
    from audit import Actor, AuditLog

OWNER_URL = "GATEHOUSE_AUDIT_OWNER_URL"
_NOT_WHILE_RUNNING = "Processes on this folder follow by themselves; other instances need a copy."


def operator() -> Actor:
    """Returns the actor of a command: the operating-system account behind it."""
    from audit import Actor

    return Actor(id="operator", type="admin", auth="command_line", os_account=getpass.getuser())


def rotate_key(json_: Json = False) -> None:
    """Signs with a new key from now on. The change is recorded, signed by the old and the new."""
    with sentences(), _open() as log:
        before, after = log.vkey, log.rotate_key(operator())
    if json_:
        show_json({"before": before, "after": after})
        return
    out.print(f"The log signs with {after}", markup=False, highlight=False, soft_wrap=True)
    out.print("Give this public key to whoever verifies; the old one still verifies everything.")
    out.print(_NOT_WHILE_RUNNING, markup=False)


def seal(
    before: Annotated[
        str | None, typer.Option("--before", help="A date; by default 30 days ago.")
    ] = None,
    expire: Annotated[
        bool,
        typer.Option("--expire", help="Also remove what is older than the policy's years."),
    ] = False,
    json_: Json = False,
) -> None:
    """Moves old records out of the database into compressed files that stay provable."""
    moment = _moment(before)
    with sentences(), _open(owner=True) as log:
        made = log.seal(moment, operator())
        gone = log.expire(_years(), operator()) if expire else ()
    if json_:
        show_json(
            {
                "sealed": [{"first": s.first, "last": s.last} for s in made],
                "expired": [{"first": s.first, "last": s.last} for s in gone],
            }
        )
        return
    for segment in made:
        out.print(f"Sealed records {segment.first:,} to {segment.last:,}.", highlight=False)
    for segment in gone:
        out.print(f"Removed records {segment.first:,} to {segment.last:,}.", highlight=False)
    if not made and not gone:
        out.print("Nothing to seal: no signed checkpoint ends before that moment.")


def erase(
    person: Annotated[str, typer.Option("--person", help="The sign-in name, or the account's id.")],
    json_: Json = False,
) -> None:
    """Erases who a person is: their name, their sign-in, and payloads about them. For good.

    The records stay, under a pseudonym that nothing resolves any more; the trail still verifies.
    """
    from store import accounts
    from ui.home import open_store

    with sentences(), _open() as log:
        store = open_store(data_folder())
        try:
            with store.read() as conn:
                account = accounts.by_name(conn, person) or accounts.find(conn, person)
            if account is None:
                fail(f"Nobody is called {person}. `gatehouse people list` shows all.")
            gone = log.erase(account.id, operator())
            with store.write() as conn:
                accounts.forget(conn, account.id)
        finally:
            store.close()
    if json_:
        show_json({"account": account.id, "payloads": gone})
    else:
        out.print(
            f"Erased: {gone} payloads and the name of {account.id}. Backups of the store still "
            "hold the name until they expire.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def prove(seq: Annotated[int, typer.Argument(min=1)]) -> None:
    """Prints the proof that one record is in the log (c2sp.org/tlog-proof)."""
    with sentences(), _open() as log:
        text = log.prove(seq)
    if text is None:
        fail(f"Record {seq} is not in the database. Sealed records are proven by their segment.")
    typer.echo(text, nl=False)


def schema(
    role: Annotated[str, typer.Option("--role", help="The login of the console.")],
    grants_only: Annotated[
        bool, typer.Option("--grants-only", help="The schema is there already.")
    ] = False,
) -> None:
    """Prints the SQL that the owner of the PostgreSQL database runs for the audit trail."""
    from audit import pgschema

    if not grants_only:
        typer.echo(f"BEGIN;\n{pgschema.DDL.strip()}\nCOMMIT;")
    typer.echo(pgschema.grants(role), nl=False)


def _open(*, owner: bool = False) -> AuditLog:
    from ui.home import open_log
    from ui.setup import require_operator

    home = data_folder()
    require_operator(home)
    return open_log(home, os.environ.get(OWNER_URL) if owner else None)


def _moment(given: str | None) -> dt.datetime:
    if given is None:
        return dt.datetime.now(dt.UTC) - dt.timedelta(days=30)
    try:
        moment = dt.datetime.fromisoformat(given)
    except ValueError:
        fail(f"{given} is no date. Write it like 2026-01-31.", 2)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _years() -> float:
    """Returns the policy's years, and fails while it says that nothing expires."""
    from contextlib import closing

    from guard.inforce import InForce
    from ui.home import POLICY_FILE, open_store

    home = data_folder()
    with closing(open_store(home)) as store:
        policy = InForce(store, home / POLICY_FILE).current().audit
    if policy.legal_hold:
        fail("The policy says `legal_hold = true` under [audit], so nothing expires.")
    return policy.retention_years
