"""What a column's name says about its values, in many languages.

A name is split into words; runs of words, joined, are looked up. `email_verified_count` says
nothing about an address: some words turn a name around.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from redaction import entities as e
from redaction.lists import sections

Strength = Literal["strong", "likely", "weak"]
"""`strong`: mask the column. `likely`: mask it unless its values speak against it. `weak`: look
harder."""


@dataclass(frozen=True, kw_only=True)
class NameHint:
    """What a column name says: an entity and how surely, and what it rules out.

    `vetoes` are entities its values are not to be taken for; `harmless` is true when it names
    something that only looks like personal data, such as an article number or a version.
    """

    entity: str | None = None
    strength: Strength | None = None
    vetoes: frozenset[str] = frozenset()
    harmless: bool = False
    words: frozenset[str] = frozenset()
    """The words of the name, in lower case."""


def _squeeze(text: str) -> str:
    marks = unicodedata.normalize("NFD", text.casefold().replace("ł", "l").replace("ø", "o"))
    return "".join(c for c in marks if c.isalnum() and not unicodedata.combining(c))


def _terms(section: str) -> frozenset[str]:
    return frozenset(map(_squeeze, sections("column_names")[section]))


_LIKELY_PERSON: Final = _terms("likely_person")
_WEAK_PERSON: Final = _terms("weak_person")
_PEOPLE: Final = (
    _LIKELY_PERSON
    | frozenset(term + "s" for term in _LIKELY_PERSON if term.isascii())
    | _terms("people")
)
_ABOUT: Final = _terms("about")
"""Words that turn a name around: what stands in the column is about the thing, not the thing."""
_PROSE: Final = _terms("prose")
_KEYS: Final = _terms("keys")
_THINGS: Final = _terms("things")
"""Owners of names that are not people."""
_HARMLESS: Final = _terms("harmless")
"""Numbers and codes that only look like personal data."""
_BY_TERM: Final = {
    _squeeze(term): entity
    for entity, terms in sections("column_names").items()
    if entity.isupper()
    for term in terms
}
# Names that databases and programs give to columns that have none.
_GENERATED: Final = re.compile(
    r"\?column\?|(?:column|col|field|expr|f|c|_c|_col|unnamed:?)[_ ]?[0-9]*"
)
_TEXTUAL: Final = frozenset({e.PERSON, e.LOCATION, e.USERNAME})


def words_of(name: str) -> tuple[str, ...]:
    """Returns the words of a column name in lower case: `customerEmail_1` is customer, email, 1."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    parts = re.split(r"[\W_]+", spaced.casefold())
    return tuple(w for w in (_squeeze(p) for p in parts) if w)


def _runs(words: tuple[str, ...]) -> Iterator[tuple[int, int, str]]:
    for length in range(min(5, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            yield start, start + length, "".join(words[start : start + length])


@functools.lru_cache(maxsize=4096)
def hint(column: str, owner: str | None = None) -> NameHint:
    """Returns what the name of a column says, given the table (`owner`) it comes from, if known."""
    return replace(_judged(column, owner), words=frozenset(words_of(column)))


def _judged(column: str, owner: str | None) -> NameHint:
    if _GENERATED.fullmatch(column):
        column = ""
    words = words_of(column)
    owners = set(words_of(owner or ""))
    joined = {run for _, _, run in _runs(words)}
    harmless = bool(joined & _HARMLESS)
    entity, start, end = _longest(words)
    if joined & _THINGS and entity in (None, e.PERSON, e.USERNAME):
        return NameHint(vetoes=_TEXTUAL, harmless=harmless)
    if entity is not None and not _turned_around(words, start, end):
        return NameHint(entity=entity, strength="strong")
    if entity is not None or set(words) & _ABOUT - _PROSE:
        return NameHint(vetoes=_TEXTUAL, harmless=harmless)
    vetoes = _TEXTUAL if owners & _THINGS else frozenset()
    return _of_person(words, joined, owners, vetoes=vetoes, harmless=harmless)


def _longest(words: tuple[str, ...]) -> tuple[str | None, int, int]:
    for start, end, run in _runs(words):
        entity = _BY_TERM.get(run)
        if entity is not None:
            return entity, start, end
    return None, 0, 0


def _turned_around(words: tuple[str, ...], start: int, end: int) -> bool:
    others = (*words[:start], *words[end:])
    after = words[end:]
    return any(w in _ABOUT for w in others) or any(w in _KEYS for w in after)


def _of_person(
    words: tuple[str, ...],
    joined: set[str],
    owners: set[str],
    *,
    vetoes: frozenset[str],
    harmless: bool,
) -> NameHint:
    if any(w in _KEYS for w in words):
        return NameHint(vetoes=vetoes, harmless=harmless)
    if joined & _LIKELY_PERSON:
        return NameHint(entity=e.PERSON, strength="likely", harmless=harmless)
    if joined & _WEAK_PERSON and not vetoes:
        strength: Strength = "likely" if owners & _PEOPLE else "weak"
        return NameHint(entity=e.PERSON, strength=strength, harmless=harmless)
    return NameHint(vetoes=vetoes, harmless=harmless)


def names_secret(table: str, column: str, tag: str | None = None) -> bool:
    """True for a column whose tag or name says that it holds passwords, keys or other secrets."""
    if tag is not None and e.canonical(tag) == e.SECRET:
        return True
    found = hint(column, table)
    return found.entity == e.SECRET and found.strength == "strong"
