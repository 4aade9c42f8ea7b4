"""How a value hides: which mask an entity gets at a sink, and what each mask leaves to see.

| family   | screen         | model, log     |
|----------|----------------|----------------|
| identity | pseudonym      | pseudonym      |
| number   | last four      | token          |
| id       | token          | token          |
| date     | year           | five-year band |
| place    | token          | token          |
| network  | prefix         | pseudonym      |
| secret   | token          | token          |

That is for a column that holds the tagged values as they are stored. Anywhere else a value may
have been cut, joined or typed in by whoever asks, and a mask that answers "equal or not" or shows
four digits would answer them about the original; so values derived by an expression get the token
only, and values found by looking get no pseudonym. No mask leaves more than half of a value.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from typing import Final, Literal

from redaction.entities import (
    EMAIL_ADDRESS,
    IP_ADDRESS,
    MAC_ADDRESS,
    PERSON,
    USERNAME,
    Family,
    Sink,
    family,
)
from redaction.key import ALPHABET, LETTERS, TOKEN_LENGTH, SessionKey

Mask = Literal["token", "pseudonym", "last_four", "year", "band", "prefix"]
Trust = Literal["stored", "derived", "found", "text"]
"""`stored`: the tagged column itself. `derived`: an expression over it. `found`: recognised by
looking. `text`: a prompt or message, whose pseudonyms the guard can resolve."""

_STORED: Final[dict[Family, tuple[Mask, Mask]]] = {
    "identity": ("pseudonym", "pseudonym"),
    "number": ("last_four", "token"),
    "date": ("year", "band"),
    "network": ("prefix", "pseudonym"),
}

_PREFIXES: Final = {
    PERSON: "person_",
    USERNAME: "user_",
    IP_ADDRESS: "ip_",
    MAC_ADDRESS: "mac_",
}
_DOTS: Final = "••••"


def mask_for(entity: str, sink: Sink, trust: Trust) -> Mask:
    """Returns the mask for an entity at a sink."""
    if trust == "derived":
        return "token"
    at_screen, elsewhere = _STORED.get(family(entity), ("token", "token"))
    mask = at_screen if sink == "screen" else elsewhere
    if mask == "pseudonym" and (trust == "found" or (trust == "text" and not _is_identity(entity))):
        return "token"
    return mask


def _is_identity(entity: str) -> bool:
    return family(entity) == "identity"


def apply(mask: Mask, value: str, entity: str, key: SessionKey, trust: Trust = "stored") -> str:
    """Returns what stands in place of `value`. Never the value, and never more than half of it."""
    if mask == "pseudonym":
        return _pseudonym(value, entity, key, trust)
    partial = _PARTIAL.get(mask)
    return (partial(value) if partial else None) or token(entity)


def token(entity: str) -> str:
    """Returns the mask that says only what kind of value stood there, such as `<EMAIL_ADDRESS>`."""
    return f"<{entity}>"


def _pseudonym(value: str, entity: str, key: SessionKey, trust: Trust) -> str:
    short = key.token(entity, value, "text" if trust == "text" else "column")
    if entity == EMAIL_ADDRESS:
        return f"e_{short}@example.invalid"
    return _PREFIXES[entity] + short


def _last_four(value: str) -> str | None:
    digits = [c for c in unicodedata.normalize("NFKC", value) if c in "0123456789"]
    return _DOTS + "".join(digits[-4:]) if len(digits) >= 8 else None


_YEAR = re.compile(
    r"(?<![0-9])(19[0-9]{2}|20[0-9]{2})(?:(?![0-9])|(?=[01][0-9][0-3][0-9](?![0-9])))"
)


def _year_of(value: str) -> int | None:
    found = _YEAR.search(value[:64])
    return int(found.group(1)) if found else None


def _year(value: str) -> str | None:
    year = _year_of(value)
    return None if year is None else str(year)


def _band(value: str) -> str | None:
    year = _year_of(value)
    return None if year is None else f"{year - year % 5}-{year - year % 5 + 4}"


_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}")
_IPV4 = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})")


def _prefix(value: str) -> str | None:
    four = _IPV4.search(value)
    if four:
        return _prefix_v4(four.groups())
    hexes = _HEX_PAIRS.findall(re.sub(r"[^0-9A-Fa-f]", "", value))
    if len(hexes) == 6 and "::" not in value:
        return ":".join(h.lower() for h in hexes[:3]) + ":*:*:*"
    return _prefix_v6(value)


def _prefix_v4(octets: tuple[str, ...]) -> str | None:
    total = sum(len(o) for o in octets)
    for kept in (2, 1):
        if 2 * sum(len(o) for o in octets[:kept]) <= total:
            return ".".join((*octets[:kept], *("*" * (4 - kept))))
    return None


def _prefix_v6(value: str) -> str | None:
    try:
        groups = ipaddress.IPv6Address(value.strip().strip("[]").partition("%")[0]).compressed
    except ValueError:
        return None
    parts = groups.split(":")
    if len(parts) != 8 or "" in parts:
        return None
    return ":".join(parts[:3]) + ":*"


_PARTIAL: Final[dict[Mask, Callable[[str], str | None]]] = {
    "last_four": _last_four,
    "year": _year,
    "band": _band,
    "prefix": _prefix,
}

_BODY = f"[{LETTERS}][{ALPHABET}]{{{TOKEN_LENGTH - 1}}}"
_OURS = re.compile(
    rf"\b(?:person|user|ip|mac)_{_BODY}\b"
    rf"|\be_[{ALPHABET}]{{{TOKEN_LENGTH}}}@example\.invalid\b|\be_{_BODY}\b"
    rf"|{_DOTS} ?[0-9]{{4}}"
    r"|(?-i:<[A-Z][A-Z0-9_]{2,40}>)"
    r"|\b[0-9]{1,3}(?:\.[0-9]{1,3})?(?:\.\*){2,3}"
    r"|\b(?:[0-9a-f]{2}:){3}\*:\*:\*"
    r"|\b(?:[0-9a-f]{1,4}:){3}\*",
    re.IGNORECASE,
)
_PERHAPS = re.compile(rf"[nrpce]_|{_DOTS[0]}|<[A-Z]|\.\*|:\*", re.IGNORECASE)
"""A part of every form of `_OURS`; text without one is told apart in a tenth of the time."""
_PSEUDONYM = re.compile(
    rf"(?:person|user|ip|mac)_{_BODY}|e_[{ALPHABET}]{{{TOKEN_LENGTH}}}@example\.invalid"
)


def is_pseudonym(text: str) -> bool:
    """True when `text` is a pseudonym and nothing else: the only mask that stands for one value."""
    return _PSEUDONYM.fullmatch(text) is not None


def count_masks(text: str) -> int:
    """Returns how often a mask or pseudonym of ours stands in `text`."""
    return sum(1 for _ in _OURS.finditer(text)) if _PERHAPS.search(text) else 0


def mask_tokens(text: str) -> tuple[str, ...]:
    """Returns the masks and pseudonyms of ours that stand in `text`, in order, each once.

    Generalised dates are plain years and cannot be told from others.
    """
    if _PERHAPS.search(text) is None:
        return ()
    return tuple(dict.fromkeys(m.group(0) for m in _OURS.finditer(text)))
