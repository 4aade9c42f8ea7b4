"""Tree -> text that the engine reads as the tree was judged."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

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


def faithful(tree: exp.Expression, dialect: str) -> exp.Expression:
    """Returns `tree`, changed in place where sqlglot would write something else than was meant.

    In SQLite a comma between tables is a join that may be reordered, CROSS JOIN is one that may
    not, and `CAST(x AS DATE)` is no call of `date(x)`.
    """
    if dialect != "sqlite":
        return tree
    for join in tree.find_all(exp.Join):
        if join.kind == "CROSS" and not join.method and not join.side:
            join.set("kind", None)
            join.set("on", exp.true())
    for cast in tree.find_all(exp.Cast):
        written = _SQLITE_TYPES.get(cast.to.this)
        if written is not None:
            cast.set("to", exp.DataType(this=exp.DType.USERDEFINED, kind=written))
    return tree


def render(tree: exp.Expression, dialect: str) -> str:
    """Returns the text of `tree`, without comments.

    Raises:
        Refused: `rewrite.unspeakable` for a construct the dialect has no words for.
    """
    try:
        return tree.sql(
            lexical.instance(dialect), comments=False, unsupported_level=ErrorLevel.RAISE
        )
    except (SqlglotError, RecursionError) as error:
        raise refuse(
            "rewrite.unspeakable",
            "The guard cannot write this statement anew, so it is refused.",
            alternative="Write it in another way.",
            fixable=True,
        ) from error
