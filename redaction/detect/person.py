"""Whether a short value is a person's name, and whether a column holds names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
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

_NOT_PEOPLE: Final = ORGANISATIONS | THINGS

_SPLIT = re.compile(r"[\s,.·;()\"“”„«»/\u3000]+")
_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u3005\s\u3000]{2,12}")
_KANA_OR_KANJI = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3\s]{2,8}")
# Thai, Lao, Khmer and Burmese put no blank between words, but one between the names of a person.
_UNSPACED_PAIR = re.compile(
    "(?:[\u0e00-\u0e7f.]{2,}|[\u0e80-\u0eff]{2,}|[\u1000-\u109f]{2,}|[\u1780-\u17ff]{2,})"
    " +(?:[\u0e00-\u0e7f]{2,}|[\u0e80-\u0eff]{2,}|[\u1000-\u109f]{2,}|[\u1780-\u17ff]{2,})"
)
_JOINERS = re.compile(r"[\u200c\u200d]")
_LATIN_LETTER = re.compile(r"[A-Za-zÀ-ɏḀ-ỿ]")
# A host, a file, or a company form written with dots.
_DOTTED = re.compile(
    r"\w{2,}\.[a-z]{2,6}$"
    r"|(?:^|[\s,])(?i:s\.\s?(?:a|l|r\.\s?l|p\.\s?a)\.?(?:\s?[a-z]\.?){0,2}|[nb]\.\s?v|k\.\s?k|e\.\s?v)\.?$"
)
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
    titled: bool = False
    """True when a title such as Dr. stands with it."""
    capital: bool = False
    """True when every word starts with a capital."""
    latin: bool = True


_NO: Final = Reading(verdict="no")


def read(value: str) -> Reading:
    """Returns how `value` reads as the name of one person."""
    text = _JOINERS.sub("", value.strip())
    if not text or len(text) > _MAX_LENGTH or any(c.isdigit() for c in text):
        return _NO
    if _KANA_OR_KANJI.search(text):
        return _east_asian(text, name_book())
    if _HANGUL.fullmatch(text):
        return _one(name_book().hangul(text))
    words = None if _DOTTED.search(text) else _words_of(text)
    if words is None or not 1 <= len(words) <= _MAX_WORDS or _is_sentence(words):
        return _NO
    return replace(_reading(words, name_book()), titled=_has_title(text))


def _has_title(text: str) -> bool:
    first = _SPLIT.split(text, maxsplit=1)[0]
    return first.lower() in TITLES or fold(first) in TITLES


def _words_of(text: str) -> list[str] | None:
    """Returns the words that carry the name, or None when some word says it is not one."""
    words = []
    for word in _SPLIT.split(text):
        folded = fold(word).replace("'", "").replace("-", "")
        if not folded or word.lower() in TITLES:
            continue
        if not _is_word(word) or _says_no(folded):
            return None
        if folded in TITLES or folded in SUFFIXES or folded in PARTICLES:
            continue
        words.append(word)
    return words


def _is_sentence(words: Sequence[str]) -> bool:
    """True when some words start with a capital and others do not."""
    cased = [w for w in words if w[0].isupper() or w[0].islower()]
    return len({w[0].isupper() for w in cased}) > 1


def _says_no(folded: str) -> bool:
    if folded in PARTICLES or folded not in _NOT_PEOPLE:
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
        flags = book.flags_of(word)
        if len(fold(word)) == 1:
            continue
        if flags & (GIVEN | SURNAME):
            known += 1
            certain += not flags & COMMON
    verdict: Verdict = "name" if certain or known >= 2 else "shape"
    return Reading(
        verdict=verdict,
        words=len(words),
        known=known,
        certain=certain,
        capital=all(w[0].isupper() for w in words),
        latin=any(_LATIN_LETTER.match(w) for w in words),
    )


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

_FEW: Final = 3
_MANY: Final = 5
_PLAUSIBLE: Final[dict[Prior, float]] = {"likely": 0.6, "weak": 0.6, "neutral": 0.8}


def column_of_names(values: Sequence[str], prior: Prior) -> bool:
    """True when `values`, different values of a column, are names of people.

    Full names are told by their form and some known words among them; single words, which may be
    cities, brands or colours, only by being names and nothing else.
    """
    readings = [read(v) for v in values]
    good = [r for r in readings if r.verdict != "no"]
    if not good or len(good) < _PLAUSIBLE[prior] * len(readings):
        return False
    named = sum(r.verdict == "name" or r.titled for r in good) / len(readings)
    if prior == "likely":
        # Lists of names in other scripts than Latin are too short to ask for one.
        return named >= 0.05 or not any(r.latin for r in good)
    if len(readings) >= _MANY and all(map(_UNSPACED_PAIR.fullmatch, map(str.strip, values))):
        return True
    if len(readings) < _FEW:
        # Too few to agree on anything: each must be a full name of known words.
        return all(r.certain and 2 <= r.words == r.known for r in readings)
    if sum(r.words == 1 for r in good) > 0.4 * len(good):
        return named >= 0.3 and _single_words(good, prior)
    return _full_names(good, len(readings), named, prior)


def _single_words(readings: Sequence[Reading], prior: Prior) -> bool:
    words = sum(r.words for r in readings)
    return sum(r.certain for r in readings) >= (0.65 if prior == "neutral" else 0.35) * words


def _full_names(readings: Sequence[Reading], count: int, named: float, prior: Prior) -> bool:
    words = sum(r.words for r in readings)
    known = sum(r.known for r in readings)
    formed = sum(r.capital and 2 <= r.words <= 4 for r in readings) >= 0.9 * count
    foreign = sum(not r.latin for r in readings) >= 0.9 * len(readings)
    if count >= _MANY and foreign and words <= 3.3 * len(readings):
        # Lists of names in other scripts are shorter, and few other columns are built like this.
        return len(readings) >= 0.9 * count and named >= (0.05 if prior == "neutral" else 0.0)
    if count >= _MANY and formed:
        return named >= (0.25 if prior == "neutral" else 0.1) and known >= 0.1 * words
    return named >= (0.5 if prior == "neutral" else 0.3) and known >= 0.35 * words
