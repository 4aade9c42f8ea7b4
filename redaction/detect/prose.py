"""People in running text, without a language model: known names, and words that announce one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

from redaction.detect.names import COMMON, GIVEN, SURNAME, NameBook, fold, name_book
from redaction.detect.person import ORGANISATIONS, PARTICLES, SUFFIXES, THINGS, TITLES
from redaction.detect.rule import Span
from redaction.entities import PERSON
from redaction.lists import sections

_CUES: Final = sections("vocabulary")["cues"]
"""Words after which a name is expected."""
_HINTS: Final = sections("vocabulary")["hints"]
"""Words after which a name may stand, and other things as well."""
_DOINGS: Final = sections("vocabulary")["doings"]
"""What people do in a text, as the word after a name."""
_NEVER: Final = sections("vocabulary")["never"]
"""Words that often stand capitalised beside a name without being part of it."""

_NO_START: Final = _CUES | _HINTS | _NEVER

_LETTER = r"[^\W\d_]"
_UPPER: Final = "".join(c for c in map(chr, range(0x41, 0x590)) if c.isupper())
_UP = rf"[{_UPPER}](?:[\w'’\-]|\.(?={_LETTER})){{0,40}}"
_GAP = r"\.?[ \u00a0\-]{1,2}"
_PARTICLE = (
    "(?:" + "|".join(sorted((p for p in PARTICLES if p.isascii()), key=len, reverse=True)) + ")"
)
_RUN: Final = re.compile(rf"(?<![\w@./\-]){_UP}(?:{_GAP}(?:{_UP}|{_PARTICLE}(?=[ \u00a0])))*")
_WORD: Final = re.compile(rf"{_LETTER}(?:[\w'’\-]|\.(?={_LETTER}))*")
# Scripts without capitals.
_CASELESS_LETTER = r"[\u0590-\u06ff\u0900-\u0eff\u10a0-\u10ff\u200c\u200d]"
_CASELESS: Final = re.compile(rf"{_CASELESS_LETTER}{{1,30}}(?: {_CASELESS_LETTER}{{1,30}})*")
_MAX_WORDS: Final = 6

Standing = Literal["announced", "hinted", "alone"]
"""What stands around a possible name: a word that announces a person, one that may, or nothing."""

_HAN_TITLE = r"(?:様|さま|さん|氏|殿|先生|女士|小姐|同学)"
_HAN_CUE = (
    r"(?:お客様|お客さま|顧客|客户|顾客|用户|會員|会员|联系人|聯絡人|担当者?|申請人|申请人)[:： ]?"
)
_HAN_RUN = (
    r"(?:[\u3400-\u9fff々]{1,4}[ \u3000][\u3040-\u30ff\u3400-\u9fff々]{1,4}?"
    r"|[\u3400-\u9fff々][\u3040-\u30ff\u3400-\u9fff々]{1,4}?)"
)
_HAN_AFTER = (
    rf"{_HAN_TITLE}|[\s,，。、的はがをに]|要求|申请|申請|表示|来电|反映|询问|投诉|希望|取消"
)
_HAN_CUED: Final = re.compile(rf"{_HAN_CUE}({_HAN_RUN})(?={_HAN_AFTER}|$)")
_AMONG_LATIN: Final = re.compile(
    r"(?<![\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3])"
    r"([\uac00-\ud7a3]{2,5}|[\u3400-\u9fff々]{2,4}(?: [\u3040-\u30ff\u3400-\u9fff]{1,4})?)"
    r"(?![\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3])"
)
_HAN_TITLED: Final = re.compile(rf"(?<![\u3400-\u9fff々])({_HAN_RUN})(?={_HAN_TITLE})")
_HANGUL_NAME: Final = re.compile(r"(?<![가-힣])([가-힣]{2,4}?) ?(?=님|씨|군|양|고객)")


def find_people(text: str) -> Iterator[Span]:
    """Yields the names of people in `text`, titles included. Linear in the length of the text."""
    book = name_book()
    for run in _RUN.finditer(text):
        span = _in_run(text, run, book)
        if span is not None:
            yield span
    if not text.isascii():
        yield from _in_caseless(text, book)
        yield from _in_han(text, book)


def _in_run(text: str, run: re.Match[str], book: NameBook) -> Span | None:
    words = list(_WORD.finditer(text, run.start(), run.end()))
    folded = [_folded(w.group(0)) for w in words]
    start = _start_of_name(folded, book)
    end = _end_of_name(words, folded, start, book)
    if end <= start:
        return None
    first, last = words[start].start(), words[end - 1].end()
    before = None if start else _word_before(text, first)
    standing = _standing(folded[:start], before, latin=text[first] < _LATIN_END)
    if end - start >= 2 and _answered(text, last):
        standing = "announced"
    if end - start == 1:
        turned = _given_after_comma(text, last, book)
        surname = book.known(words[start].group(0)) & SURNAME
        if turned > last and (surname or standing == "announced"):
            return Span(first, turned, PERSON, 0.75)
    if not _is_person([w.group(0) for w in words[start:end]], folded[start:end], book, standing):
        return None
    if before is not None and fold(before.group(1)) in TITLES:
        first = before.start(1)
    return Span(first, last, PERSON, 0.7 if standing == "alone" else 0.8)


def _standing(skipped: list[str], before: re.Match[str] | None, *, latin: bool) -> Standing:
    around = {*skipped, fold(before.group(1))} if before is not None else set(skipped)
    if around & _CUES or (before is not None and around & TITLES):
        return "announced"
    if around & _HINTS:
        return "hinted" if latin else "announced"
    return "alone"


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    # Some titles are told from other words by their accents only.
    return word.lower() if word.lower() in TITLES else fold(word)


def _start_of_name(folded: list[str], book: NameBook) -> int:
    start = 0
    while start < len(folded) and folded[start] in _NO_START:
        titled = folded[start] in TITLES and start + 1 < len(folded)
        if titled and folded[start + 1] not in _NEVER:
            break
        start += 1
    while start < len(folded) - 1 and (
        (folded[start] in PARTICLES and len(folded[start]) == 1)
        or (book.flags.get(folded[start]) == COMMON and folded[start] not in TITLES)
    ):
        start += 1
    return start


def _end_of_name(words: list[re.Match[str]], folded: list[str], start: int, book: NameBook) -> int:
    end = start
    while end < min(len(words), start + _MAX_WORDS):
        if folded[end] in _NEVER and folded[end] not in PARTICLES:
            follows_given = end > start and bool(book.flags.get(folded[end - 1], 0) & GIVEN)
            if not (follows_given and book.flags.get(folded[end], 0) & SURNAME):
                break
        end += 1
    while end > start and folded[end - 1] in PARTICLES and words[end - 1].group(0)[0].islower():
        end -= 1
    return end


_BEFORE: Final = re.compile(rf"({_LETTER}[\w'’\-]{{0,30}})\.?[:\s(\"'„“«]{{0,3}}$")
_CUES_AND_TITLES: Final = _CUES | TITLES
_BEFORE_FOREIGN: Final = _CUES | _HINTS | TITLES
_LATIN_END: Final = "\u0250"


def _word_before(text: str, start: int) -> re.Match[str] | None:
    return _BEFORE.search(text, max(0, start - 24), start) if start else None


_AFTER: Final = re.compile(rf",? ({_LETTER}{{2,20}})")
_GIVEN_AFTER: Final = re.compile(rf", ({_UP})(?: [{_UPPER}]\.)?")


def _answered(text: str, end: int) -> bool:
    """True when the next word says that someone did something."""
    after = _AFTER.match(text, end)
    return after is not None and fold(after.group(1)) in _DOINGS


def _given_after_comma(text: str, end: int, book: NameBook) -> int:
    after = _GIVEN_AFTER.match(text, end)
    if after is None or not book.flags.get(fold(after.group(1)), 0) & GIVEN:
        return end
    return after.end()


def _in_caseless(text: str, book: NameBook) -> Iterator[Span]:
    for run in _CASELESS.finditer(text):
        at = run.start()
        words = []
        for word in run.group(0).split(" "):
            words.append((at, word))
            at += len(word) + 1
        if len(words) <= _MAX_WORDS and _stands_as_name(text, *run.span()):
            yield Span(run.start(), run.end(), PERSON, 0.7)
        else:
            yield from _names_among(words, book)


def _names_among(words: list[tuple[int, str]], book: NameBook) -> Iterator[Span]:
    index = 0
    while index < len(words):
        cued = fold(words[index][1]) in _CUES_AND_TITLES
        first = index + cued
        last = first
        while last < min(len(words), first + 4) and book.known(words[last][1]):
            last += 1
        if cued and last == first:
            last = min(len(words), first + 2)
        if last - first >= (1 if cued else 2):
            yield Span(words[first][0], words[last - 1][0] + len(words[last - 1][1]), PERSON, 0.7)
        index = max(last, index + 1)


def _is_person(words: list[str], folded: list[str], book: NameBook, standing: Standing) -> bool:
    core = [
        (w, f)
        for w, f in zip(words, folded, strict=True)
        if f not in TITLES and f not in PARTICLES and f not in SUFFIXES
    ]
    if not core or any(f in ORGANISATIONS for _, f in core):
        return False
    if any(f in THINGS and not book.flags.get(f, 0) & SURNAME for _, f in core[1:]):
        return False
    flags = [book.flags_of(w) for w, _ in core]
    shouted = all(w.isupper() and len(w) > 1 for w, _ in core)
    if folded[0] in TITLES and len(folded) > 1:
        return _titled(flags, shouted=shouted)
    match standing:
        case "announced":
            return _announced(flags, shouted=shouted)
        case "hinted":
            return _certain(flags) >= 1 or _alone(flags, shouted=shouted)
        case "alone":
            return _alone(flags, shouted=shouted)


def _named(flags: list[int]) -> int:
    return sum(bool(f & (GIVEN | SURNAME)) for f in flags)


def _certain(flags: list[int]) -> int:
    return sum(bool(f & (GIVEN | SURNAME)) and not f & COMMON for f in flags)


def _titled(flags: list[int], *, shouted: bool) -> bool:
    if shouted:
        return _certain(flags) >= 1
    return len(flags) > 1 or flags[0] == 0 or bool(_named(flags))


def _announced(flags: list[int], *, shouted: bool) -> bool:
    if len(flags) == 1 or shouted:
        return _certain(flags) >= 1
    unknown = flags.count(0)
    whole = _named(flags) + unknown == len(flags) and len(flags) <= 4
    return _certain(flags) >= 1 or _named(flags) >= 2 or whole


def _alone(flags: list[int], *, shouted: bool) -> bool:
    """True for words that are a name with nothing around them to say so."""
    if len(flags) == 1:
        return False
    certain, named = _certain(flags), _named(flags)
    given = bool(next((f for f in flags if f), 0) & GIVEN)
    if shouted:
        return certain >= 2
    if certain >= 2 or (certain and (named >= 2 or (given and 0 in flags))):
        return True
    return given and named >= 2 and len(flags) <= 3 and bool(flags[-1] & SURNAME)


def _in_han(text: str, book: NameBook) -> set[Span]:
    found = set()
    for pattern in (_HAN_CUED, _HAN_TITLED, _HANGUL_NAME, _AMONG_LATIN):
        for match in pattern.finditer(text):
            if pattern is _AMONG_LATIN and not _stands_as_name(text, *match.span(1)):
                continue
            value = match.group(1).strip()
            if book.han(value) or book.hangul(value):
                found.add(Span(match.start(1), match.end(1), PERSON, 0.75))
    return found


def _stands_as_name(text: str, start: int, end: int) -> bool:
    before = _word_before(text, start)
    cued = before is not None and fold(before.group(1)) in _BEFORE_FOREIGN
    return cued or _answered(text, end)
