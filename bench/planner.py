"""Planning a question about the demo shop, against the bare parse of the statement it gives.

`python -m bench planner` prints ratio and milliseconds; the questions are those of the tests.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import sqlglot

from agent.planner import Plan, plan
from demo.people import customers
from demo.shop import write_shop
from tests.agent.planner.support import own_cases, shop_vocabulary

Row = tuple[str, float, str]
ROUNDS = 3


def run() -> list[Row]:
    """Returns how many bare parses of the statement its planning takes, over all questions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shop.sqlite")
        write_shop(path, customers(), lambda _what, _part: None)
        vocabulary = shop_vocabulary(path)
    plans: list[float] = []
    parses: list[float] = []
    for question in [case.question for case in own_cases() if case.db == "shop"]:
        planned = plan(question, vocabulary)
        if not isinstance(planned, Plan):
            continue
        for _ in range(ROUNDS):
            started = time.perf_counter()
            plan(question, vocabulary)
            between = time.perf_counter()
            sqlglot.parse_one(planned.sql, dialect="sqlite")
            plans.append(between - started)
            parses.append(time.perf_counter() - between)
    ratio = statistics.median(plans) / statistics.median(parses)
    p99 = statistics.quantiles(plans, n=100)[98]
    p50 = statistics.median(plans)
    note = f"p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms, {len(plans) // ROUNDS:,} questions"
    return [("planning a question, against the parse of its statement", ratio, note)]
