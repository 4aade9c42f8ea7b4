"""The line-oriented commands: JSON lines in, one JSON line out for each, in order."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from commands.shared import fail, sentences, text_lines


def classify() -> None:
    """Judges {"id","dialect","sql"} lines without a catalog."""
    from guard.classifylines import classify_lines

    _pump(classify_lines(text_lines(sys.stdin.buffer)))


def redact() -> None:
    """Redacts {"id","column","dtype","values","tags"} lines."""
    from redaction import configure_from, redact_lines

    with sentences():
        configure_from(os.environ)
    _pump(redact_lines(text_lines(sys.stdin.buffer)))


def lineage(
    schema: Annotated[Path, typer.Option("--schema", help="CREATE TABLE and VIEW text.")],
    tags: Annotated[Path, typer.Option("--tags", help='JSON: {"table": {"column": "ENTITY"}}.')],
) -> None:
    """Says which output columns of {"id","dialect","sql"} lines carry tagged values."""
    from guard.lineagelines import lineage_lines

    text, tagged = _text_of(schema), _tags_of(tags)
    with sentences():
        answers = lineage_lines(text_lines(sys.stdin.buffer), text, tagged)
    _pump(answers)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}.")
    except UnicodeDecodeError:
        fail(f"{file} is not UTF-8 text. Save it as UTF-8.")


def _tags_of(file: Path) -> dict[str, dict[str, str]]:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(dict[str, dict[str, str]]).validate_json(_text_of(file))
    except ValidationError:
        fail(f'{file} is not a JSON object of the form {{"table": {{"column": "ENTITY"}}}}.')


def _pump(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
