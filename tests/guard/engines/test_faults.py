"""What an engine says when it fails stays with the engine; a person reads a fixed sentence."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import duckdb
import pytest

from guard.engines import faults
from guard.engines.child.faults import FaultCode
from guard.engines.embedded import EmbeddedEngine
from guard.errors import GuardError, Interrupted, Refused, SourceUnavailable
from tests.guard.engines.support import CANARY, EngineName, make, opened, rows


@pytest.mark.parametrize("code", get_args(FaultCode))
def test_every_fault_has_a_sentence_and_a_place_in_the_tree(code: FaultCode) -> None:
    error = faults.to_error(code, "shop")
    assert type(error) in (Refused, Interrupted, SourceUnavailable)
    assert str(error).endswith(".")
    if isinstance(error, Refused):
        assert error.refusal.rule == f"engine.{code}"


@pytest.mark.parametrize(
    ("sql", "rule", "fixable"),
    [
        ("SELECT nosuch FROM people", "no_such_name", True),
        ("SELECT id FROM nosuch", {"sqlite": "no_such_name", "duckdb": "not_allowed"}, None),
        ("SELECT nosuch(1)", {"sqlite": "no_such_name", "duckdb": "not_allowed"}, None),
        ("SELECT id FROM", "syntax", True),
        ("SELECT id FROM people AS p JOIN people AS q ON p.id = q.id", "meaning", True),
        ("SELECT sum(count(*)) FROM people", "meaning", True),
        ("SELECT 9223372036854775807 + 1, abs(-9223372036854775807 - 1)", "arithmetic", True),
        ("SELECT json_extract(name, '$.a') FROM people", "types", True),
        ("SELECT word FROM secrets", "not_allowed", False),
        ("DELETE FROM people", "not_allowed", False),
    ],
)
def test_a_failure_of_the_engine_is_a_refusal_with_a_rule(
    adapter: EmbeddedEngine,
    engine: EngineName,
    sql: str,
    rule: str | dict[str, str],
    fixable: bool | None,
) -> None:
    with pytest.raises(Refused) as caught:
        rows(adapter, sql)
    refusal = caught.value.refusal
    assert refusal.rule == f"engine.{rule if isinstance(rule, str) else rule[engine]}"
    if fixable is not None:
        assert refusal.fixable is fixable
    assert refusal.part is None


@pytest.mark.parametrize("engine", ["duckdb"])
@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT CAST(name AS INTEGER) FROM people", "types"),
        ("SELECT CAST(id * 100 AS TINYINT) FROM people", "types"),
        ("SELECT id FROM people WHERE city > 1", "meaning"),
        ("SELECT regexp_matches(name, '(') FROM people", "types"),
        ("SELECT (SELECT id FROM people)", "types"),
        ("SELECT city, id FROM people GROUP BY city", "meaning"),
        ("SELECT strptime(name, '%Y') FROM people", "types"),
        ("PIVOT people ON city", "not_allowed"),
    ],
)
def test_duckdb_failures_on_values_never_quote_them(
    adapter: EmbeddedEngine, sql: str, rule: str
) -> None:
    with pytest.raises(Refused) as caught:
        rows(adapter, sql)
    assert caught.value.refusal.rule == f"engine.{rule}"
    assert "Ann" not in repr(caught.value.refusal)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT json('{canary}'), CAST('{canary}' AS INTEGER)",
        "SELECT {canary} FROM people",
        "SELECT '{canary}' + 1, abs('{canary}', 1)",
        "SELECT json_extract('{canary}', '$')",
        'SELECT * FROM "{canary}"',
        'SELECT "{canary}"(1)',
    ],
)
def test_promise_08_no_error_repeats_what_was_in_the_statement(
    adapter: EmbeddedEngine, sql: str
) -> None:
    with pytest.raises(GuardError) as caught:
        rows(adapter, sql.replace("{canary}", CANARY))
    error = caught.value
    shown = (str(error), repr(getattr(error, "refusal", "")))
    chain = (repr(error.__cause__), repr(error.__context__))
    assert CANARY not in json.dumps([*shown, *chain])


def test_too_much_memory_ends_the_statement_not_the_source(
    adapter: EmbeddedEngine, engine: EngineName
) -> None:
    sql = {
        "sqlite": "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) "
        "SELECT i, zeroblob(5000000) AS b FROM r ORDER BY b, -i",
        "duckdb": "SELECT list_sum(range(1000000000))",
    }[engine]
    with pytest.raises(Interrupted, match="more memory than it may use") as caught:
        rows(adapter, sql, timeout_ms=60_000)
    assert caught.value.cause == "limit"
    assert rows(adapter, "SELECT 1") == [(1,)]


def _missing(path: Path) -> None:
    path.unlink()


def _garbage(path: Path) -> None:
    path.write_bytes(b"these are no tables, " * 1000)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (_missing, "The database file of shop is not there."),
        (_folder, "The database file of shop"),
        (_garbage, "The file of shop is not a database of the engine the policy names."),
    ],
)
def test_a_broken_file_is_named_and_works_again_once_it_is_back(
    adapter: EmbeddedEngine,
    engine: EngineName,
    database: Path,
    harm: Callable[[Path], None],
    sentence: str,
) -> None:
    assert rows(adapter, "SELECT count(*) FROM people") == [(3,)]
    harm(database)
    # An engine may keep a file that is overwritten under it; a fresh adapter has not.
    with opened(engine, database) as fresh:
        for call in (fresh.reflect, lambda: rows(fresh, "SELECT count(*) FROM people")):
            with pytest.raises(SourceUnavailable) as caught:
                call()
            assert str(caught.value).startswith(sentence)
            assert str(database.parent) not in str(caught.value)
        if database.is_dir():
            database.rmdir()
        database.unlink(missing_ok=True)
        make(engine, database)
        assert rows(fresh, "SELECT count(*) FROM people") == [(3,)]


def test_a_damaged_file_is_said_to_be_damaged(engine: EngineName, database: Path) -> None:
    content = database.read_bytes()
    # Past the header of the file, so that it still looks like a database.
    kept = {"sqlite": 4_096, "duckdb": 12_288}[engine]
    content = content[:kept] + b"\xee" * (len(content) - kept)
    database.write_bytes(content)
    with opened(engine, database) as fresh, pytest.raises(SourceUnavailable) as caught:
        rows(fresh, "SELECT p.name FROM people p JOIN orders o ON o.person_id = p.id")
    assert str(caught.value).startswith("The database of shop is damaged.")


def test_a_file_that_was_replaced_is_read_anew(
    adapter: EmbeddedEngine, engine: EngineName, database: Path
) -> None:
    assert rows(adapter, "SELECT count(*) FROM people") == [(3,)]
    other = make(engine, database.with_name("other"), "DELETE FROM orders; DELETE FROM people;")
    os.replace(other, database)
    assert rows(adapter, "SELECT count(*) FROM people") == [(0,)]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_locked_file_is_said_to_be_busy_and_read_when_free(
    adapter: EmbeddedEngine, database: Path
) -> None:
    writer = sqlite3.connect(database, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SourceUnavailable, match="shop is being changed right now"):
        rows(adapter, "SELECT count(*) FROM people")
    writer.execute("ROLLBACK")
    writer.close()
    assert rows(adapter, "SELECT count(*) FROM people") == [(3,)]


@pytest.mark.parametrize("engine", ["duckdb"])
def test_a_file_open_for_writing_is_said_to_be_busy_and_read_when_free(
    adapter: EmbeddedEngine, database: Path
) -> None:
    with duckdb.connect(str(database)) as writer:
        writer.execute("SELECT 1")
        with pytest.raises(SourceUnavailable, match="shop is being changed right now"):
            rows(adapter, "SELECT count(*) FROM people")
    assert rows(adapter, "SELECT count(*) FROM people") == [(3,)]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_write_that_was_cut_off_is_told_apart_from_damage(
    adapter: EmbeddedEngine, database: Path
) -> None:
    # A journal that still has to be rolled back, as a writer killed in the middle leaves it.
    writer = sqlite3.connect(database, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN")
    writer.execute("UPDATE people SET name = 'x'")
    writer.execute("CREATE TABLE filler AS SELECT zeroblob(100000) AS b")
    copy = {p.name: p.read_bytes() for p in database.parent.iterdir()}
    writer.execute("ROLLBACK")
    writer.close()
    for name, content in copy.items():
        (database.parent / name).write_bytes(content)
    with pytest.raises(SourceUnavailable, match="was cut off and must be rolled back"):
        rows(adapter, "SELECT count(*) FROM people")
    sqlite3.connect(database).execute("SELECT count(*) FROM people").fetchall()
    assert rows(adapter, "SELECT name FROM people WHERE id = 1") == [("Ann",)]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_database_in_write_ahead_mode_is_read_while_it_is_written(
    adapter: EmbeddedEngine, database: Path
) -> None:
    writer = sqlite3.connect(database, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM orders")
    assert rows(adapter, "SELECT count(*) FROM orders") == [(3,)]
    writer.execute("COMMIT")
    assert rows(adapter, "SELECT count(*) FROM orders") == [(0,)]
    writer.close()
    assert rows(adapter, "SELECT count(*) FROM orders") == [(0,)]
