"""How well questions were answered: rows compared with a reference, and the report over a set.

Right is execution accuracy: every column of the reference is found among the answer's, in any
order, and the rows are the same multiset; numbers are equal after rounding to two places. A wrong
answer is worse than none, so precision counts only what was answered.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Verdict = Literal["right", "wrong", "refused", "asked_back", "failed", "refused_rightly"]
Row = Sequence[object]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One question and what became of it. `cost` is in millionths, None where none is known."""

    id: str
    question: str
    tag: str
    verdict: Verdict
    answerable: bool
    elapsed_ms: float
    statements: int = 0
    repairs: int = 0
    tokens: int = 0
    cost_micros: int | None = None
    said: str = ""
    sql: str | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """The numbers of a set, or of one category of it. Shares are None where nothing counts."""

    questions: int
    answerable: int
    right: int
    wrong: int
    answered: int
    accuracy: float | None
    precision: float | None
    refused_rightly: int
    refused: int
    asked_back: int
    failed: int
    repairs: int
    statements: int
    p50_ms: float | None
    p95_ms: float | None
    tokens: int
    cost_micros: int | None


def report(scored: Sequence[Scored]) -> Report:
    """Returns the numbers over all of `scored`."""
    counts = Counter(s.verdict for s in scored)
    answerable = sum(s.answerable for s in scored)
    answered = counts["right"] + counts["wrong"]
    costs = [s.cost_micros for s in scored]
    return Report(
        questions=len(scored),
        answerable=answerable,
        right=counts["right"],
        wrong=counts["wrong"],
        answered=answered,
        accuracy=_share(counts["right"], answerable),
        precision=_share(counts["right"], answered),
        refused_rightly=counts["refused_rightly"],
        refused=counts["refused"],
        asked_back=counts["asked_back"],
        failed=counts["failed"],
        repairs=sum(s.repairs for s in scored),
        statements=sum(s.statements for s in scored),
        p50_ms=_percentile([s.elapsed_ms for s in scored], 50),
        p95_ms=_percentile([s.elapsed_ms for s in scored], 95),
        tokens=sum(s.tokens for s in scored),
        cost_micros=None if None in costs else sum(c for c in costs if c is not None),
    )


def by_tag(scored: Sequence[Scored]) -> dict[str, Report]:
    """Returns the numbers of each category, in the order they came."""
    tags = dict.fromkeys(s.tag for s in scored)
    return {tag: report([s for s in scored if s.tag == tag]) for tag in tags}


def verdict_of(status: str, *, answerable: bool, same: bool) -> Verdict:
    """Returns the verdict on an answer with that status; `same` says that its rows are right."""
    match status:
        case "answered":
            return "right" if answerable and same else "wrong"
        case "refused" | "asked_back" if not answerable:
            return "refused_rightly"
        case "refused":
            return "refused"
        case "asked_back":
            return "asked_back"
        case _:
            return "failed"


def same_rows(reference: Sequence[Row], predicted: Sequence[Row]) -> bool:
    """True when all columns of the reference are found and the rows are the same multiset."""
    if len(reference) != len(predicted):
        return False
    if not reference:
        return True
    wanted, given = _columns(reference), _columns(predicted)
    options = [[g for g in given if Counter(g) == Counter(w)] for w in wanted]
    if not all(options):
        return False
    return _fits(options, [], Counter(zip(*wanted, strict=True)))


def _columns(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """The columns, each once: equal ones cannot be told apart."""
    columns = zip(*([_plain(v) for v in row] for row in rows), strict=True)
    return list(dict.fromkeys(columns))


def _fits(
    options: Sequence[Sequence[tuple[object, ...]]],
    chosen: list[tuple[object, ...]],
    target: Mapping[tuple[object, ...], int],
) -> bool:
    if len(chosen) == len(options):
        return Counter(zip(*chosen, strict=True)) == target
    return any(_fits(options, [*chosen, one], target) for one in options[len(chosen)])


def _plain(value: object) -> object:
    if isinstance(value, bool | int | float | Decimal):
        return _rounded(float(value))
    if isinstance(value, str):
        try:
            return _rounded(float(value))
        except ValueError:
            return value
    return str(value) if value is not None else None


def _rounded(number: float) -> float | str:
    return round(number, 2) if math.isfinite(number) else str(number)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percentile(values: Sequence[float], percent: int) -> float | None:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else None
