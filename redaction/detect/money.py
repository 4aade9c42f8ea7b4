"""Payment cards, bank accounts and wallets."""

from __future__ import annotations

import re
from typing import Final

from stdnum import bitcoin as _bitcoin

from redaction.detect import checks
from redaction.detect.rule import Rule
from redaction.entities import CREDIT_CARD, CRYPTO, IBAN_CODE

# Length of an IBAN by country (SWIFT IBAN Registry).
_IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27,
    "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22,
    "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
    "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
    # In use by banks, not in the registry.
    "AO": 25, "BF": 28, "BJ": 28, "CF": 27, "CG": 27, "CI": 28, "CM": 27, "CV": 25, "DZ": 26,
    "GA": 27, "GQ": 27, "GW": 25, "IR": 26, "KM": 27, "MA": 28, "MG": 27, "ML": 28, "MZ": 25,
    "NE": 28, "SN": 28, "TD": 27, "TG": 28,
}  # fmt: skip

_SEPARATORS: Final = " -.\u00a0"


def _length_of(value: str, count: int) -> int:
    """Returns how many characters of `value` hold its first `count` letters and digits."""
    seen = 0
    for index, character in enumerate(value):
        seen += character not in _SEPARATORS
        if seen == count:
            return index + 1
    return 0


def _pick_iban(value: str) -> tuple[int, int] | None:
    wanted = _IBAN_LENGTHS.get(value[:2].upper())
    end = _length_of(value, wanted) if wanted else 0
    if not end or value[end : end + 1].isalnum():
        return None
    return (0, end) if checks.iban(re.sub(rf"[{_SEPARATORS}]", "", value[:end])) else None


def _pick_card(value: str) -> tuple[int, int] | None:
    """Returns the first card number in a run of digits: whole groups of them."""
    groups = [m.span() for m in re.finditer(r"[0-9]+", value)]
    digits = checks.digits_of(value)
    starts, ends, seen = [], {}, 0
    for start, end in groups:
        starts.append((seen, start))
        seen += end - start
        ends[seen] = end
    for first, start in starts:
        for length in range(19, 13, -1):
            stop = ends.get(first + length)
            if stop is not None and checks.is_card(digits[first : first + length]):
                return start, stop
    return None


def _wallet(value: str) -> bool:
    if value.startswith("0x"):
        return len(set(value[2:].lower())) > 4
    return bool(_bitcoin.is_valid(value))


RULES: Final = (
    Rule(
        name="card",
        entity=CREDIT_CARD,
        body=r"[0-9](?:[ .\-\x{a0}]?[0-9]){13,}".replace(r"\x{a0}", "\u00a0"),
        pick=_pick_card,
        maximal=True,
        score=0.95,
        before=r"[A-Za-z0-9_]",
        after=r"[A-Za-z0-9_]",
    ),
    Rule(
        name="card_13",
        entity=CREDIT_CARD,
        body=r"4[0-9]{12}",
        strength="weak",
        accept=checks.card,
        context=("card", "visa", "credit", "debit", "karte", "carte", "tarjeta", "carta"),
    ),
    Rule(
        name="iban",
        entity=IBAN_CODE,
        body=r"[A-Za-z]{2}[0-9]{2}(?:[ \-]?[A-Za-z0-9]){11,30}",
        pick=_pick_iban,
        score=1.0,
        after="",
    ),
    Rule(
        name="wallet_ethereum",
        entity=CRYPTO,
        body=r"0x[0-9a-fA-F]{40}",
        accept=_wallet,
    ),
    Rule(
        name="wallet_bitcoin",
        entity=CRYPTO,
        body=r"[13][1-9A-HJ-NP-Za-km-z]{25,34}|(?:bc1|BC1)[02-9ac-hj-np-zAC-HJ-NP-Z]{11,71}",
        accept=_wallet,
    ),
)
