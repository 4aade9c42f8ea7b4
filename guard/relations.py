"""What a table reference may be, told from the text alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from guard.errors import Refusal
from guard.lexical import words

# A name that DuckDB, Databricks or Snowflake would take for a file, an address or a stage.
_PATH = re.compile(r"[/\\:*?~@$\[\]]|\.")
_FILE_SUFFIX = re.compile(
    r"\.(csv|tsv|psv|txt|json|jsonl|ndjson|geojson|parquet|arrow|arrows|feather|ipc|orc|avro|xlsx?"
    r"|db|ddb|duckdb|sqlite3?|shp|gpkg|fgb|kml|gml|dbf|lance|vortex|gz|zst|zstd|bz2|xz|zip|tar"
    r"|html|xml|log)$",
    re.IGNORECASE,
)
_FILE_SCHEMAS = words("csv json parquet delta text binaryfile orc avro iceberg")
_FILE_DIALECTS = words("duckdb databricks snowflake bigquery")

# Relations that hold passwords, the text of other people's statements, or samples of values.
_SECRET = words(
    "pg_authid pg_shadow pg_user pg_user_mapping pg_user_mappings pg_subscription "
    "pg_stat_activity pg_settings pg_hba_file_rules pg_ident_file_mappings pg_file_settings "
    "pg_largeobject pg_stat_statements pg_statistic pg_statistic_ext_data pg_stats pg_stats_ext "
    "pg_stats_ext_exprs global_priv duckdb_secrets events_statements_history "
    "events_statements_current events_statements_history_long"
)
_MYSQL_ACCOUNTS = words("user db proxies_priv tables_priv columns_priv procs_priv servers")


def check_table(table: exp.Table, dialect: str) -> Iterator[Refusal]:
    """Yields why a reference cannot be a table: a file, a stage, a relation of secrets."""
    name = table.this
    if isinstance(name, exp.Func) or table.args.get("rows_from"):
        return
    if not isinstance(name, exp.Identifier):
        yield Refusal(
            rule="table.unknown",
            reason="A table reference is not the name of a table.",
            part=table.name or type(name).__name__,
        )
    elif dialect in _FILE_DIALECTS and _is_file(table, dialect):
        yield Refusal(
            rule="table.file",
            reason="Files, addresses and stages cannot be read; only tables of the source can.",
            part=name.name,
        )
    elif _is_secret(table, dialect):
        yield Refusal(
            rule="table.secret",
            reason=f"{name.name} holds secrets of the server or samples of other people's data.",
            part=name.name,
        )


def _is_file(table: exp.Table, dialect: str) -> bool:
    if _PATH.search(table.name):
        return True
    if dialect == "databricks" and table.db.lower() in _FILE_SCHEMAS:
        return True
    return bool(_FILE_SUFFIX.search(f"{table.db}.{table.name}"))


def _is_secret(table: exp.Table, dialect: str) -> bool:
    name = table.name.lower()
    if name in _SECRET:
        return True
    return dialect == "mysql" and table.db.lower() == "mysql" and name in _MYSQL_ACCOUNTS
