"""The guard on the cases kept beside the project: what it accepts, refuses and sees."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from guard.catalog import Catalog, Column, Table
from guard.classify import classify
from guard.classifylines import classify_lines, judge
from guard.errors import Refused
from guard.statement import parse

ROOT = Path(__file__).parents[2]
CASES = ROOT / os.environ.get("GATEHOUSE_CASES", "../shared/cases") / "guard"
pytestmark = pytest.mark.skipif(
    not CASES.is_dir(),
    reason="needs the guard cases; set GATEHOUSE_CASES to the folder that holds guard/",
)

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


def accepted(tier: str) -> list[str]:
    """The unsafe cases of a tier that pass as reads."""
    return [
        case["sql"]
        for case, answer in judged()
        if case["safe_read"] is False
        and case["tier"] == tier
        and answer["decision"] == "allow_read"
    ]


def refused(prefix: str = "") -> list[str]:
    """The safe cases, of files with this prefix, that do not pass as reads."""
    return [
        f"{case['dialect']}: {answer['rule']}: {case['sql']}"
        for case, answer in judged()
        if case["safe_read"] and case["file"].startswith(prefix)
        if answer["decision"] != "allow_read"
    ]


def test_every_case_is_answered_under_its_own_id() -> None:
    assert all(case["id"] == answer["id"] for case, answer in judged())
    assert len(judged()) > 5_000


def test_promise_05_no_effect_is_accepted_as_a_read() -> None:
    assert accepted("effect") == []


def test_no_honest_question_is_refused() -> None:
    assert refused("benign") == []


def test_at_most_one_and_a_half_in_a_hundred_safe_reads_are_refused() -> None:
    safe = sum(1 for case, _ in judged() if case["safe_read"])
    assert len(refused()) <= 0.015 * safe, "\n".join(refused())


def test_tables_are_missed_on_no_engine_and_hardly_on_sqlite() -> None:
    known, missed = Counter[str](), defaultdict[str, list[str]](list)
    for case, answer in judged():
        if not case["safe_read"] or "tables" not in case or answer["decision"] != "allow_read":
            continue
        known[case["dialect"]] += 1
        real = {t.lower().split(".")[-1] for t in case["tables"]}
        if real - {t.split(".")[-1] for t in answer["tables"]}:
            missed[case["dialect"]].append(case["sql"])
    assert missed["postgres"] == missed["duckdb"] == []
    assert len(missed["sqlite"]) <= 0.005 * known["sqlite"]


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


def _with_catalog(case: Case) -> tuple[bool, bool]:
    """Whether a case passes as a read with a catalog, and whether it then uses a secret column."""
    try:
        access = classify(parse(case["sql"], case["dialect"]), _schema(case["dialect"]))
    except Refused:
        return False, False
    secret = any((u.table, u.column) == ("users", "ssn") for u in access.columns)
    return judge(access) == "allow_read", secret


def test_with_a_catalog_nothing_of_the_catalog_tier_is_accepted() -> None:
    cases = [case for case, _ in judged() if case.get("tier") == "catalog"]
    assert cases
    assert [case["sql"] for case in cases if _with_catalog(case)[0]] == []


def test_promise_08_with_a_catalog_every_secret_is_refused_or_seen() -> None:
    cases = [case for case, _ in judged() if case["truth"] == "secret" and "class" in case]
    unseen = [case["sql"] for case in cases if _with_catalog(case) == (True, False)]
    assert len(cases) > 50
    assert unseen == []


def _own_schema(case: Case) -> Catalog:
    columns = defaultdict[str, dict[str, None]](dict)
    for name in case["tables"]:
        columns[name]
    for read in case["columns"]:
        table, _, column = read.partition(".")
        columns[table][column] = None
    return Catalog(
        source="s",
        dialect="sqlite",
        tables=tuple(
            Table(name=t, columns=tuple(Column(name=c, type="") for c in names))
            for t, names in columns.items()
        ),
    )


def test_sqlite_columns_are_those_its_authorizer_saw() -> None:
    same = different = 0
    for case, answer in judged():
        plain = not case.get("vtab") and "relations_closure" not in case
        if case["dialect"] != "sqlite" or answer["decision"] != "allow_read" or not plain:
            continue
        if not case["safe_read"] or not case.get("columns") or not case.get("tables"):
            continue
        access = classify(parse(case["sql"], "sqlite"), _own_schema(case))
        if {p.rule for p in access.problems} & {"table.unknown", "function.introspects"}:
            continue
        # A full-text table also reads the shadow tables it keeps, which the text does not name.
        named = {t.lower() for t in case["tables"]}
        real = {c for r in case["columns"] if (c := r.lower()).partition(".")[0] in named}
        found = {f"{u.table}.{u.column}".lower() for u in access.columns}
        # A row id is the engine's own; the authorizer names it only where no column stands for it.
        real = {c for c in real if not c.endswith(".rowid")}
        found = {c for c in found if not c.endswith(".rowid")}
        same, different = same + (real == found), different + (real != found)
    assert same > 300
    assert different <= 0.01 * (same + different)
