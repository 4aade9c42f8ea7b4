"""Which columns a change of the schema names, and whether it would tell about what they hold.

A UNIQUE, a CHECK, a key or a new type is tried on every value when it is previewed, so whether the
preview succeeds is an answer about those values. A new name takes a column away from what the
policy says of the old one.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from guard.access import ColumnUse
from guard.catalog import Catalog, Table
from guard.errors import Refused, refuse
from guard.names import find_table

_LISTS = (exp.PrimaryKey, exp.ForeignKey)
_TESTS = (exp.CheckColumnConstraint, exp.UniqueColumnConstraint, *_LISTS, exp.Reference)


def columns_of(tree: exp.Expr, catalog: Catalog) -> tuple[ColumnUse, ...]:
    """Returns the columns of known tables that are named: `output` only named, `where` tried.

    Raises:
        Refused: `column.not_allowed`: there is none of that name in reach of the person.
    """
    own = _own(tree, catalog)
    new = {d.name.casefold() for d in tree.find_all(exp.ColumnDef)}
    found: dict[ColumnUse, None] = {}
    for name, holder in _names(tree):
        reference = holder.find_ancestor(exp.Reference)
        table = _referred(reference, catalog) if reference is not None else own
        if table is None or (reference is None and name.name.casefold() in new):
            continue
        column = table.column(name.name)
        if column is None:
            raise _not_there(f"{table.name}.{name.name}")
        tried = _is_tried(name, tree)
        found[
            ColumnUse(table=table.name, column=column.name, clause="where" if tried else "output")
        ] = None
    return tuple(found)


def renamed(tree: exp.Expr) -> str | None:
    """Returns the column that gets another name, or None."""
    found = tree.find(exp.RenameColumn)
    return str(found.this.name) if found is not None else None


def _own(tree: exp.Expr, catalog: Catalog) -> Table | None:
    """The table that is altered or indexed; None for one that is created here."""
    if isinstance(tree, exp.Alter):
        return find_table(tree.this, catalog)
    if isinstance(tree, exp.Create) and isinstance(tree.this, exp.Index):
        return find_table(tree.this.args["table"], catalog)
    return None


def _referred(node: exp.Reference, catalog: Catalog) -> Table | None:
    table = node.find(exp.Table)
    return find_table(table, catalog) if table is not None else None


def _names(tree: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """Yields the name of each column that is there already, and the node it stands in."""
    for node in tree.walk():
        parent = node.parent
        if isinstance(node, exp.Column):
            if not (isinstance(parent, exp.RenameColumn) and node.arg_key == "to"):
                yield node, node
        elif isinstance(node, exp.Identifier) and parent is not None:
            listed = isinstance(parent, exp.Schema) and node.arg_key == "expressions"
            altered = isinstance(parent, exp.AlterColumn) and node.arg_key == "this"
            keys = isinstance(parent, _LISTS) and node.arg_key == "expressions"
            if listed or altered or keys:
                yield node, parent


def _is_tried(name: exp.Expr, tree: exp.Expr) -> bool:
    if isinstance(tree, exp.Create) and tree.args.get("unique"):
        return True
    altered = name.find_ancestor(exp.AlterColumn)
    if altered is not None:
        return altered.args.get("dtype") is not None
    return name.find_ancestor(*_TESTS) is not None


def _not_there(name: str) -> Refused:
    return refuse(
        "column.not_allowed",
        f"{name} is not a column you can read here.",
        part=name,
        alternative="Look up the columns of the table.",
        fixable=True,
    )
