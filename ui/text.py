"""Text nobody here wrote -> text that a page may show.

Database values, questions, model answers, table and column names are drawn by `st.text`, `st.code`,
`st.dataframe` or as our own escaped HTML. What must stand on a button goes through `label`, because
Streamlit reads labels as Markdown, and Markdown can load a picture from another host.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LONGEST = 20_000
"""Characters of one text that a page draws."""

_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~^$=&:@\"'])")
_JOINER = "\u2060"
"""An invisible character that no line breaks at; it takes emoji codes and addresses apart."""
_TAKEN_APART = re.compile(r"(:|@|www)", re.IGNORECASE)
_KEPT = frozenset("\n\t\u200c\u200d")
"""Line ends, tabs, and the two joiners that scripts and emoji need; none of them hides anything."""


def label(text: str, limit: int = 80) -> str:
    """Returns `text` on one line, for buttons, pills and other places that read Markdown."""
    apart = _TAKEN_APART.sub(lambda found: found[0] + _JOINER, line(text, limit))
    return _MARKUP.sub(r"\\\1", apart)


def line(text: str, limit: int = 160) -> str:
    """Returns `text` on one line of at most `limit` characters, for escaped HTML and `st.text`."""
    one = visible(" ".join(text[: limit * 8].split()))
    return one if len(one) <= limit else f"{one[: limit - 1].rstrip()}…"


def clip(text: str, limit: int = LONGEST) -> str:
    """Returns `text` with at most `limit` characters, and how many there were if it is cut."""
    shown = visible(text[:limit])
    return shown if len(text) <= limit else f"{shown}…\n({len(text):,} characters in all)"


def visible(text: str) -> str:
    """Returns `text` with the characters spelled out that hide or reorder others."""
    return "".join(f"⟨U+{ord(c):04X}⟩" if _hides(c) else c for c in text)


def _hides(character: str) -> bool:
    # Cc and Cs are control characters and lone surrogates; Cf holds the bidirectional overrides.
    hidden = unicodedata.category(character) in ("Cc", "Cs", "Cf")
    return hidden and character not in _KEPT


def count(number: int, one: str, many: str | None = None) -> str:
    """Returns a number with its noun: `1 row`, `1,200 rows`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def joined(words: Sequence[str]) -> str:
    """Returns words as a list in a sentence: `a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
