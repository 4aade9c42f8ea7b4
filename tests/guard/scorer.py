"""Scores the guard on the cases that GATEHOUSE_CASES names: what it accepts, refuses and sees.

Run it: `python -m tests.guard.scorer` prints the numbers; `tests/guard/test_corpus.py` holds them.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from guard.catalog import Catalog, Column, Table
from guard.classify import classify
from guard.classifylines import classify_lines, judge
from guard.errors import Refused
from guard.statement import parse

ROOT = Path(__file__).parents[2]
CASES = ROOT / os.environ.get("GATEHOUSE_CASES", "../shared/cases") / "guard"

Case = dict[str, Any]


@cache
def judged() -> list[tuple[Case, Case]]:
    """Every case with the answer of the command."""
    cases = []
    for path in sorted(CASES.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            cases.append(json.loads(line) | {"file": path.stem})
    questions = (json.dumps({k: c[k] for k in ("id", "dialect", "sql")}) for c in cases)
    return list(zip(cases, map(json.loads, classify_lines(questions)), strict=True))


def unsafe(tier: str) -> list[Case]:
    """The cases of a tier that are no safe read."""
    return [case for case, _ in judged() if case["safe_read"] is False and case["tier"] == tier]


def accepted(tier: str) -> list[str]:
    """The unsafe cases of a tier that pass as reads."""
    return [
        case["sql"]
        for case, answer in judged()
        if case["safe_read"] is False
        and case["tier"] == tier
        and answer["decision"] == "allow_read"
    ]


def safe(prefix: str = "", dialect: str | None = None) -> list[tuple[Case, Case]]:
    """The safe cases of files with this prefix, of one dialect or all, with their answers."""
    return [
        (case, answer)
        for case, answer in judged()
        if case["safe_read"]
        and case["file"].startswith(prefix)
        and dialect in (None, case["dialect"])
    ]


def refused(prefix: str = "", dialect: str | None = None) -> list[str]:
    """The safe cases that do not pass as reads."""
    return [
        f"{case['dialect']}: {answer['rule']}: {case['sql']}"
        for case, answer in safe(prefix, dialect)
        if answer["decision"] != "allow_read"
    ]


def missed_tables(dialect: str) -> tuple[list[str], int]:
    """The accepted reads of a dialect in which a table was not seen, and how many were held."""
    missed, known = [], 0
    for case, answer in safe(dialect=dialect):
        if "tables" not in case or answer["decision"] != "allow_read":
            continue
        known += 1
        real = {t.lower().split(".")[-1] for t in case["tables"]}
        if real - {t.split(".")[-1] for t in answer["tables"]}:
            missed.append(case["sql"])
    return missed, known


def _schema(dialect: str) -> Catalog:
    """The schema the written attacks are made for, with the views that hide something."""

    def table(name: str, columns: str, definition: str | None = None) -> Table:
        return Table(
            name=name,
            kind="view" if definition else "table",
            columns=tuple(Column(name=c, type="TEXT") for c in columns.split()),
            definition=definition,
        )

    return Catalog(
        source="s",
        dialect=dialect,
        tables=(
            table("users", "id name email ssn balance"),
            table("orders", "id user_id amount created"),
            table("audit_log", "id msg"),
            table("v_pii", "x", "SELECT ssn FROM users"),
            table("v_users", "id name", "SELECT id, name FROM users"),
            table("v_bump", "x", "SELECT bump()"),
        ),
    )


def with_catalog(case: Case) -> tuple[bool, bool]:
    """Whether a case passes as a read with a catalog, and whether it then uses a secret column."""
    try:
        access = classify(parse(case["sql"], case["dialect"]), _schema(case["dialect"]))
    except Refused:
        return False, False
    secret = any((u.table, u.column) == ("users", "ssn") for u in access.columns)
    return judge(access) == "allow_read", secret


def main() -> None:
    """Prints the score."""
    effects, catalog = unsafe("effect"), [c for c, _ in judged() if c.get("tier") == "catalog"]
    print(f"effects accepted as reads    {len(accepted('effect'))} of {len(effects):,}")
    passing = sum(with_catalog(case)[0] for case in catalog)
    print(f"catalog tier, with a catalog {passing} of {len(catalog)}")
    print(f"benign questions refused     {len(refused('benign'))} of {len(safe('benign')):,}")
    for dialect in (None, *sorted(Counter(c["dialect"] for c, _ in safe()))):
        of, lost = len(safe(dialect=dialect)), len(refused(dialect=dialect))
        name = dialect or "all"
        print(f"safe reads refused, {name:8} {lost} of {of:,} ({lost / of:.2%})")
    for dialect in ("postgres", "duckdb", "sqlite"):
        missed, known = missed_tables(dialect)
        print(f"tables missed, {dialect:13} {len(missed)} of {known:,}")


if __name__ == "__main__":
    main()
