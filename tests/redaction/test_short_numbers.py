"""Numbers too short for any kind are not looked at, and nothing else changes by that."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction import ColumnVerdict, SessionKey, redact_table
from redaction.arrow import _Redaction

KEY = SessionKey.new()
NAMES = ("orders", "id", "phone", "ssn", "card_number", "salary", "birth_year", "x")
CARDS = [4111111111111111, 5500005555555559, 340000000000009, 30000000000004, 6011000000000004]


def _card(number: int) -> int:
    digits = f"411111{number:09}"
    doubled = [int(d) * (2 - at % 2) for at, d in enumerate(digits)]
    return int(digits + str(-sum(d - 9 if d > 9 else d for d in doubled) % 10))


def shown(values: list[int | None], verdict: ColumnVerdict) -> tuple[object, ...]:
    table = pa.table({verdict.name: pa.array(values, pa.int64())})
    done = redact_table(table, [verdict], sink="screen", key=KEY)
    return done.table.column(0).to_pylist(), str(done.table.schema.types[0]), done.columns


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(
        st.one_of(
            st.none(),
            st.integers(-200, 200),
            st.integers(-(10**8), 10**8),
            st.sampled_from(CARDS),
            st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=90,
    ),
    name=st.sampled_from(NAMES),
    entity=st.sampled_from([None, "PHONE_NUMBER", "FREE_TEXT", "US_SSN"]),
    basis=st.sampled_from(["none", "clean", "declared", "lineage"]),
    reveal=st.booleans(),
)
def test_promise_08_the_short_way_shows_what_the_long_one_does(
    values: list[int | None], name: str, entity: str | None, basis: str, reveal: bool
) -> None:
    verdict = ColumnVerdict(name=name, entity=entity, basis=basis, reveal=reveal)  # type: ignore[arg-type]
    short = shown(values, verdict)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Redaction, "_says_nothing", lambda *_: False)
        assert short == shown(values, verdict)


@pytest.mark.parametrize("count", [8, 63, 64, 65, 200])
def test_promise_08_card_numbers_are_found_however_many_there_are(count: int) -> None:
    values: list[int | None] = [_card(n) for n in range(count)]
    assert not set(shown(values, ColumnVerdict(name="x"))[0]) & set(values)  # type: ignore[call-overload]
