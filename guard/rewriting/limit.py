"""A LIMIT on the outermost query: the smaller of the statement's own and the cap wins."""

from __future__ import annotations

from sqlglot import exp

_MODIFIERS = ("with_", "order", "limit", "offset", "alias", "sample", "joins", "pivots", "where")


def limited(tree: exp.Expression, rows: int, dialect: str) -> exp.Expression:
    """Returns a query that gives at most `rows` rows of `tree`, the same ones in the same order.

    `tree` is changed in place. A limit that is no plain number (an expression, a percentage, WITH
    TIES) stays as it is, inside.
    """
    tree = _without_brackets(tree)
    if isinstance(tree, exp.Values) and dialect == "sqlite":
        return _outside(tree, rows)
    own = tree.args.get("limit")
    if own is None:
        return _set(tree, rows)
    if _has_options(own):
        return _outside(tree, rows)
    count = _count(own)
    if _is_all(count, dialect):
        return _set(tree, rows)
    if isinstance(count, exp.Literal) and count.name.isdecimal():
        return _set(tree, min(rows, int(count.name)))
    return _outside(tree, rows)


def _count(limit: exp.Expr) -> exp.Expr:
    if isinstance(limit, exp.Fetch):
        # FETCH FIRST ROW ONLY: without a number it is one.
        return limit.args.get("count") or exp.Literal.number(1)
    count: exp.Expr = limit.args["expression"]
    return count


def _without_brackets(tree: exp.Expression) -> exp.Expression:
    while isinstance(tree, exp.Subquery) and not any(tree.args.get(k) for k in _MODIFIERS):
        tree = tree.this
    return tree


def _set(tree: exp.Expression, rows: int) -> exp.Expression:
    tree.set("limit", exp.Limit(expression=exp.Literal.number(rows)))
    return tree


def _outside(tree: exp.Expression, rows: int) -> exp.Expression:
    alias = exp.TableAlias(this=exp.to_identifier("limited"))
    query = tree.this if isinstance(tree, exp.Subquery) and not _has_modifiers(tree) else tree
    subquery = exp.Subquery(this=query, alias=alias)
    outer = exp.Select(expressions=[exp.Star()], from_=exp.From(this=subquery))
    return _set(outer, rows)


def _has_modifiers(tree: exp.Expression) -> bool:
    return any(tree.args.get(k) for k in _MODIFIERS)


def _has_options(limit: exp.Expr) -> bool:
    """PERCENT, WITH TIES, BY."""
    options = limit.args.get("limit_options")
    special = options is not None and (options.args.get("percent") or options.args.get("with_ties"))
    return bool(special or limit.expressions or limit.args.get("offset"))


def _is_all(count: exp.Expr, dialect: str) -> bool:
    """True for the spellings of "no limit"."""
    if dialect == "sqlite":
        return isinstance(count, exp.Neg) and isinstance(count.this, exp.Literal)
    if isinstance(count, exp.Null):
        return dialect in ("duckdb", "postgres")
    return isinstance(count, exp.Var | exp.Column) and count.name.upper() == "ALL"
