"""A few values become the same Arrow column as many do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.engines import postgres_values
from guard.engines.postgres_values import column

KINDS = (16, 17, 20, 25, 700, 1082, 1114, 1184, 1700)
_NUMBERS = st.from_regex(r"-?[0-9]{1,45}(\.[0-9]{0,45})?", fullmatch=True).map(str.encode)
_ODD = st.sampled_from(
    [None, b"NaN", b"Infinity", b"", b"t", b"f", b".", b"1.", b"2026-05-01", b"\\xff", b"\xff"]
)


@settings(max_examples=400, deadline=None)
@given(cells=st.lists(st.one_of(_NUMBERS, _ODD), max_size=12), oid=st.sampled_from(KINDS))
def test_a_few_values_are_read_as_many_are(cells: list[bytes | None], oid: int) -> None:
    few = column(cells, oid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_values, "_HANDFUL", -1)
        many = column(cells, oid)
    assert few.type == many.type
    assert few.equals(many)
