import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction import redact_lines, redact_values


def answers(*lines):
    return [json.loads(line) for line in redact_lines(lines)]


def test_one_line_a_line_in_order_and_the_seconds_last():
    first = {
        "id": "a",
        "column": "email",
        "dtype": "str",
        "values": ["a@b.example", None],
        "tags": {},
    }
    second = {"id": 2, "column": "n", "dtype": "int", "values": [1, None], "tags": {}}
    out = answers(json.dumps(first), json.dumps(second))
    assert out[0] == {"id": "a", "values": ["<EMAIL_ADDRESS>", None]}
    assert out[1] == {"id": 2, "values": [1, None]}
    assert list(out[2]) == ["_seconds"]
    assert out[2]["_seconds"] >= 0


@pytest.mark.parametrize(
    "line",
    [
        "not json", "[]", "null", '"x"', "{", '{"id": 7}', '{"id": 7, "values": "x"}',
        '{"id": 7, "values": [], "tags": 3}', "[" * 100_000,
        '{"id": 7, "values": [' + "9" * 5000 + "]}",
        '{"id": NaN, "values": "x"}', '{"id": 7, "values": ["\\ud800"], "column": "x"}', "\x00",
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_gives_an_error_and_no_value(line):
    out = answers(line, '{"id": "next", "values": ["ok"]}')
    assert set(out[0]) == {"id", "error"}
    assert out[1] == {"id": "next", "values": ["ok"]}
    assert len(out) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(JSON, max_size=6),
    column=st.text(max_size=12),
    dtype=st.sampled_from(
        ["str", "int", "float", "json", "array", "bytes", "date", "decimal", "?"]
    ),
)
def test_any_column_gives_as_many_values_or_an_error(values, column, dtype):
    line = json.dumps({"id": 1, "column": column, "dtype": dtype, "values": values, "tags": {}})
    out = answers(line)
    assert len(out) == 2
    assert "error" in out[0] or len(out[0]["values"]) == len(values)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_no_line_stops_the_others(line):
    assert len(answers(line.replace("\n", " "), '{"id": 1, "values": []}')) in (2, 3)


@pytest.mark.parametrize(
    ("dtype", "column", "values", "shown"),
    [
        ("int", "card_number", [4111111111111111, None], ["••••1111", None]),
        ("float", "card_number", [4111111111111111.0], ["••••1111"]),
        ("date", "dob", ["1984-05-17"], ["1984"]),
        ("date", "order_date", ["1984-05-17"], ["1984-05-17"]),
        ("timestamp", "dob", ["1984-05-17T00:00:00"], ["1984"]),
        ("bool", "email_verified", [True, None], [True, None]),
        ("decimal", "tax", ["947318.7293"], ["947318.7293"]),
        ("json", "doc", [{"email": "a@b.example", "n": 1}], [{"email": "<EMAIL_ADDRESS>", "n": 1}]),
        ("array", "labels", [["S", "blue"], None], [["S", "blue"], None]),
        ("array", "list", [["a@b.example"]], [["<EMAIL_ADDRESS>"]]),
    ],
)
def test_values_keep_their_type_where_they_stay(dtype, column, values, shown):
    assert redact_values(values, column, dtype, {}) == shown


def test_bytes_come_as_base64_and_are_masked_whole():
    raw = base64.b64encode(b"write to ann@example.org").decode()
    blank = base64.b64encode(bytes(range(12))).decode()
    assert redact_values([raw, blank], "blob", "bytes", {}) == ["<EMAIL_ADDRESS>", blank]


def test_a_tag_of_the_column_decides():
    tags = {"customers.ref": "US_SSN", "other": "PERSON"}
    assert redact_values(["x1", None], "ref", "str", tags) == ["<US_SSN>", None]
