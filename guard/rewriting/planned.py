"""Writes into a tree what the walk over it found out: stars, NATURAL joins, schema prefixes."""

from __future__ import annotations

from sqlglot import exp

from guard.tracing import Plan

_PARTS = ("catalog", "db", "table", "this")


def carry_out(tree: exp.Expression, plan: Plan) -> exp.Expression:
    """Returns `tree`, changed in place by the `plan` that a walk over this same tree made.

    Every `*` over base tables becomes their columns by name, NATURAL becomes USING, and
    `schema.table.column` becomes `table.column`, because a filtered table has no schema.
    """
    if not (plan.stars or plan.prefixes or plan.naturals):
        return tree
    for node in list(tree.walk()):
        if id(node) in plan.stars:
            _spread(node, plan.stars[id(node)])
        elif id(node) in plan.prefixes:
            _shorten(node, plan.prefixes[id(node)])
        elif id(node) in plan.naturals:
            _use(node, plan.naturals[id(node)])
    return tree


def _spread(star: exp.Expr, columns: list[exp.Expr] | None) -> None:
    if columns is None or star.parent is None:
        return
    before = star.parent.expressions
    after: list[exp.Expr] = []
    for projection in before:
        after.extend(columns if projection is star else [projection])
    star.parent.set("expressions", after)


def _shorten(column: exp.Expr, prefix: int) -> None:
    present = [key for key in _PARTS if column.args.get(key)]
    for key in present[:prefix]:
        column.set(key, None)


def _use(join: exp.Expr, columns: list[exp.Identifier]) -> None:
    join.set("method", None)
    if columns:
        join.set("using", [column.copy() for column in columns])
    else:
        join.set("kind", "CROSS")
