"""What one DuckDB statement may touch, read from the engine's own parse of it.

DuckDB has no authorizer, but `json_serialize_sql` gives the tree its parser made. Default deny: a
node, function or relation that is not listed here refuses. Views are followed to their tables. A
table of which only some columns may be read is hidden, for the length of one connection, by a
temporary view of its name that has only those: the engine finds it first, also after `main.` and
inside other views.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import duckdb

from guard.engines.child import duckdb_words as words
from guard.engines.child.faults import Fault
from guard.engines.child.names import fold, quoted

_TREE = "SELECT json_serialize_sql(?, skip_null := true, skip_empty := true, skip_default := true)"
_EXPLAIN = re.compile(r"\s*EXPLAIN\s+(?=(?:SELECT|WITH|FROM|VALUES|TABLE)\b)", re.IGNORECASE)
_SYSTEM_PARENTS = frozenset({"information_schema", "pg_catalog", "system", "temp"})
_MAX_VIEWS = 64
"""Views that one statement may go through, each counted as often as it is named."""

_VIEWS = "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal"
_COLUMNS = """
SELECT schema_name, table_name, list(column_name ORDER BY column_index) FROM duckdb_columns()
WHERE database_name = current_database() AND NOT internal GROUP BY ALL
"""
_PARENTS = """
SELECT schema_name FROM duckdb_schemas() UNION ALL SELECT database_name FROM duckdb_databases()
"""
_NAME = r'(?:"(?:[^"]|"")*"|\w+)'
_VIEW = re.compile(
    rf"CREATE\s+VIEW\s+(?:{_NAME}\.)*{_NAME}\s*(?:\(\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\)\s*)?AS\s+",
    re.IGNORECASE,
)

Node = Mapping[str, object]
Readable = Mapping[str, AbstractSet[str]]
"""Tables and the columns of them that may be read, names folded."""


@dataclass(frozen=True, kw_only=True)
class Objects:
    """What a file holds. Names are folded, but for those of columns.

    `main` lists the columns of each table and view in the schema `main`, `elsewhere` of those that
    only another schema has; `repeated` are names that several schemas have: a grant of such a name
    means the one in `main`. `views` maps a name to its SELECT. `parents` are all schemas and
    databases: whatever else stands before a function's dot is the value it is called on.
    """

    database: str
    main: Mapping[str, Sequence[str]]
    elsewhere: Mapping[str, Sequence[str]]
    repeated: AbstractSet[str]
    views: Mapping[str, str]
    parents: AbstractSet[str]


def objects(connection: duckdb.DuckDBPyConnection) -> Objects:
    """Returns what the connected file holds."""
    [(database,)] = connection.execute("SELECT current_database()").fetchall()
    rows = connection.execute(_COLUMNS).fetchall()
    names = Counter(fold(table) for _, table, _ in rows)
    main = {fold(table): columns for schema, table, columns in rows if schema == "main"}
    return Objects(
        database=database,
        main=main,
        elsewhere={fold(t): columns for _, t, columns in rows if fold(t) not in main},
        repeated={name for name, count in names.items() if count > 1},
        views={fold(v): _select(sql) for v, sql in connection.execute(_VIEWS).fetchall()},
        parents={fold(name) for (name,) in connection.execute(_PARENTS).fetchall()},
    )


def _select(create: str) -> str:
    """The SELECT of a view, as the engine writes it; nothing where the text is of another form."""
    found = _VIEW.match(create)
    return create[found.end() :] if found else ""


@dataclass(frozen=True, kw_only=True)
class Authorizer:
    """Decides for one open file. `functions` are those of this build that have no effect."""

    functions: AbstractSet[str]
    objects: Objects

    def prepare(self, cursor: duckdb.DuckDBPyConnection, sql: str, readable: Readable) -> None:
        """Returns when `cursor` can run `sql`: one SELECT (or EXPLAIN of one) over `readable`.

        Columns that are not readable do not exist for the cursor any more.

        Raises:
            Fault: it is anything else. Errors of the engine's parser pass through.
        """
        paths = list(self._paths(cursor, sql, readable.keys()))
        narrowed = {path[-1] for path in paths if self._partly(path[-1], readable)}
        for path in paths:
            # Any other spelling goes past the view that hides the table.
            if path[-1] in narrowed and path[:-1] not in ([], ["main"]):
                raise Fault("not_allowed")
        for name in sorted(narrowed):
            cursor.execute(self._narrow(name, readable[name])).fetchall()

    def _partly(self, name: str, readable: Readable) -> bool:
        """True when columns of the table are hidden."""
        if name not in readable:  # a view inside a view: it hides nothing itself
            return False
        columns = self.objects.main.get(name, self.objects.elsewhere.get(name, ()))
        return not set(map(fold, columns)) <= readable[name]

    def _narrow(self, name: str, readable: AbstractSet[str]) -> str:
        kept = [c for c in self.objects.main.get(name, ()) if fold(c) in readable]
        if not kept:  # none is readable, or the table is where no view can hide it
            raise Fault("not_allowed")
        source = ".".join(map(quoted, (self.objects.database, "main", name)))
        select = f"SELECT {', '.join(map(quoted, kept))} FROM {source}"  # noqa: S608 - all quoted
        return f"CREATE TEMP VIEW {quoted(name)} AS {select}"

    def _paths(
        self, cursor: duckdb.DuckDBPyConnection, sql: str, readable: AbstractSet[str]
    ) -> Iterator[list[str]]:
        """Yields the dotted name of every table and view the statement reaches."""
        waiting, views = [_the_select(cursor, sql)], 0
        while waiting:
            # A view inside a view need not be granted: the tables behind it are asked for.
            granted = readable | self.objects.views.keys() if views else readable
            for path in self._relations(_tree(cursor, waiting.pop())):
                if not self._granted(path, granted):
                    raise Fault("not_allowed")
                yield path
                body = self.objects.views.get(path[-1])
                if body is not None:
                    waiting.append(body)
                    views += 1
            if views > _MAX_VIEWS:
                raise Fault("not_supported")

    def _granted(self, path: Sequence[str], granted: AbstractSet[str]) -> bool:
        *parents, name = path
        if name not in granted or _SYSTEM_PARENTS & set(parents):
            return False
        main = {"main", fold(self.objects.database)}
        return name not in self.objects.repeated or not parents or parents[-1] in main

    def _relations(self, tree: Node) -> Iterator[list[str]]:
        """Yields the dotted name of every table and view, common table expressions left out.

        Raises:
            Fault: some node or function is not known.
        """
        waiting: list[tuple[object, frozenset[str]]] = [(tree, frozenset())]
        while waiting:
            item, ctes = waiting.pop()
            if isinstance(item, list):
                waiting.extend((child, ctes) for child in item)
            elif isinstance(item, dict):
                self._known(item)
                if item.get("type") == "BASE_TABLE":
                    path = _path(item)
                    if len(path) > 1 or path[0] not in ctes:
                        yield path
                waiting.extend(_children(item, ctes))

    def _known(self, node: Node) -> None:
        kind, cls = node.get("type"), node.get("class")
        allowed = words.CLASSES if cls is not None else words.NODES
        label = cls if cls is not None else kind
        if isinstance(label, str) and label not in allowed:
            raise Fault("not_allowed")
        if kind == "TABLE_FUNCTION":
            self._table_function(node)
        elif kind == "SHOW_REF" and "query" not in node:
            raise Fault("not_allowed")
        elif cls in ("FUNCTION", "WINDOW"):
            self._function(node)

    def _table_function(self, node: Node) -> None:
        function = node.get("function")
        path = _path(function) if isinstance(function, dict) else []
        if len(path) != 1 or path[0] not in words.TABLE_FUNCTIONS:
            raise Fault("not_allowed")

    def _function(self, node: Node) -> None:
        *parents, name = _path(node)
        known = name in self.functions or name in words.TABLE_FUNCTIONS
        of_the_engine = parents in (["main"], ["pg_catalog"])
        if not known or (self.objects.parents & set(parents) and not of_the_engine):
            raise Fault("not_allowed")


def _the_select(cursor: duckdb.DuckDBPyConnection, sql: str) -> str:
    statements = cursor.extract_statements(sql)
    if len(statements) != 1:
        raise Fault("not_allowed")
    kind = statements[0].type
    if kind == duckdb.StatementType.SELECT:
        return sql
    explain = _EXPLAIN.match(sql)
    if kind == duckdb.StatementType.EXPLAIN and explain:
        return _the_select(cursor, sql[explain.end() :])
    raise Fault("not_allowed")


def _tree(cursor: duckdb.DuckDBPyConnection, sql: str) -> Node:
    [(text,)] = cursor.execute(_TREE, [sql]).fetchall()
    reply = json.loads(text)
    statements = reply.get("statements", [])
    if reply.get("error") or len(statements) != 1:
        raise Fault("not_allowed")
    tree: Node = statements[0]
    return tree


def _children(node: Node, ctes: frozenset[str]) -> Iterator[tuple[object, frozenset[str]]]:
    """The parts of a node, each with the common table expressions it can see."""
    entries = node.get("cte_map")
    inner = ctes
    if isinstance(entries, dict):
        for entry in entries.get("map", []):
            name = fold(str(entry["key"]))
            body = entry.get("value")
            yield body, inner | {name} if _recursive(body) else inner
            inner = inner | {name}
    yield from ((child, inner) for key, child in node.items() if key != "cte_map")


def _recursive(body: object) -> bool:
    node = body.get("query_node") if isinstance(body, dict) else None
    return isinstance(node, dict) and node.get("type") == "RECURSIVE_CTE_NODE"


def _path(node: Node) -> list[str]:
    qualified = node.get("qualified_name")
    path = qualified.get("path") if isinstance(qualified, dict) else None
    if not isinstance(path, list) or not path:
        raise Fault("not_allowed")
    return [fold(str(part)) for part in path]
