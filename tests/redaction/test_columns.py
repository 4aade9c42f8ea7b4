import random

import pyarrow as pa
import pytest

from redaction import ColumnVerdict, redact_table
from redaction.detect import checks
from redaction.lexicon import hint


def shown(values, key, name="x", **verdict):
    table = pa.table([pa.array(values)], names=[name])
    verdicts = [ColumnVerdict(name=name, **verdict)]
    return redact_table(table, verdicts, sink="screen", key=key).table.column(0).to_pylist()


def luhn(body):
    return next(body + d for d in "0123456789" if checks.luhn(body + d))


@pytest.mark.parametrize(
    ("name", "owner", "entity", "strength"),
    [
        ("email", None, "EMAIL_ADDRESS", "strong"),
        ("customerEmail_1", None, "EMAIL_ADDRESS", "strong"),
        ("CONTACT_PHONE", None, "PHONE_NUMBER", "strong"),
        ("vorname", None, "PERSON", "strong"),
        ("Prénom", None, "PERSON", "strong"),
        ("imię", None, "PERSON", "strong"),
        ("фамилия", None, "PERSON", "strong"),
        ("氏名", None, "PERSON", "strong"),
        ("employee", None, "PERSON", "likely"),
        ("name", None, "PERSON", "weak"),
        ("name", "customers", "PERSON", "likely"),
        ("last_login_ip", None, "IP_ADDRESS", "strong"),
        ("ip_address", None, "IP_ADDRESS", "strong"),
        ("btc_address", None, "CRYPTO", "strong"),
        ("date_of_birth", None, "DATE_OF_BIRTH", "strong"),
        ("card_number", None, "CREDIT_CARD", "strong"),
        ("access_token", None, "SECRET", "strong"),
        ("email_verified_count", None, None, None),
        ("address_type", None, None, None),
        ("name_length", None, None, None),
        ("host_name", None, None, None),
        ("product_name", None, None, None),
        ("name", "products", None, None),
        ("title", "albums", None, None),
        ("user_id", None, None, None),
        ("email_id", "users", "EMAIL_ADDRESS", "strong"),
        ("?column?", None, None, None),
        ("billing_city", "invoices", None, None),
    ],
)
def test_a_column_name_says_what_its_words_say(name, owner, entity, strength):
    said = hint(name, owner)
    assert (said.entity, said.strength) == (entity, strength)


def test_one_address_among_ten_thousand_cells_is_found(key):
    values = [f"see notes {i}" for i in range(10_000)]
    values[7_777] = "call ada@example.org asap"
    masked = shown(values, key, name="label")
    assert masked[7_777] == "call <EMAIL_ADDRESS> asap"
    assert sum(a != b for a, b in zip(masked, values, strict=True)) == 1


def test_a_column_of_right_check_digits_is_no_chance(key):
    r = random.Random(1)
    cards = [int(luhn(f"4{r.randrange(10**14):014}")) for _ in range(20)]
    assert all(v.startswith("••••") for v in shown(cards, key))


def test_numbers_that_pass_a_check_by_chance_stay(key):
    r = random.Random(2)
    numbers = [str(r.randrange(4 * 10**15, 5 * 10**15)) for _ in range(400)]
    assert any(checks.luhn(n) for n in numbers)
    assert shown(numbers, key, name="ref") == numbers


@pytest.mark.parametrize("start", [1, 100_000_000, 310_270_645, 4_000_000_000_000_000])
def test_running_numbers_stay(start, key):
    numbers = list(range(start, start + 40))
    assert shown(numbers, key, name="x") == numbers


@pytest.mark.parametrize(
    "names",
    [
        ["Анна Петрова", "Иван Смирнов", "Олег Ким", "Вера Волкова", "Игорь Орлов"],
        ["Ελένη Παππά", "Νίκος Γεωργίου", "Μαρία Λάμπρου", "Γιώργος Δήμας", "Άννα Ρήγα"],
        ["田中 太郎", "佐藤 花子", "鈴木 一郎", "高橋 健", "伊藤 愛"],
        ["王小明", "李娜", "张伟", "刘洋", "陈静"],
        ["김민준", "이서연", "박지훈", "최수아", "정예은"],
        ["أحمد حسن", "فاطمة علي", "محمد سعيد", "مريم خالد", "يوسف عمر"],
        ["Jillian Payne", "Marco Rossi", "Anna Kowalska", "José García", "Lars Nilsson"],
        ["PAYNE, JILLIAN", "ROSSI, MARCO", "NILSSON, LARS", "GARCIA, JOSE", "BAUER, UWE"],
    ],
    ids=["ru", "el", "ja", "zh", "ko", "ar", "latin", "upper"],
)
def test_a_column_of_names_is_recognised_without_a_telling_name(names, key):
    assert shown(names, key, name="c3") == ["<PERSON>"] * 5


@pytest.mark.parametrize(
    "values",
    [
        ["Berlin", "Lyon", "Madrid", "Austin", "Lisbon", "Turin"],
        ["Georgia", "Jordan", "Israel", "Chad", "France", "Kenya"],
        ["Rock", "Jazz", "Metal", "Blues", "Easy Listening", "Hip Hop"],
        ["Sales", "Legal", "Customer Success", "Finance", "Support", "R&D"],
        ["Teaching laboratory technician", "Energy manager", "Merchant navy officer"],
        ["pending", "on hold", "closed", "shipped"],
        ["January", "May", "June", "August", "April"],
        ["cole.com", "smith.org", "garcia.net", "jones.io", "miller.dev"],
    ],
    ids=lambda v: v[0],
)
def test_words_that_are_no_names_stay_without_a_telling_name(values, key):
    assert shown(values, key, name="c3") == values


def test_addresses_are_recognised_without_a_telling_name(key):
    values = [f"{n} Oak Street, Springfield, OR 9740{n % 10}" for n in range(10, 20)]
    assert shown(values, key, name="c3") == ["<LOCATION>"] * 10


def test_values_are_looked_at_once_and_counted_by_row(key):
    table = pa.table({"x": ["a@b.example"] * 7 + ["ok"] * 3})
    report = redact_table(table, [ColumnVerdict(name="x")], sink="screen", key=key).columns[0]
    assert report.masked_cells == 7
    assert report.entities == (("EMAIL_ADDRESS", 7),)
