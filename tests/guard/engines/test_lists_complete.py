"""Every function the engines have built in is allowed, or refused for a reason written down.

What neither list names falls under one of the reasons here, each told by the engine's own catalog.
"""

from __future__ import annotations

import re
import sqlite3

import duckdb

from guard.functions.lists import functions_of
from tests.servers import ServerDatabase

# Volatile: it acts on the server or shows its state. The others only the server can call: they take
# or give something that is no value (`internal`, a trigger, a handler) or a type's text form.
_POSTGRES = """
SELECT p.proname FROM pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace
GROUP BY p.proname HAVING NOT bool_or(p.provolatile = 'v') AND NOT bool_and(
  (p.prorettype::regtype::text ~ 'handler$|^(internal|cstring|trigger|event_trigger|void)$'
  OR p.proargtypes::oid[] && ARRAY['internal'::regtype, 'cstring'::regtype]::oid[]
  OR p.proname ~ '_(in|out)$|in$|out$' AND p.pronargs = 1))
"""
_DUCKDB = """
SELECT DISTINCT lower(function_name) FROM duckdb_functions()
WHERE internal AND function_type <> 'pragma'
"""
_DUCKDB_INNER = re.compile(r"[^a-z_].*|is .*distinct from|__.*|(icu_)?collate_\w+")
"""Operators, which are no calls; forms of the optimizer's own; a collation's sort keys."""
_SQLITE_INNER = {"->", "->>"}


def unlisted(dialect: str, names: set[str]) -> list[str]:
    listed = functions_of(dialect)
    return sorted(names - listed.scalar - listed.tables - listed.refusals.keys())


def test_every_function_of_postgres_has_its_place(postgres: ServerDatabase) -> None:
    names = {str(name) for (name,) in postgres.execute(_POSTGRES)}
    assert len(names) > 1500
    assert unlisted("postgres", names) == []


def test_every_function_of_duckdb_has_its_place() -> None:
    names = {str(name) for (name,) in duckdb.connect().execute(_DUCKDB).fetchall()}
    assert len(names) > 800
    assert unlisted("duckdb", {n for n in names if not _DUCKDB_INNER.fullmatch(n)}) == []


def test_every_function_of_sqlite_has_its_place() -> None:
    found = sqlite3.connect(":memory:").execute("SELECT name FROM pragma_function_list")
    names = {str(name) for (name,) in found}
    assert len(names) > 100
    assert unlisted("sqlite", names - _SQLITE_INNER) == []


def test_every_function_of_mariadb_has_its_place(mariadb: ServerDatabase) -> None:
    found = mariadb.execute("SELECT LOWER(FUNCTION) FROM information_schema.SQL_FUNCTIONS")
    names = {str(name) for (name,) in found}
    assert len(names) > 200
    assert unlisted("mysql", names) == []
