"""E-mail addresses and telephone numbers."""

from __future__ import annotations

import functools
import re
from typing import Final

from redaction.detect.checks import digits_of
from redaction.detect.rule import Rule
from redaction.entities import EMAIL_ADDRESS, PHONE_NUMBER
from redaction.lists import phrases

_EDGE = r"\s@<>()\[\]{},;:\"`|\\/=&?"
_LOCAL = rf"[^{_EDGE}'.][^{_EDGE}]{{0,127}}"
_LABEL = rf"[^{_EDGE}'.]{{1,63}}"
_TOP = r"(?:[^\W\d_]{2,24}|xn--[A-Za-z0-9-]{2,59})"

_ASCII_LOCAL = r"[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}"
_ASCII_LABEL = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
_AT_IN_BRACKETS = r"\s?[\[({<]\s?(?:at|AT|At|@)\s?[\])}>]\s?"
_DOT = r"(?:\.|\s?[\[({]\s?(?:dot|DOT|Dot|\.)\s?[\])}]\s?|\s(?:dot|DOT|Dot)\s)"

EMAIL: Final = Rule(
    name="email",
    entity=EMAIL_ADDRESS,
    body=rf"{_LOCAL}@(?:{_LABEL}\.){{1,8}}{_TOP}",
    quick="@",
    score=1.0,
    before="",
    after=r"[A-Za-z0-9_]",
)

EMAIL_SPELT: Final = Rule(
    name="email_spelt",
    entity=EMAIL_ADDRESS,
    body=(
        rf"{_ASCII_LOCAL}(?:"
        rf"(?:{_AT_IN_BRACKETS}|&#64;|&#x40;|&commat;|%40){_ASCII_LABEL}(?:{_DOT}{_ASCII_LABEL}){{1,5}}"
        rf"|\s(?:at|AT|At)\s{_ASCII_LABEL}(?:\s(?:dot|DOT|Dot)\s{_ASCII_LABEL}){{1,5}})"
    ),
    quick=r"(?i:[\[({<]\s?(?:at|@)\s?[\])}>]|&#64;|&#x40;|&commat;|%40|\sat\s[a-z0-9-]+\sdot\s)",
    score=0.95,
    in_words=True,
)

# The calling codes in use, by their first digits (ITU-T E.164, list of assigned country codes).
_CALLING = re.compile(
    r"1[2-9]|7[0-9]|20|21[12368]|2[2-6][0-9]|27|29[0-9]|3[0-469]|3[578][0-9]|4[013-9]|42[013]|5[1-8]"
    r"|50[0-9]|59[0-9]|6[0-6]|67[02-9]|68[0-35-9]|69[0-2]|80[08]|8[1246]|85[02356]|88[06]|9[0-58]"
    r"|96[0-8]|97[0-79]|99[234568]"
)
_EXTENSION = r"(?:,?\s?(?:ext\.?|extension|x|Ext\.?|#)\s?[0-9]{1,6})?"


def _international(value: str) -> bool:
    digits = digits_of(re.split(r"[xe#,E]", value, maxsplit=1)[0])
    return 8 <= len(digits) <= 15 and _CALLING.match(digits) is not None


def _north_american(value: str) -> bool:
    digits = digits_of(re.split(r"[xe#,E]", value, maxsplit=1)[0])
    digits = digits[1:] if len(digits) == 11 else digits
    return len(digits) == 10 and digits[0] in "23456789" and digits[1:3] != "11"


def _zero_zero(value: str) -> bool:
    digits = digits_of(value)[2:]
    return 9 <= len(digits) <= 15 and _CALLING.match(digits) is not None


_PHONE_WORDS: Final = phrases("vocabulary", "phone words")

PHONE_INTERNATIONAL: Final = Rule(
    name="phone_international",
    entity=PHONE_NUMBER,
    body=rf"\+\s?\(?[1-9][0-9 ().\-/\x{{a0}}]{{6,22}}[0-9]{_EXTENSION}".replace(
        r"\x{a0}", "\u00a0"
    ),
    accept=_international,
    score=0.9,
    before=r"[A-Za-z0-9_+]",
)

PHONE_NORTH_AMERICAN: Final = Rule(
    name="phone_north_american",
    entity=PHONE_NUMBER,
    body=(
        r"(?:1[ .\-])?(?:\([2-9][0-9]{2}\)\s?|[2-9][0-9]{2}[ .\-])[2-9][0-9]{2}[ .\-][0-9]{4}"
        + _EXTENSION
    ),
    accept=_north_american,
    score=0.75,
    before=r"[A-Za-z0-9_.\-]",
    after=r"[.\-]?[A-Za-z0-9_]",
)

PHONE_GROUPED: Final = Rule(
    name="phone_grouped",
    entity=PHONE_NUMBER,
    body=(
        r"(?:\+?1[ .\-]?)?(?:\([0-9]{3}\)\s?|[0-9]{3}[ .\-])[0-9]{3}[ .\-][0-9]{4}"
        + _EXTENSION
        + r"|(?:\+?[0-9]{1,3}[ \-]?)?\([0-9]{1,5}\) ?[0-9][0-9 .\-/]{4,14}[0-9]"
    ),
    strength="weak",
    score=0.5,
    before=r"[A-Za-z0-9_.\-+]",
    after=r"[.\-]?[A-Za-z0-9_]",
    context=_PHONE_WORDS,
)

PHONE_ZERO_ZERO: Final = Rule(
    name="phone_zero_zero",
    entity=PHONE_NUMBER,
    body=r"00[1-9][0-9 ().\-/]{6,18}[0-9]",
    strength="weak",
    accept=_zero_zero,
    score=0.6,
    before=r"[A-Za-z0-9_.\-+]",
    context=_PHONE_WORDS,
)

PHONE_NATIONAL: Final = Rule(
    name="phone_national",
    entity=PHONE_NUMBER,
    body=r"\(?[0-9](?:[ ().\-/]{0,2}[0-9]){5,14}" + _EXTENSION,
    strength="weak",
    accept=lambda value: national_phone(value),
    score=0.5,
    before=r"[A-Za-z0-9_.\-+#:]",
    after=r"[.\-:]?[A-Za-z0-9_]",
    context=_PHONE_WORDS,
)

# Regions whose national numbers are tried, the most populous and the demo's first.
_REGIONS: Final = (
    "US", "GB", "DE", "FR", "ES", "IT", "PL", "BR", "IN", "JP", "AU", "SE", "NL", "CN", "KR", "TR",
    "PT", "BE", "CH", "AT", "DK", "NO", "FI", "CZ", "GR", "RU", "UA", "HU", "RO", "IL", "EG", "SA",
    "AE", "ZA", "NG", "MX", "AR", "CO", "CL", "ID", "TH", "VN", "PH", "MY", "SG", "NZ", "IE", "PK",
    "BD", "IR", "IQ", "MA", "DZ", "TN", "KE", "GH", "ET", "TZ", "UG", "PE", "VE", "EC", "BO", "UY",
    "PY", "CR", "GT", "DO", "HK", "TW", "LK", "NP", "KZ", "UZ", "AZ", "GE", "AM", "BY", "RS", "HR",
    "SI", "SK", "BG", "LT", "LV", "EE", "IS", "LU", "CY", "JO", "LB", "QA", "KW", "OM",
)  # fmt: skip


def national_phone(value: str) -> bool:
    """True when `value`, without a country code, has the form of a number of some region."""
    digits = digits_of(re.split(r"[xe#,E]", value, maxsplit=1)[0])
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3:
        return False
    return any(
        form.fullmatch(digits.removeprefix(prefix)) or form.fullmatch(digits)
        for prefix, form in _forms()
    )


@functools.cache
def _forms() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Returns each region's trunk prefix and the form of its numbers, from phonenumbers."""
    from phonenumbers import PhoneMetadata

    forms = {}
    for region in _REGIONS:
        found = PhoneMetadata.metadata_for_region(region)
        form = found.general_desc.national_number_pattern if found and found.general_desc else None
        if found is None or not isinstance(form, str):
            raise LookupError(f"phonenumbers knows no numbers of {region}")
        forms[form] = str(found.national_prefix or "")
    return tuple((prefix, re.compile(form)) for form, prefix in forms.items())


RULES: Final = (
    EMAIL,
    EMAIL_SPELT,
    PHONE_INTERNATIONAL,
    PHONE_NORTH_AMERICAN,
    PHONE_GROUPED,
    PHONE_ZERO_ZERO,
    PHONE_NATIONAL,
)
