from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.detect.repeats import may_repeat


@settings(deadline=None)
@given(
    pieces=st.lists(
        st.tuples(st.text(min_size=1, max_size=9), st.integers(2, 4)), min_size=1, max_size=9
    ),
    skipped=st.integers(0, 3),
)
def test_a_repeated_text_is_never_passed_over(pieces: list[tuple[str, int]], skipped: int) -> None:
    texts = ["other"] * skipped + [piece * times for piece, times in pieces]
    assert may_repeat(pa.array(texts, pa.string())[skipped:]).all()


def test_a_text_that_does_not_repeat_is_left_alone() -> None:
    texts = pa.array(["value 123 of 4", "ann.lee@example.com", "", "abcabcabd"])
    assert not may_repeat(texts)[:3].any()
