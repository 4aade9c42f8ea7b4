"""National identity numbers with right check digits: something real for a detector to find."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from random import Random

from stdnum import luhn
from stdnum.es import dni
from stdnum.fr import nir
from stdnum.iso7064 import mod_11_10
from stdnum.it import codicefiscale
from stdnum.jp import in_
from stdnum.pt import nif

from demo.text import plain_letters

_IT_PLACES = ("H501", "F205", "L219")
_IT_MONTHS = "ABCDEHLMPRST"
_GB_NEVER_ISSUED = ("MW", "NC", "PP", "PZ")


def national_id(country: str, first: str, last: str, born: dt.date, random: Random) -> str:
    """Returns a number of the form and with the check digits of `country`.

    Where a part of the range was never issued to adults (US, GB) it is taken from there.
    """
    return _MAKERS[country](first, last, born, random)


def _digits(n: int, random: Random) -> str:
    return "".join(str(random.randrange(10)) for _ in range(n))


def _brazil(first: str, last: str, born: dt.date, random: Random) -> str:
    body = _digits(9, random)
    for _ in range(2):
        weighted = sum(w * int(d) for w, d in zip(range(len(body) + 1, 1, -1), body, strict=True))
        body += str((11 - weighted % 11) % 11 % 10)
    return f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}"


def _canada(first: str, last: str, born: dt.date, random: Random) -> str:
    body = f"{random.randint(1, 7)}{_digits(7, random)}"
    body += luhn.calc_check_digit(body)
    return f"{body[:3]} {body[3:6]} {body[6:]}"


def _france(first: str, last: str, born: dt.date, random: Random) -> str:
    place = f"{random.randint(1, 95):02d}{random.randint(1, 990):03d}"
    if place.startswith("20"):  # Corsica writes 2A and 2B
        place = f"69{place[2:]}"
    body = f"{random.randint(1, 2)}{born:%y%m}{place}{random.randint(1, 999):03d}"
    return body + nir.calc_check_digits(body)


def _germany(first: str, last: str, born: dt.date, random: Random) -> str:
    digits = random.sample("123456789", 1) + random.sample("0123456789", 10)
    unique = list(dict.fromkeys(digits))[:9]
    unique.insert(random.randint(1, 9), random.choice(unique))  # exactly one digit comes twice
    body = "".join(unique)
    return body + mod_11_10.calc_check_digit(body)


def _italy(first: str, last: str, born: dt.date, random: Random) -> str:
    woman = random.random() < 0.5
    day = born.day + (40 if woman else 0)
    body = (
        _three_letters(last, given=False)
        + _three_letters(first, given=True)
        + f"{born:%y}{_IT_MONTHS[born.month - 1]}{day:02d}{random.choice(_IT_PLACES)}"
    )
    return body + codicefiscale.calc_check_digit(body)


def _three_letters(name: str, *, given: bool) -> str:
    letters = plain_letters(name).upper()
    consonants = [c for c in letters if c not in "AEIOU"]
    if given and len(consonants) > 3:
        del consonants[1]
    return "".join([*consonants, *(c for c in letters if c in "AEIOU"), *"XXX"][:3])


def _japan(first: str, last: str, born: dt.date, random: Random) -> str:
    body = _digits(11, random)
    return body + in_.calc_check_digit(body)


def _portugal(first: str, last: str, born: dt.date, random: Random) -> str:
    body = f"2{_digits(7, random)}"
    return body + nif.calc_check_digit(body)


def _spain(first: str, last: str, born: dt.date, random: Random) -> str:
    body = _digits(8, random)
    return body + dni.calc_check_digit(body)


def _united_kingdom(first: str, last: str, born: dt.date, random: Random) -> str:
    d = _digits(6, random)
    return f"{random.choice(_GB_NEVER_ISSUED)} {d[:2]} {d[2:4]} {d[4:]} {random.choice('ABCD')}"


def _united_states(first: str, last: str, born: dt.date, random: Random) -> str:
    # Areas 773 to 899 were not in use before 2011, so no adult was born into one.
    area, group, serial = random.randint(773, 899), random.randint(1, 99), random.randint(1, 9999)
    return f"{area}-{group:02d}-{serial:04d}"


_MAKERS: dict[str, Callable[[str, str, dt.date, Random], str]] = {
    "Brazil": _brazil,
    "Canada": _canada,
    "France": _france,
    "Germany": _germany,
    "Italy": _italy,
    "Japan": _japan,
    "Portugal": _portugal,
    "Spain": _spain,
    "United Kingdom": _united_kingdom,
    "United States": _united_states,
}
