import pickle

import pytest

from redaction import SessionKey, mask_tokens
from redaction.masks import apply, mask_for

KEY = SessionKey(b"0123456789abcdef")


@pytest.mark.parametrize(
    ("entity", "screen", "model"),
    [
        ("PERSON", "pseudonym", "pseudonym"),
        ("EMAIL_ADDRESS", "pseudonym", "pseudonym"),
        ("USERNAME", "pseudonym", "pseudonym"),
        ("PHONE_NUMBER", "last_four", "token"),
        ("CREDIT_CARD", "last_four", "token"),
        ("IBAN_CODE", "token", "token"),
        ("US_SSN", "token", "token"),
        ("NATIONAL_ID", "token", "token"),
        ("DATE_OF_BIRTH", "year", "band"),
        ("LOCATION", "token", "token"),
        ("IP_ADDRESS", "prefix", "pseudonym"),
        ("MAC_ADDRESS", "prefix", "pseudonym"),
        ("SECRET", "token", "token"),
        ("SOMETHING_ELSE", "token", "token"),
    ],
)
def test_a_stored_value_gets_the_mask_of_its_family_and_sink(entity, screen, model):
    assert mask_for(entity, "screen", "stored") == screen
    assert mask_for(entity, "model", "stored") == model
    assert mask_for(entity, "log", "stored") == model


@pytest.mark.parametrize("entity", ["PERSON", "PHONE_NUMBER", "DATE_OF_BIRTH", "IP_ADDRESS"])
@pytest.mark.parametrize("sink", ["screen", "model", "log"])
def test_a_computed_value_gets_a_token_whatever_it_was(entity, sink):
    assert mask_for(entity, sink, "derived") == "token"


@pytest.mark.parametrize("entity", ["PERSON", "EMAIL_ADDRESS", "USERNAME"])
def test_a_value_found_by_looking_gets_no_pseudonym(entity):
    assert mask_for(entity, "screen", "found") == "token"


@pytest.mark.parametrize(
    ("mask", "value", "entity", "shown"),
    [
        ("last_four", "+1 (201) 555-0142", "PHONE_NUMBER", "••••0142"),
        ("last_four", "4111 1111 1111 1111", "CREDIT_CARD", "••••1111"),
        ("last_four", "５５５０１４２９", "PHONE_NUMBER", "••••1429"),
        ("last_four", "5550142", "PHONE_NUMBER", "<PHONE_NUMBER>"),
        ("year", "1984-05-17", "DATE_OF_BIRTH", "1984"),
        ("year", "17.05.1984", "DATE_OF_BIRTH", "1984"),
        ("year", "19840517", "DATE_OF_BIRTH", "1984"),
        ("year", "17/05/84", "DATE_OF_BIRTH", "<DATE_OF_BIRTH>"),
        ("band", "1984-05-17 00:00:00", "DATE_OF_BIRTH", "1980-1984"),
        ("prefix", "203.0.113.77", "IP_ADDRESS", "203.0.*.*"),
        ("prefix", "203.113.1.7", "IP_ADDRESS", "203.*.*.*"),
        ("prefix", "2001:db8:11:22:33:44:55:66", "IP_ADDRESS", "2001:db8:11:*"),
        ("prefix", "2001:db8::1", "IP_ADDRESS", "<IP_ADDRESS>"),
        ("prefix", "AA:BB:CC:11:22:33", "MAC_ADDRESS", "aa:bb:cc:*:*:*"),
        ("prefix", "aabb.cc11.2233", "MAC_ADDRESS", "aa:bb:cc:*:*:*"),
        ("token", "anything", "NEW_KIND", "<NEW_KIND>"),
    ],
)
def test_a_partial_mask_leaves_what_it_says_or_nothing(mask, value, entity, shown):
    assert apply(mask, value, entity, KEY) == shown


@pytest.mark.parametrize("value", ["1.2.3.4", "100.100.1.1", "250.250.250.250", "9.99.9.99"])
def test_a_prefix_never_leaves_more_than_half_of_an_address(value):
    kept = [p for p in apply("prefix", value, "IP_ADDRESS", KEY).split(".") if p.isdigit()]
    assert 2 * sum(map(len, kept)) <= sum(c.isdigit() for c in value)


def test_pseudonyms_are_stable_under_a_key_and_differ_across_keys():
    first = apply("pseudonym", "Ada Lovelace", "PERSON", KEY)
    assert first == apply("pseudonym", " ADA lovelace", "PERSON", KEY)
    assert first != apply("pseudonym", "Ada Lovelace", "PERSON", SessionKey.new())
    assert first != apply("pseudonym", "Ada Byron", "PERSON", KEY)


def test_a_pseudonym_of_a_text_tells_nothing_about_a_column():
    stored = apply("pseudonym", "ada@example.org", "EMAIL_ADDRESS", KEY, "stored")
    typed = apply("pseudonym", "ada@example.org", "EMAIL_ADDRESS", KEY, "text")
    assert stored != typed


def test_a_pseudonym_never_spells_a_word():
    body = "".join(
        apply("pseudonym", f"n{i}", "PERSON", KEY).removeprefix("person_") for i in range(500)
    )
    assert not set(body) & set("aeiou")


def test_a_key_is_neither_shown_nor_pickled():
    assert "0123" not in repr(KEY)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(KEY)


def test_a_short_secret_is_no_key():
    with pytest.raises(ValueError, match="16 bytes"):
        SessionKey(b"short")


@pytest.mark.parametrize("mask", ["pseudonym", "last_four", "prefix", "token"])
@pytest.mark.parametrize(
    ("entity", "value"),
    [
        ("PERSON", "Ada Lovelace"),
        ("EMAIL_ADDRESS", "ada@example.org"),
        ("USERNAME", "ada1815"),
        ("IP_ADDRESS", "203.0.113.77"),
        ("IP_ADDRESS", "2001:db8:11:22:33:44:55:66"),
        ("MAC_ADDRESS", "aa:bb:cc:11:22:33"),
    ],
)
def test_every_mask_of_ours_is_recognised_in_a_statement(mask, entity, value):
    shown = apply(mask, value, entity, KEY)
    assert mask_tokens(f"UPDATE t SET c = '{shown}' WHERE id = 1") == (shown,)


def test_the_last_four_are_recognised_with_their_dots():
    assert mask_tokens("phone = '••••0142'") == ("••••0142",)


def test_a_pseudonym_in_other_letters_is_still_recognised():
    shown = apply("pseudonym", "Ada Lovelace", "PERSON", KEY).upper()
    assert mask_tokens(f"name = '{shown}'") == (shown,)


def test_a_pseudonym_without_its_domain_is_still_recognised():
    shown = apply("pseudonym", "ada@example.org", "EMAIL_ADDRESS", KEY)
    assert mask_tokens(f"email LIKE '{shown.partition('@')[0]}%'") == (shown.partition("@")[0],)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t WHERE a < b AND c > 3",
        "SELECT user_id, person_name, ip_address FROM person_12345678",
        "SELECT * FROM t WHERE html LIKE '%<div>%' AND v = '1.2.3'",
        "SELECT e_mail FROM t WHERE d = '1990'",
        "SELECT 2 * 3 ** 4, a.*, b.* FROM a, b",
    ],
)
def test_ordinary_statements_hold_no_masks(sql):
    assert mask_tokens(sql) == ()
