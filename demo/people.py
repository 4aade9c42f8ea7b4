"""Customers, their payment cards, and the company's own staff."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from faker.factory import Factory
from stdnum import luhn

from demo.national_ids import national_id
from demo.text import plain_letters
from demo.world import COUNTRIES, SEGMENTS, TODAY, City, Country, fill, stream

CUSTOMERS = 2_000
FIRST_SIGNUP = dt.date(2022, 3, 1)
LAST_SIGNUP = dt.date(2026, 6, 28)

_DOMAINS = ("example.com", "example.org", "example.net")
_CARD_PREFIXES = (("Visa", "424242"), ("Visa", "411111"), ("Mastercard", "555555"))
"""Number ranges that card processors document for tests."""


@dataclass(frozen=True, kw_only=True)
class Customer:
    """One row of `customers`, in order of signing up."""

    id: int
    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    birth_date: dt.date
    national_id: str | None
    address: str
    postcode: str
    city: str
    country: str
    segment: str
    signup_date: dt.date
    marketing_opt_in: bool
    left_on: dt.date | None
    """No column of its own: who has left is not active and orders nothing later."""

    @property
    def is_active(self) -> bool:
        """The column of that name."""
        return self.left_on is None


@dataclass(frozen=True, kw_only=True)
class Card:
    """One row of `payment_cards`. The number is of a test range and passes the Luhn check."""

    id: int
    customer_id: int
    holder: str
    card_brand: str
    card_number: str
    expires: str
    added_on: dt.date


@dataclass(frozen=True, kw_only=True)
class Employee:
    """One row of `employees`."""

    id: int
    first_name: str
    last_name: str
    email: str
    job_title: str
    department: str
    country: str
    hired_on: dt.date
    salary: int
    manager_id: int | None


class Names:
    """Names of one country, from a Faker of its own: the shared random state is never touched."""

    def __init__(self, country: Country, part: str) -> None:
        # Faker's generator gets its methods at run time, so it has no static type.
        self._faker: Any = Factory.create(
            country.locale, providers=["faker.providers.person"], use_weighting=False
        )
        self._faker.seed_instance(f"gatehouse demo, {part}, {country.name}")
        self._romanized = country.locale == "ja_JP"

    def first(self) -> str:
        """Returns a given name, in Latin letters."""
        faker = self._faker
        return str(faker.first_romanized_name() if self._romanized else faker.first_name())

    def last(self) -> str:
        """Returns a family name, in Latin letters."""
        faker = self._faker
        return str(faker.last_romanized_name() if self._romanized else faker.last_name())


def customers() -> tuple[Customer, ...]:
    """Returns the 2,000 customers, oldest first."""
    random = stream("customers")
    names = {c.name: Names(c, "customers") for c in COUNTRIES}
    taken: set[str] = set()
    return tuple(
        _customer(i, signup, names, taken, random)
        for i, signup in enumerate(_signups(random), start=1)
    )


def _signups(random: Random) -> list[dt.date]:
    days = (LAST_SIGNUP - FIRST_SIGNUP).days
    # The root leans the days towards today: the company grows.
    return sorted(
        FIRST_SIGNUP + dt.timedelta(days=int(days * random.random() ** 0.72))
        for _ in range(CUSTOMERS)
    )


def _customer(
    number: int, signup: dt.date, names: dict[str, Names], taken: set[str], random: Random
) -> Customer:
    country = random.choices(COUNTRIES, [c.weight for c in COUNTRIES])[0]
    city = random.choices(country.cities, [c.weight for c in country.cities])[0]
    segment = random.choices(SEGMENTS, (74, 8, 18))[0]
    first, last = names[country.name].first(), names[country.name].last()
    born = _birth_date(signup, random)
    email = _email(first, last, born, taken, random)
    return Customer(
        id=number,
        first_name=first,
        last_name=last,
        # A few signed up in a store and left no address; the first ones all did.
        email=None if number > 100 and random.random() < 0.012 else email,
        phone=None if random.random() < 0.06 else fill(random.choice(country.phones), random),
        birth_date=born,
        national_id=(
            national_id(country.name, first, last, born, random) if random.random() < 0.8 else None
        ),
        address=street_address(country, names[country.name], random),
        postcode=postcode(city, random),
        city=city.name,
        country=country.name,
        segment=segment,
        signup_date=signup,
        marketing_opt_in=random.random() < 0.58,
        left_on=_left_on(signup, random),
    )


def _left_on(signup: dt.date, random: Random) -> dt.date | None:
    days = (TODAY - signup).days
    if random.random() > 0.04 + days / 8_000:
        return None
    return signup + dt.timedelta(days=int(days * random.uniform(0.3, 1.0)))


def _birth_date(signup: dt.date, random: Random) -> dt.date:
    age_days = int(365.25 * (18 + 62 * random.betavariate(1.6, 2.6)))
    return signup - dt.timedelta(days=age_days + 1)


def _email(first: str, last: str, born: dt.date, taken: set[str], random: Random) -> str:
    a, b = plain_letters(first.split()[0]), plain_letters(last)
    forms = (f"{a}.{b}", f"{a[0]}.{b}", f"{a}{b}", f"{a}_{b}", f"{b}.{a}", f"{a}{born:%y}")
    local = random.choices(forms, (40, 12, 14, 8, 8, 18))[0]
    domain = random.choice(_DOMAINS)
    candidate, n = f"{local}@{domain}", 1
    while candidate in taken:
        n += 1
        candidate = f"{local}{n}@{domain}"
    taken.add(candidate)
    return candidate


def street_address(country: Country, names: Names, random: Random) -> str:
    """Returns a street and a house number as `country` writes them."""
    name = names.last()
    if country.locale == "de_DE":
        name = name.replace("ß", "ss")
    return random.choice(country.streets).format(name=name, n=random.randint(1, 188))


def postcode(city: City, random: Random) -> str:
    """Returns a postcode of that city."""
    return fill(city.postcode, random)


def cards(people: Sequence[Customer]) -> tuple[Card, ...]:
    """Returns the cards on file: most customers have one, some two."""
    random = stream("cards")
    owners = [p for p in people for _ in range(random.choices((0, 1, 2), (27, 61, 12))[0])]
    return tuple(_card(i, owner, random) for i, owner in enumerate(owners, start=1))


def _card(number: int, owner: Customer, random: Random) -> Card:
    brand, prefix = random.choice(_CARD_PREFIXES)
    body = prefix + "".join(str(random.randrange(10)) for _ in range(9))
    added = owner.signup_date + dt.timedelta(
        days=int((TODAY - owner.signup_date).days * random.random())
    )
    return Card(
        id=number,
        customer_id=owner.id,
        holder=f"{owner.first_name} {owner.last_name}",
        card_brand=brand,
        card_number=body + luhn.calc_check_digit(body),
        expires=f"{random.randint(1, 12):02d}/{added.year % 100 + random.randint(2, 5):02d}",
        added_on=added,
    )


_STAFF = (
    ("Operations", "Warehouse Associate", 17, 31_000),
    ("Support", "Support Specialist", 14, 36_000),
    ("Sales", "Account Manager", 11, 52_000),
    ("Engineering", "Software Engineer", 10, 71_000),
    ("Finance", "Accountant", 5, 49_000),
    ("People", "Recruiter", 3, 46_000),
)
_HEADS = {"Operations": 88_000, "Support": 81_000, "Sales": 97_000}
_HEAD_SALARY = 104_000


def employees() -> tuple[Employee, ...]:
    """Returns the staff: one managing director, a head for each department, and their people."""
    random = stream("employees")
    names = {c.name: Names(c, "employees") for c in COUNTRIES}
    taken: set[str] = set()
    staff: list[Employee] = []

    def hire(title: str, department: str, salary: int, manager: int | None) -> int:
        country = random.choices(COUNTRIES, [c.weight for c in COUNTRIES])[0]
        first, last = names[country.name].first(), names[country.name].last()
        local = f"{plain_letters(first.split()[0])}.{plain_letters(last)}"
        if local in taken:
            local = f"{local}{len(staff)}"
        taken.add(local)
        staff.append(
            Employee(
                id=len(staff) + 1,
                first_name=first,
                last_name=last,
                email=f"{local}@shop.example",
                job_title=title,
                department=department,
                country=country.name,
                hired_on=dt.date(2022, 1, 10) + dt.timedelta(days=random.randrange(1_600)),
                salary=round(salary * random.uniform(0.88, 1.17) / 100) * 100,
                manager_id=manager,
            )
        )
        return len(staff)

    director = hire("Managing Director", "Management", 168_000, None)
    for department, title, size, salary in _STAFF:
        head = hire(
            f"Head of {department}", department, _HEADS.get(department, _HEAD_SALARY), director
        )
        for _ in range(size):
            hire(title, department, salary, head)
    return tuple(staff)
