"""The catalog of a DuckDB file, as plain JSON values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import duckdb

_HERE = "database_name = current_database() AND NOT internal AND NOT coalesce(temporary, false)"
_TABLES = f"""
SELECT schema_name, table_name, 'table', NULL, estimated_size FROM duckdb_tables() WHERE {_HERE}
UNION ALL
SELECT schema_name, view_name, 'view', sql, NULL FROM duckdb_views() WHERE {_HERE}
ORDER BY ALL
"""  # noqa: S608 - two constants of this file
_COLUMNS = """
SELECT schema_name, table_name, column_name, data_type, is_nullable FROM duckdb_columns()
WHERE database_name = current_database() AND NOT internal
ORDER BY schema_name, table_name, column_index
"""
_KEYS = """
SELECT schema_name, table_name, constraint_type, constraint_column_names, referenced_table,
       referenced_column_names
FROM duckdb_constraints()
WHERE database_name = current_database()
  AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY', 'UNIQUE')
ORDER BY schema_name, table_name, constraint_index
"""
_INDEXES = """
SELECT schema_name, table_name, expressions FROM duckdb_indexes()
WHERE database_name = current_database() AND is_unique AND NOT is_primary
"""

_Name = tuple[str, str]


def reflect(cursor: duckdb.DuckDBPyConnection) -> Mapping[str, object]:
    """Returns `{"tables": [...]}`: tables and views of every schema, none of the engine's."""
    primary: dict[_Name, set[str]] = defaultdict(set)
    foreign: dict[_Name, list[dict[str, object]]] = defaultdict(list)
    unique: dict[_Name, list[list[str]]] = defaultdict(list)
    for schema, table, kind, names, parent, targets in cursor.execute(_KEYS).fetchall():
        if kind == "PRIMARY KEY":
            primary[schema, table].update(names)
        elif kind == "UNIQUE":
            unique[schema, table].append(names)
        else:
            foreign[schema, table].append(
                {"columns": names, "table": parent, "references": targets}
            )
    columns: dict[_Name, list[dict[str, object]]] = defaultdict(list)
    for schema, table, name, type_, nullable in cursor.execute(_COLUMNS).fetchall():
        key = name in primary[schema, table]
        columns[schema, table].append(
            {"name": name, "type": type_, "nullable": nullable, "primary_key": key}
        )
    for schema, table, expressions in cursor.execute(_INDEXES).fetchall():
        names = [str(c["name"]) for c in columns[schema, table]]
        parts = [p.strip().strip('"') for p in str(expressions).strip("[]").split(",")]
        unique[schema, table].append(parts if set(parts) <= set(names) else names)
    return {
        "tables": [
            {
                "name": name,
                "kind": kind,
                "schema_": None if schema == "main" else schema,
                "create": sql,
                "columns": columns[schema, name],
                "foreign_keys": foreign[schema, name],
                "unique": unique[schema, name],
                "row_estimate": estimate,
            }
            for schema, name, kind, sql, estimate in cursor.execute(_TABLES).fetchall()
            if columns[schema, name]
        ]
    }
