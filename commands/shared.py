"""What the commands share: the data folder, the principal, errors as sentences, JSON or text.

The modules of this package import at their top only what the signatures need, and the rest inside
the command that uses it: `gatehouse --help` and the line-oriented commands must not wait for the
store, the agent and the model framework.
"""

from __future__ import annotations

import getpass
import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, NoReturn, TypeGuard

import typer
from rich.console import Console

if TYPE_CHECKING:
    from guard import Caller, Need, Refused
    from ui.parts import Parts

__all__ = [
    "As",
    "Json",
    "Source",
    "ask_for",
    "caller",
    "data_folder",
    "err",
    "fail",
    "is_text",
    "out",
    "parts",
    "refusal_text",
    "sentences",
    "show_json",
    "text_lines",
]

out = Console()
err = Console(stderr=True, soft_wrap=True)

As = Annotated[str, typer.Option("--as", help="The account to act for, by its sign-in name.")]
Source = Annotated[str, typer.Option("--source", help="The source, as the policy names it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def fail(sentence: str, status: int = 1) -> NoReturn:
    """Prints a sentence on stderr and ends with this exit status."""
    err.print(sentence, style="red", markup=False, highlight=False)
    raise typer.Exit(status)


@contextmanager
def sentences() -> Iterator[None]:
    """Turns the errors that carry a sentence into that sentence and exit status 1."""
    try:
        yield
    except Exception as error:
        from audit import AuditError
        from guard import GuardError, Refused
        from redaction import RedactionError
        from store import StoreError

        match error:
            case Refused() as refused:
                fail(refusal_text(refused))
            case GuardError() | StoreError() | AuditError() | RedactionError():
                fail(str(error))
            case _:
                raise


def refusal_text(refused: Refused) -> str:
    """Returns a refusal for a terminal: what, why, the way out."""
    refusal = refused.refusal
    lines = [f"Not run. {refusal.reason}", f"Rule: {refusal.rule}"]
    if refusal.alternative:
        lines.append(refusal.alternative)
    if refusal.access_request is not None:
        lines.append(f"Ask for access: {ask_for(refusal.access_request)}")
    return "\n".join(lines)


def ask_for(need: Need) -> str:
    """Returns the command that asks an admin for what a refusal says is missing."""
    words = ["gatehouse", "access", "request", "--source", need.source]
    if need.kind != "source":
        name = ".".join(n for n in (need.table, need.column) if n)
        words += [f"--{need.kind}", name]
    return f"{shlex.join(words)} --as NAME --reason WHY"


def data_folder() -> Path:
    """Returns the data folder this command works on."""
    from ui.home import data_folder as chosen

    return chosen()


@contextmanager
def parts() -> Iterator[Parts]:
    """Yields the parts of the data folder, for an operator, and closes them.

    What a crash left is settled first.
    """
    from ui.home import open_log, open_store
    from ui.parts import open_parts
    from ui.setup import require_operator

    with sentences():
        home = data_folder()
        require_operator(home)
        with closing(open_store(home)) as store, open_log(home) as log:
            opened = open_parts(home, store, log)
            try:
                opened.recover()
                yield opened
            finally:
                opened.close()


def caller(opened: Parts, name: str) -> Caller:
    """Returns the call of an operator who acts for the account `name`; both are recorded."""
    from guard import Caller

    person = opened.people.by_name(name)
    if person is None:
        fail(f"There is no active account {name}. `gatehouse people list` shows them.")
    return Caller(principal=person, channel="command_line", os_account=getpass.getuser())


def show_json(value: object) -> None:
    """Prints one JSON line, in ASCII, which every terminal and pipe can carry."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


def text_lines(stream: BinaryIO) -> Iterator[str]:
    """Yields the lines of a stream; what is not UTF-8 in them becomes U+FFFD."""
    for raw in stream:
        yield raw.decode("utf-8", "replace")


def is_text(value: object) -> TypeGuard[str]:
    """Returns whether a value read from JSON is a text that can be stored: no lone surrogates."""
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)
