"""`gatehouse semantics`: what words mean in a source, proposed, looked at and confirmed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.shared import As, Json, Source, caller, fail, out, parts, show_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audit import AuditLog
    from guard import Catalog
    from guard.engines import Engine

app = typer.Typer(no_args_is_help=True, help="Say what words mean in a source.")

_HEAD = (
    "What people may mean by their words, proposed by `gatehouse connect` from names, keys, types",
    "and rows. Nothing reads it before an admin has confirmed it: on the admin page, or with",
    "`gatehouse semantics confirm`. Until then questions are read by names alone.",
)


@app.command()
def show(source: Source, as_: As, json_: Json = False) -> None:
    """Shows what is in force for a source, and what is proposed for it."""
    from agent.planner import items_of

    with parts() as opened:
        view = opened.layers.view(source, caller(opened, as_))
        found = [("in force", i) for i in items_of(view.in_force)]
        found += [("proposed", i) for i in view.proposed]
        for state, item in found:
            if json_:
                show_json({"state": state, "kind": item.kind, "name": item.name, "says": item.says})
            else:
                line = f"{state:<9} {item.kind}: {item.name}: {item.says}"
                out.print(line, markup=False, highlight=False, soft_wrap=True)
        if view.problem:
            fail(view.problem)
        if not found:
            out.print("Nothing is proposed or in force.")


@app.command()
def confirm(
    source: Source,
    as_: As,
    file: Annotated[
        Path | None, typer.Option("--file", help="This text, instead of all that is proposed.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Why; kept with the version.")] = "",
    json_: Json = False,
) -> None:
    """Puts what is proposed, or the text of a file, into force. The account must be an admin's."""
    with parts() as opened:
        who = caller(opened, as_)
        view = opened.layers.view(source, who)
        if file is not None:
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                fail(f"{file} cannot be read as UTF-8 text.")
        elif view.problem:
            fail(view.problem)
        elif not view.proposed:
            fail(f"Nothing is proposed for {source}. Give a text with --file.")
        else:
            text = view.chosen([i.key for i in view.proposed])
        made = opened.layers.confirm(source, text, who, base=view.base, note=note)
        if json_:
            show_json({"source": source, "version": made.id, "sha256": made.sha256})
        else:
            out.print(f"Version {made.id} is in force for {source}.", markup=False)


def propose(
    engine: Engine,
    catalog: Catalog,
    samples: Mapping[tuple[str, str], Sequence[str]],
    log: AuditLog,
    folder: Path,
) -> str:
    """Writes what words may mean in a new source beside its policy; returns what to say of it.

    `samples` never get into the file but for a few words of our own list, and none of a column that
    looks personal. A file that is there already stays as it is.
    """
    from agent.layers import file_name
    from agent.planner import (
        Evidence,
        discounts,
        guessed_joins,
        items_of,
        propose_semantics,
        write_semantics,
    )
    from guard.evidence import contained, fractions
    from guard.tagging import suggested

    target = folder / file_name(catalog.source)
    if target.exists():
        return f"{target} was there already and stays as it is."
    tagged = catalog.tagged({p.key: p.entity for p in suggested(catalog, samples)})
    guesses = {_key(j.column, j.references): j for j in guessed_joins(tagged)}
    proposal = propose_semantics(
        tagged,
        Evidence(
            values={place: tuple(v) for place, v in samples.items() if _open(tagged, *place)},
            fractions=fractions(engine, catalog, log, discounts(tagged)),
            contained=[guesses[k] for k in contained(engine, catalog, log, list(guesses))],
        ),
    )
    count = len(items_of(proposal))
    if not count:
        return "Its names say all there is to say; nothing is proposed about what words mean."
    text = write_semantics(proposal, _HEAD)
    _record(log, catalog.source, text, count)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        fail(f"{target} cannot be written: {error.strerror}.")
    return (
        f"Wrote {target}: {count} proposals of what words mean. An admin confirms them on the "
        "admin page, under Meaning; until then nothing reads them."
    )


def _key(column: str, references: str) -> tuple[tuple[str, str], tuple[str, str]]:
    table, _, own = column.partition(".")
    target, _, key = references.partition(".")
    return (table, own), (target, key)


def _open(catalog: Catalog, table: str, column: str) -> bool:
    found = catalog.table(table)
    own = found.column(column) if found is not None else None
    return own is not None and own.tag is None


def _record(log: AuditLog, source: str, text: str, count: int) -> None:
    from audit import SYSTEM, AuditEvent, ConfigFacts
    from guard.logtext import sha256_of

    log.append(
        AuditEvent(
            type="config.changed",
            actor=SYSTEM,
            outcome="pending",
            summary=f"Proposed {count} items of what words mean; nothing reads them yet",
            parts=(
                ConfigFacts(
                    kind="semantics",
                    name=source,
                    change="proposed",
                    after_sha256=sha256_of(text),
                ),
            ),
        )
    )
