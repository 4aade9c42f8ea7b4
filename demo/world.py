"""The world of the demo company: countries, cities, streets, phones, and its own calendar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Progress = Callable[[str, float], None]
"""Told what is being done and the part done so far, from 0 to 1."""

TODAY = dt.date(2026, 6, 30)
"""The demo's "today", as `sources.*.today` in the policy says."""
FIRST_ORDER_DAY = dt.date(2024, 1, 1)
END = dt.datetime(2026, 6, 30, 23, 59, 59)
"""Nothing in the demo happened after this."""

SEGMENTS = ("consumer", "enterprise", "small business")
CHANNELS = ("web", "mobile app", "store", "phone")
METHODS = ("credit card", "paypal", "bank transfer", "gift card")

_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


def stream(part: str) -> Random:
    """Returns the random stream of one part; parts do not disturb each other's numbers."""
    return Random(f"gatehouse demo, {part}")


def fill(pattern: str, random: Random) -> str:
    """Returns `pattern` with a digit for every `#` and a capital letter for every `@`."""
    return "".join(
        str(random.randrange(10)) if c == "#" else random.choice(_LETTERS) if c == "@" else c
        for c in pattern
    )


@dataclass(frozen=True, kw_only=True)
class City:
    """A city, its share of its country's customers and how its postcodes look."""

    name: str
    weight: float
    postcode: str


@dataclass(frozen=True, kw_only=True)
class Country:
    """A country the company sells to.

    `locale` is Faker's. `streets` hold `{name}` (a family name) and `{n}` (a house number). Phones
    are in the ranges that regulators keep for fiction where there are any (US, CA, GB, FR, DE).
    """

    name: str
    locale: str
    weight: float
    shipping_cents: int
    cities: tuple[City, ...]
    streets: tuple[str, ...]
    phones: tuple[str, ...]


def _cities(*rows: tuple[str, float, str]) -> tuple[City, ...]:
    return tuple(City(name=n, weight=w, postcode=p) for n, w, p in rows)


COUNTRIES: tuple[Country, ...] = (
    Country(
        name="Brazil",
        locale="pt_BR",
        weight=7.5,
        shipping_cents=990,
        cities=_cities(
            ("São Paulo", 52, "0####-###"),
            ("Rio de Janeiro", 33, "2####-###"),
            ("Curitiba", 15, "80###-###"),
        ),
        streets=("Rua {name}, {n}", "Avenida {name}, {n}", "Travessa {name}, {n}"),
        phones=("+55 11 98###-####", "+55 21 98###-####", "+55 41 99###-####"),
    ),
    Country(
        name="Canada",
        locale="en_CA",
        weight=8.5,
        shipping_cents=790,
        cities=_cities(
            ("Toronto", 48, "M#@ #@#"), ("Montreal", 31, "H#@ #@#"), ("Vancouver", 21, "V#@ #@#")
        ),
        streets=("{n} {name} Street", "{n} {name} Avenue", "{n} {name} Crescent"),
        phones=("+1 416-555-01##", "+1 514-555-01##", "+1 604-555-01##"),
    ),
    Country(
        name="France",
        locale="fr_FR",
        weight=10.5,
        shipping_cents=540,
        cities=_cities(
            ("Paris", 47, "7501#"),
            ("Lyon", 24, "6900#"),
            ("Marseille", 18, "1300#"),
            ("Lille", 11, "59#00"),
        ),
        streets=("{n} rue {name}", "{n} avenue {name}", "{n} boulevard {name}", "{n} allée {name}"),
        phones=("+33 1 99 00 ## ##", "+33 2 61 91 ## ##", "+33 3 53 01 ## ##", "+33 4 65 71 ## ##"),
    ),
    Country(
        name="Germany",
        locale="de_DE",
        weight=14.5,
        shipping_cents=490,
        cities=_cities(
            ("Berlin", 36, "10###"),
            ("Hamburg", 25, "20###"),
            ("Munich", 22, "80###"),
            ("Cologne", 17, "50###"),
        ),
        streets=("{name}straße {n}", "{name}weg {n}", "{name}allee {n}", "Am {name}platz {n}"),
        phones=("+49 30 23125 ###", "+49 40 66969 ###", "+49 89 99998 ###", "+49 221 4710 ###"),
    ),
    Country(
        name="Italy",
        locale="it_IT",
        weight=8.0,
        shipping_cents=590,
        cities=_cities(("Rome", 41, "001##"), ("Milan", 38, "201##"), ("Turin", 21, "101##")),
        streets=("Via {name} {n}", "Viale {name} {n}", "Corso {name} {n}"),
        phones=("+39 347 ### ####", "+39 328 ### ####", "+39 340 ### ####"),
    ),
    Country(
        name="Japan",
        locale="ja_JP",
        weight=7.0,
        shipping_cents=1290,
        cities=_cities(
            ("Tokyo", 55, "1##-00##"), ("Osaka", 29, "53#-00##"), ("Nagoya", 16, "46#-00##")
        ),
        streets=("{n}-4-7 Sakaecho", "{n}-12-3 Honcho", "{n}-2-18 Midoricho", "{n}-9-1 Asahicho"),
        phones=("+81 90-4###-####", "+81 80-5###-####"),
    ),
    Country(
        name="Portugal",
        locale="pt_PT",
        weight=5.0,
        shipping_cents=490,
        cities=_cities(("Lisbon", 62, "1###-###"), ("Porto", 38, "4###-###")),
        streets=("Rua {name} {n}", "Avenida {name} {n}", "Travessa {name} {n}"),
        phones=("+351 91# ### ###", "+351 96# ### ###"),
    ),
    Country(
        name="Spain",
        locale="es_ES",
        weight=9.5,
        shipping_cents=520,
        cities=_cities(
            ("Madrid", 43, "280##"), ("Barcelona", 35, "080##"), ("Valencia", 22, "460##")
        ),
        streets=("Calle {name} {n}", "Avenida {name} {n}", "Paseo {name} {n}"),
        phones=("+34 612 ### ###", "+34 655 ### ###", "+34 689 ### ###"),
    ),
    Country(
        name="United Kingdom",
        locale="en_GB",
        weight=12.5,
        shipping_cents=420,
        cities=_cities(
            ("London", 49, "SW# #@@"), ("Manchester", 29, "M# #@@"), ("Edinburgh", 22, "EH# #@@")
        ),
        streets=("{n} {name} Road", "{n} {name} Street", "{n} {name} Gardens", "{n} {name} Close"),
        phones=("+44 20 7946 0###", "+44 161 496 0###", "+44 131 496 0###"),
    ),
    Country(
        name="United States",
        locale="en_US",
        weight=17.0,
        shipping_cents=690,
        cities=_cities(
            ("New York", 37, "100##"),
            ("Chicago", 26, "606##"),
            ("San Francisco", 20, "941##"),
            ("Austin", 17, "787##"),
        ),
        streets=("{n} {name} Street", "{n} {name} Avenue", "{n} {name} Drive", "{n} {name} Lane"),
        phones=("+1 212-555-01##", "+1 312-555-01##", "+1 415-555-01##", "+1 512-555-01##"),
    ),
)

COUNTRY_BY_NAME = {c.name: c for c in COUNTRIES}
