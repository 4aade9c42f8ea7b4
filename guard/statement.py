"""Step 1: text -> Statement, exactly one and fully modelled, or `Refused`."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Exactly one parsed statement. `text` is what was given, byte for byte."""

    text: str
    dialect: str
    tree: exp.Expression


def parse(text: str, dialect: str) -> Statement:
    """Returns the one statement in `text`.

    Raises:
        Refused: the text is empty, too long, too deep, holds control characters, several statements,
            or anything the parser drops or cannot model. The rule ids start with `statement.`.
    """
    raise NotImplementedError
