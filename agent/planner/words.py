"""Text -> words: splitting, singular forms and numbers. Knows English, no schema."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

MAX_CHARACTERS = 2_000
"""A longer question is not read at all."""

WordKind = Literal["word", "number", "text", "date", "mark"]


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the question. `norm` is lower case without accents, `stem` its singular.

    `kind` is `text` for quoted words and e-mail addresses, `mark` for commas and comparison signs.
    """

    text: str
    norm: str
    stem: str
    start: int
    end: int
    kind: WordKind = "word"
    number: Decimal | None = None

    @property
    def capital(self) -> bool:
        """True when it is written with a capital letter."""
        return self.text[:1].isupper()


_PATTERN = re.compile(
    r"""
    (?P<quoted>"[^"]+"|“[^”]+”|«[^»]+»|(?<!\w)['\u2018][^'\u2019]+['\u2019](?!\w))
  | (?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
  | (?P<date>\d{4}-\d{2}-\d{2})(?!\d)
  | (?P<number>[$€£#]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:[km](?!\w))?%?)(?!\w))
  | (?P<mark>>=|<=|!=|<>|≥|≤|[,;><=%+])
  | (?P<word>[^\W_]+(?:['\u2019](?=\w)[^\W_]+)*)
  | (?P<and>&)
  | (?P<hash>\#(?:\s+of\b)?(?=\s+\w))
    """,
    re.VERBOSE | re.IGNORECASE,
)

_NUMBERS = {
    word: number
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
} | {
    "eleven": 11,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "fifty": 50,
    "hundred": 100,
    "dozen": 12,
}

_TIMES = {"once": 1, "twice": 2, "thrice": 3}

_CONTRACTIONS = {
    "won't": ("will", "not"),
    "can't": ("can", "not"),
    "cannot": ("can", "not"),
}
_SPELLINGS = {
    "canceled": "cancelled",
    "cancelation": "cancellation",
    "whats": "what",
    "favourite": "favorite",
    "qty": "quantity",
    "amt": "amount",
    "e": "e",
}
_SINGULARS = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "statuses": "status",
    "indices": "index",
    "series": "series",
    "news": "news",
    "media": "media",
}


def fold(text: str) -> str:
    """Returns `text` in lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


@lru_cache(maxsize=50_000)
def stem(norm: str) -> str:
    """Returns the singular of a folded word."""
    if norm in _SINGULARS:
        return _SINGULARS[norm]
    if len(norm) > 4 and norm.endswith("ies"):
        return norm[:-3] + "y"
    if len(norm) > 4 and norm.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return norm[:-2]
    if len(norm) > 3 and norm.endswith("s") and not norm.endswith(("ss", "us", "is")):
        return norm[:-1]
    return norm


def words_of(text: str) -> tuple[Word, ...]:
    """Returns the words of `text` in order, with commas and comparisons but no other marks."""
    found: list[Word] = []
    for match in _PATTERN.finditer(text[:MAX_CHARACTERS]):
        found.extend(_words(match))
    return tuple(_joined(found))


def stems_of(text: str) -> tuple[str, ...]:
    """Returns the stems by which names and values of a schema are found again."""
    return tuple(w.stem for w in words_of(text) if w.kind != "mark")


def _words(match: re.Match[str]) -> list[Word]:
    kind, raw, start, end = match.lastgroup, match.group(), match.start(), match.end()
    if kind == "quoted":
        inner = raw[1:-1].strip()
        return [Word(inner, fold(inner), fold(inner), start, end, "text")] if inner else []
    if kind == "email":
        return [Word(raw, raw.casefold(), raw.casefold(), start, end, "text")]
    if kind == "date":
        return [Word(raw, raw, raw, start, end, "date")]
    if kind == "number":
        return [Word(raw, raw, raw, start, end, "number", _number(raw))]
    if kind == "mark":
        sign = {"≥": ">=", "≤": "<=", ";": ","}.get(raw, raw)
        return [Word(raw, sign, sign, start, end, "mark")]
    if kind == "hash":
        return [Word(raw, w, w, start, end) for w in ("number", "of")]
    if kind == "and":
        return [Word(raw, "and", "and", start, end)]
    return _plain(raw, start, end)


def _number(raw: str) -> Decimal:
    digits = raw.strip("$€£#%").replace(",", "").casefold()
    factor = {"k": 1_000, "m": 1_000_000}.get(digits[-1:], 1)
    return Decimal(digits.rstrip("km")) * factor


def _plain(raw: str, start: int, end: int) -> list[Word]:
    norm = fold(raw.replace("\u2019", "'"))
    if norm in _CONTRACTIONS:
        return [Word(raw, part, part, start, end) for part in _CONTRACTIONS[norm]]
    if norm.endswith("n't"):
        return [Word(raw, part, part, start, end) for part in (norm[:-3], "not")]
    base, _, ending = norm.partition("'")
    if ending and ending not in {"s", "re", "ve", "ll", "d", "m"}:
        return [
            Word(p, fold(p), stem(fold(p)), start, end) for p in re.split(r"['\u2019]", raw) if p
        ]
    base = _SPELLINGS.get(base, base)
    if base in _TIMES:
        count = Word(raw, base, base, start, end, "number", Decimal(_TIMES[base]))
        return [count, Word("times", "times", "time", start, end)]
    text = re.split(r"['\u2019]", raw)[0]
    number = _NUMBERS.get(base)
    if number is not None:
        return [Word(text, base, base, start, end, "number", Decimal(number))]
    return [Word(text, base, stem(base), start, end)]


def _joined(found: list[Word]) -> list[Word]:
    """Joins `e` `mail`, so that e-mail is one word however it is written."""
    result: list[Word] = []
    for word in found:
        if result and result[-1].norm == "e" and word.norm in {"mail", "mails"}:
            first = result.pop()
            word = Word("email", "email", "email", first.start, word.end)
        result.append(word)
    return result
