"""The guard on the cases kept beside the project: what it accepts, refuses and sees."""

from __future__ import annotations

from collections import defaultdict

import pytest

from guard.catalog import Catalog, Column, Table
from guard.classify import classify
from guard.statement import parse
from tests.guard.scorer import (
    CASES,
    Case,
    accepted,
    judged,
    missed_tables,
    refused,
    safe,
    with_catalog,
)

pytestmark = pytest.mark.skipif(
    not CASES.is_dir(),
    reason="needs the guard cases; set GATEHOUSE_CASES to the folder that holds guard/",
)


def test_every_case_is_answered_under_its_own_id() -> None:
    assert all(case["id"] == answer["id"] for case, answer in judged())
    assert len(judged()) > 5_000


def test_promise_05_no_effect_is_accepted_as_a_read() -> None:
    assert accepted("effect") == []


def test_no_honest_question_is_refused() -> None:
    assert refused("benign") == []


def test_at_most_one_and_a_half_in_a_hundred_safe_reads_are_refused() -> None:
    assert len(refused()) <= 0.015 * len(safe()), "\n".join(refused())


def test_tables_are_missed_on_no_engine_and_hardly_on_sqlite() -> None:
    assert missed_tables("postgres")[0] == missed_tables("duckdb")[0] == []
    missed, known = missed_tables("sqlite")
    assert known > 500
    assert len(missed) <= 0.005 * known


def test_with_a_catalog_nothing_of_the_catalog_tier_is_accepted() -> None:
    cases = [case for case, _ in judged() if case.get("tier") == "catalog"]
    assert cases
    assert [case["sql"] for case in cases if with_catalog(case)[0]] == []


def test_promise_08_with_a_catalog_every_secret_is_refused_or_seen() -> None:
    cases = [case for case, _ in judged() if case["truth"] == "secret" and "class" in case]
    unseen = [case["sql"] for case in cases if with_catalog(case) == (True, False)]
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
