"""Two policies compared: who gains or loses what, in words."""

from __future__ import annotations

import pytest

from guard.policydiff import Meaning, meanings
from tests.company import POLICY, Company

ANALYSTS = '["customers", "orders", "tickets"]'
NAMES = ("adam", "ana", "rita", "rob")


def compared(company: Company, *edits: tuple[str, str]) -> tuple[Meaning, ...]:
    text = POLICY
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    parts = company.parts
    people = [company.person(n) for n in ("ana", "gerd", "rita", "rob", "adam", "nobody")]
    return meanings(
        parts.policy,
        parts.governing.parsed(text),
        people,
        lambda source: parts.sources.get(source).catalog(),
    )


@pytest.mark.parametrize(
    ("old", "new", "meaning"),
    [
        (
            ANALYSTS,
            '["customers", "orders", "tickets", "salaries"]',
            Meaning(effect="gains", people=NAMES, what="reading shop.salaries"),
        ),
        (
            ANALYSTS,
            '["customers", "orders"]',
            Meaning(effect="loses", people=NAMES, what="reading shop.tickets"),
        ),
        (
            'lookup = ["customers.email"]',
            'lookup = ["customers.email"]\nhide = ["orders.total"]',
            Meaning(effect="loses", people=NAMES, what="reading shop.orders.total"),
        ),
        (
            'lookup = ["customers.email"]',
            "",
            Meaning(
                effect="loses",
                people=NAMES,
                what="looking up exact values of shop.customers.email",
            ),
        ),
        (
            'propose = ["orders", "customers"]',
            'propose = ["orders", "customers", "tickets"]',
            Meaning(effect="gains", people=NAMES, what="proposing changes to shop.tickets"),
        ),
        (
            "customers = \"country = 'Germany'\"",
            "customers = \"country = 'Spain'\"",
            Meaning(
                effect="changes",
                people=("gerd",),
                what="rows of shop.customers: from (country = 'Germany') to (country = 'Spain')",
            ),
        ),
        (
            '"customers.email" = "EMAIL_ADDRESS"\n',
            "",
            Meaning(
                effect="gains",
                people=(),
                what="shop.customers.email is not masked any more (was EMAIL_ADDRESS)",
            ),
        ),
        (
            'members = ["gerd"]',
            'members = ["gerd", "nobody"]',
            Meaning(effect="gains", people=("nobody",), what="the source shop"),
        ),
        (
            "version = 1\n",
            "version = 1\n[approvals]\ncommand_line = false\n",
            Meaning(effect="changes", people=(), what="approvals.command_line: True to False"),
        ),
        (
            'environment = "production"',
            'environment = "staging"',
            Meaning(
                effect="changes", people=(), what="sources.shop.environment: production to staging"
            ),
        ),
    ],
)
def test_a_change_is_told_as_what_it_means(
    company: Company, old: str, new: str, meaning: Meaning
) -> None:
    assert meaning in compared(company, (old, new))


def test_the_same_rights_mean_nothing(company: Company) -> None:
    assert compared(company, ("version = 1", "\nversion = 1")) == ()


def test_gains_come_first(company: Company) -> None:
    found = compared(company, (ANALYSTS, '["customers", "salaries"]'))
    effects = [m.effect for m in found]
    assert effects == sorted(effects, key=["gains", "loses", "changes"].index)
    assert effects[0] == "gains"
