"""A mask over a cell is not enough: NULLs, counts, rows and failures must tell nothing either."""

from __future__ import annotations

import pytest

from guard import Refused
from tests.company import Company

TELLING = [
    "SELECT id, nullif(substr(email, 1, 1), 'a') FROM customers",
    "SELECT id, count(CASE WHEN email < 'm' THEN 1 END) FROM customers GROUP BY id",
    "SELECT count(nullif(substr(email, 1, 1), 'a')) FROM customers",
    "SELECT count(x) FROM (SELECT nullif(email, 'a') AS x FROM customers)",
    "SELECT CASE WHEN email LIKE 'a%' THEN abs(-9223372036854775807 - 1) ELSE 1 END FROM customers",
    "SELECT CASE email WHEN 'a' THEN 1 END FROM customers",
    "SELECT iif(email > 'm', 1, 2) FROM customers",
    "SELECT json_extract(email, '$') FROM customers",
    "SELECT sum(length(email) * 9223372036854775807) FROM customers",
    "SELECT count(1 / (unicode(email) - 97)) FROM customers",
    "SELECT abs(email) FROM customers",
]
HARMLESS = [
    "SELECT upper(email), last_name || ' ' || email, coalesce(email, '-') FROM customers",
    "SELECT country, count(email), count(email) * 100.0 / count(*) FROM customers GROUP BY country",
    "SELECT CASE WHEN country = 'Spain' THEN email ELSE last_name END FROM customers",
    "SELECT max(last_name), group_concat(email) FROM customers",
    "SELECT count(CASE WHEN country = 'Spain' THEN 1 END) FROM customers",
]


@pytest.mark.parametrize("sql", TELLING)
def test_promise_08_what_tells_about_a_masked_value_is_refused(company: Company, sql: str) -> None:
    with pytest.raises(Refused) as caught:
        company.parts.gate.query(sql, source="shop", caller=company.caller("ana"))
    assert caught.value.refusal.rule == "masked.predicate"


@pytest.mark.parametrize("sql", HARMLESS)
def test_promise_08_what_a_mask_hides_wholly_still_runs(company: Company, sql: str) -> None:
    assert company.parts.gate.query(sql, source="shop", caller=company.caller("ana")).rows()


@pytest.mark.parametrize(
    "expression", ["replace(body, '@', '#')", "hex(body)", "substr(body, 3, 9)", "body || ''"]
)
def test_promise_08_prose_that_was_cut_up_or_encoded_is_masked(
    company: Company, expression: str
) -> None:
    result = company.parts.gate.query(
        f"SELECT {expression} FROM tickets WHERE body IS NOT NULL",
        source="shop",
        caller=company.caller("ana"),
    )
    assert {row[0] for row in result.rows()} == {"<FREE_TEXT>"}
