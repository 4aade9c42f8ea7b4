"""Rules for the statements that describe a source: DESCRIBE, SUMMARIZE, SHOW and PRAGMA."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from guard.errors import Refusal
from guard.lexical import words

# https://www.sqlite.org/pragma.html: those that only report, by whether they take an argument.
_SQLITE_ASKS = words(
    "table_info table_xinfo index_list index_info index_xinfo foreign_key_list foreign_key_check "
    "table_list integrity_check quick_check"
)
_SQLITE_BARE = words(
    "application_id auto_vacuum automatic_index busy_timeout cache_size cache_spill "
    "case_sensitive_like cell_size_check checkpoint_fullfsync collation_list compile_options "
    "count_changes data_version database_list default_cache_size defer_foreign_keys "
    "empty_result_callbacks encoding foreign_key_check foreign_keys freelist_count "
    "full_column_names fullfsync function_list hard_heap_limit ignore_check_constraints "
    "integrity_check journal_mode journal_size_limit legacy_alter_table locking_mode "
    "max_page_count mmap_size module_list page_count page_size pragma_list query_only quick_check "
    "read_uncommitted recursive_triggers reverse_unordered_selects schema_version secure_delete "
    "short_column_names soft_heap_limit synchronous table_list temp_store threads trusted_schema "
    "user_version wal_autocheckpoint writable_schema"
)
_DUCKDB_ASKS = words("table_info show storage_info")
_DUCKDB_BARE = words(
    "database_list show_tables show_tables_expanded show_databases version platform user_agent "
    "database_size collations functions metadata_info extension_versions"
)
_SHOWN = frozenset(
    (
        "TABLES",
        "TABLE STATUS",
        "COLUMNS",
        "INDEX",
        "DATABASES",
        "SCHEMAS",
        "CREATE TABLE",
        "CREATE VIEW",
        "CREATE DATABASE",
        "CREATE FUNCTION",
        "CREATE PROCEDURE",
        "CREATE TRIGGER",
        "CREATE EVENT",
        "CHARACTER SET",
        "CHARSET",
        "COLLATION",
        "WARNINGS",
        "ERRORS",
        "ENGINES",
        "STORAGE ENGINES",
        "OPEN TABLES",
        "PLUGINS",
        "PRIVILEGES",
        "TRIGGERS",
        "EVENTS",
        "FUNCTION STATUS",
        "PROCEDURE STATUS",
    )
)


def check_metadata(node: exp.Expr, dialect: str) -> Iterator[Refusal]:
    """Yields why a statement of this kind may not run as a read.

    What stands inside (an explained query, a condition) is judged apart from this.
    """
    if isinstance(node, exp.Pragma):
        known = _is_known_pragma(node.this, dialect)
    elif isinstance(node, exp.Show):
        # PostgreSQL's names of settings were checked when the statement was recognised.
        known = dialect == "postgres" or str(node.this).upper() in _SHOWN
    elif isinstance(node, exp.Summarize):
        known = dialect == "duckdb" and isinstance(node.this, exp.Query | exp.Table)
    else:
        style = node.args.get("style")
        known = style in (None, "EXPLAIN") and isinstance(node.this, exp.Query | exp.Table)
    if not known:
        yield Refusal(
            rule="statement.unmodelled",
            reason="The guard does not know this statement to have no effect, so it is refused.",
            part=type(node).__name__.upper(),
        )


def _is_known_pragma(call: exp.Expr, dialect: str) -> bool:
    if dialect == "sqlite":
        if isinstance(call, exp.EQ):
            return _last_name(call.this) in _SQLITE_ASKS
        return _last_name(call) in _SQLITE_BARE
    if dialect == "duckdb":
        if isinstance(call, exp.Anonymous):
            constant = all(isinstance(a, exp.Literal) for a in call.expressions)
            return constant and call.name.lower() in _DUCKDB_ASKS
        return isinstance(call, exp.Column) and _last_name(call) in _DUCKDB_BARE
    return False


def _last_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Dot):
        node = node.expression
    return node.name.lower()
