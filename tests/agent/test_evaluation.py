"""Scoring answers against references."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agent.evaluation import Scored, by_tag, report, same_rows, verdict_of


@pytest.mark.parametrize(
    ("reference", "predicted", "same"),
    [
        ([[1, "a"], [2, "b"]], [["b", 2], ["a", 1]], True),
        ([[1, "a"], [2, "b"]], [["a", 1, "x"], ["b", 2, "y"]], True),
        ([[1, "a"], [2, "b"]], [["a", 2], ["b", 1]], False),
        ([[1], [1]], [[1]], False),
        ([[1, 2]], [[1]], False),
        ([[1.004]], [[Decimal("1.00")]], True),
        ([[1.02]], [[1.0]], False),
        ([["2"]], [[2]], True),
        ([[True]], [[1]], True),
        ([[None]], [["None"]], False),
        ([[None]], [[None]], True),
        ([], [], True),
        ([[1, 1]], [[1]], True),
        ([["nan"]], [["nan"]], True),
    ],
)
def test_rows_are_compared_as_columns_in_any_order(
    reference: list[list[object]], predicted: list[list[object]], same: bool
) -> None:
    assert same_rows(reference, predicted) is same


def test_many_equal_columns_are_compared_at_once() -> None:
    wanted = [[n % 3 for _ in range(12)] for n in range(30)]
    given = [[(n + 1) % 3 for _ in range(60)] for n in range(30)]
    assert same_rows(wanted, given)


@pytest.mark.parametrize(
    ("status", "answerable", "same", "verdict"),
    [
        ("answered", True, True, "right"),
        ("answered", True, False, "wrong"),
        ("answered", False, True, "wrong"),
        ("refused", True, False, "refused"),
        ("refused", False, False, "refused_rightly"),
        ("asked_back", False, False, "refused_rightly"),
        ("asked_back", True, False, "asked_back"),
        ("failed", False, False, "failed"),
        ("halted", True, False, "failed"),
        ("proposed", True, False, "failed"),
    ],
)
def test_each_ending_has_one_verdict(
    status: str, answerable: bool, same: bool, verdict: str
) -> None:
    assert verdict_of(status, answerable=answerable, same=same) == verdict


def one(verdict: str, ms: float, *, tag: str = "a", cost: int | None = 0) -> Scored:
    return Scored(
        id="1",
        question="q",
        tag=tag,
        verdict=verdict,  # type: ignore[arg-type]
        answerable=verdict != "refused_rightly",
        elapsed_ms=ms,
        tokens=10,
        cost_micros=cost,
    )


def test_a_report_counts_a_wrong_answer_against_precision_and_a_refusal_not() -> None:
    found = report([one("right", 1), one("right", 2), one("wrong", 3), one("refused", 4)])
    assert (found.accuracy, found.precision) == (0.5, 2 / 3)
    assert (found.p50_ms, found.p95_ms) == (2, 4)
    assert (found.tokens, found.cost_micros) == (40, 0)
    assert report([one("right", 1, cost=None)]).cost_micros is None
    assert report([]).precision is None


def test_categories_are_reported_apart() -> None:
    found = by_tag([one("right", 1), one("wrong", 1, tag="b"), one("refused_rightly", 1)])
    assert {tag: r.precision for tag, r in found.items()} == {"a": 1.0, "b": 0.0}
    assert found["a"].answerable == 1
