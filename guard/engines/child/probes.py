"""Attacks on the adapter itself, for the safety checklist. Fixed texts: no caller can add one.

`{folder}` is a fresh folder of the parent, with `canary.csv` in it; it must not change and the
canary must not be read. Each attack must end in one of `expected`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from guard.engines.child.faults import FaultCode

_REFUSED: frozenset[FaultCode] = frozenset({"not_allowed"})


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack: what it tries, its text, and how the engine must answer."""

    name: str
    sql: str
    expected: frozenset[FaultCode] = _REFUSED
    timeout_ms: int = 2_000


_ENDLESS = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r"

SQLITE = (
    Attack(name="create a table", sql="CREATE TABLE gatehouse_probe (x)"),
    Attack(name="create a temporary table", sql="CREATE TEMP TABLE gatehouse_probe (x)"),
    Attack(name="attach another database", sql="ATTACH '{folder}/out.sqlite' AS gatehouse_probe"),
    Attack(name="copy the database to a file", sql="VACUUM INTO '{folder}/out.sqlite'"),
    Attack(name="lift the read-only setting", sql="PRAGMA query_only = 0"),
    Attack(name="open the schema for writing", sql="PRAGMA writable_schema = 1"),
    Attack(name="load code", sql="SELECT load_extension('{folder}/canary.csv')"),
    Attack(
        name="read a file",
        sql="SELECT readfile('{folder}/canary.csv')",
        expected=frozenset({"not_allowed", "no_such_name"}),
    ),
    Attack(name="read the schema", sql="SELECT sql FROM sqlite_master"),
    Attack(name="run two statements", sql="SELECT 1; DROP TABLE IF EXISTS gatehouse_probe"),
    Attack(name="hold a lock", sql="BEGIN EXCLUSIVE"),
    Attack(
        name="fill the memory",
        sql="SELECT length(replace(hex(printf('%.*c', 4000000, 'x')), '7', 'xxxxxxxxxxxxxxxx'))",
        expected=frozenset({"value_too_large", "memory"}),
    ),
    Attack(name="run for ever", sql=_ENDLESS, expected=frozenset({"interrupted"}), timeout_ms=300),
)

DUCKDB = (
    Attack(name="create a table", sql="CREATE TABLE gatehouse_probe (x INTEGER)"),
    Attack(name="create a temporary table", sql="CREATE TEMP TABLE gatehouse_probe (x INTEGER)"),
    Attack(name="attach another database", sql="ATTACH '{folder}/out.duckdb' AS gatehouse_probe"),
    Attack(name="write a file", sql="COPY (SELECT 1) TO '{folder}/out.csv'"),
    Attack(name="export the database", sql="EXPORT DATABASE '{folder}/out'"),
    Attack(name="read a file", sql="SELECT * FROM read_csv('{folder}/canary.csv')"),
    Attack(name="read a file by its name", sql="SELECT * FROM '{folder}/canary.csv'"),
    Attack(name="load an extension", sql="LOAD httpfs"),
    Attack(name="install an extension", sql="INSTALL httpfs"),
    Attack(name="change a setting", sql="SET memory_limit = '100GB'"),
    Attack(name="open the outside", sql="SET enable_external_access = true"),
    Attack(name="read the settings", sql="SELECT * FROM duckdb_settings()"),
    Attack(name="read the schema", sql="SELECT * FROM information_schema.tables"),
    Attack(name="run SQL from a string", sql="SELECT * FROM query('SELECT 1')"),
    Attack(name="run two statements", sql="SELECT 1; DROP TABLE IF EXISTS gatehouse_probe"),
    Attack(
        name="fill the memory",
        sql="SELECT list_sum(range(1000000000))",
        expected=frozenset({"memory"}),
    ),
    Attack(
        name="run for ever",
        sql="SELECT count(*) FROM range(9999999) a, range(9999999) b WHERE a.range + b.range < 0",
        expected=frozenset({"interrupted"}),
        timeout_ms=300,
    ),
)

BY_ENGINE: Mapping[str, tuple[Attack, ...]] = {"sqlite": SQLITE, "duckdb": DUCKDB}
