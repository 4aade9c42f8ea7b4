"""The line-oriented commands: JSON lines in, one JSON line out for each, in order."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from commands.shared import fail


def classify() -> None:
    """Judges {"id","dialect","sql"} lines without a catalog."""
    from guard.classifylines import classify_lines

    _pump(classify_lines(_lines()))


def redact() -> None:
    """Redacts {"id","column","dtype","values","tags"} lines."""
    from redaction import redact_lines

    _pump(redact_lines(_lines()))


def lineage(
    schema: Annotated[Path, typer.Option("--schema", help="CREATE TABLE and VIEW text.")],
    tags: Annotated[Path, typer.Option("--tags", help='JSON: {"table.column": "ENTITY"}.')],
) -> None:
    """Says which output columns of {"id","dialect","sql"} lines carry tagged values."""
    from guard.lineagelines import lineage_lines

    try:
        text = schema.read_text(encoding="utf-8")
        tagged = json.loads(tags.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fail(f"The schema or the tags cannot be read: {error}.")
    _pump(lineage_lines(_lines(), text, tagged))


def _lines() -> Iterator[str]:
    reader = sys.stdin.buffer
    for raw in reader:
        yield raw.decode("utf-8", "replace")


def _pump(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
