"""The guard's function lists and the engines' own were made apart; both layers must agree.

A read the guard accepts should run, so whatever its list has, the engine's must have too, but for
syntax that is no call to the engine and for what describes the database beyond one person's scope.
"""

from __future__ import annotations

import duckdb

from guard.engines.child import duckdb_words, sqlite_words
from guard.functions.lists import functions_of

_SYNTAX_SQLITE = {"cast", "exists"}
_SYNTAX_DUCKDB = {
    *("all", "any", "array", "case", "cast", "coalesce", "columns", "exclude", "exists"),
    *("export_state", "extract", "grouping", "grouping_id", "ifnull", "interval", "lambda"),
    *("some", "try", "try_cast", "unnest", "unpack"),
}


def test_sqlite_runs_every_function_the_guard_allows() -> None:
    guard = functions_of("sqlite")
    assert guard.scalar - guard.introspection - sqlite_words.FUNCTIONS <= _SYNTAX_SQLITE
    assert guard.tables - guard.introspection <= sqlite_words.TABLE_FUNCTIONS


def test_duckdb_runs_every_function_the_guard_allows() -> None:
    guard = functions_of("duckdb")
    engine = duckdb_words.functions(duckdb.connect())
    assert guard.scalar - guard.introspection - engine <= _SYNTAX_DUCKDB
    assert guard.tables - guard.introspection <= duckdb_words.TABLE_FUNCTIONS


def test_neither_engine_calls_what_the_guard_refuses_for_a_reason() -> None:
    sqlite = functions_of("sqlite")
    assert sqlite_words.FUNCTIONS & sqlite.refusals.keys() == set()
    guard = functions_of("duckdb")
    engine = duckdb_words.functions(duckdb.connect())
    assert engine & guard.refusals.keys() <= guard.scalar
