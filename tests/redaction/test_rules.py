import itertools

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from redaction.detect.presidio import RULES
from redaction.detect.rule import Rule
from redaction.detect.spans import resolve

BY_NAME = {rule.name: rule for rule in RULES}

FOUND = [
    ("email", "write to <jörg.müller+x@bücher.example> now", "jörg.müller+x@bücher.example"),
    ("email", "https://shop.example/u?email=ann.o@example.org&utm=1", "ann.o@example.org"),
    ("email_spelt", "ann.o (at) mail (dot) example (dot) org",
     "ann.o (at) mail (dot) example (dot) org"),
    ("email_spelt", "ann_o at mail dot example dot org", "ann_o at mail dot example dot org"),
    ("phone_international", "call +44 (0)20 7946 0958 today", "+44 (0)20 7946 0958"),
    ("phone_international", "連絡先+81-3-1234-5678", "+81-3-1234-5678"),
    ("phone_north_american", "at (212) 555-0123 x45.", "(212) 555-0123 x45"),
    ("phone_national", "tel. 030 901820", "030 901820"),
    ("card", "order 12 4111 1111 1111 1111 13", "4111 1111 1111 1111"),
    ("card", "6011-0009-9013-9424", "6011-0009-9013-9424"),
    ("card", "378282246310005", "378282246310005"),
    ("iban", "to DE89 3704 0044 0532 0130 00 please", "DE89 3704 0044 0532 0130 00"),
    ("iban", "IR900997740143914754235551", "IR900997740143914754235551"),
    ("iban", "gb82west12345698765432 was", "gb82west12345698765432"),
    ("us_ssn", "SSN 219-09-9999.", "219-09-9999"),
    ("us_ssn_spaced", "ssn is 219 09 9999", "219 09 9999"),
    ("us_itin", "912-70-1234", "912-70-1234"),
    ("uk_nino", "NINO AB 12 34 56 C", "AB 12 34 56 C"),
    ("it_fiscal_code", "CF RSSMRA85T10A562S", "RSSMRA85T10A562S"),
    ("fi_hetu", "131052-308T", "131052-308T"),
    ("br_cpf", "CPF 390.533.447-05", "390.533.447-05"),
    ("cn_ric", "11010519491231002X", "11010519491231002X"),
    ("pl_pesel", "PESEL 44051401359", "44051401359"),
    ("nl_bsn", "bsn: 111222333", "111222333"),
    ("passport", "passport no. X1234567", "X1234567"),
    ("ipv4", "from 203.0.113.7:8080 at", "203.0.113.7:8080"),
    ("ipv6", "peer 2001:db8::ff00:42:8329 up", "2001:db8::ff00:42:8329"),
    ("mac", "mac 3c:22:fb:9a:01:7e", "3c:22:fb:9a:01:7e"),
    ("mac_dotted", "3c22.fb9a.017e", "3c22.fb9a.017e"),
    ("wallet_ethereum", "0x52908400098527886E0F7030069857D2E4169EE7",
     "0x52908400098527886E0F7030069857D2E4169EE7"),
    ("wallet_bitcoin", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("token", "key=ghp_" + "aB3d" * 9, "ghp_" + "aB3d" * 9),
    ("token", "AKIAQ3EGVBWN7KLMN2PQ", "AKIAQ3EGVBWN7KLMN2PQ"),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"),
    ("password_hash", "$2b$12$" + "a1B/" * 13 + "x", "$2b$12$" + "a1B/" * 13 + "x"),
    ("url_credentials", "postgres://app:s3cr3t@db.example:5432/x", "app:s3cr3t"),
    ("url_parameter", "https://a.example/r?token=abcdef123456&p=2", "abcdef123456"),
    ("assignment", "the password is: hunter2!", "hunter2!"),
    ("authorization", "Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
    ("address_english", "ship to 742 Evergreen Terrace, Springfield, OR 97403 now",
     "742 Evergreen Terrace, Springfield, OR 97403"),
    ("address_compound", "wohnt Hauptstraße 12 in Bonn", "Hauptstraße 12"),
    ("address_kind_first", "Calle de Alcalá 42", "Calle de Alcalá 42"),
    ("address_french", "12, rue de la Paix, 75002 Paris", "12, rue de la Paix, 75002 Paris"),
]  # fmt: skip

NOT_FOUND = [
    ("email", "a @ b, root@localhost, @mention, user@"),
    ("phone_international", "+0.12345678 and +1.5 and GMT+0200"),
    ("phone_north_american", "111-222-3333 and 2024-555-0123"),
    ("phone_national", "order 030 901820"),
    ("card", "4111 1111 1111 1112"),
    ("card", "12345678901234567890123"),
    ("iban", "DE89370400440532013001"),
    ("us_ssn", "000-12-3456 666-12-3456 123-00-4567 1219-09-9999 219-09-99991"),
    ("us_ssn_spaced", "room 219 09 9999"),
    ("pl_pesel", "order 44051401359"),
    ("ipv4", "version 10.4.2.1, v1.2.3.4, 1.2.3.4.5, 127.0.0.1, 0.0.0.0, 1.2.3.400"),
    ("ipv6", "02:52:11 and std::string and ::1"),
    ("mac", "00:00:00:00:00:00"),
    ("wallet_ethereum", "0x0000000000000000000000000000000000000000"),
    ("token", "sk-short and pi_S4RZ2wadMFQZQ48In7Cmleok"),
    ("assignment", "password reset mail bounced, token: <SECRET>"),
    ("url_credentials", "https://www.example.com/a:b@c and http://x:****@y"),
    ("passport", "order X1234567"),
    ("address_english", "bought 12 big Garden chairs"),
]


def covered(rule: Rule, text: str) -> list[str]:
    return [text[s.start : s.end] for s in rule.find_in_prose(text)]


@pytest.mark.parametrize(
    ("name", "text", "value"), FOUND, ids=[f"{n}-{v[:20]}" for n, _, v in FOUND]
)
def test_a_rule_finds_its_value_and_nothing_around_it(name, text, value):
    assert value in covered(BY_NAME[name], text)


@pytest.mark.parametrize(("name", "text"), NOT_FOUND, ids=[n for n, _ in NOT_FOUND])
def test_a_rule_leaves_lookalikes_alone(name, text):
    assert covered(BY_NAME[name], text) == []


@pytest.mark.parametrize(
    ("name", "text", "value"), FOUND, ids=[f"{n}-{v[:20]}" for n, _, v in FOUND]
)
def test_the_trigger_over_columns_fires_wherever_the_rule_finds(name, text, value):
    assert pc.match_substring_regex(pa.array([text]), BY_NAME[name].trigger)[0].as_py()


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_every_trigger_is_a_pattern_re2_knows(rule):
    assert pc.match_substring_regex(pa.array([""]), rule.trigger)[0].as_py() in (True, False)


def test_rule_names_are_unique():
    assert len(BY_NAME) == len(RULES)


def test_what_stands_behind_a_password_in_a_url_stays_readable():
    text = "https://bob:s3cr3t99@git.example.com/repo"
    spans = resolve((s for r in RULES for s in r.find_in_prose(text)), text)
    assert [text[s.start : s.end] for s in spans] == ["bob:s3cr3t99"]


def test_overlapping_finds_cover_everything_once():
    text = "ann.smith@example.org 219-09-9999"
    spans = resolve((s for r in RULES for s in r.find_in_prose(text)), text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert [s.entity for s in spans] == ["EMAIL_ADDRESS", "US_SSN"]
