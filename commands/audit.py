"""`gatehouse audit`: read, verify and export the trail. Reading it is recorded too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import upkeep
from commands.auditfilter import Find, Person, Session, Since, Table, Until, Verdict, When, chosen
from commands.shared import Json, data_folder, fail, out, sentences, show_json

if TYPE_CHECKING:
    from audit import AuditLog, EventType, Filter, Format, Record

_CHECK = "python verify.py --jsonl . --vkey log.vkey --anchors anchors.jsonl --deep"

app = typer.Typer(no_args_is_help=True, help="Read, verify and export the audit trail.")


def _open() -> AuditLog:
    from ui.home import open_log
    from ui.setup import require_operator

    home = data_folder()
    require_operator(home)
    return open_log(home)


@app.command()
def tail(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)] = 30,
    json_: Json = False,
) -> None:
    """Prints the newest events, oldest first."""
    with sentences(), _open() as log:
        _note(log, "audit.viewed", ())
        _print(log.tail(limit), json_)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Words, or beginnings of words.")] = "",
    person: Person = "",
    session: Session = "",
    table: Table = "",
    verdict: Verdict = "",
    when: When = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)] = 50,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="Search the sealed events, which takes a while.")
    ] = False,
    json_: Json = False,
) -> None:
    """Finds events by text and field, newest first: the sealed ones only with --sealed."""
    with sentences(), _open() as log:
        wanted = chosen(
            _query(
                find=text,
                who=person,
                session=session,
                table=table,
                verdict=verdict,
                when=when,
                since=since,
                until=until,
            )
        )
        _note(log, "audit.searched", (*wanted.used, "sealed") if sealed else wanted.used)
        if sealed:
            _search_sealed(log, wanted, limit, json_)
            return
        page = log.search(wanted, limit=limit)
        _print(page.records, json_)
        if not json_:
            more = "at least " if page.more_than_total else ""
            out.print(f"{more}{page.total} events match.", style="dim")
            if log.sealed_within(wanted):
                out.print("Sealed events were not searched: --sealed does that.", style="dim")


def _search_sealed(log: AuditLog, wanted: Filter, limit: int, json_: bool) -> None:
    from rich.progress import Progress

    with Progress(transient=True, disable=json_) as bar:
        task = bar.add_task("Searching", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        page = log.search_sealed(wanted, limit=limit, progress=progress)
    _print(page.records, json_)
    if not json_:
        more = "At least " if page.before is not None else ""
        found = f"{more}{len(page.records)} of {page.looked} sealed events match."
        out.print(found, style="dim")


@app.command()
def verify(
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Check every field too, and make the search index anew."),
    ] = False,
    json_: Json = False,
) -> None:
    """Checks the whole trail. Status 0 verified and anchored, 1 tampered, 2 unsigned, 3 unknown."""
    from rich.progress import Progress

    with sentences(), _open() as log, Progress(transient=True, disable=json_) as bar:
        task = bar.add_task("Verifying", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        report = log.verify(deep=deep, progress=progress)
        if report.status == 0:
            _note(log, "audit.verified", (), report.last)
            if deep:
                # What verified stands beside an index that is no evidence.
                log.renew_search()
    if json_:
        typer.echo(report.as_json())
    else:
        out.print(report.as_text(), markup=False, highlight=False)
    raise typer.Exit(report.status)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A new folder for the bundle.")],
    find: Find = "",
    person: Person = "",
    session: Session = "",
    table: Table = "",
    verdict: Verdict = "",
    when: When = "",
    since: Since = "",
    until: Until = "",
    format_: Annotated[
        str | None,
        typer.Option("--format", help="Also a file for other systems: ocsf or otel."),
    ] = None,
    json_: Json = False,
) -> None:
    """Writes the records, checkpoints, anchors and the stand-alone verifier into a new folder.

    With a filter, the events it finds, each with a proof that it is in the log.
    """
    from audit import FORMATS

    query = _query(
        find=find,
        who=person,
        session=session,
        table=table,
        verdict=verdict,
        when=when,
        since=since,
        until=until,
    )
    wanted = next((one for one in FORMATS if one == format_), None)
    if format_ is not None and wanted is None:
        fail(f"{format_} is not a format. Use {' or '.join(FORMATS)}.")
    if folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None):
        fail(f"{folder} is not an empty folder. Name a new one.")
    with sentences(), _open() as log:
        asked = chosen(query) if query else None
        _note(log, "audit.exported", asked.used if asked else ())
        done = log.export(folder, asked)
        translation = _translate(folder, wanted, log.origin) if wanted else None
    if json_:
        file = {"file": str(translation)} if translation else {}
        show_json({"folder": str(folder), "records": done.records, **file})
    else:
        if translation:
            out.print(f"The same records in {translation}.", markup=False, soft_wrap=True)
        out.print(
            f"{done.records} records in {folder}. Check them there:\n  {_CHECK}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _translate(folder: Path, format_: Format, origin: str) -> Path:
    from audit import translated

    path = folder / f"{format_}.jsonl"
    with (
        (folder / "records.jsonl").open(encoding="utf-8", newline="\n") as records,
        path.open("x", encoding="utf-8", newline="\n") as file,
    ):
        for line in translated((one.rstrip("\n") for one in records), format_, origin):
            file.write(f"{line}\n")
    return path


for _name, _command in (
    ("rotate-key", upkeep.rotate_key),
    ("seal", upkeep.seal),
    ("erase", upkeep.erase),
    ("prove", upkeep.prove),
    ("schema", upkeep.schema),
):
    app.command(_name)(_command)


def _query(**given: str) -> dict[str, str]:
    return {name: value for name, value in given.items() if value}


def _print(records: tuple[Record, ...], as_json: bool) -> None:
    for record in records:
        if as_json:
            typer.echo(record.line)
            continue
        event = record.event
        out.print(
            f"{record.seq:>7}  {record.logged:%Y-%m-%d %H:%M:%S}  {event.type:<20} "
            f"{event.actor.id:<22} {event.summary}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _note(
    log: AuditLog, type_: EventType, filters: tuple[str, ...], last: int | None = None
) -> None:
    from audit import AuditEvent, ReadFacts

    log.append(
        AuditEvent(
            type=type_,
            actor=upkeep.operator(),
            outcome="success",
            summary=f"{type_.replace('.', ' ')} on the command line",
            parts=(ReadFacts(filters=filters, last=last),),
        )
    )
