"""Check digits: functions that say whether a number could be a real one of its kind.

Most come from python-stdnum. The others follow the public descriptions named beside them. None
raises: what cannot be read is not valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, Protocol

from stdnum import luhn as _luhn
from stdnum import verhoeff as _verhoeff
from stdnum.at import vnr as _at_vnr
from stdnum.au import tfn as _au_tfn
from stdnum.be import nn as _be_nn
from stdnum.bg import egn as _bg_egn
from stdnum.br import cpf as _br_cpf
from stdnum.ca import sin as _ca_sin
from stdnum.ch import ssn as _ch_ssn
from stdnum.cl import rut as _cl_rut
from stdnum.cn import ric as _cn_ric
from stdnum.cz import rc as _cz_rc
from stdnum.de import idnr as _de_idnr
from stdnum.dk import cpr as _dk_cpr
from stdnum.ee import ik as _ee_ik
from stdnum.es import dni as _es_dni
from stdnum.es import nie as _es_nie
from stdnum.fi import hetu as _fi_hetu
from stdnum.fr import nir as _fr_nir
from stdnum.gb import nhs as _gb_nhs
from stdnum.gr import amka as _gr_amka
from stdnum.hr import oib as _hr_oib
from stdnum.ie import pps as _ie_pps
from stdnum.il import idnr as _il_idnr
from stdnum.is_ import kennitala as _is_kennitala
from stdnum.iso7064 import mod_97_10 as _mod_97_10
from stdnum.it import codicefiscale as _it_codice
from stdnum.jp import in_ as _jp_in
from stdnum.kr import rrn as _kr_rrn
from stdnum.lt import asmens as _lt_asmens
from stdnum.mx import curp as _mx_curp
from stdnum.nl import bsn as _nl_bsn
from stdnum.no import fodselsnummer as _no_fnr
from stdnum.pl import pesel as _pl_pesel
from stdnum.pt import nif as _pt_nif
from stdnum.ro import cnp as _ro_cnp
from stdnum.ru import inn as _ru_inn
from stdnum.se import personnummer as _se_pnr
from stdnum.th import pin as _th_pin
from stdnum.tr import tckimlik as _tr_tc
from stdnum.ua import rntrc as _ua_rntrc
from stdnum.us import itin as _us_itin
from stdnum.us import ssn as _us_ssn
from stdnum.za import idnr as _za_idnr

Check = Callable[[str], bool]


class _Module(Protocol):
    def is_valid(self, number: str) -> bool: ...


def _of(module: _Module) -> Check:
    def check(value: str) -> bool:
        try:
            return bool(module.is_valid(value))
        except (ValueError, IndexError, TypeError, KeyError, OverflowError):
            # A few modules of the library trip over separators they do not know.
            return False

    return check


def digits_of(value: str) -> str:
    """Returns the ASCII digits of `value`."""
    return "".join(c for c in value if "0" <= c <= "9")


def luhn(value: str) -> bool:
    """True when the digits pass the Luhn check (ISO/IEC 7812-1, annex B)."""
    digits = digits_of(value)
    return bool(digits) and bool(_luhn.is_valid(digits))


# Issuer ranges by leading digits and the lengths they come in (ISO/IEC 7812, the networks' pages).
# Wider than they are issued where test generators and older cards are.
_ISSUERS: Final = (
    (("4",), (13, 16, 19)),
    (tuple(str(n) for n in range(51, 56)), (16,)),
    (tuple(str(n) for n in range(2221, 2721)), (16,)),
    (("34", "37"), (15,)),
    (("6011", "644", "645", "646", "647", "648", "649", "65"), (16, 17, 18, 19)),
    (("30", "36", "38", "39"), (14,)),
    (("300", "301", "302", "303", "304", "305", "3095", "36", "38", "39"), (16,)),
    (("35",), (16,)),
    (tuple(str(n) for n in range(3528, 3590)), (17, 18, 19)),
    (("62", "81"), (16, 17, 18, 19)),
    (("5018", "5020", "5038", "5893", "6304", "6759", "6761", "6762", "6763"), (16, 18, 19)),
    (("2200", "2201", "2202", "2203", "2204"), (16, 17, 18, 19)),
    (("1800", "2131"), (15,)),
)
_BY_LENGTH: Final[Mapping[int, tuple[str, ...]]] = {
    length: tuple(p for prefixes, lengths in _ISSUERS if length in lengths for p in prefixes)
    for length in range(13, 20)
}


def is_card(digits: str) -> bool:
    """True for the digits of a payment card number of 13 to 19: an issuer's range and Luhn."""
    return digits.startswith(_BY_LENGTH.get(len(digits), ())) and bool(_luhn.is_valid(digits))


def card(value: str) -> bool:
    """True for a payment card number of 13 to 19 digits, however it is grouped."""
    return is_card(digits_of(value))


def iban(value: str) -> bool:
    """True for letters and digits with the check digits of an IBAN (ISO 13616, ISO 7064)."""
    text = value.upper()
    plain = len(text) >= 15 and text.isascii() and text.isalnum() and text[2:4].isdigit()
    return plain and bool(_mod_97_10.is_valid(text[4:] + text[:4]))


def nino(value: str) -> bool:
    """True for a UK national insurance number (HMRC manual NIM39110: letters never used)."""
    text = value.replace(" ", "").replace("-", "").upper()
    if len(text) != 9 or not text[2:8].isdigit() or text[8] not in "ABCD":
        return False
    return (
        text[0] not in "DFIQUV"
        and text[1] not in "DFIOQUV"
        and text[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}
    )


_NRIC_LETTERS: Final = {
    "S": ("JZIHGFEDCBA", 0),
    "T": ("JZIHGFEDCBA", 4),
    "F": ("XWUTRQPNMLK", 0),
    "G": ("XWUTRQPNMLK", 4),
    "M": ("KLJNPQRTUWX", 3),
}


def nric(value: str) -> bool:
    """True for a Singapore NRIC or FIN: weights 2 7 6 5 4 3 2, a letter by the rest mod 11."""
    text = value.strip().upper()
    if len(text) != 9 or text[0] not in _NRIC_LETTERS or not text[1:8].isdigit():
        return False
    letters, offset = _NRIC_LETTERS[text[0]]
    total = offset + sum(int(d) * w for d, w in zip(text[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    index = total % 11
    return text[8] == (letters[10 - index] if text[0] == "M" else letters[index])


def medicare_au(value: str) -> bool:
    """True for an Australian Medicare card number: ten digits, weights 1 3 7 9 1 3 7 9 mod 10."""
    digits = digits_of(value)
    if len(digits) not in (10, 11) or digits[0] not in "23456":
        return False
    total = sum(int(d) * w for d, w in zip(digits, (1, 3, 7, 9, 1, 3, 7, 9), strict=False))
    return total % 10 == int(digits[8])


def aadhaar(value: str) -> bool:
    """True for an Indian Aadhaar number: twelve digits from 2 up, Verhoeff."""
    digits = digits_of(value)
    return len(digits) == 12 and digits[0] in "23456789" and bool(_verhoeff.is_valid(digits))


def pan_in(value: str) -> bool:
    """True for the form of an Indian PAN, whose check letter is not public."""
    text = value.strip().upper()
    return len(text) == 10 and text[:5].isalpha() and text[5:9].isdigit() and text[9].isalpha()


def ssn_us(value: str) -> bool:
    """True unless the area, group or serial of a US social security number was never given."""
    digits = digits_of(value)
    if len(digits) != 9 or len(set(digits)) == 1:
        return False
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def itin_us(value: str) -> bool:
    """True for a US individual taxpayer number: 9xx and a group of the assigned ranges."""
    digits = digits_of(value)
    return len(digits) == 9 and digits[0] == "9" and (50 <= int(digits[3:5]) <= 99)


def twid(value: str) -> bool:
    """True for a Taiwanese national id: the letter stands for two digits; weights 1 9 8 to 1 1."""
    text = value.strip().upper()
    if len(text) != 10 or not text[0].isalpha() or not text[1:].isdigit() or text[1] not in "1289":
        return False
    number = 10 + "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0])
    figures = [number // 10, number % 10, *map(int, text[1:])]
    return (
        sum(f * w for f, w in zip(figures, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10
        == 0
    )


def personal_id_hu(value: str) -> bool:
    """True for a Hungarian personal id: a birth date, and weights 1 to 10 or 10 to 1 mod 11."""
    digits = digits_of(value)
    if len(digits) != 11 or not _is_date(digits[1:7]):
        return False
    up = sum(int(d) * w for d, w in zip(digits, range(1, 11), strict=False)) % 11
    down = sum(int(d) * w for d, w in zip(digits, range(10, 0, -1), strict=False)) % 11
    return int(digits[10]) in (up, down)


def rrn_kr(value: str) -> bool:
    """True for a Korean resident number: a birth date, a century digit 1 to 8, six more digits.

    Numbers issued since October 2020 carry no check digit, so none is asked for when one fails.
    """
    digits = digits_of(value)
    return len(digits) == 13 and digits[6] in "12345678" and _is_date(digits[:6])


def _is_date(yymmdd: str) -> bool:
    try:
        date(2000 + int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:6]))
    except ValueError:
        return False
    return True


at_vnr: Final = _of(_at_vnr)
au_tfn: Final = _of(_au_tfn)
be_nn: Final = _of(_be_nn)
bg_egn: Final = _of(_bg_egn)
br_cpf: Final = _of(_br_cpf)
ca_sin: Final = _of(_ca_sin)
ch_ssn: Final = _of(_ch_ssn)
cl_rut: Final = _of(_cl_rut)
cn_ric: Final = _of(_cn_ric)
cz_rc: Final = _of(_cz_rc)
de_idnr: Final = _of(_de_idnr)
dk_cpr: Final = _of(_dk_cpr)
ee_ik: Final = _of(_ee_ik)
es_dni: Final = _of(_es_dni)
es_nie: Final = _of(_es_nie)
fi_hetu: Final = _of(_fi_hetu)
fr_nir: Final = _of(_fr_nir)
gb_nhs: Final = _of(_gb_nhs)
gr_amka: Final = _of(_gr_amka)
hr_oib: Final = _of(_hr_oib)
ie_pps: Final = _of(_ie_pps)
il_idnr: Final = _of(_il_idnr)
is_kennitala: Final = _of(_is_kennitala)
it_codice: Final = _of(_it_codice)
jp_in: Final = _of(_jp_in)
kr_rrn: Final = _of(_kr_rrn)
lt_asmens: Final = _of(_lt_asmens)
mx_curp: Final = _of(_mx_curp)
nl_bsn: Final = _of(_nl_bsn)
no_fnr: Final = _of(_no_fnr)
pl_pesel: Final = _of(_pl_pesel)
pt_nif: Final = _of(_pt_nif)
ro_cnp: Final = _of(_ro_cnp)
ru_inn: Final = _of(_ru_inn)
se_pnr: Final = _of(_se_pnr)
th_pin: Final = _of(_th_pin)
tr_tc: Final = _of(_tr_tc)
ua_rntrc: Final = _of(_ua_rntrc)
us_itin: Final = _of(_us_itin)
us_ssn: Final = _of(_us_ssn)
za_idnr: Final = _of(_za_idnr)
