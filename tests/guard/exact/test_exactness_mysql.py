"""MariaDB: whatever plain change is thought of, preview = apply, and undo restores every byte.

`python -m pytest tests/guard/exact/test_exactness_mysql.py -m "slow or not slow" -s` prints how
many there were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.guard.exact.maria import FAMILIES, Maria, maria, statement
from tests.guard.exact.proof import proven

SAMPLE, WHOLE = 60, 520
REFUSALS = {
    "engine.constraint",
    "engine.types",
    "engine.arithmetic",
    "engine.meaning",
    "preview.mismatch",
}
"""What a random statement may be refused for; `mismatch` only where chance picks rows."""


@pytest.fixture(scope="module")
def ground() -> Iterator[Maria]:
    with maria() as found:
        yield found


def _outcome(ground: Maria, sql: str) -> str:
    try:
        outcome = proven(ground, sql, "")  # type: ignore[arg-type]
    except AssertionError as error:
        raise AssertionError(f"{sql}\n{error}") from error
    assert outcome in {"exact", "no rows"} | REFUSALS, f"{outcome}: {sql}"
    assert outcome != "preview.mismatch" or "RAND()" in sql, sql
    return outcome


def _run(ground: Maria, wanted: int, seed: int) -> None:
    outcomes: Counter[str] = Counter()
    families: Counter[str] = Counter()
    dice = Random(seed)
    while outcomes["exact"] + outcomes["no rows"] < wanted:
        family, sql = statement(dice)
        outcome = _outcome(ground, sql)
        outcomes[outcome] += 1
        families[family] += outcome == "exact"
    print(f"\nmysql: {dict(outcomes)}\n  {dict(families)}")
    assert outcomes["exact"] > 0.5 * wanted
    if wanted == WHOLE:
        assert set(+families) == {f.__name__ for f in FAMILIES}


def test_a_sample_of_random_changes_is_exact_and_can_be_undone(ground: Maria) -> None:
    _run(ground, SAMPLE, seed=20)


@pytest.mark.exhaustive
def test_hundreds_of_random_changes_are_exact_and_can_be_undone(ground: Maria) -> None:
    _run(ground, WHOLE, seed=1)


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(dice=st.randoms(use_true_random=False))
def test_whatever_change_is_thought_of_is_exact(ground: Maria, dice: Random) -> None:
    _outcome(ground, statement(dice)[1])
