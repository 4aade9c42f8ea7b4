"""Text on its way to the page: nothing in it acts, nothing in it hides."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui import text

_ESCAPED = re.compile(r"\\[\\`*_{}\[\]()<>#+\-.!|~^$=&:@\"']")
_ACTIVE = re.compile(r"[\\`*_{}\[\]()<>#+\-.!|~^$=&:@\"']")


@given(st.text(max_size=300))
def test_no_character_that_markdown_reads_is_left_bare_in_a_label(words: str) -> None:
    assert not _ACTIVE.search(_ESCAPED.sub("", text.label(words)))
    assert "\n" not in text.label(words)


@given(st.text(max_size=300))
def test_a_label_says_what_the_text_said(words: str) -> None:
    shown = re.sub(r"\\(.)", r"\1", text.label(words, 10_000)).replace("\u2060", "")
    plain = text.line(words, 10_000).replace("\u2060", "")
    assert shown == plain


@pytest.mark.parametrize("code", [":material/check:", ":smile:", "www.evil.example", "a@b.example"])
def test_codes_and_addresses_are_taken_apart_in_a_label(code: str) -> None:
    assert "\u2060" in text.label(code)


def test_what_hides_or_reorders_is_spelled_out() -> None:
    assert text.visible("pay\u202e001\u202c\x00") == "pay⟨U+202E⟩001⟨U+202C⟩⟨U+0000⟩"
    assert text.visible("a\u200bb") == "a⟨U+200B⟩b"
    assert text.visible("line\n\tnext") == "line\n\tnext"
    assert text.visible("\ud800") == "⟨U+D800⟩"


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    assert text.clip("x" * 30, 10) == "x" * 10 + "…\n(30 characters in all)"
    assert text.clip("short", 10) == "short"
    assert text.line("many   words\nhere", 10) == "many word…"


def test_numbers_agree_with_their_nouns() -> None:
    assert [text.count(n, "row") for n in (0, 1, 1_200)] == ["0 rows", "1 row", "1,200 rows"]
    assert text.count(2, "more row is", "more rows are") == "2 more rows are"
    assert [text.joined(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
