"""The question set makes sense on the demo company. Its cases live outside the project."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = ROOT / os.environ.get("GATEHOUSE_CASES", "../shared/cases") / "questions"
WHY = "needs the question set; set GATEHOUSE_CASES to the folder that holds questions/"


def references() -> dict[str, str]:
    file = CASES / "dev.jsonl"
    if not file.exists():
        return {}
    cases = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {c["id"]: c["sql"] for c in cases if c["db"] == "retail" and c["sql"]}


REFERENCES = references()
needs_cases = pytest.mark.skipif(not REFERENCES, reason=WHY)


@needs_cases
@pytest.mark.parametrize("case", sorted(REFERENCES))
def test_a_reference_has_a_whole_answer(shop: sqlite3.Connection, case: str) -> None:
    rows = shop.execute(REFERENCES[case]).fetchall()

    assert rows
    assert all(value is not None for row in rows for value in row)
    assert rows != [(0,)]


@needs_cases
@pytest.mark.parametrize("case", sorted(REFERENCES))
def test_a_ranking_has_no_tie_at_its_cut(shop: sqlite3.Connection, case: str) -> None:
    sql, cut = REFERENCES[case], re.search(r"\blimit (\d+)$", REFERENCES[case])
    if cut is None or "order by" not in sql:
        return
    n = int(cut.group(1))
    rows = shop.execute(f"{sql[: cut.start()]} limit {n + 1}").fetchall()

    assert len(rows) == n + 1
    assert rows[n - 1][-1] != rows[n][-1]


@needs_cases
def test_the_least_schema_is_there_with_its_types_keys_and_indexes(
    shop: sqlite3.Connection,
) -> None:
    least = sqlite3.connect(":memory:")
    least.executescript((CASES / "retail_schema.sql").read_text(encoding="utf-8"))
    names = [n for (n,) in least.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]

    assert len(names) == 6
    for table in names:
        for pragma in (f"table_info({table})", f"foreign_key_list({table})"):
            assert wanted(least, pragma) <= wanted(shop, pragma), pragma
        for column in indexed(least, table):
            assert column in indexed(shop, table)


def wanted(db: sqlite3.Connection, pragma: str) -> set[tuple[object, ...]]:
    """Rows of a pragma without the leading number, which more columns or keys may move."""
    return {tuple(str(v).casefold() for v in row[1:]) for row in db.execute(f"PRAGMA {pragma}")}


def indexed(db: sqlite3.Connection, table: str) -> set[tuple[str, int]]:
    indexes = db.execute(f"PRAGMA index_list({table})").fetchall()
    return {
        (column, int(index[2]))
        for index in indexes
        for (column,) in db.execute("SELECT name FROM pragma_index_info(?)", [index[1]])
    }
