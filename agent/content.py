"""Signals that a text tries to give orders to the agent: a hint, never a wall.

What holds is the guard. Detection finds the usual wrappings and misses a polite request in plain
words, so a signal never blocks: it is shown, recorded, and takes the right to propose changes from
the turn. Patterns are read on the text as a reader sees it: compatibility forms folded, invisible
characters and accents removed, letters spelled with digits or apart put back.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from agent.contentwords import FAMILIES

Where = Literal["question", "data"]
RULE = "content.flagged"
"""The rule that refuses a proposal in a flagged turn."""
UNKNOWN = "unchecked"
"""The signal of a moderation service that was asked and gave no answer."""
_LONGEST = 500_000
"""Characters that are looked at; a longer text is `UNKNOWN` too."""
_COMPILED = {name: re.compile("|".join(forms)) for name, forms in FAMILIES.items()}
_LEET = str.maketrans("013457@$", "oieastas")
_SPACES = re.compile(r"[ \t\r\f\v]+")
_SPREAD = re.compile(r"(?<!\w)(?:\w[ ._-]){4,}\w(?!\w)")
"""A word spelled letter by letter."""
_ACCENTS = re.compile(r"(?<=[a-z])[\u0300-\u036f]+")


class Moderation(Protocol):
    """Another opinion on a text, such as a moderation service. Off unless it is set up."""

    def signals(self, text: str, where: Where) -> tuple[str, ...]:
        """Returns the names of what it finds, none where all is well.

        `text` is redacted already. It MUST come back within seconds and never raise: where it
        cannot tell it returns `UNKNOWN`.
        """
        ...


def signals(text: str) -> tuple[str, ...]:
    """Returns the families of orders found in a text, in a fixed order."""
    plain = _folded(text[:_LONGEST])
    spelled = plain.translate(_LEET)
    found = [
        name
        for name, pattern in _COMPILED.items()
        if pattern.search(plain) or (spelled != plain and pattern.search(spelled))
    ]
    return tuple(found if len(text) <= _LONGEST else [*found, UNKNOWN])


def said_in(value: object) -> str:
    """Returns every text of a JSON value once, names of columns included, a line each."""
    return "\n".join(dict.fromkeys(_texts(value)))


def delimited(result: Mapping[str, object], mark: str) -> str:
    """Returns a tool's result as JSON between marks that nothing inside can write.

    `mark` is made anew for each turn and is not in the data.
    """
    inside = json.dumps(result, ensure_ascii=False, default=str).replace("</", "<\\/")
    return f"<data-{mark}>{inside}</data-{mark}>"


def _folded(text: str) -> str:
    compatible = unicodedata.normalize("NFKC", text)
    seen = "".join(c for c in compatible if unicodedata.category(c) != "Cf")
    decomposed = unicodedata.normalize("NFD", seen.casefold())
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed))
    whole = _SPREAD.sub(lambda found: re.sub(r"[ ._-]", "", found[0]), plain)
    return _SPACES.sub(" ", whole)


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
