"""SQLite's bare columns: beside `max(x)` they come from the row that has the largest x.

https://www.sqlite.org/lang_select.html#bareagg
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp


def extremes(select: exp.Select) -> list[exp.Expr]:
    """Returns what the lone `min` and `max` calls of a SELECT look at."""
    return [
        node.this
        for projection in select.expressions
        if not isinstance(projection, exp.Column)
        for node in _outside_queries(projection)
        if isinstance(node, exp.Max | exp.Min)
        and not node.expressions
        and not isinstance(node.parent, exp.Window)
    ]


def is_chosen(projection: exp.Expr, position: int, select: exp.Select) -> bool:
    """True for an output that an extreme chooses: it has a column that is no key of the groups."""
    group = select.args.get("group")
    keys: list[exp.Expr] = group.expressions if group is not None else []
    inner = projection.unalias()
    for key in keys:
        ordinal = isinstance(key, exp.Literal) and key.name == str(position + 1)
        aliased = isinstance(key, exp.Column) and key.name.casefold() == projection.alias.casefold()
        if ordinal or aliased or key == inner:
            return False
    names = {key.name.casefold() for key in keys if isinstance(key, exp.Column)}
    return any(column.name.casefold() not in names for column in _bare(inner))


def _bare(projection: exp.Expr) -> Iterator[exp.Expr]:
    inside = projection.walk(prune=lambda n: isinstance(n, exp.Query | exp.AggFunc))
    return (node for node in inside if isinstance(node, exp.Column))


def _outside_queries(node: exp.Expr) -> Iterator[exp.Expr]:
    return node.walk(prune=lambda n: isinstance(n, exp.Query))
