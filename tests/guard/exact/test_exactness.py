"""For every family of statement on every engine: preview = apply, and undo restores every row.

`make exhaustive` prints how many there were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.guard.exact.grounds import Duck, Lite, Post, ground
from tests.guard.exact.proof import proven
from tests.guard.exact.schemas import ENGINES, EngineName
from tests.guard.exact.statements import FAMILIES, statement

SAMPLE, WHOLE = 60, 520
RIGHT = {"exact", "exact, not proven before", "no rows"}
REFUSALS = {"engine.constraint", "engine.types", "engine.meaning", "engine.arithmetic"}
"""What a random statement may be refused for; everything else is a defect."""


@pytest.fixture(
    scope="module",
    params=[*ENGINES, "sqlite in place", "sqlite large", "duckdb large", "postgres large"],
)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[EngineName, Lite | Duck | Post]]:
    name, _, way = request.param.partition(" ")
    engine: EngineName = name
    folder: Path = tmp_path_factory.mktemp("exact")
    with ground(engine, folder, in_place=way == "in place", large=way == "large") as found:
        yield engine, found


def _run(place: tuple[EngineName, Lite | Duck | Post], wanted: int, seed: int) -> None:
    engine, found = place
    outcomes: Counter[str] = Counter()
    families: Counter[str] = Counter()
    dice = Random(seed)
    while outcomes["exact"] + outcomes["no rows"] < wanted:
        family, sql, tab = statement(dice, engine)
        try:
            outcome = proven(found, sql, tab.name)
        except AssertionError as error:
            raise AssertionError(f"{sql}\n{error}") from error
        assert outcome in RIGHT | REFUSALS, f"{outcome}: {sql}"
        outcomes[outcome] += 1
        families[family] += outcome in RIGHT
    print(f"\n{engine}: {dict(outcomes)}\n  {dict(families)}")
    assert outcomes["exact"] > 0.5 * wanted
    if wanted == WHOLE:
        assert set(families) == {f.__name__ for f in FAMILIES[engine]}
        assert all(families.values())


def test_a_sample_of_random_changes_is_exact_and_can_be_undone(
    place: tuple[EngineName, Lite | Duck | Post],
) -> None:
    _run(place, SAMPLE, seed=20)


@pytest.mark.exhaustive
def test_hundreds_of_random_changes_are_exact_and_can_be_undone(
    place: tuple[EngineName, Lite | Duck | Post],
) -> None:
    _run(place, WHOLE, seed=1)


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(dice=st.randoms(use_true_random=False))
def test_whatever_change_is_thought_of_is_exact(
    place: tuple[EngineName, Lite | Duck | Post], dice: Random
) -> None:
    engine, found = place
    _, sql, tab = statement(dice, engine)
    assert proven(found, sql, tab.name) in RIGHT | REFUSALS, sql
