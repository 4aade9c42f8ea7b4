"""The adapters with the guard bypassed: whatever the text, nothing changes and nothing leaks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.engines import Cancel
from guard.engines.embedded import EmbeddedEngine
from guard.errors import GuardError, Refused
from guard.rewrite import GuardedQuery
from tests.guard.engines import attacks
from tests.guard.engines.support import (
    CANARY,
    READABLE,
    EngineName,
    fingerprint,
    make,
    opened,
    rows,
    unjudged,
)

TIMEOUT_MS = 400


@pytest.fixture(scope="module", params=["sqlite", "duckdb"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[EngineName, EmbeddedEngine, Path]]:
    """One adapter for all attacks of an engine, and the folder it must leave as it is."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "canary.csv").write_text(f"id,word\n1,{CANARY}\n", encoding="ascii")
    path = make(request.param, folder / f"shop.{request.param}")
    with opened(request.param, path) as adapter:
        yield request.param, adapter, folder


def attack(stage: tuple[EngineName, EmbeddedEngine, Path], sql: str) -> GuardError | None:
    """Runs one attack; returns how it ended after checking that it left no trace."""
    engine, adapter, folder = stage
    before, home = fingerprint(folder), set(os.listdir(Path.home()))
    error, shown = outcome(adapter, unjudged(sql, engine, timeout_ms=TIMEOUT_MS))
    assert CANARY not in shown
    assert fingerprint(folder) == before
    assert set(os.listdir(Path.home())) == home
    return error


def outcome(adapter: EmbeddedEngine, query: GuardedQuery) -> tuple[GuardError | None, str]:
    """The error a statement ended with, if any, and all that a person would see of it."""
    try:
        got = adapter.run(query, Cancel())
    except GuardError as error:
        return error, str(error)
    return None, str(got.table.to_pydict())


def test_promise_05_reads_cannot_write_whatever_the_text(
    stage: tuple[EngineName, EmbeddedEngine, Path],
) -> None:
    engine, adapter, folder = stage
    statements = attacks.SQLITE if engine == "sqlite" else attacks.DUCKDB
    survived = []
    for statement in statements:
        sql = statement.replace("{folder}", str(folder))
        sql = sql.replace("{canary}", str(folder / "canary.csv"))
        if attack(stage, sql) is None:
            survived.append(statement)
    assert survived == []
    # No state stays behind: names still mean the tables, settings are as they were.
    assert rows(adapter, "SELECT name FROM people WHERE id = 1") == [("Ann",)]
    assert rows(adapter, "SELECT people FROM cities WHERE city = 'Bern'") == [(1,)]


def test_promise_04_engine_alone_refuses_tables_out_of_scope(adapter: EmbeddedEngine) -> None:
    for sql in ("SELECT word FROM secrets", "SELECT name FROM people, secrets"):
        with pytest.raises(Refused) as caught:
            rows(adapter, sql)
        assert caught.value.refusal.rule == "engine.not_allowed"
        assert not caught.value.refusal.fixable


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ssn FROM people",
        "SELECT p.SSN FROM people AS p",
        "SELECT ssn FROM main.people",
        "SELECT people.ssn FROM main.people",
        "SELECT count(*) FROM people WHERE ssn LIKE 'c%'",
        "SELECT id FROM people ORDER BY ssn",
        "SELECT ssn FROM numbers",
        "SELECT id FROM numbers",
        "SELECT json_group_array(p.ssn) FROM people p",
        "SELECT 1 FROM people JOIN (SELECT ssn FROM people) AS q USING (ssn)",
        "WITH people AS (SELECT ssn FROM main.people) SELECT * FROM people",
        "WITH x AS (SELECT ssn FROM people) SELECT * FROM x",
    ],
)
def test_promise_04_engine_alone_refuses_columns_out_of_scope(
    adapter: EmbeddedEngine, sql: str
) -> None:
    for readable in (READABLE, {**READABLE, "numbers": ("id",)}, {"people": ()}):
        with pytest.raises(Refused):
            rows(adapter, sql, readable=readable)


@pytest.mark.parametrize("engine", ["duckdb"])
@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT * FROM people WHERE id = 1", [(1, "Ann", "Bern")]),
        ("SELECT * FROM main.people WHERE id = 1", [(1, "Ann", "Bern")]),
        ("FROM people AS p SELECT p WHERE id = 1", [({"id": 1, "name": "Ann", "city": "Bern"},)]),
        ("SELECT to_json(p) FROM people AS p WHERE id = 1", None),
        ("SELECT COLUMNS('s.*n') FROM people", None),
        ("SELECT t.d FROM people AS t(a, b, c, d)", None),
        ("SELECT #4 FROM people", None),
        ("SUMMARIZE people", None),
        ("DESCRIBE people", None),
        ("SELECT * FROM shop.main.people", None),
        ("SELECT ssn FROM shop.people", None),
        ("SELECT shop.main.people.ssn FROM people", None),
        ("SELECT rowid FROM people", None),
        ("SELECT * FROM temp.main.people", None),
        ("SELECT * FROM (UNPIVOT people ON ssn)", None),
        ("SELECT * FROM people ANTI JOIN people AS q USING (ssn)", None),
    ],
)
def test_promise_04_duckdb_alone_hides_columns_out_of_scope(
    adapter: EmbeddedEngine, sql: str, shown: list[tuple[object, ...]] | None
) -> None:
    error, text = outcome(adapter, unjudged(sql, "duckdb"))
    assert CANARY not in text
    assert "ssn" not in text
    if shown is not None:
        assert error is None
        assert rows(adapter, sql) == shown
    wide = {**READABLE, "people": ("id", "name", "city", "ssn")}
    assert CANARY in str(rows(adapter, "SELECT * FROM shop.main.people", readable=wide))


def test_promise_04_engine_alone_runs_what_a_person_may_read(adapter: EmbeddedEngine) -> None:
    assert rows(adapter, "SELECT count(*) FROM people") == [(3,)]
    assert rows(adapter, "SELECT lower(name) FROM people WHERE id IN (1)") == [("ann",)]
    assert rows(
        adapter,
        "SELECT p.name, sum(o.amount) OVER (PARTITION BY p.id ORDER BY o.id) > 13 FROM people p "
        "LEFT JOIN orders o ON o.person_id = p.id WHERE p.id = 1 ORDER BY o.id",
    ) in ([("Ann", 0), ("Ann", 1)], [("Ann", False), ("Ann", True)])


def test_promise_05_grants_of_one_statement_do_not_reach_the_next(
    adapter: EmbeddedEngine,
) -> None:
    wide = {**READABLE, "secrets": ("id", "word")}
    assert rows(adapter, "SELECT word FROM secrets", readable=wide) == [(CANARY,)]
    with pytest.raises(Refused):
        rows(adapter, "SELECT word FROM secrets")


def _cases(engine: str) -> list[dict[str, object]]:
    folder = Path(os.environ.get("GATEHOUSE_CASES", Path(__file__).parents[3] / "../shared/cases"))
    path = folder / "guard" / f"attacks_{engine}.jsonl"
    if not path.exists():
        pytest.skip("the attack cases are not here; set GATEHOUSE_CASES to their folder")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


_CASE_TABLES = f"""
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT, ssn TEXT, balance REAL);
CREATE TABLE audit_log (id INTEGER PRIMARY KEY, msg TEXT);
CREATE VIEW v_pii AS SELECT id, ssn FROM users;
INSERT INTO users VALUES (1, 'Ann', 'ann@shop.example', '{CANARY}', 12.5);
"""
_CASE_READABLE = {"users": ("id", "name", "balance"), "orders": ("id", "amount")}


def test_promise_05_reads_cannot_write_in_any_of_the_cases(
    engine: EngineName, tmp_path: Path
) -> None:
    cases = _cases(engine)
    path = make(engine, tmp_path / "app.db", _CASE_TABLES)
    before = fingerprint(tmp_path)
    effects = []
    with opened(engine, path) as adapter:
        for case in cases:
            query = unjudged(
                str(case["sql"]), engine, readable=_CASE_READABLE, timeout_ms=TIMEOUT_MS
            )
            error, shown = outcome(adapter, query)
            assert CANARY not in shown, case["id"]
            if error is None and case["tier"] == "effect":
                effects.append(case["id"])
    assert fingerprint(tmp_path) == before
    assert effects == []
