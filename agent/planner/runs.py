"""Runs of words of a question, and what they name in a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.planner.lexicon import FlagEntry, Lexicon, TableEntry, ValueEntry
from agent.planner.words import Word, words_of

Words = tuple[Word, ...]
POLITE = {"please", "can", "could", "would", "you", "now", "just", "kindly", "hi", "hello", "hey"}


def norms_of(words: Sequence[Word]) -> list[str]:
    """Returns the folded words."""
    return [w.norm for w in words]


def as_words(text: str, like: Word) -> Words:
    """Words with the place of another word."""
    return tuple(replace(w, start=like.start, end=like.end) for w in words_of(text))


def first_asked(words: Words) -> int:
    """The first word that is not a polite one."""
    at = 0
    while at < len(words) and (words[at].norm in POLITE or words[at].norm == ","):
        at += 1
    return at


def names(words: Sequence[Word], lexicon: Lexicon, kind: type) -> int:
    """Returns how many words from the first on name something of this kind; 0 for none."""
    found, length = lexicon.at(tuple(w.stem for w in words))
    return length if any(isinstance(e, kind) for e in found) else 0


def table_near(words: Words, lexicon: Lexicon) -> Word | None:
    """The word of a table, behind up to three values or flags of its rows."""
    at = 0
    for _ in range(4):
        found, length = lexicon.at(tuple(w.stem for w in words[at:]))
        if any(isinstance(e, TableEntry) for e in found):
            return words[at] if length == 1 else None
        if not any(isinstance(e, ValueEntry | FlagEntry) for e in found):
            return None
        at += length
    return None
