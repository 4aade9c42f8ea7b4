"""A fence around filtered rows, so that no other row takes part in anything that may fail.

An engine may merge a filtering subquery into the query around it and try that query's conditions on
rows before the filter has left them out. Where a condition fails on such a row, its failure tells
what is in it: `WHERE 1 / (total - 7) > 0` is refused by the engine when somebody else's total is 7.
Engines neither merge a query that has a limit nor move conditions into it.

https://www.postgresql.org/docs/current/rules-privileges.html
https://mariadb.com/kb/en/derived-table-merge-optimization/
https://www.sqlite.org/optoverview.html#subquery_flattening
"""

from __future__ import annotations

from sqlglot import exp

_ALL_ROWS = 2**63 - 1


def fenced(select: exp.Select, dialect: str) -> exp.Select:
    """Returns `select` with a limit that leaves out no row; changed in place."""
    if dialect == "postgres":
        # Unlike LIMIT it costs nothing at execution.
        select.set("offset", exp.Offset(expression=exp.Literal.number(0)))
    else:
        select.set("limit", exp.Limit(expression=exp.Literal.number(_ALL_ROWS)))
    return select


def without_fence(select: exp.Expr, dialect: str) -> set[str]:
    """Returns the parts of a SELECT that it has besides a fence."""
    fence = fenced(exp.Select(), dialect)
    return {k for k, v in select.args.items() if v and v != fence.args.get(k)}


def may_fail(tree: exp.Expr) -> bool:
    """True unless nothing in a query can fail on one row and not on another.

    What the outermost SELECT shows, groups and sorts by is computed of the rows that are left, so
    it may fail.
    """
    stack: list[exp.Expr] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, exp.Select) and _is_outermost(node, tree):
            for key, child in _children(node):
                if key in ("expressions", "group", "order"):
                    stack.extend(child.find_all(exp.Query))
                else:
                    stack.append(child)
        elif _is_steady(node):
            stack.extend(child for _, child in _children(node))
        else:
            return True
    return False


def _children(node: exp.Expr) -> list[tuple[str, exp.Expr]]:
    return [(child.arg_key or "", child) for child in node.iter_expressions()]


def _is_outermost(node: exp.Expr, tree: exp.Expr) -> bool:
    return node is tree or (
        isinstance(node.parent, exp.SetOperation) and _is_outermost(node.parent, tree)
    )


_STEADY = (
    # queries and their parts
    exp.Select,
    exp.SetOperation,
    exp.With,
    exp.CTE,
    exp.From,
    exp.Join,
    exp.Table,
    exp.TableAlias,
    exp.Where,
    exp.Group,
    exp.Having,
    exp.Order,
    exp.Ordered,
    exp.Limit,
    exp.Offset,
    # names and constants
    exp.Identifier,
    exp.Column,
    exp.Star,
    exp.Alias,
    exp.Paren,
    exp.Literal,
    exp.Null,
    exp.Boolean,
    exp.Var,
    exp.CurrentDate,
    exp.CurrentTimestamp,
    # conditions
    exp.And,
    exp.Or,
    exp.Not,
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.Is,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.In,
    exp.Between,
    exp.Exists,
    exp.Case,
    exp.If,
    exp.Coalesce,
    exp.Lower,
    exp.Upper,
    # of the rows that are left
    exp.Count,
    exp.Min,
    exp.Max,
    exp.Avg,
    exp.Sum,
    exp.Window,
    exp.WindowSpec,
    exp.RowNumber,
    exp.Rank,
    exp.DenseRank,
)


def _is_steady(node: exp.Expr) -> bool:
    """True for a node that gives a value whatever its operands are."""
    if isinstance(node, exp.Subquery):
        # Where one value is wanted, a second row is a failure.
        return isinstance(node.parent, exp.From | exp.Join | exp.SetOperation | exp.In)
    if isinstance(node, exp.Select) and _is_one_value(node):
        return False
    if isinstance(node, exp.Distinct):
        return node.args.get("on") is None
    if isinstance(node, exp.Cast):
        # The engine reads a constant before the first row.
        return isinstance(node.this, exp.Literal)
    if isinstance(node, exp.DataType | exp.DataTypeParam):
        return isinstance(node.parent, exp.Cast | exp.DataType)
    if isinstance(node, exp.Like | exp.ILike):
        pattern = node.expression
        return isinstance(pattern, exp.Literal) and "\\" not in pattern.name
    return isinstance(node, _STEADY)


def _is_one_value(select: exp.Select) -> bool:
    parent = select.parent
    return isinstance(parent, exp.Expr) and not isinstance(
        parent, exp.Subquery | exp.SetOperation | exp.CTE | exp.Exists | exp.In
    )
