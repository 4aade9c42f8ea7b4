"""Tree -> text that the engine reads as the tree was judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sqlglot import exp
from sqlglot.errors import ErrorLevel

from guard import lexical
from guard.errors import refuse

# Names that sqlglot writes in another way for SQLite, which changes what a cast gives.
_SQLITE_TYPES = {
    exp.DType.BOOLEAN: "BOOLEAN",
    exp.DType.DATE: "DATE",
    exp.DType.DATETIME: "DATETIME",
    exp.DType.DECIMAL: "NUMERIC",
    exp.DType.TIME: "TIME",
    exp.DType.TIMESTAMP: "TIMESTAMP",
    exp.DType.TIMESTAMPNTZ: "TIMESTAMP",
}

# Functions that sqlglot writes under a name or in a form which the dialect does not have.
_NAMED: Mapping[str, Mapping[type[exp.Expr], str]] = {
    "mysql": {exp.UtcDate: "UTC_DATE"},
    "postgres": {exp.Hex: "TO_HEX"},
}


def faithful(tree: exp.Expression, dialect: str) -> exp.Expression:
    """Returns `tree`, changed in place where sqlglot would write something else than was meant.

    In SQLite a comma between tables is a join that may be reordered, CROSS JOIN is one that may
    not, and `CAST(x AS DATE)` is no call of `date(x)`. MariaDB has no REGEXP_LIKE, which `x REGEXP
    y` would be written as, and PostgreSQL no HEX.
    """
    if dialect in _NAMED:
        tree = _under_their_names(tree, dialect)
    if dialect == "mysql":
        return _without_regexp_like(tree)
    for node in _misspelt(tree, dialect):
        if isinstance(node, exp.Join):
            node.set("kind", None)
            node.set("on", exp.true())
        else:
            written = _SQLITE_TYPES[node.to.this]
            node.set("to", exp.DataType(this=exp.DType.USERDEFINED, kind=written))
    return tree


def _under_their_names(tree: exp.Expression, dialect: str) -> exp.Expression:
    for node in list(tree.find_all(*_NAMED[dialect])):
        arguments = [node.this] if node.args.get("this") is not None else []
        call = exp.Anonymous(this=_NAMED[dialect][type(node)], expressions=arguments)
        if node is tree:
            return call
        node.replace(call)
    return tree


def _without_regexp_like(tree: exp.Expression) -> exp.Expression:
    for node in list(tree.find_all(exp.RegexpLike)):
        if node.args.get("flag") is None:
            place = exp.RegexpInstr(this=node.this.copy(), expression=node.expression.copy())
            found = exp.Paren(this=exp.GT(this=place, expression=exp.Literal.number(0)))
            if node is tree:
                return found
            node.replace(found)
    return tree


def without_dual(tree: exp.Expression, dialect: str) -> exp.Expression:
    """Returns `tree` without FROM DUAL, which says that nothing is read; changed in place."""
    for from_ in list(tree.find_all(exp.From)) if dialect == "mysql" else ():
        table, select = from_.this, from_.parent
        if not isinstance(table, exp.Table) or not isinstance(select, exp.Select):
            continue
        quoted = isinstance(table.this, exp.Identifier) and table.this.args.get("quoted")
        alone = {k for k, v in table.args.items() if v} == {"this"}
        if table.name.upper() == "DUAL" and alone and not quoted and not select.args.get("joins"):
            select.set("from_", None)
    return tree


Meaning = tuple[type[exp.Expr], int]
"""What a tree says, down to every name and constant."""


def meaning(tree: exp.Expression) -> Meaning:
    """Returns what the parser's `==` compares of a tree, so equal meanings are equal trees.

    Taken before a tree is spent, it keeps what a copy would be kept for: the hash covers the class
    and all arguments of every node, and those of texts differ from process to process.
    """
    return type(tree), hash(tree)


def constants(tree: exp.Expression) -> Counter[tuple[bool, str]]:
    """Returns how often each number and text stands in a tree, and whether it is a text.

    Text between dollars counts as the text it is.
    """
    found = tree.find_all(exp.Literal, exp.RawString)
    return Counter((not isinstance(n, exp.Literal) or n.is_string, str(n.this)) for n in found)


def as_faithful(tree: exp.Expression, dialect: str) -> exp.Expression:
    """Returns the tree of rendered text as a faithful one; `tree` itself where it is one."""
    named = dialect in _NAMED and tree.find(*_NAMED[dialect]) is not None
    if named or _misspelt(tree, dialect):
        return faithful(tree.copy(), dialect)
    return tree


def _misspelt(tree: exp.Expr, dialect: str) -> list[exp.Join | exp.Cast]:
    if dialect != "sqlite":
        return []
    return [
        node
        for node in tree.find_all(exp.Join, exp.Cast)
        if (isinstance(node, exp.Cast) and node.to.this in _SQLITE_TYPES)
        or (isinstance(node, exp.Join) and _is_cross(node))
    ]


def _is_cross(join: exp.Join) -> bool:
    return bool(join.kind == "CROSS" and not join.method and not join.side)


def render(tree: exp.Expression, dialect: str) -> str:
    """Returns the text of `tree`, without comments. The tree is spent: it must not be used again.

    Raises:
        Refused: `rewrite.unspeakable` for a construct the dialect has no words for.
    """
    try:
        return tree.sql(
            lexical.instance(dialect),
            comments=False,
            copy=False,
            unsupported_level=ErrorLevel.RAISE,
        )
    except Exception as error:  # the generator fails on some trees in ways of its own
        raise refuse(
            "rewrite.unspeakable",
            "The guard cannot write this statement anew, so it is refused.",
            alternative="Write it in another way.",
            fixable=True,
        ) from error
