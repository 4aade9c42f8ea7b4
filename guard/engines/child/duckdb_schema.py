"""Changes of the schema of a DuckDB file: what defines each table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from guard.engines.child.schema import Definer, Effect, Line, State

_LINES = """
SELECT table_name, 'column', column_name, concat_ws(' ', column_name, data_type,
  CASE WHEN NOT is_nullable THEN 'NOT NULL' END, 'DEFAULT ' || column_default), 1, column_index
FROM duckdb_columns() WHERE database_name = current_database() AND schema_name = 'main'
  AND NOT internal AND table_name IN (SELECT table_name FROM duckdb_tables()
    WHERE database_name = current_database() AND schema_name = 'main')
UNION ALL SELECT table_name, 'constraint', constraint_text, constraint_text, 2, 0
FROM duckdb_constraints() WHERE database_name = current_database() AND schema_name = 'main'
UNION ALL SELECT table_name, 'index', index_name, sql, 3, 0
FROM duckdb_indexes() WHERE database_name = current_database() AND schema_name = 'main'
UNION ALL SELECT t.table_name, 'trigger', g.trigger_name, g.sql, 4, 0
FROM duckdb_triggers() g JOIN duckdb_tables() t
  ON lower(t.table_name) = lower(g.table_name) AND t.database_name = g.database_name
  AND t.schema_name = g.schema_name
WHERE g.database_name = current_database() AND g.schema_name = 'main'
ORDER BY 1, 5, 6, 4
"""


def definer(connection: duckdb.DuckDBPyConnection) -> Definer:
    """Returns the schema side of an open transaction."""

    def run(statement: str) -> None:
        connection.execute(statement).fetchall()

    return Definer(
        engine="duckdb",
        ask=lambda text: connection.execute(text).fetchall(),
        state=lambda: _state(connection),
        run=run,
        effect=_effect,
    )


def _state(connection: duckdb.DuckDBPyConnection) -> State:
    found: dict[str, list[Line]] = {}
    for table, kind, name, text, _, _ in connection.execute(_LINES).fetchall():
        found.setdefault(table, []).append((kind, name, text))
    return found


def _effect(before: State, after: State, rows: Mapping[str, tuple[int, int]]) -> Effect:
    """A column of another type is written anew; the file has one writer and waits for it."""
    rewritten = {
        name
        for name in before.keys() & after.keys()
        if len(_columns(before[name])) == len(_columns(after[name]))
        and _columns(before[name]) != _columns(after[name])
    }
    return Effect(
        rows=rows,
        rewritten=frozenset(rewritten),
        locks={n: "all" for n in {*before, *after} if before.get(n) != after.get(n)},
    )


def _columns(lines: Sequence[Line]) -> list[str]:
    return [text for kind, _, text in lines if kind == "column"]
