"""Letters: names as they are spelt in e-mail addresses and identity numbers."""

from __future__ import annotations

import unicodedata

_SPELT_OUT = str.maketrans(
    {"ß": "ss", "ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "æ": "ae", "œ": "oe", "ł": "l"}
)


def plain_letters(name: str) -> str:
    """Returns `name` in lower-case ASCII letters only (`Böhm` -> `boehm`, `Maitê` -> `maite`)."""
    spelt = unicodedata.normalize("NFC", name).casefold().translate(_SPELT_OUT)
    split = unicodedata.normalize("NFKD", spelt)
    return "".join(c for c in split if "a" <= c <= "z")
