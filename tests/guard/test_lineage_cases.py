"""The lineage on the evasion cases: nothing leaks, and hardly anything clean is masked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from guard.lineagelines import lineage_lines

ROOT = Path(__file__).parents[2]
CASES = ROOT / os.environ.get("GATEHOUSE_CASES", "../shared/cases") / "redaction"
pytestmark = pytest.mark.skipif(
    not CASES.is_dir(),
    reason="needs the redaction cases; set GATEHOUSE_CASES to the folder that holds redaction/",
)

Case = dict[str, Any]


@pytest.fixture(scope="module")
def judged() -> list[tuple[Case, Case]]:
    lines = (CASES / "evasion.jsonl").read_text(encoding="utf-8").splitlines()
    schema = (CASES / "schema.sql").read_text(encoding="utf-8")
    tags = json.loads((CASES / "tags.json").read_text(encoding="utf-8"))
    answers = [json.loads(a) for a in lineage_lines(lines, schema, tags)]
    return list(zip(map(json.loads, lines), answers, strict=True))


def _shown(case: Case, answer: Case) -> list[bool]:
    """One flag a column, true where it would be masked; what is unknown or refused is."""
    width = len(case["truth"])
    return answer.get("sensitive") or [True] * width


def test_every_case_has_its_answer_and_its_width(judged: list[tuple[Case, Case]]) -> None:
    for case, answer in judged:
        assert answer["id"] == case["id"]
        assert len(_shown(case, answer)) == len(case["truth"]), case["sql"]


def test_promise_08_no_sensitive_column_is_called_clean(judged: list[tuple[Case, Case]]) -> None:
    leaked = [
        case["sql"]
        for case, answer in judged
        for truth, masked in zip(case["truth"], _shown(case, answer), strict=True)
        if truth in "SI" and not masked
    ]
    assert leaked == []


def test_at_most_three_in_a_hundred_clean_columns_are_masked(
    judged: list[tuple[Case, Case]],
) -> None:
    clean = [
        masked
        for case, answer in judged
        for truth, masked in zip(case["truth"], _shown(case, answer), strict=True)
        if truth == "N"
    ]
    assert sum(clean) / len(clean) <= 0.03


def test_filters_on_personal_data_are_flagged_and_clean_questions_are_not(
    judged: list[tuple[Case, Case]],
) -> None:
    for case, answer in judged:
        if case["predicate_pii"]:
            assert answer["predicate_pii"], case["sql"]
        if case["group"] == "clean":
            assert not answer["predicate_pii"], case["sql"]
