"""One pass of all patterns says what each of them says alone."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction import column
from redaction.detect import presidio
from redaction.detect.patternset import PatternSet
from redaction.lexicon import hint as read_name

_PIECES = st.sampled_from(
    [
        "ann.lee@example.com",
        "4111 1111 1111 1111",
        "+44 20 7946 0018",
        "DE89370400440532013000",
        "10.4.2.1",
        "2026-01-02",
        "shipped",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "YW5uLmxlZUBleGFtcGxlLmNvbQ==",
        "12 Main Street",
        "Ann Lee",
        "ssn 078-05-1120",
        "ß\u200bé 😀",
        "\n",
    ]
)
_TEXTS = st.lists(st.one_of(_PIECES, st.text(max_size=20)), max_size=4).map(" ".join)


@settings(deadline=None)
@given(texts=st.lists(_TEXTS, min_size=1, max_size=6))
def test_all_patterns_at_once_fire_where_each_alone_does(texts: list[str]) -> None:
    tools = presidio.toolkit()
    fired = [tools.patterns.fired(text) for text in texts]
    for rule in tools.rules:
        alone = pc.match_substring_regex(pa.array(texts, pa.string()), rule.trigger).to_pylist()
        number = tools.patterns.number(rule.trigger)
        assert [f is not None and number in f for f in fired] == alone, rule.name


@settings(deadline=None)
@given(texts=st.lists(_TEXTS, min_size=1, max_size=6, unique=True))
def test_a_small_column_is_judged_as_a_large_one_is(texts: list[str]) -> None:
    values, named, tools = pa.array(texts, pa.string()), read_name("note"), presidio.toolkit()
    small = column.scan(values, named, tools)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column, "_HANDFUL", -1)
        assert column.scan(values, named, tools) == small


def test_a_set_that_ran_out_of_memory_says_that_it_cannot_tell() -> None:
    patterns = PatternSet(["a"])
    patterns._always = 99
    assert patterns.fired("a") is None


def test_a_column_that_the_set_cannot_tell_is_searched_pattern_by_pattern(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tools = presidio.toolkit()
    monkeypatch.setattr(tools.patterns, "_always", -1)
    values = pa.array(["write to ann.lee@example.com now"])
    assert column.scan(values, read_name("note"), tools).spans[0]
