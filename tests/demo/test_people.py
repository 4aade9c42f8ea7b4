from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable

import phonenumbers
import pytest
from stdnum import luhn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.de import idnr
from stdnum.es import dni
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.jp import in_
from stdnum.pt import nif
from stdnum.us import ssn

NINO = re.compile(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]( \d\d){3} [A-D]")
CHECKS: dict[str, Callable[[str], bool]] = {
    "Brazil": cpf.is_valid,
    "Canada": sin.is_valid,
    "France": nir.is_valid,
    "Germany": idnr.is_valid,
    "Italy": codicefiscale.is_valid,
    "Japan": in_.is_valid,
    "Portugal": nif.is_valid,
    "Spain": dni.is_valid,
    "United Kingdom": lambda number: NINO.fullmatch(number) is not None,
    "United States": ssn.is_valid,
}


def column(db: sqlite3.Connection, sql: str) -> list[object]:
    return [row[0] for row in db.execute(sql)]


def test_every_address_is_of_a_domain_reserved_for_examples(shop: sqlite3.Connection) -> None:
    emails = column(
        shop,
        "SELECT email FROM customers WHERE email IS NOT NULL UNION SELECT email FROM employees",
    )

    assert len(emails) > 2_000
    form = re.compile(r"[a-z0-9._]+@(example\.(com|org|net)|shop\.example)")
    assert [e for e in emails if not form.fullmatch(str(e))] == []


def test_some_customers_left_no_address_or_phone_but_number_42_did(
    shop: sqlite3.Connection,
) -> None:
    (without_email,) = shop.execute("SELECT count(*) FROM customers WHERE email IS NULL").fetchone()
    (without_phone,) = shop.execute("SELECT count(*) FROM customers WHERE phone IS NULL").fetchone()

    assert 5 < without_email < 100
    assert 50 < without_phone < 300
    assert column(shop, "SELECT email FROM customers WHERE id = 42") != [None]


def test_phones_are_numbers_of_the_customers_country(shop: sqlite3.Connection) -> None:
    regions = {
        "Brazil": 55,
        "Canada": 1,
        "France": 33,
        "Germany": 49,
        "Italy": 39,
        "Japan": 81,
        "Portugal": 351,
        "Spain": 34,
        "United Kingdom": 44,
        "United States": 1,
    }
    rows = shop.execute("SELECT country, phone FROM customers WHERE phone IS NOT NULL").fetchall()

    for country, phone in rows:
        parsed = phonenumbers.parse(phone)
        assert parsed.country_code == regions[country], phone
        assert phonenumbers.is_valid_number(parsed), phone


@pytest.mark.parametrize("country", sorted(CHECKS))
def test_national_ids_pass_the_checks_of_their_country(
    shop: sqlite3.Connection, country: str
) -> None:
    rows = shop.execute(
        "SELECT national_id FROM customers WHERE country = ? AND national_id IS NOT NULL", [country]
    ).fetchall()

    assert len(rows) > 50
    assert [n for (n,) in rows if not CHECKS[country](n)] == []


def test_cards_pass_the_luhn_check_and_are_of_test_ranges(shop: sqlite3.Connection) -> None:
    numbers = [str(n) for n in column(shop, "SELECT card_number FROM payment_cards")]

    assert len(numbers) > 1_000
    assert all(luhn.is_valid(n) and len(n) == 16 for n in numbers)
    assert {n[:6] for n in numbers} == {"424242", "411111", "555555"}


def test_everybody_was_grown_up_when_they_signed_up(shop: sqlite3.Connection) -> None:
    (young,) = shop.execute(
        "SELECT count(*) FROM customers WHERE date(birth_date, '+18 years') > signup_date"
    ).fetchone()

    assert young == 0


def test_names_are_local_and_in_latin_letters(shop: sqlite3.Connection) -> None:
    rows = shop.execute("SELECT country, first_name, last_name FROM customers").fetchall()

    assert all(ord(c) < 0x250 for _, a, b in rows for c in a + b)
    german = {b for country, _, b in rows if country == "Germany"}
    japanese = {b for country, _, b in rows if country == "Japan"}
    assert len(german) > 150
    assert not german & japanese


def test_postcodes_and_streets_have_no_blank_left(shop: sqlite3.Connection) -> None:
    texts = column(shop, "SELECT address || '|' || postcode FROM customers")

    assert [t for t in texts if re.search(r"[#@{}]", str(t))] == []


def test_staff_has_one_head_and_everybody_else_a_manager(shop: sqlite3.Connection) -> None:
    (heads,) = shop.execute("SELECT count(*) FROM employees WHERE manager_id IS NULL").fetchone()
    (lost,) = shop.execute(
        "SELECT count(*) FROM employees WHERE manager_id NOT IN (SELECT id FROM employees)"
    ).fetchone()

    assert (heads, lost) == (1, 0)
