"""The shape of a change: its template, the columns it assigns, whether it changes the schema.

A template is what is left of a statement when its values are taken out: literals become typed
placeholders, an IN list of values counts as one value, comments and the spelling of names go. Two
statements with one template differ in values alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from guard.logtext import sha256_of
from guard.statement import parse

_SCHEMA = (exp.Create, exp.Drop, exp.Alter, exp.TruncateTable)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a statement is apart from its values.

    `template` is the SHA-256 of `text` and the dialect. `assigned` holds the columns the statement
    itself sets, in small letters; None means any of them.
    """

    template: str
    text: str
    assigned: frozenset[str] | None
    changes_schema: bool


def shape_of(sql: str, dialect: str) -> Shape:
    """Returns the shape of one statement.

    Raises:
        Refused: it is not one statement that the guard can model.
    """
    tree = parse(sql, dialect).tree
    text = _template(tree.copy(), dialect)
    return Shape(
        template=sha256_of(f"{dialect}\n{text}"),
        text=text,
        assigned=_assigned(tree),
        changes_schema=isinstance(tree, _SCHEMA),
    )


def _template(tree: exp.Expr, dialect: str) -> str:
    for node in list(tree.walk()):
        node.pop_comments()
    for literal in list(tree.find_all(exp.Literal, exp.Boolean, exp.Null)):
        if not _is_sign(literal):
            literal.replace(exp.Placeholder(this=_kind(literal)))
    for negative in list(tree.find_all(exp.Neg)):
        if isinstance(negative.this, exp.Placeholder):
            negative.replace(negative.this)
    for node in list(tree.find_all(exp.In)):
        _collapse(node)
    for name in tree.find_all(exp.Identifier):
        # A quoted name, and any in MySQL, may differ from another by its case alone.
        if not name.args.get("quoted") and dialect != "mysql":
            name.set("this", str(name.this).casefold())
    return tree.sql(dialect=dialect, comments=False, normalize_functions="lower")


def _kind(node: exp.Expr) -> str:
    if isinstance(node, exp.Literal):
        return "text" if node.is_string else "number"
    return "null" if isinstance(node, exp.Null) else "flag"


def _is_sign(node: exp.Expr) -> bool:
    """IS NULL and IS TRUE are tests, not values."""
    return isinstance(node.parent, exp.Is)


def _collapse(node: exp.In) -> None:
    """One placeholder for a list of values of one kind; a list of anything else stays as it is."""
    listed = node.expressions
    kinds = {e.this for e in listed if isinstance(e, exp.Placeholder)}
    if listed and len(kinds) == 1 and all(isinstance(e, exp.Placeholder) for e in listed):
        node.set("expressions", [listed[0]])


def _assigned(tree: exp.Expr) -> frozenset[str] | None:
    names: set[str] = set()
    for node in tree.find_all(exp.Insert, exp.Update, exp.OnConflict):
        if isinstance(node, exp.Insert):
            if not isinstance(node.this, exp.Schema):
                if _is_branch(node):
                    names |= _listed(node.this)
                    continue
                return None
            names |= {c.name.casefold() for c in node.this.expressions}
        else:
            names |= {e.this.name.casefold() for e in node.expressions if isinstance(e, exp.EQ)}
    return frozenset(names)


def _is_branch(node: exp.Insert) -> bool:
    """An INSERT of a MERGE names its columns in a tuple."""
    return isinstance(node.this, exp.Tuple)


def _listed(node: exp.Expr) -> set[str]:
    return {e.name.casefold() for e in node.expressions}
