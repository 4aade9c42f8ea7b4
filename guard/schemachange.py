"""Which changes of the schema may be proposed at all: a closed list, seen through to the last node.

Tables, columns, constraints and indexes; nothing that computes, copies, grants or cascades. What is
not in the list stays refused, whoever approves.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from guard.access import SchemaChange
from guard.catalog import Catalog
from guard.errors import Refused, refuse
from guard.names import find_table
from guard.schemacolumns import columns_of, renamed
from guard.statement import Statement


def _args(*names: str) -> frozenset[str]:
    return frozenset(names)


_NODES: Mapping[type[exp.Expr], frozenset[str]] = {
    exp.Create: _args("this", "kind", "unique"),
    exp.Drop: _args("tables", "kind", "exists", "restrict"),
    exp.Alter: _args("this", "kind", "actions"),
    exp.TruncateTable: _args("expressions"),
    exp.Schema: _args("this", "expressions"),
    exp.ColumnDef: _args("this", "kind", "constraints"),
    exp.DataType: _args("this", "expressions", "nested", "values"),
    exp.DataTypeParam: _args("this"),
    exp.ColumnConstraint: _args("this", "kind"),
    exp.PrimaryKeyColumnConstraint: _args("include"),
    exp.NotNullColumnConstraint: _args("allow_null"),
    exp.DefaultColumnConstraint: _args("this"),
    exp.UniqueColumnConstraint: _args("this", "include"),
    exp.CheckColumnConstraint: _args("this"),
    exp.Constraint: _args("this", "expressions"),
    exp.PrimaryKey: _args("expressions", "include"),
    exp.ForeignKey: _args("expressions", "reference"),
    exp.Reference: _args("this", "expressions"),
    exp.AddConstraint: _args("expressions"),
    exp.RenameColumn: _args("this", "to"),
    exp.AlterColumn: _args("this", "dtype", "default", "drop", "allow_null"),
    exp.Index: _args("this", "table", "params"),
    exp.IndexParameters: _args("columns"),
    exp.Ordered: _args("this", "desc", "nulls_first"),
    exp.Table: _args("this", "db"),
    exp.Column: _args("this"),
    exp.Identifier: _args("this", "quoted"),
    exp.Literal: _args("this", "is_string"),
    exp.Boolean: _args("this"),
    exp.Null: _args(),
    exp.Paren: _args("this"),
    exp.In: _args("this", "expressions"),
    exp.Between: _args("this", "low", "high"),
    exp.CurrentTimestamp: _args(),
    exp.CurrentDate: _args(),
    **dict.fromkeys((exp.Neg, exp.Not), _args("this")),
    **dict.fromkeys(
        (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.NEQ, exp.And, exp.Or, exp.Is),
        _args("this", "expression"),
    ),
}
"""Each node that may stand in a change of the schema, and which of its arguments may be set."""

_KINDS: Mapping[type[exp.Expr], tuple[str, ...]] = {
    exp.Create: ("TABLE", "INDEX"),
    exp.Drop: ("TABLE", "INDEX"),
    exp.Alter: ("TABLE",),
}
_INNER_DROPS = ("COLUMN", "CONSTRAINT")


def schema_change_of(statement: Statement, catalog: Catalog) -> SchemaChange:
    """Returns what a change of the schema names.

    Raises:
        Refused: it is not one of those that may be proposed (`ddl.*`), or names an unknown table.
    """
    tree = statement.tree
    if isinstance(tree, exp.Create | exp.Drop) and tree.args.get("concurrently"):
        raise refuse(
            "ddl.not_previewable",
            "CONCURRENTLY cannot run in a transaction, so it cannot be previewed and cannot be "
            "approved.",
            alternative="Leave CONCURRENTLY out; the preview says who waits for the lock.",
        )
    for node in tree.walk():
        _check(node, is_root=node is tree)
    if isinstance(tree, exp.Drop) and tree.args["kind"] == "INDEX":
        return SchemaChange(tables=(), any_table=True)
    created = _created(tree)
    named = _tables(tree, catalog, created)
    if not named and created is None:
        raise _unknown("the table")
    return SchemaChange(
        tables=named, created=created, columns=columns_of(tree, catalog), renamed=renamed(tree)
    )


def _check(node: exp.Expr, *, is_root: bool) -> None:
    allowed = _NODES.get(type(node))
    if allowed is None:
        raise _unknown(type(node).__name__)
    for name, value in node.args.items():
        if value and name not in allowed:
            raise _unknown(name.upper())
    kind = str(node.args.get("kind") or "")
    if is_root and type(node) in _KINDS and kind not in _KINDS[type(node)]:
        raise _unknown(kind)
    if isinstance(node, exp.Drop) and not is_root and kind not in _INNER_DROPS:
        raise _unknown(kind)


def _unknown(part: str) -> Refused:
    return refuse(
        "ddl.not_known",
        "This kind of change of the schema is not one that can be proposed here.",
        part=part,
        alternative="Tables, columns, constraints and indexes can be created, changed and dropped.",
    )


def not_allowed(part: str) -> Refused:
    """Returns one answer for a table out of reach and for one that is not there."""
    return refuse(
        "ddl.not_allowed",
        f"You may not propose changes of the definition of {part}.",
        part=part,
    )


def _created(tree: exp.Expr) -> str | None:
    if not isinstance(tree, exp.Create) or tree.args["kind"] != "TABLE":
        return None
    if not isinstance(tree.this, exp.Schema) or tree.this.this.args.get("db"):
        raise _unknown("the new table")
    return str(tree.this.this.name)


def _tables(tree: exp.Expr, catalog: Catalog, created: str | None) -> tuple[str, ...]:
    """Returns the tables that are named, those that a reference points at included."""
    names: dict[str, None] = {}
    for node in tree.find_all(exp.Table):
        inner = node.find_ancestor(exp.Drop)
        if inner is not None and inner is not tree:
            continue  # a constraint
        if created is not None and node.parent is tree.this:
            continue
        found = find_table(node, catalog)
        if found is None or found.kind != "table":
            raise not_allowed(node.name)
        names[found.name] = None
    return tuple(names)
