"""Shapes of values that only look like personal data, and how values are spread over a column."""

from __future__ import annotations

from typing import Final

_UUID = r"\{?[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\}?"
_MOMENT = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"(?:Z| ?UTC| ?[+\-][0-9]{2}:?(?:[0-9]{2})?)?)?"
)
_DATE = (
    r"[0-9]{1,2}([/.\-])[0-9]{1,2}[/.\-](?:[0-9]{4}|[0-9]{2})|[0-9]{4}[/.][0-9]{1,2}[/.][0-9]{1,2}"
)
_TIME = r"[0-9]{1,3}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?: ?[AaPp][Mm])?"
_NUMBER = (
    r"[+\-]?[$€£¥₹]? ?(?:[0-9]{1,6}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.[0-9]{1,20})?"
    r" ?(?:%|[$€£¥₹]|[A-Z]{3})?"
    r"|[+\-]?[0-9]{1,9}\.[0-9]{1,20}(?:[eE][+\-]?[0-9]{1,3})?"
)
_VERSION = r"[vV]?[0-9]{1,4}(?:\.[0-9]{1,3}){1,2}(?:[\-+][0-9A-Za-z.\-]{1,24})?"
_DIGEST = r"[0-9a-f]{24,}|[0-9A-F]{24,}"
_ORDER = r"#?[A-Za-z]{1,5}[\-_ ]?[0-9]{4}[\-_ ][0-9]{3,8}|#[0-9]{1,12}"
_WORDS = r"[\p{L}\p{M} _.,'’()&+/\-]*"

HARMLESS: Final = (
    rf"^\s*(?:{_UUID}|{_MOMENT}|{_DATE}|{_TIME}|{_NUMBER}|{_VERSION}|{_ORDER}|{_WORDS})\s*$"
)
"""A RE2 pattern of whole values no rule needs to look at. Words are left to the name search."""

DIGEST: Final = rf"^(?:{_DIGEST})$"
"""A RE2 pattern of values in hexadecimal, which may hide a text but match no pattern themselves."""

PROSE: Final = r"\S\s+\S+\s+\S"
"""A RE2 pattern of values of three words or more."""

LONG_NUMBER: Final = r"^\s*[0-9]{13,19}\s*$"


def spread(count: int, wanted: int) -> range:
    """Returns about `wanted` indices spread evenly over `count` values, always the same ones."""
    return range(count) if count <= wanted else range(0, count, -(-count // wanted))
