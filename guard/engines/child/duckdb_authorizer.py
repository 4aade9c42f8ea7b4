"""What one DuckDB statement may touch, read from the engine's own parse and its own binder.

DuckDB has no authorizer; `json_serialize_sql` gives its parse tree and `get_table_names` the base
tables after binding, behind views and SQL in strings too. Default deny: a node, function or
relation that is not listed here refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import duckdb

from guard.engines.child.faults import Fault


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NODES = _words(
    """
    SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE CTE_NODE
    BASE_TABLE TABLE_FUNCTION SUBQUERY JOIN EMPTY EXPRESSION_LIST PIVOT SHOW_REF
    ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER
    ORDER_DEFAULT ASCENDING DESCENDING
    """
)
_CLASSES = _words(
    """
    BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA LAMBDA_REF
    OPERATOR POSITIONAL_REFERENCE STAR SUBQUERY TYPE WINDOW
    """
)
_TABLE_FUNCTIONS = _words("range generate_series unnest json_each json_tree")

# Functions that the engine calls free of effects and that still say or do too much: settings and
# variables, other people's statements, SQL in a string, the catalog beyond the readable tables.
_DENIED = _words(
    """
    current_setting getvariable txid_current current_query in_search_path get_block_size index_key
    json_serialize_plan json_deserialize_sql json_execute_serialized_sql stats write_log
    col_description obj_description shobj_description format_type format_pg_type
    """
)
_DENIED_PREFIX = re.compile(r"__internal|pg_(?!typeof|size_pretty)|has_\w+_privilege|inet_")
# Called volatile by the engine because they differ from row to row; they change nothing.
_RANDOM = _words("random uuid uuidv4 uuidv7 gen_random_uuid")

_FUNCTIONS = """
SELECT DISTINCT function_name FROM duckdb_functions()
WHERE internal AND function_type IN ('scalar', 'aggregate', 'window', 'macro')
  AND coalesce(stability, '') <> 'VOLATILE' AND has_side_effects IS NOT TRUE
"""
_SYSTEM_VIEWS = "SELECT DISTINCT view_name FROM duckdb_views() WHERE internal"
_TREE = "SELECT json_serialize_sql(?, skip_null := true, skip_empty := true, skip_default := true)"
_EXPLAIN = re.compile(r"\s*EXPLAIN\s+(?=(?:SELECT|WITH|FROM|VALUES|TABLE)\b|\()", re.IGNORECASE)
_OPTIONS = re.compile(r"\s*EXPLAIN\s*\(", re.IGNORECASE)
_SYSTEM_PARENTS = frozenset({"information_schema", "pg_catalog", "system", "temp"})
_REPEATED = """
SELECT name FROM (
  SELECT lower(table_name) AS name FROM duckdb_tables() WHERE NOT internal
  UNION ALL SELECT lower(view_name) FROM duckdb_views() WHERE NOT internal
) GROUP BY name HAVING count(*) > 1
"""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the engine and the file have, names in lower case.

    `functions` are those without effect, `system_views` the engine's own, `repeated` the names that
    more than one schema of the file has: a grant of such a name means the table in `main`.
    """

    functions: AbstractSet[str]
    system_views: AbstractSet[str]
    repeated: AbstractSet[str]
    main: AbstractSet[str]

    def granted(self, path: Sequence[str], readable: AbstractSet[str]) -> bool:
        """True when the table of that dotted name may be read."""
        *parents, name = path
        if name not in readable or _SYSTEM_PARENTS & set(parents):
            return False
        return name not in self.repeated or not parents or parents[-1] in self.main


def known(connection: duckdb.DuckDBPyConnection, before: Known | None = None) -> Known:
    """Returns what the connected engine and file have.

    The engine's own part takes some milliseconds and is taken over from `before`, if given.
    """
    return Known(
        functions=before.functions if before else _functions(connection),
        system_views=before.system_views if before else _names(connection, _SYSTEM_VIEWS),
        repeated=_names(connection, _REPEATED),
        main=_names(connection, "SELECT current_database()") | {"main"},
    )


def _functions(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    free = _names(connection, _FUNCTIONS) - _DENIED
    return frozenset(f for f in free if not _DENIED_PREFIX.match(f)) | _RANDOM


def _names(connection: duckdb.DuckDBPyConnection, sql: str) -> frozenset[str]:
    return frozenset(name.lower() for (name,) in connection.execute(sql).fetchall())


def authorize(
    cursor: duckdb.DuckDBPyConnection, sql: str, readable: AbstractSet[str], engine: Known
) -> None:
    """Returns when `sql` is one SELECT (or EXPLAIN of one) over `readable` tables, lower case.

    Raises:
        Fault: it is anything else. Errors of the engine's parser and binder pass through.
    """
    judged = _the_select(cursor, sql)
    [(tree,)] = cursor.execute(_TREE, [judged]).fetchall()
    reply = json.loads(tree)
    if reply.get("error"):
        raise Fault("not_allowed")
    _Tree(engine, readable).check(reply["statements"])
    for name in cursor.get_table_names(judged, qualified=True):
        if not engine.granted(_parts(name), readable):
            raise Fault("not_allowed")


def _the_select(cursor: duckdb.DuckDBPyConnection, sql: str) -> str:
    statements = cursor.extract_statements(sql)
    if len(statements) != 1:
        raise Fault("not_allowed")
    kind = statements[0].type
    if kind == duckdb.StatementType.SELECT:
        return sql
    explain = _EXPLAIN.match(sql)
    if kind == duckdb.StatementType.EXPLAIN and explain and not _OPTIONS.match(sql):
        return _the_select(cursor, sql[explain.end() :])
    raise Fault("not_allowed")


def _parts(name: str) -> list[str]:
    """The parts of a dotted name, quoted where it must be, in lower case."""
    parts = re.findall(r'"(?:[^"]|"")*"|[^."]+', name)
    return [(p[1:-1].replace('""', '"') if p[0] == '"' else p).lower() for p in parts] or [""]


class _Tree:
    """One parse tree, checked node by node without recursion."""

    def __init__(self, engine: Known, readable: AbstractSet[str]) -> None:
        self._engine = engine
        self._readable = readable
        self._ctes: set[str] = set()
        self._bare: set[str] = set()

    def check(self, tree: object) -> None:
        """Returns when every node is known and allowed. Raises `Fault`."""
        for node in _nodes(tree):
            self._node(node)
        # A common table expression named like a system view could hide a read of that view.
        if self._ctes & self._engine.system_views:
            raise Fault("not_allowed")
        if not self._bare <= self._readable | self._ctes:
            raise Fault("not_allowed")

    def _node(self, node: Mapping[str, object]) -> None:
        kind, cls = node.get("type"), node.get("class")
        if cls is not None and cls not in _CLASSES:
            raise Fault("not_allowed")
        if cls is None and isinstance(kind, str) and kind not in _NODES:
            raise Fault("not_allowed")
        if kind == "BASE_TABLE":
            self._table(node)
        elif kind == "TABLE_FUNCTION":
            self._table_function(node)
        elif kind == "SHOW_REF" and "query" not in node:
            raise Fault("not_allowed")
        elif cls in ("FUNCTION", "WINDOW"):
            self._function(node)
        self._common(node)

    def _table(self, node: Mapping[str, object]) -> None:
        path = [p.lower() for p in _path(node)]
        if len(path) == 1:  # perhaps the name of a common table expression, known at the end
            self._bare.add(path[0])
        elif not self._engine.granted(path, self._readable):
            raise Fault("not_allowed")

    def _table_function(self, node: Mapping[str, object]) -> None:
        function = node.get("function")
        if not isinstance(function, dict) or _name(function) not in _TABLE_FUNCTIONS:
            raise Fault("not_allowed")

    def _function(self, node: Mapping[str, object]) -> None:
        name = _name(node)
        if name not in self._engine.functions and name not in _TABLE_FUNCTIONS:
            raise Fault("not_allowed")

    def _common(self, node: Mapping[str, object]) -> None:
        entries = node.get("cte_map")
        if isinstance(entries, dict):
            self._ctes.update(str(e["key"]).lower() for e in entries.get("map", []))
        if "cte_name" in node:
            self._ctes.add(str(node["cte_name"]).lower())


def _nodes(tree: object) -> Iterator[Mapping[str, object]]:
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _path(node: Mapping[str, object]) -> list[str]:
    qualified = node.get("qualified_name")
    path = qualified.get("path") if isinstance(qualified, dict) else None
    if not path:
        raise Fault("not_allowed")
    return [str(p) for p in path]


def _name(function: Mapping[str, object]) -> str:
    path = [p.lower() for p in _path(function)]
    if len(path) > 1 and path[:-1] not in (["main"], ["pg_catalog"]):
        raise Fault("not_allowed")
    return path[-1]
