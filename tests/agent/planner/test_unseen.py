"""Questions written without knowing the planner, asked once before anything was mended.

`gatehouse eval FILE --source shop --as analyst --model offline` prints the same through the guard.
Their numbers are a measure only while no rule is made for them.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path

from agent.planner import Vocabulary
from tests.agent.planner.support import Case, judge

_FILE = Path(__file__).parents[2] / "commands" / "questions" / "shop_unseen.jsonl"


def test_unseen_questions_are_mostly_answered_and_hardly_ever_wrongly(
    shop: Vocabulary, databases: dict[str, sqlite3.Connection]
) -> None:
    lines = [json.loads(line) for line in _FILE.read_text("utf-8").splitlines()]
    cases = [Case("shop", one["tag"], one["question"], one["sql"]) for one in lines]
    found = Counter(judge(case, shop, databases["shop"])[0] for case in cases)
    answerable = sum(case.sql is not None for case in cases)
    assert answerable == 100
    assert found["right"] >= 0.85 * answerable
    assert found["right"] >= 0.97 * (found["right"] + found["wrong"] + found["error"])
    assert found["rightly refused"] == len(cases) - answerable
