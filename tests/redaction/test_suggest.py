import datetime as dt

import pytest

from redaction import suggest_tag


@pytest.mark.parametrize(
    ("table", "column", "kind", "samples", "entity"),
    [
        ("customers", "email", "VARCHAR", ["a@b.example"], "EMAIL_ADDRESS"),
        ("customers", "FirstName", "NVARCHAR(40)", ["Luís", "Leonie"], "PERSON"),
        ("customers", "name", "TEXT", ["Maria Gonzalez", "John Smith", "Anna Schmidt"], "PERSON"),
        ("customers", "born", "DATE", [dt.date(1984, 5, 17)], "DATE_OF_BIRTH"),
        ("payments", "ref", "BIGINT", [4111111111111111, 5500005555555559, 4012888888881881,
         4000056655665556, 5105105105105100, 4242424242424242,
         5555555555554444, 4000002760003184], "CREDIT_CARD"),
        ("payments", "iban", "TEXT", [], "IBAN_CODE"),
        ("events", "origin", "TEXT", ["203.0.113.7", "203.0.113.8", "198.51.100.4", "192.0.2.44"],
         "IP_ADDRESS"),
        ("tickets", "body", "TEXT", ["Customer Anna Schmidt called about her order and refund."],
         "FREE_TEXT"),
        ("users", "password_hash", "TEXT", ["x"], "SECRET"),
    ],
)  # fmt: skip
def test_a_tag_comes_with_a_reason_that_quotes_no_value(table, column, kind, samples, entity):
    suggestion = suggest_tag(table, column, kind, samples)
    assert suggestion is not None
    assert suggestion.entity == entity
    assert 0 < suggestion.confidence <= 1
    assert not any(str(s) in suggestion.why for s in samples if len(str(s)) > 2)


@pytest.mark.parametrize(
    ("table", "column", "kind", "samples"),
    [
        ("products", "name", "TEXT", ["Clara Sofa", "Lily Vase", "Desk Lamp"]),
        ("albums", "Title", "NVARCHAR(160)", ["Back in Black", "Let There Be Rock", "Big Ones"]),
        ("artists", "Name", "NVARCHAR(120)", ["Ella Fitzgerald", "Eric Clapton", "Marisa Monte"]),
        ("orders", "order_id", "INTEGER", [1, 2, 3]),
        ("orders", "ordered_at", "TIMESTAMP", ["2024-01-01 10:00:00"]),
        ("customers", "city", "TEXT", ["Madison", "Florence", "Paris"]),
        ("customers", "email_verified", "BOOLEAN", [True, False]),
        ("customers", "segment", "TEXT", []),
    ],
)
def test_no_tag_is_suggested_where_nothing_asks_for_one(table, column, kind, samples):
    assert suggest_tag(table, column, kind, samples) is None


def test_agreeing_values_make_a_suggestion_surer():
    alone = suggest_tag("t", "email", "TEXT", ["n/a"])
    agreed = suggest_tag("t", "email", "TEXT", [f"{c}@b.example" for c in "abcdefgh"])
    assert alone is not None
    assert agreed is not None
    assert alone.confidence < agreed.confidence
