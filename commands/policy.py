"""`gatehouse policy`: check, compare with what people have run, propose and activate."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from commands.shared import (
    As,
    Json,
    caller,
    data_folder,
    err,
    fail,
    out,
    parts,
    sentences,
    show_json,
)

if TYPE_CHECKING:
    from audit import AuditLog
    from guard.replay import Flip, Replay
    from store import Store

app = typer.Typer(no_args_is_help=True, help="The policy: check, replay, propose, activate.")

File = Annotated[Path, typer.Argument(help="A policy file.")]
Id = Annotated[int, typer.Argument(help="The number of the proposal.")]


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Default: the file in the data folder.")
    ] = None,
) -> None:
    """Validates a policy file; messages name the key."""
    from guard.policyfile import load_policy
    from ui.home import POLICY_FILE

    path = file or data_folder() / POLICY_FILE
    with sentences():
        loaded = load_policy(path)
    out.print(
        f"{path} is valid: {len(loaded.sources)} sources, {len(loaded.roles)} roles.",
        markup=False,
        highlight=False,
    )


@app.command()
def replay(
    file: File,
    last: Annotated[int, typer.Option("--last", min=1, help="How many statements.")] = 500,
    json_: Json = False,
) -> None:
    """Judges the last recorded statements by the file and by the policy in force; nothing runs."""
    with parts() as opened, Progress(console=err, transient=True) as bar:
        task = bar.add_task("Judging", total=None)

        def progress(done: int, every: int) -> None:
            bar.update(task, completed=done, total=every)

        candidate = opened.governing.parsed(_text(file))
        found = opened.replayer.run(candidate, last=last, progress=progress)
    if json_:
        show_json(_facts(found))
    else:
        _print(found)


@app.command("list")
def list_(json_: Json = False) -> None:
    """Lists what was in force, and what waits for a second admin."""
    with parts() as opened:
        from store import accounts

        with opened.store.read() as conn:
            names = {a.id: a.name for a in accounts.list_all(conn)}
        waiting, versions = opened.governing.waiting(), opened.governing.versions()
        file = opened.governing.on_disk()
    if json_:
        for one in waiting:
            facts = {"proposal": one.id, "by": names.get(one.proposed_by), "sha256": one.sha256}
            show_json(facts | {"note": one.note, "replayed": one.replay_json is not None})
        for version in versions:
            by = names.get(version.activated_by or "")
            facts = {"version": version.id, "by": by, "sha256": version.sha256}
            show_json(facts | {"at": version.activated_at, "os_account": version.os_account})
        return
    table = Table("", "sha256", "when", "by", "note")
    for one in waiting:
        note = one.note.replace("[", "\\[")
        when = f"{one.proposed_at:%Y-%m-%d %H:%M}"
        by = names.get(one.proposed_by, "")
        table.add_row(f"proposal {one.id}", one.sha256[:12], when, by, note)
    for version in versions:
        by = names.get(version.activated_by or "", version.os_account or "first start")
        when = f"{version.activated_at:%Y-%m-%d %H:%M}"
        table.add_row(f"version {version.id}", version.sha256[:12], when, by, "")
    out.print(table)
    if not file.same:
        out.print("The policy file differs from the policy in force; it is not used.")


@app.command()
def propose(
    file: File, as_: As, note: Annotated[str, typer.Option("--note", help="Why.")] = ""
) -> None:
    """Puts a policy before a second admin."""
    with parts() as opened:
        who = caller(opened, as_)
        made = opened.governing.propose(who, _text(file), origin="file", note=note)
    out.print(f"Proposal {made} waits for an admin other than {as_}.", markup=False)


@app.command()
def rollback(
    version: Annotated[int, typer.Argument(help="The version to go back to.")], as_: As
) -> None:
    """Puts an older version before a second admin."""
    with parts() as opened:
        made = opened.governing.roll_back(caller(opened, as_), version)
    out.print(f"Proposal {made} waits for an admin other than {as_}.", markup=False)


@app.command()
def approve(
    proposal: Id,
    as_: As,
    sha256: Annotated[str, typer.Option("--sha256", help="Of the proposal, as shown to you.")],
) -> None:
    """Replays a proposal, shows what would turn out otherwise, and activates it."""
    with parts() as opened:
        who = caller(opened, as_)
        stored = next((c for c in opened.governing.waiting() if c.id == proposal), None)
        if stored is None:
            fail(f"Proposal {proposal} is not waiting.")
        if not sha256 or not stored.sha256.startswith(sha256) or len(sha256) < 12:
            fail(f"Proposal {proposal} is not {sha256}. Look at it again: gatehouse policy list.")
        if stored.proposed_by != who.principal.id:
            _print(opened.governing.replay(proposal, who))
        version = opened.governing.activate(
            proposal, who, seen=stored.sha256, base=opened.policy.sha256
        )
    out.print(f"Version {version.id} is in force.")


@app.command()
def reject(proposal: Id, as_: As, reason: Annotated[str, typer.Option("--reason")] = "") -> None:
    """Ends a proposal; one's own is withdrawn."""
    with parts() as opened:
        opened.governing.reject(proposal, caller(opened, as_), reason)
    out.print(f"Proposal {proposal} is over.")


@app.command()
def activate(
    file: Annotated[
        Path | None, typer.Argument(help="Default: the file in the data folder.")
    ] = None,
) -> None:
    """Puts a policy into force alone, as whoever operates the machine; recorded with the account.

    For installations with one admin. `activation.operator_alone = false` switches it off.
    """
    from guard.activation import activate_alone
    from guard.inforce import InForce
    from ui.home import POLICY_FILE

    home = data_folder()
    with sentences(), _opened(home) as (store, log):
        path = file or home / POLICY_FILE
        policies = InForce(store, home / POLICY_FILE)
        version = activate_alone(store, log, policies, _text(path), os_account=getpass.getuser())
    out.print(f"Version {version.id} is in force.")


@contextmanager
def _opened(home: Path) -> Iterator[tuple[Store, AuditLog]]:
    """The store and the log without the parts, which a policy that cannot be used would stop."""
    from ui.home import open_log, open_store
    from ui.setup import require_operator

    require_operator(home)
    store = open_store(home)
    try:
        with open_log(home) as log:
            yield store, log
    finally:
        store.close()


def _text(file: Path) -> str:
    from guard.policyfile import load_policy

    return load_policy(file).text


def _facts(found: Replay) -> dict[str, object]:
    return {
        "recorded": found.recorded,
        "judged": found.judged,
        "skipped": [{"reason": reason, "statements": n} for reason, n in found.skipped],
        "flips": [vars(flip) for flip in found.flips],
        "notes": list(found.notes),
    }


def _print(found: Replay) -> None:
    out.print(f"{found.judged} of {found.recorded} recorded statements judged by both policies.")
    for reason, count in found.skipped:
        out.print(f"  {count} not judged: {reason}", markup=False, highlight=False)
    for note in found.notes:
        out.print(f"  {note}", markup=False, highlight=False)
    if not found.flips:
        out.print("Nothing would turn out otherwise.")
        return
    table = Table("what", "person", "source", "rule now", "rule then", "statements", "example")
    for flip in found.flips:
        example = _about(flip)[:120].replace("[", "\\[")
        table.add_row(
            flip.turned,
            flip.person,
            flip.source,
            flip.before,
            flip.after,
            str(flip.statements),
            example,
        )
    out.print(table)


def _about(flip: Flip) -> str:
    changed = [f"+ {g}" for g in flip.gained] + [f"- {name}" for name in flip.lost]
    return "; ".join([*changed, flip.example])
