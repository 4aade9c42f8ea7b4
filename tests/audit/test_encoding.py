from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.encoding import (
    canonical,
    clip,
    fit,
    plain,
    plain_mapping,
    present,
    spelled,
    spelled_present,
    timestamp,
)
from audit.errors import Malformed

# Times on a busy machine say nothing.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
keys = st.text(st.characters(max_codepoint=126, min_codepoint=32), min_size=1, max_size=12)
texts = st.text(st.characters(codec=None), max_size=40)  # lone surrogates included
scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts
moments = st.datetimes(timezones=st.just(UTC))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)
)
documents = st.dictionaries(keys, values, max_size=6)


@RELAXED
@given(documents)
def test_the_canonical_text_reads_back_as_the_same_value_and_is_spelled_the_same_again(document):
    cleaned = plain_mapping(document)
    text = canonical(cleaned)
    assert json.loads(text) == cleaned
    assert canonical(json.loads(text)) == text
    assert text.encode().decode() == text


@RELAXED
@given(values)
def test_the_quick_spelling_is_the_canonical_one(value):
    assert spelled(value) == canonical(plain(value))


@RELAXED
@given(st.fixed_dictionaries({name: values | moments for name in ("b", "a_b", "a", "Z")}))
def test_the_quick_spelling_of_facts_is_the_canonical_one(facts):
    assert spelled_present(facts) == canonical(present(facts))


@RELAXED
@given(documents)
def test_the_order_in_which_fields_were_given_does_not_show(document):
    backwards = dict(reversed(document.items()))
    assert canonical(plain_mapping(backwards)) == canonical(plain_mapping(document))


@RELAXED
@given(documents)
def test_there_is_no_space_outside_text_and_keys_stand_in_order(document):
    text = canonical(plain_mapping(document))
    pairs = json.loads(text, object_pairs_hook=lambda found: found)
    assert [k for k, _ in pairs] == sorted(document)
    assert text == json.dumps(
        json.loads(text), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )


@RELAXED
@given(texts)
def test_text_is_nfc_without_lone_surrogates(text):
    cleaned = plain(text)
    assert isinstance(cleaned, str)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(0xD800 <= ord(c) <= 0xDFFF for c in cleaned)


def test_a_pair_of_surrogates_is_the_character_they_mean():
    assert plain("\ud83d\ude00 \ud83d") == "\U0001f600 \ufffd"


def test_jcs_escapes_only_what_it_must():
    given = {"a": '\x00\b\t\n\f\r\x1f"\\/\x7f\u2028é'}
    expected = '{"a":"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\/\x7f\u2028é"}'
    assert canonical(given) == expected


@pytest.mark.parametrize(
    "value", [1.5, float("nan"), 2**53, -(2**53), b"bytes", {1: "a"}, {"é": 1}, object(), {1, 2}]
)
def test_what_json_writers_disagree_on_is_refused(value):
    with pytest.raises(Malformed):
        plain_mapping({"field": value})


def test_a_time_is_27_characters_in_utc_and_sorts_as_text():
    east = timezone(timedelta(hours=5))
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 6, east)) == "2026-01-01T22:04:05.000006Z"
    assert timestamp(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000000Z"
    with pytest.raises(Malformed):
        timestamp(datetime(2026, 1, 2))


@RELAXED
@given(texts, st.integers(1, 60))
def test_clipped_text_keeps_whole_characters_and_says_what_is_missing(text, limit):
    cleaned = str(plain(text))
    short = clip(cleaned, limit)
    if len(cleaned.encode()) <= limit:
        assert short == cleaned
    else:
        kept, _, rest = short.rpartition("… [")
        missing = int(rest.split()[0])
        assert cleaned.startswith(kept)
        assert len(kept.encode()) <= limit
        assert missing == len(cleaned.encode()) - len(kept.encode())


@RELAXED
@given(
    st.dictionaries(
        st.sampled_from("abcdefgh"),
        st.text(max_size=4000) | st.lists(st.text(max_size=300), max_size=400),
    )
)
def test_however_long_the_fields_are_the_event_fits_and_says_that_it_was_cut(document):
    text = fit(plain_mapping(document), 8000)
    assert len(text.encode()) <= 8000
    whole = canonical(plain_mapping(document))
    assert text == whole if len(whole.encode()) <= 8000 else json.loads(text)["clipped"] is True


def test_a_long_list_keeps_its_beginning_and_counts_the_rest():
    text = fit({"tables": [f"t{i}" for i in range(10_000)]}, 30_000)
    tables = json.loads(text)["tables"]
    assert tables[:2] == ["t0", "t1"]
    assert tables[-1] == f"… {10_000 - len(tables) + 1} more"
