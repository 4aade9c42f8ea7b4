import datetime as dt

import pyarrow as pa
import pytest

from redaction import ColumnVerdict, redact_table

NAMES = ["Maria Gonzalez", "John Smith", "Maria Gonzalez"]
NOTE = "Customer Ada Lovelace called from +1 201-555-0142 about her order."


def run(values, key, sink="screen", name="x", **verdict):
    table = pa.table([pa.array(values)], names=[name])
    result = redact_table(table, [ColumnVerdict(name=name, **verdict)], sink=sink, key=key)
    return result.table.column(0).to_pylist(), result.columns[0]


def test_a_declared_column_keeps_equal_values_equal_for_grouping_and_joining(key):
    shown, report = run(NAMES, key, basis="declared", entity="PERSON", source="customers.name")
    assert shown[0] == shown[2] != shown[1]
    assert shown[0].startswith("person_")
    again, _ = run(NAMES[:1], key, sink="model", basis="declared", entity="PERSON")
    assert again == shown[:1]
    assert report.entities == (("PERSON", 3),)


def test_the_reason_names_the_source_column_and_its_tag(key):
    _, report = run(
        ["a@b.example", None], key, name="email",
        basis="declared", entity="EMAIL_ADDRESS", source="customers.email",
    )  # fmt: skip
    assert report.reason == ("1 cell in email is masked: customers.email is tagged EMAIL_ADDRESS.")


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (
            {"basis": "lineage", "entity": "PERSON", "source": "c.name"},
            "3 cells in x are masked: they are computed from c.name, which is tagged PERSON.",
        ),
        (
            {"basis": "implicit", "entity": "PERSON", "source": "c.name"},
            "3 cells in x are masked: they tell something about c.name, which is personal data.",
        ),
        (
            {"basis": "unknown"},
            "3 cells in x are masked: where the values come from could not be traced.",
        ),
        ({"basis": "clean"}, "3 cells in x are masked: the values look like PERSON."),
    ],
)
def test_each_basis_has_its_own_reason(verdict, reason, key):
    assert run(NAMES, key, **verdict)[1].reason == reason


def test_a_column_masked_by_its_name_says_so(key):
    _, report = run(["x1", "x2"], key, name="passport_no", basis="none")
    assert report.reason == (
        "2 cells in passport_no are masked: the name of the column says PASSPORT."
    )


@pytest.mark.parametrize("basis", ["implicit", "unknown"])
def test_promise_08_untraced_and_implied_values_are_masked_with_their_nulls(basis, key):
    shown, report = run([1, None, 3], key, basis=basis, entity="EMAIL_ADDRESS", reveal=True)
    assert shown == ["<MASKED>"] * 3
    assert report.masked_cells == 3


def test_promise_08_computed_values_give_no_pseudonym_to_compare_guesses_with(key):
    letters, _ = run(["A", "G", "A", ""], key, basis="lineage", entity="PERSON")
    assert letters == ["<PERSON>"] * 4


def test_the_right_to_reveal_counts_on_the_screen_only(key):
    verdict = {"basis": "declared", "entity": "PERSON", "source": "c.name", "reveal": True}
    shown, report = run(NAMES, key, **verdict)
    assert shown == NAMES
    assert report.reason == "c.name is tagged PERSON; it is shown because you may see it."
    for sink in ("model", "log"):
        assert not set(run(NAMES, key, sink=sink, **verdict)[0]) & set(NAMES)


@pytest.mark.parametrize("tag", ["SECRET", "PASSWORD", "api_key"])
def test_promise_08_secrets_are_shown_to_nobody(tag, key):
    shown, _ = run(["hunter2!", "s3cr3t?"], key, basis="declared", entity=tag, reveal=True)
    assert shown == ["<SECRET>"] * 2


def test_a_secret_inside_a_revealed_column_stays_hidden(key):
    cells = ["ghp_" + "a1B2" * 9, "Ada Lovelace"]
    shown, report = run(cells, key, basis="declared", entity="PERSON", reveal=True)
    assert shown == ["<SECRET>", "Ada Lovelace"]
    assert "are never shown" in report.reason


def test_free_text_shows_spans_on_the_screen_and_nothing_elsewhere(key):
    verdict = {"basis": "declared", "free_text": True, "source": "tickets.body"}
    shown, report = run([NOTE], key, **verdict)
    assert shown == ["Customer <PERSON> called from ••••0142 about her order."]
    assert "tickets.body is free text" in report.reason
    assert run([NOTE, "All fine here."], key, sink="model", **verdict)[0] == ["<FREE_TEXT>"] * 2
    assert run([NOTE], key, sink="log", **verdict)[0] == [
        "<FREE_TEXT> 66 characters, 1 PERSON, 1 PHONE_NUMBER"
    ]


def test_a_piece_cut_from_free_text_is_masked_whole(key):
    shown, _ = run(["Lovel"], key, basis="lineage", free_text=True, source="tickets.body")
    assert shown == ["<FREE_TEXT>"]


def test_a_sentence_nobody_declared_goes_to_the_model_only_without_its_people(key):
    cells = [NOTE, "The parcel left the warehouse on Monday."]
    assert run(cells, key, sink="model", basis="clean")[0] == ["<FREE_TEXT>", cells[1]]


def test_a_tag_that_names_nothing_known_is_still_masked(key):
    shown, _ = run(["abc"], key, basis="declared", entity="Loyalty Number!")
    assert shown == ["<LOYALTY_NUMBER>"]


def test_a_date_is_masked_only_where_it_is_a_birth_date(key):
    days = [dt.date(1984, 5, 17), dt.date(1990, 1, 2)]
    assert run(days, key, name="order_date", basis="clean")[0] == days
    birth = {"name": "d", "basis": "declared", "entity": "DATE_OF_BIRTH"}
    assert run(days, key, **birth)[0] == ["1984", "1990"]
    assert run(days, key, sink="model", **birth)[0] == ["1980-1984", "1990-1994"]


@pytest.mark.parametrize(
    ("name", "source", "values"),
    [
        ("name", "products.name", ["Kasa Headphones", "Clara Sofa", "Henry Hoover", "Lily Vase"]),
        (
            "Name",
            "artists.Name",
            ["Ella Fitzgerald", "Marisa Monte", "Eric Clapton"],
        ),
        ("Title", "albums.Title", ["Angel Dust", "Alice In Chains", "Diego Torres", "Maria Rita"]),
        ("n", "products.name", ["Maria Gomez", "John Smith", "Anna Schmidt", "Peter Parker"]),
        ("city", "customers.city", ["Madison", "Victoria", "Florence", "Paris"]),
        ("country", "customers.country", ["Georgia", "Jordan", "Chad", "Israel"]),
        ("company", "suppliers.company", ["Foley-Camacho", "Mckee Ltd", "Smith and Jones", "Levy"]),
        ("order_id", "orders.order_id", [310270645, 521916284, 177165731, 4111111111111111]),
        ("id", "orders.id", ["32064c8e-42c2-4e57-9975-0b9d345f2b61"]),
        ("order_no", "orders.order_no", ["ORD-2024-000123", "ORD-2024-000124"]),
        ("version", "builds.version", ["10.4.2.1", "10.4.2.2", "2.14.3", "v1.0.0"]),
        ("ean", "products.ean", ["4006381333931", "5901234123457", "4012345678901"]),
        ("sku", "products.sku", ["064-1926-61", "067-6606-54", "188-9481-35"]),
        ("created_at", "orders.created_at", ["2018-10-21 19:25:21", "2023-10-04 15:12:56"]),
        ("digest", "files.digest", ["2b03e7f5f5f1f38fb97fe8a953c06e1f"]),
    ],
)
def test_what_only_looks_like_personal_data_comes_back_unchanged(name, source, values, key):
    shown, report = run(values, key, name=name, basis="clean", source=source)
    assert shown == values
    assert report.masked_cells == 0


def test_an_alias_cannot_talk_the_engine_out_of_a_known_source(key):
    shown, _ = run(NAMES, key, name="product_name", basis="clean", source="customers.contact")
    assert shown == ["<PERSON>"] * 3


def test_an_untagged_column_with_a_telling_name_is_masked_under_any_alias(key):
    shown, _ = run(["a@b.example"], key, name="country", basis="clean", source="users.email")
    assert shown == ["<EMAIL_ADDRESS>"]
