"""The kinds of personal data: Presidio's entity names, and what they have in common."""

from __future__ import annotations

import re
from typing import Final, Literal

Sink = Literal["screen", "model", "log"]
Family = Literal[
    "identity", "number", "id", "date", "place", "network", "secret", "prose", "encoded", "other"
]

PERSON: Final = "PERSON"
EMAIL_ADDRESS: Final = "EMAIL_ADDRESS"
USERNAME: Final = "USERNAME"
PHONE_NUMBER: Final = "PHONE_NUMBER"
CREDIT_CARD: Final = "CREDIT_CARD"
IBAN_CODE: Final = "IBAN_CODE"
CRYPTO: Final = "CRYPTO"
IP_ADDRESS: Final = "IP_ADDRESS"
MAC_ADDRESS: Final = "MAC_ADDRESS"
LOCATION: Final = "LOCATION"
"""A street address. Cities, regions and countries alone are not personal data here."""
DATE_OF_BIRTH: Final = "DATE_OF_BIRTH"
SECRET: Final = "SECRET"  # noqa: S105 - the name of an entity, not a password
US_SSN: Final = "US_SSN"
NATIONAL_ID: Final = "NATIONAL_ID"
PASSPORT: Final = "PASSPORT"
DRIVER_LICENSE: Final = "DRIVER_LICENSE"
BANK_ACCOUNT: Final = "BANK_ACCOUNT"
FREE_TEXT: Final = "FREE_TEXT"
ENCODED: Final = "ENCODED"
MASKED: Final = "MASKED"
"""Stands where nothing more is known than that a value must not be shown."""

_ALIASES: Final = {
    "NAME": PERSON,
    "FULL_NAME": PERSON,
    "EMAIL": EMAIL_ADDRESS,
    "USER": USERNAME,
    "USER_NAME": USERNAME,
    "PHONE": PHONE_NUMBER,
    "CARD": CREDIT_CARD,
    "CARD_NUMBER": CREDIT_CARD,
    "IBAN": IBAN_CODE,
    "IP": IP_ADDRESS,
    "MAC": MAC_ADDRESS,
    "ADDRESS": LOCATION,
    "STREET_ADDRESS": LOCATION,
    "DOB": DATE_OF_BIRTH,
    "BIRTH_DATE": DATE_OF_BIRTH,
    "SSN": US_SSN,
    "US_PASSPORT": PASSPORT,
    "US_DRIVER_LICENSE": DRIVER_LICENSE,
    "US_BANK_NUMBER": BANK_ACCOUNT,
    "PASSWORD": SECRET,
    "TOKEN": SECRET,
    "API_KEY": SECRET,
}

_FAMILIES: Final[dict[str, Family]] = {
    PERSON: "identity",
    EMAIL_ADDRESS: "identity",
    USERNAME: "identity",
    PHONE_NUMBER: "number",
    CREDIT_CARD: "number",
    DATE_OF_BIRTH: "date",
    LOCATION: "place",
    IP_ADDRESS: "network",
    MAC_ADDRESS: "network",
    SECRET: "secret",
    FREE_TEXT: "prose",
    ENCODED: "encoded",
    MASKED: "other",
}

_NOT_ALLOWED = re.compile(r"[^A-Z0-9_]+")


def canonical(tag: str) -> str:
    """Returns the entity a tag means, upper case, with the common short forms resolved.

    A tag nobody knows stays as it is, cut down to letters, digits and underscores, so that it can
    stand in a mask.
    """
    name = _NOT_ALLOWED.sub("_", tag.strip().upper()).strip("_")
    return _ALIASES.get(name, name) or MASKED


def family(entity: str) -> Family:
    """Returns the family that decides how the entity is masked; unknown entities are ids."""
    return _FAMILIES.get(entity, "id")
