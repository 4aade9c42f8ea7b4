"""Whether a short value is a person's name, and whether a column holds names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from redaction.detect.names import COMMON, GIVEN, SURNAME, NameBook, fold, name_book
from redaction.lists import sections

_VOCABULARY: Final = sections("vocabulary")
TITLES: Final = _VOCABULARY["titles"]
PARTICLES: Final = _VOCABULARY["particles"]
SUFFIXES: Final = _VOCABULARY["suffixes"]
ORGANISATIONS: Final = _VOCABULARY["organisations"]
THINGS: Final = _VOCABULARY["things"]
"""What is sold under a person's name, and other words that follow one without being a surname."""

_SPLIT = re.compile(r"[\s,.·;()\"“”„«»/\u3000]+")
_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u3005\s\u3000]{2,12}")
_KANA_OR_KANJI = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3\s]{2,8}")
_MAX_WORDS: Final = 7
_MAX_LENGTH: Final = 60

Verdict = Literal["name", "shape", "no"]
"""`name`: known words in the shape of a name. `shape`: could be one. `no`: is something else."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a value reads as a name: how many words it has, and how many are known as names."""

    verdict: Verdict
    words: int = 0
    known: int = 0
    certain: int = 0
    """Words known as names and as nothing else."""


_NO: Final = Reading(verdict="no")


def read(value: str) -> Reading:
    """Returns how `value` reads as the name of one person."""
    text = value.strip()
    if not text or len(text) > _MAX_LENGTH or any(c.isdigit() for c in text):
        return _NO
    if _KANA_OR_KANJI.search(text):
        return _east_asian(text, name_book())
    if _HANGUL.fullmatch(text):
        return _one(name_book().hangul(text))
    words = _words_of(text)
    if words is None or not 1 <= len(words) <= _MAX_WORDS:
        return _NO
    return _reading(words, name_book())


def _words_of(text: str) -> list[str] | None:
    """Returns the words that carry the name, or None when some word says it is not one."""
    words = []
    for word in _SPLIT.split(text):
        folded = fold(word).replace("'", "").replace("-", "")
        if not folded:
            continue
        if not _is_word(word) or _says_no(folded):
            return None
        if folded in TITLES or folded in SUFFIXES or folded in PARTICLES:
            continue
        words.append(word)
    return words


def _says_no(folded: str) -> bool:
    if folded in PARTICLES or folded not in ORGANISATIONS | THINGS:
        return False
    return folded in ORGANISATIONS or not name_book().flags.get(folded, 0) & SURNAME


def _is_word(word: str) -> bool:
    return all(c.isalpha() or c in "-'’ʼ`´‘" or _is_mark(c) for c in word)


def _is_mark(character: str) -> bool:
    # Vowel signs and accents that are characters of their own, as in Devanagari and Thai.
    return (
        not character.isascii()
        and not character.isspace()
        and not character.isdigit()
        and (character.isidentifier() or f"a{character}".isidentifier())
    )


def _reading(words: list[str], book: NameBook) -> Reading:
    known = certain = 0
    for word in words:
        flags = max((book.known(p) for p in (word, *re.split(r"[-'’]", word)) if p), default=0)
        if len(fold(word)) == 1:
            continue
        if flags & (GIVEN | SURNAME):
            known += 1
            certain += not flags & COMMON
    verdict: Verdict = "name" if certain or known >= 2 else "shape"
    return Reading(verdict=verdict, words=len(words), known=known, certain=certain)


def _east_asian(text: str, book: NameBook) -> Reading:
    if _HAN.fullmatch(text) is None:
        return _NO
    if book.han(text):
        return Reading(verdict="name", words=2, known=2, certain=2)
    compact = text.replace(" ", "")
    listed = compact in book.han_surnames or compact in book.han_given
    return Reading(
        verdict="name" if listed else "shape", words=1, known=int(listed), certain=int(listed)
    )


def _one(is_name: bool) -> Reading:
    if is_name:
        return Reading(verdict="name", words=2, known=2, certain=2)
    return Reading(verdict="shape", words=1)


Prior = Literal["likely", "weak", "neutral"]
"""What the column's own name says: `likely` a person (`employee`), `weak` (`name`), or nothing."""

_NEEDED: Final[dict[Prior, tuple[float, float]]] = {
    "likely": (0.6, 0.05),
    "weak": (0.6, 0.3),
    "neutral": (0.8, 0.5),
}


def column_of_names(values: Sequence[str], prior: Prior) -> bool:
    """True when `values`, different values of a column, are names of people."""
    readings = [read(v) for v in values]
    if not readings:
        return False
    plausible = sum(r.verdict != "no" for r in readings) / len(readings)
    named = sum(r.verdict == "name" for r in readings) / len(readings)
    needs_plausible, needs_named = _NEEDED[prior]
    if plausible < needs_plausible or named < needs_named:
        return False
    if prior == "likely":
        return True
    return len(values) >= 3 and _words_support(readings, prior)


def _words_support(readings: Sequence[Reading], prior: Prior) -> bool:
    words = sum(r.words for r in readings)
    known = sum(r.known for r in readings)
    certain = sum(r.certain for r in readings)
    single = sum(r.words == 1 for r in readings) > len(readings) / 2
    if single:
        # One word alone may be a city, a brand or a colour: most must be names and nothing else.
        return certain >= (0.6 if prior == "neutral" else 0.35) * words
    return known >= (0.35 if prior == "neutral" else 0.2) * words
