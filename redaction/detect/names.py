"""What is known of names: lists in many languages, and how a surname ends where no list helps."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from redaction.lists import sections, words

GIVEN: Final = 1
SURNAME: Final = 2
COMMON: Final = 4
"""Also an ordinary word or a place: weak evidence of a person."""

_PLAIN = str.maketrans("łøđıðþŁØĐ’ʼ`´", "lodidtlod''''")
_MARKS = re.compile(r"[\u0300-\u036f]+")


def fold(word: str) -> str:
    """Returns `word` in lower case without accents, as the lists are looked up."""
    if word.isascii():
        return word.lower()
    lowered = (
        word.lower().replace("ß", "ss").replace("æ", "ae").replace("œ", "oe").translate(_PLAIN)
    )
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", lowered)))


@dataclass(frozen=True, kw_only=True)
class NameBook:
    """The lists, folded. `flags` says what a word is known as."""

    flags: dict[str, int]
    han_surnames: frozenset[str]
    han_given: frozenset[str]
    hangul_surnames: frozenset[str]

    def known(self, word: str) -> int:
        """Returns the flags of a word as it stands in a text; 0 when nothing is known."""
        folded = fold(word)
        found = self.flags.get(folded, 0)
        return found or (SURNAME if looks_like_surname(folded) else 0)

    def flags_of(self, word: str) -> int:
        """Returns the flags of a word, or of the part of a hyphenated one that is known best."""
        flags = self.known(word)
        if flags or not _COMPOUND.search(word):
            return flags
        return max(map(self.known, filter(None, _COMPOUND.split(word))), default=0)

    def han(self, text: str) -> bool:
        """True when `text`, in Chinese or Japanese characters, is built like a full name."""
        compact = text.replace(" ", "").replace("\u3000", "")
        if not 2 <= len(compact) <= 7:
            return False
        if " " in text or "\u3000" in text:
            head = re.split(r"[ \u3000]", text, maxsplit=1)[0]
            given = compact[len(head) :]
            return len(head) <= 3 and (head in self.han_surnames or given in self.han_given)
        rests = (compact[n:] for n in (1, 2, 3) if compact[:n] in self.han_surnames)
        return any(1 <= len(r) <= 3 for r in rests)

    def hangul(self, text: str) -> bool:
        """True when `text`, in Hangul, is a surname and one to three more syllables."""
        compact = text.replace(" ", "")
        return 2 <= len(compact) <= 5 and (
            compact[0] in self.hangul_surnames or compact[:2] in self.hangul_surnames
        )


_COMPOUND: Final = re.compile(r"[-'’]")
_ENDINGS: Final = re.compile(
    r"(?:ovic|evic|ovich|evich|ovna|evna|enko|chenko|chuk|czuk|szczuk|iuk|czyk|wicz|owska|owski|ewska"
    r"|ewski|inska|inski|ynska|ynski|icka|icki|ecka|ecki|zka|zki|czak|szczak|ova|ova|eva|kova|sson"
    r"|dottir|ssen|nsen|rsen|ksen|lsen|tsen|opoulos|opoulou|idis|iadis|akis|aki|akou|oglu|zadeh"
    r"|nejad|ian|yan|shvili|adze|idze|escu|eanu|auskas|auskaite|auskiene|aitis|iene|evicius"
    r"|avicius|mann|strom|gren|qvist|kvist|lund|inen|anen|onen|ez|iz|ini|elli|etti|ucci|acci|uzzi"
    r"|azzi|izzi|olli|ullo|iello|uolo|asian|jan|sky|skaya|skiy|skyi|oy|aya|ov|ev|yev|ayev|yeva"
    r"|ins|ina|zada|zade|bayov|kizi|quliyev|oglu|lioglu|dotter|sdatter|strand|bakken|stad|dal"
    r"|ов|ова|ев|ева|ин|ина|инов|инова|ски|ска|скии|ская|ськии|ська|цкии|цкая|енко|чук|юк|ук|як|чак"
    r"|ко|ич|ович|евич|овна|евна|івна|ївна|ишин|ович|ев|ски|ец|ець"
    r"|οπουλος|οπουλου|ιδης|ιδου|ακης|ακη|ακου|ιαδης|ιαδου|ελης|ελη|ατος|ατου|ογλου|ος|ου|ης|ας"
    r"|յան|յանց|ունի|შვილი|ძე|ია|ავა|უა|იანი|ელი|ური|ული|აია)$"
)
# How many West and South African names begin, and few words of other languages do.
_BEGINNINGS: Final = re.compile(
    r"oluw|oluf|olaj|olat|adeb|adeg|adej|adek|adel|adem|aden|adeo|ader|ades|adet|adew|adey|abay|abio"
    r"|ayod|ayot|akin|ogun|omot|babat|ifeo|ifea|chukw|chid[ie]|chin[eiw]|nwa|nna|ngoz|okon|okeke|mth"
    r"|nth|mkh|ndl|nkos|hlon|gwa|ntom|nokw|nonh|nons|nonj|nob[auh]|sibon|sibu|lindi|thand|thab|zand"
    r"|zen[zi]|mb[ao][mnt]|ng[cqw]|xol|mng|msh|mpho|dlam|buth|khum|makh|mash|maku"
)
_LONG_ENOUGH: Final = 6


def looks_like_surname(folded: str) -> bool:
    """True when an unlisted word of six letters or more is built like names of some language."""
    if len(folded) < _LONG_ENOUGH or not folded.isalpha():
        return False
    return _ENDINGS.search(folded) is not None or _BEGINNINGS.match(folded) is not None


@functools.cache
def name_book() -> NameBook:
    """Returns the lists, read once."""
    flags: dict[str, int] = {}
    native = sections("native_names")
    named = frozenset().union(*(ws for kind, ws in native.items() if kind.endswith(": names")))
    for words_, flag in (
        (words("given_names"), GIVEN),
        (words("surnames"), SURNAME),
        (named, GIVEN),
    ):
        for word in words_:
            for part in (word, *word.split("-")):
                flags[fold(part)] = flags.get(fold(part), 0) | flag
    for word in words("places") | words("words"):
        flags[fold(word)] = flags.get(fold(word), 0) | COMMON
    return NameBook(
        flags=flags,
        han_surnames=native["han: surnames"] | native["han: japanese surnames"],
        han_given=native["han: japanese given"],
        hangul_surnames=native["hangul: surnames"],
    )
