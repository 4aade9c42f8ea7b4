"""What a DuckDB statement may be made of: nodes of the parse tree, relations and functions."""

from __future__ import annotations

import re

import duckdb

from guard.engines.child.faults import Fault


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NODES = _words(
    """
    SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE
    BASE_TABLE TABLE_FUNCTION SUBQUERY JOIN EMPTY EXPRESSION_LIST PIVOT SHOW_REF
    ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER
    ORDER_DEFAULT ASCENDING DESCENDING
    """
)
CLASSES = _words(
    """
    BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA LAMBDA_REF
    OPERATOR POSITIONAL_REFERENCE STAR SUBQUERY TYPE WINDOW
    """
)
TABLE_FUNCTIONS = _words(
    "range generate_series repeat unnest json_each json_tree icu_calendar_names pg_timezone_names"
)

# Called free of effects by the engine, and still say or do too much: settings and variables, other
# people's statements, SQL in a string, the catalog beyond the readable tables, errors with a text
# of one's own, internal forms of values.
_DENIED = _words(
    """
    current_setting getvariable txid_current current_query in_search_path get_block_size index_key
    json_serialize_plan json_execute_serialized_sql stats write_log col_description obj_description
    shobj_description format_type format_pg_type map_to_pg_oid parse_duckdb_log_message assert_true
    create_sort_key invoke to_aggregate_state
    """
)
_DENIED_PREFIX = re.compile(r"__internal|pg_(?!typeof|size_pretty)|has_\w+_privilege|inet_")
# Called volatile by the engine because they differ from call to call; they change nothing.
_VARYING = _words("random uuid uuidv4 uuidv7 gen_random_uuid currval")

_FUNCTIONS = """
SELECT DISTINCT lower(function_name) FROM duckdb_functions()
WHERE internal AND function_type IN ('scalar', 'aggregate', 'window', 'macro')
  AND coalesce(stability, '') <> 'VOLATILE' AND has_side_effects IS NOT TRUE
"""

# A macro of the file comes before the engine's own functions, operators and the constructs that the
# engine makes of them, also in the adapter's own statements; no macro stands in `system.main`.
_NAMES = "SELECT function_name FROM system.main.duckdb_functions() WHERE {}internal"
_own: set[str] = set()
"""The engine's own functions; asked once a process."""


def check_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuses a file in which a macro hides a function of the engine. Takes some 12 ms.

    Raises:
        Fault: `shadowed`.
    """
    if not _own:
        _own.update(_folded(connection, ""))
    if not _own.isdisjoint(_folded(connection, "NOT ")):
        raise Fault("shadowed")


def _folded(connection: duckdb.DuckDBPyConnection, which: str) -> set[str]:
    # Folded here: `lower` may be one of the macros.
    return {name.lower() for (name,) in connection.execute(_NAMES.format(which)).fetchall()}


def functions(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Returns the functions of this build that have no effect. Takes some 30 ms; ask once."""
    free = {name for (name,) in connection.execute(_FUNCTIONS).fetchall()} - _DENIED
    return frozenset(f for f in free if not _DENIED_PREFIX.match(f)) | _VARYING
