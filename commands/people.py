"""`gatehouse people`: local accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commands.shared import data_folder, fail, out, sentences

if TYPE_CHECKING:
    from store import Store
    from store.states import ConsoleRole

app = typer.Typer(no_args_is_help=True, help="Local accounts and their roles.")

Name = Annotated[str, typer.Argument(help="The name the person signs in with.")]
Roles = Annotated[list[str], typer.Option("--role", help="analyst, reviewer or admin; repeatable.")]


@app.command("list")
def list_() -> None:
    """Lists the accounts."""
    from store import accounts

    with sentences():
        table = Table("name", "person", "roles", "state")
        store = _open()
        with store.read() as conn:
            for account in accounts.list_all(conn):
                state = "disabled" if account.disabled else "demo" if account.demo else "active"
                roles = ", ".join(sorted(account.roles))
                table.add_row(account.name, account.display_name, roles, state)
        store.close()
        out.print(table)


@app.command()
def add(
    name: Name, roles: Roles, person: Annotated[str, typer.Option("--person", help="Full name.")]
) -> None:
    """Makes an account; asks for its password."""
    from store import accounts, passwords

    wanted = _roles(roles)
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    with sentences():
        store = _open()
        hashed = passwords.hash_password(password)
        with store.write() as conn:
            made = accounts.create(
                conn,
                name=name,
                display_name=person,
                roles=wanted,
                password_hash=hashed,
                now=store.now(),
            )
            _record(made.id, "created")
        store.close()
    out.print(f"{name} can sign in.")


@app.command()
def roles(name: Name, roles: Roles) -> None:
    """Replaces an account's roles; they bind from its next click."""
    from store import accounts

    wanted = _roles(roles)
    with sentences():
        store = _open()
        with store.write() as conn:
            account = accounts.by_name(conn, name)
            if account is None:
                fail(f"There is no account {name}.")
            accounts.set_roles(conn, account.id, wanted)
            _record(account.id, "roles changed")
        store.close()


@app.command()
def disable(name: Name) -> None:
    """Ends an account's sign-ins and rights at once; what it did stays on record."""
    from store import accounts

    with sentences():
        store = _open()
        with store.write() as conn:
            account = accounts.by_name(conn, name)
            if account is None:
                fail(f"There is no account {name}.")
            accounts.set_disabled(conn, account.id, disabled=True)
            _record(account.id, "disabled")
        store.close()


def _open() -> Store:
    from ui.home import open_store
    from ui.setup import require_operator

    home = data_folder()
    require_operator(home)
    return open_store(home)


def _roles(given: list[str]) -> list[ConsoleRole]:
    known: dict[str, ConsoleRole] = {"analyst": "analyst", "reviewer": "reviewer", "admin": "admin"}
    unknown = [r for r in given if r not in known]
    if unknown:
        fail(f"There is no role {unknown[0]}. Use analyst, reviewer or admin.", 2)
    return [known[r] for r in given]


def _record(account: str, change: str) -> None:
    from audit import SYSTEM, AuditEvent, ConfigFacts
    from ui.home import open_log

    with open_log(data_folder()) as log:
        log.append(
            AuditEvent(
                type="config.changed",
                actor=SYSTEM,
                outcome="success",
                summary=f"Account {change}",
                parts=(ConfigFacts(kind="account", name=account, change=change),),
            )
        )
