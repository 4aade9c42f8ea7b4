import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pytest

from redaction import ColumnVerdict, RedactionError, redact_table

EMAILS = ["ada@example.org", "grace@example.com", None, "ada@example.org"]


def run(array, key, sink="screen", **verdict):
    table = pa.table([array], names=[verdict.get("name", "x")])
    result = redact_table(table, [ColumnVerdict(**{"name": "x", **verdict})], sink=sink, key=key)
    return result.table.column(0), result.columns[0]


def test_columns_are_matched_by_position_so_duplicate_and_empty_names_work(key):
    table = pa.Table.from_arrays(
        [pa.array(EMAILS), pa.array([1, 2, 3, 4]), pa.array(EMAILS)], names=["", "v", ""]
    )
    verdicts = [
        ColumnVerdict(name="", basis="declared", entity="EMAIL_ADDRESS", source="c.email"),
        ColumnVerdict(name="v", basis="clean"),
        ColumnVerdict(name="", basis="lineage", entity="EMAIL_ADDRESS", source="c.email"),
    ]
    result = redact_table(table, verdicts, sink="screen", key=key)
    assert result.table.column_names == ["", "v", ""]
    first, second, third = (c.to_pylist() for c in result.table.columns)
    assert first[0] == first[3] != first[1]
    assert first[2] is None
    assert second == [1, 2, 3, 4]
    assert third == ["<EMAIL_ADDRESS>", "<EMAIL_ADDRESS>", None, "<EMAIL_ADDRESS>"]


def test_the_input_is_never_changed(key):
    table = pa.table({"email": EMAILS, "doc": [{"a": "ada@example.org"}] * 4})
    before = table.to_pydict()
    verdicts = [ColumnVerdict(name="email"), ColumnVerdict(name="doc")]
    result = redact_table(table, verdicts, sink="screen", key=key)
    assert table.to_pydict() == before
    assert "ada@" not in str(result.table.to_pydict())


def test_a_missing_verdict_shows_nothing(key):
    with pytest.raises(RedactionError, match="1 columns came with 0 verdicts"):
        redact_table(pa.table({"a": [1]}), [], sink="screen", key=key)


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(), pa.large_string(), pa.string_view(), pa.int64(), pa.float64(), pa.bool_(),
        pa.date32(), pa.timestamp("us", "UTC"), pa.decimal128(12, 2), pa.binary(), pa.null(),
        pa.time64("us"), pa.duration("s"), pa.list_(pa.string()), pa.uuid(),
        pa.dictionary(pa.int8(), pa.string()), pa.struct([("a", pa.string())]),
        pa.map_(pa.string(), pa.int32()), pa.month_day_nano_interval(),
        pa.json_(), pa.binary_view(), pa.uint8(), pa.float16(), pa.binary(4),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("basis", ["declared", "lineage", "implicit", "unknown", "clean", "none"])
def test_no_rows_and_only_nulls_work_for_every_type(kind, basis, key):
    for array in (pa.array([], kind), pa.array([None, None], kind)):
        table = pa.table([array], names=["email"])
        verdict = ColumnVerdict(name="email", basis=basis, entity="EMAIL_ADDRESS")
        result = redact_table(table, [verdict], sink="screen", key=key)
        assert result.table.num_rows == len(array)
        assert result.table.num_columns == 1


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, None, 3]),
        pa.array([1.5, float("nan"), None]),
        pa.array([True, False, None]),
        pa.array([Decimal("1.50"), None, Decimal("12345678.90")]),
        pa.array([dt.date(2024, 5, 1), None]),
        pa.array([dt.datetime(2024, 5, 1, 12, 0), None]),
        pa.array([dt.time(12, 30), None]),
        pa.array([dt.timedelta(hours=3), None]),
        pa.array([b"\x00\xff\x10", None]),
        pa.array([["S", "blue"], None, []]),
        pa.array([{"theme": "dark", "retries": 3}, None]),
        pa.array(["open", "closed", None, ""]),
        pa.array(["open", "closed"]).dictionary_encode(),
    ],
    ids=lambda a: str(a.type),
)
def test_harmless_values_of_every_type_come_back_unchanged(array, key):
    column, report = run(array, key, basis="clean")
    assert column.type == array.type or pa.types.is_dictionary(array.type)
    assert str(column.to_pylist()) == str(array.to_pylist())
    assert report.masked_cells == 0
    assert report.reason == ""


@pytest.mark.parametrize(
    "array",
    [
        pa.array([4111111111111111, None]),
        pa.array([4111111111111111.0, None]),
        pa.array([Decimal("4111111111111111"), None]),
        pa.array([True, None]),
        pa.array([dt.time(12, 30), None]),
        pa.array([dt.datetime(2024, 5, 1, tzinfo=dt.UTC), None]),
        pa.array([b"\x00\xff", None]),
        pa.array([["a@b.example", "c"], None]),
        pa.array([{"a": 1, "b": "x", "c": True, "d": 1.5}, None]),
        pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        pa.array([dt.timedelta(hours=3), None]),
    ],
    ids=lambda a: str(a.type),
)
def test_a_computed_column_is_masked_whatever_its_type(array, key):
    column, report = run(array, key, basis="lineage", entity="CREDIT_CARD", source="t.c")
    shown, null = column.to_pylist()
    plain = shown.decode() if isinstance(shown, bytes) else json.dumps(shown)
    values = plain.replace("<CREDIT_CARD>", "")
    assert "<CREDIT_CARD>" in plain
    assert not any(c.isdigit() for c in values)
    assert "rue" not in values
    assert null is None
    assert report.masked_cells == 1


def test_bytes_that_hold_text_are_looked_at_and_masked_whole(key):
    column, report = run(pa.array([b"mail ada@example.org now", b"\x01\x02", None]), key)
    assert column.to_pylist() == [b"<EMAIL_ADDRESS>", b"\x01\x02", None]
    assert report.entities == (("EMAIL_ADDRESS", 1),)


def test_lists_and_structs_keep_their_shape(key):
    column, _ = run(pa.array([["ada@example.org", "vip"], ["x"]]), key)
    assert column.to_pylist() == [["<EMAIL_ADDRESS>", "vip"], ["x"]]
    column, _ = run(pa.array([{"email": "ada@example.org", "plan": "gold"}]), key)
    assert column.to_pylist() == [{"email": "<EMAIL_ADDRESS>", "plan": "gold"}]


def test_json_text_is_taken_apart_and_other_cells_stay_byte_for_byte(key):
    cells = [
        '{"contact": {"email": "ada@example.org"}, "plan":"gold"}',
        '{"plan" :  "gold"}',
        "[1, 2",
    ]
    column, report = run(pa.array(cells), key)
    shown = column.to_pylist()
    assert json.loads(shown[0]) == {"contact": {"email": "<EMAIL_ADDRESS>"}, "plan": "gold"}
    assert shown[1:] == cells[1:]
    assert report.masked_cells == 1


def test_keys_of_objects_are_looked_at_too(key):
    cells = ['{"ada@example.org": 3, "grace@example.org": 4}']
    column, _ = run(pa.array(cells), key)
    assert json.loads(column.to_pylist()[0]) == {"<EMAIL_ADDRESS>": 3, "<EMAIL_ADDRESS> 2": 4}


def test_deep_nesting_is_cut_and_masked(key):
    deep = "[" * 60 + '"ada@example.org"' + "]" * 60
    column, _ = run(pa.array([deep, "{" * 5000]), key)
    assert "ada" not in column.to_pylist()[0]


def test_a_cell_of_100_000_characters_is_masked_or_left_as_a_whole(key):
    clean, dirty = "lorem ipsum " * 9000, "lorem " * 16_000 + "ada@example.org"
    column, report = run(pa.array([clean, dirty]), key)
    assert column.to_pylist() == [clean, "<MASKED>"]
    assert report.masked_cells == 1


def test_a_pivot_on_addresses_does_not_show_them_as_labels(key):
    table = pa.table([pa.array([1]), pa.array([2]), pa.array([3])],
                     names=["ada@example.org", "Maria Gonzalez", "total"])  # fmt: skip
    verdicts = [ColumnVerdict(name=n) for n in table.column_names]
    result = redact_table(table, verdicts, sink="screen", key=key)
    assert result.table.column_names == ["<EMAIL_ADDRESS>", "<PERSON>", "total"]
    assert [c.name for c in result.columns] == result.table.column_names


def test_a_label_of_unknown_origin_that_is_a_name_is_masked(key):
    table = pa.table([pa.array([1])], names=["Gonzalez"])
    verdict = ColumnVerdict(name="Gonzalez", basis="unknown")
    assert redact_table(table, [verdict], sink="screen", key=key).columns[0].name == "<MASKED>"


def test_chunks_and_slices_give_the_same_as_one_array(key):
    whole = pa.chunked_array([EMAILS, [], EMAILS])
    table = pa.table([whole], names=["email"]).slice(2, 4)
    verdict = ColumnVerdict(name="email", basis="declared", entity="EMAIL_ADDRESS")
    shown = redact_table(table, [verdict], sink="screen", key=key).table.column(0).to_pylist()
    assert shown[0] is None
    assert shown[1] == shown[2] != shown[3]
