"""`gatehouse init`, `serve`, `connect` and `doctor`: for whoever runs a console."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.shared import Json, data_folder, fail, out, parts, sentences, show_json

if TYPE_CHECKING:
    from guard.address import Address
    from guard.policyfile import EngineName


def init(
    demo: Annotated[bool, typer.Option("--demo", help="Also make the demo company.")] = False,
) -> None:
    """Makes the data folder, keys and store; again is harmless."""
    from rich.progress import Progress

    from ui.home import POLICY_FILE, open_log, open_store
    from ui.setup import make_home

    home = data_folder()
    with sentences(), Progress(transient=True) as bar:
        task = bar.add_task("Making the data folder", total=1.0)

        def progress(what: str, part: float) -> None:
            bar.update(task, description=f"Making {what}", completed=part)

        with closing(open_store(home)) as store, open_log(home) as log:
            make_home(home, demo=demo, log=log, store=store, progress=progress)
    out.print(f"Ready: {home}", markup=False, highlight=False, soft_wrap=True)
    if not demo and not (home / POLICY_FILE).exists():
        out.print("Next: gatehouse connect URL, then gatehouse people add NAME --role admin.")


def serve(
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8501,
    address: Annotated[str, typer.Option("--address")] = "127.0.0.1",
) -> None:
    """Serves the console and prints where."""
    from ui import demo_mode

    home, root = data_folder(), Path(__file__).resolve().parent.parent
    if not _free(address, port):
        fail(f"Port {port} is in use. Stop what uses it, or choose another: make run PORT=8502.")
    with sentences():
        shown = demo_mode.accounts(home)
    out.print(f"Gatehouse: http://{address}:{port}", highlight=False)
    if shown:
        out.print("Demo accounts (this is a demo; they exist in demo mode only):")
        for account in shown:
            out.print(
                f"  {account.name:<10} {account.password:<22} {account.note}",
                markup=False,
                highlight=False,
            )
    out.print("Stop with Ctrl+C.")
    environment = os.environ | {
        "GATEHOUSE_HOME": str(home),
        "GATEHOUSE_AUDIT_STDOUT": os.environ.get("GATEHOUSE_AUDIT_STDOUT", "1"),
        "STREAMLIT_SERVER_COOKIE_SECRET": secrets.token_urlsafe(32),
    }
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(root / "app.py"),
        f"--server.port={port}",
        f"--server.address={address}",
        "--logger.hideWelcomeMessage=true",
    ]
    os.chdir(root)
    # In place of this process, so that whoever stops it stops the console.
    os.execve(sys.executable, command, environment)  # noqa: S606  # our own program, fixed words


def _free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def connect(
    url: Annotated[
        str,
        typer.Argument(
            help="sqlite:///file, duckdb:///file, postgresql:// or mysql://user@host/name. "
            "Leave a server's password out of it."
        ),
    ],
    name: Annotated[str | None, typer.Option("--name", help="What to call the source.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it instead.")
    ] = None,
    schema: Annotated[
        list[str] | None, typer.Option("--schema", help="A schema of a server; can be repeated.")
    ] = None,
) -> None:
    """Reads a database's schema; writes a first policy and what words may mean, to be confirmed.

    For a server, give the URL of the owner: it is used once, written nowhere, and the statements
    for the two logins that Gatehouse needs instead are printed.

    The password is taken from PGPASSWORD or MYSQL_PWD, on PostgreSQL also from ~/.pgpass, or asked
    for at the terminal. One in the URL is used, with a warning: ps and the shell's history show it.
    """
    from commands.owner import owner_address, reached
    from commands.semantics import propose
    from guard.address import ServerAddress, ServerReach
    from guard.connect import first_policy, source_name
    from guard.engines.surveying import open_survey
    from guard.policyfile import parse_policy
    from guard.sampling import sample
    from ui.home import POLICY_FILE, open_log

    home = data_folder()
    target = output or home / POLICY_FILE
    if target.exists():
        fail(f"{target} is there already. Name another file with --output, or move it away.")
    with sentences():
        engine, named = owner_address(url)
        source = name or source_name(named)
        schemas = tuple(schema or (("public",) if engine == "postgres" else ()))
        reach = ServerReach(schemas=schemas)
        with (
            open_log(home) as log,
            reached(
                engine, named, lambda a: open_survey(engine, a, source=source, reach=reach)
            ) as (address, adapter, catalog),
        ):
            samples = sample(adapter, catalog, log)
            text = first_policy(source, engine, address, catalog, samples, schemas)
            parse_policy(text.encode("utf-8"), target)
            words = propose(adapter, catalog, samples, log, target.parent)
        _write(target, text)
    out.print(
        f"Wrote {target}: {len(catalog.tables)} tables.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    out.print("Read it, correct the suggested tags, then set tags_confirmed = true.")
    out.print(words, markup=False, highlight=False, soft_wrap=True)
    if isinstance(address, ServerAddress):
        out.print(
            "Then make its two logins with these statements, and put their URLs where it says."
        )
        with sentences():
            _show_logins(engine, address, source, target)


def grants(
    url: Annotated[str, typer.Argument(help="The address of the server, as the owner.")],
    source: Annotated[str, typer.Option("--source", help="The source, as the policy names it.")],
    file: Annotated[
        Path | None, typer.Option("--policy", help="Default: the policy in force.")
    ] = None,
) -> None:
    """Prints the statements that make a server's two logins, for the policy as it is now.

    The password is taken as `gatehouse connect` takes it. Best leave it out of the URL.
    """
    from commands.owner import owner_address
    from ui.home import POLICY_FILE

    with sentences():
        _show_logins(*owner_address(url), source, file or data_folder() / POLICY_FILE)


def _show_logins(engine: EngineName, address: Address, source: str, file: Path) -> None:
    """Raises as `load_policy` and `reached`."""
    from commands.owner import reached
    from guard.engines.surveying import open_server_survey
    from guard.logins import login_statements
    from guard.policyfile import load_policy

    policy = load_policy(file)
    if source not in policy.sources:
        fail(f"There is no source {source} in the policy. `gatehouse policy check` reads it.")
    reach = policy.reach_of(source)
    with reached(
        engine, address, lambda a: open_server_survey(engine, a, source=source, reach=reach)
    ) as (_, adapter, catalog):
        text = login_statements(policy, source, catalog, adapter.facts())
    sys.stdout.write(text)


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        fail(f"{target} cannot be written: {error.strerror}. Name another file with --output.")


def doctor(json_: Json = False) -> None:
    """Tries every item of the safety checklist for real."""
    from ui.checklist import run_checks

    with parts() as opened:
        results = run_checks(opened)
    for check in results:
        if json_:
            show_json({"check": check.name, "passed": check.passed, "detail": check.detail})
        else:
            mark, colour = ("ok  ", "green") if check.passed else ("TODO", "red")
            out.print(f"{mark} {check.name}", style=colour, markup=False, highlight=False)
            if check.detail:
                out.print(f"     {check.detail}", style="dim", markup=False, highlight=False)
    raise typer.Exit(0 if all(c.passed for c in results) else 1)
